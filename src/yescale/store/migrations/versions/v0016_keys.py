"""What a key may do and how its calls are tagged; the secrets that keys had before."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0016"
down_revision: Final = "0010"

_COLUMNS: Final = ("groups", "operations", "max_output", "tags")


def upgrade() -> None:
    """Add the columns, which change nothing by themselves, and make the table."""
    op.add_column("keys", sa.Column("groups", sa.Text()))
    op.add_column("keys", sa.Column("operations", sa.Text()))
    op.add_column("keys", sa.Column("max_output", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("keys", sa.Column("tags", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    op.create_table(
        "old_secrets",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_old_secrets_key_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_old_secrets")),
        sa.UniqueConstraint("key_id", name=op.f("uq_old_secrets_key_id")),
    )


def downgrade() -> None:
    """Drop them: old secrets stop working, and keys may do all again."""
    op.drop_table("old_secrets")
    for name in _COLUMNS:
        op.drop_column("keys", name)
