"""What calls of each model were like, hour by hour, in place of what somebody once wrote down."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"


_FIGURES: Final = ("quality_api", "avg_time_low", "avg_time_normal", "avg_time_high")


def upgrade() -> None:
    """Make the table."""
    for name in (*_FIGURES, "throughput"):
        op.drop_column("models", name)
    op.create_table(
        "model_hours",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("good", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("times", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.PrimaryKeyConstraint("model", "hour", name=op.f("pk_model_hours")),
    )
    op.create_index(op.f("ix_model_hours_hour"), "model_hours", ["hour"])


def downgrade() -> None:
    """Drop it; what it says can be counted anew."""
    for name in _FIGURES:
        op.add_column("models", sa.Column(name, sa.Float(), server_default=sa.text("0"), nullable=False))
    op.add_column("models", sa.Column("throughput", sa.Float(), nullable=True))
    op.drop_table("model_hours")
    op.execute("DELETE FROM counters WHERE name = 'statistics'")
