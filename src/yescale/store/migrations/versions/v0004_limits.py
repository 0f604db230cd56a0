"""Limits, and the purses of their periods."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Make the table, and let a purse name its limit."""
    op.create_table(
        "limits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deleted_ms", sa.BigInteger()),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_limits_amount")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_limits_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limits")),
        sa.UniqueConstraint("scope", "subject", "what", "window", name=op.f("uq_limits_scope_subject_what_window")),
    )
    op.add_column("purses", sa.Column("limit_id", sa.BigInteger()))
    op.create_index("uq_purses_limit_id_period", "purses", ["limit_id", "period"], unique=True)


def downgrade() -> None:
    """Drop them. The purses of budgets stay, without a limit: calls that charged them name them."""
    op.drop_index("uq_purses_limit_id_period", "purses")
    op.drop_column("purses", "limit_id")
    op.drop_table("limits")
