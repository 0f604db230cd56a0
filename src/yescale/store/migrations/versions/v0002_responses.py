"""Responses that are kept, to be read again and gone on from."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "responses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("response_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
        sa.UniqueConstraint("account_id", "response_id", name=op.f("uq_responses_account_id_response_id")),
    )
    op.create_index(op.f("ix_responses_account_id_created_ms"), "responses", ["account_id", "created_ms", "size"])
    op.create_index(op.f("ix_responses_expires_ms"), "responses", ["expires_ms"])


def downgrade() -> None:
    """Drop it, and with it what was kept."""
    op.drop_table("responses")
