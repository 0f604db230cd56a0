"""Tags of calls, by which their log rows are found."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "call_tags",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_tags")),
    )
    op.create_index("ix_call_tags_name_value_account_id", "call_tags", ["name", "value", "account_id"])


def downgrade() -> None:
    """Drop it; the tags stay in the details of their calls."""
    op.drop_table("call_tags")
