"""Fallbacks and aliases of models; of channels what is encrypted beside the secrets, their overrides and bounds."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def _of_models() -> tuple["sa.Column[Any]", ...]:
    return (
        sa.Column("fallbacks", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("alias_of", sa.Text(), nullable=False, server_default=sa.text("''")),
    )


def _of_channels() -> tuple["sa.Column[Any]", ...]:
    return (
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("body", sa.Text(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("max_attempts", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("total_s", sa.Float(), nullable=False, server_default=sa.text("0")),
        sa.Column("bills_failures", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text(), nullable=False, server_default=sa.text("''")),
    )


def upgrade() -> None:
    """Add the columns."""
    for column in _of_models():
        op.add_column("models", column)
    for column in _of_channels():
        op.add_column("channels", column)


def downgrade() -> None:
    """Drop them. Headers that were encrypted meanwhile are lost with them: they must be set again."""
    for column in _of_channels():
        op.drop_column("channels", column.name)
    for column in _of_models():
        op.drop_column("models", column.name)
