"""Roll-ups of usage by the hour, filled from the calls that are there."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0004"

_FIGURES: Final = ("calls", "failed", "amount", "paid", "refunded")
_METERS: Final = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
    "requests",
    "images",
    "characters",
    "seconds",
    "pages",
    "web_searches",
)
_TOKENS: Final = ("prompt_tokens", "completion_tokens")
_PLACE: Final = ("account_id", "hour", "key_id", "model", "group", "channel_id")
_TAG_PLACE: Final = ("account_id", "name", "hour", "value")
_HOUR_MS: Final = 3_600_000
_FAILED: Final = 5


def _column(name: str) -> sa.ColumnClause[Any]:
    return sa.column(name)


_calls: Final = sa.table(
    "calls",
    *[sa.column(name, sa.BigInteger) for name in ("account_id", "at_ms", "key_id", "channel_id", "type")],
    *[sa.column(name, sa.BigInteger) for name in ("amount", "paid", "refunded", *_TOKENS)],
    *[sa.column(name, sa.Text) for name in ("call_id", "model", "group", "details")],
)
_tags: Final = sa.table(
    "call_tags",
    *[sa.column(name, sa.Text) for name in ("name", "value", "call_id")],
    sa.column("account_id", sa.BigInteger),
)
_rollups: Final = sa.table("rollups", *[_column(name) for name in (*_PLACE, *_FIGURES, *_METERS)])
_tag_rollups: Final = sa.table("tag_rollups", *[_column(name) for name in (*_TAG_PLACE, *_FIGURES, *_TOKENS)])


def upgrade() -> None:
    """Make the tables, and sum up what was called."""
    op.create_table(
        "rollups",
        *[sa.Column(name, _kind(name), nullable=False, autoincrement=False) for name in _PLACE],
        *[_count(name) for name in (*_FIGURES, *_METERS)],
        sa.PrimaryKeyConstraint(*_PLACE, name=op.f("pk_rollups")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rollups_hour", "rollups", ["hour"])
    op.create_table(
        "tag_rollups",
        *[sa.Column(name, _kind(name), nullable=False, autoincrement=False) for name in _TAG_PLACE],
        *[_count(name) for name in (*_FIGURES, *_TOKENS)],
        sa.PrimaryKeyConstraint(*_TAG_PLACE, name=op.f("pk_tag_rollups")),
        sqlite_with_rowid=False,
    )
    op.execute(_fill())
    op.execute(_fill_tagged())


def downgrade() -> None:
    """Drop them; the calls stay."""
    op.drop_table("tag_rollups")
    op.drop_table("rollups")


def _kind(name: str) -> type[sa.Text | sa.BigInteger]:
    return sa.Text if name in {"model", "group", "name", "value"} else sa.BigInteger


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _sums() -> list[sa.ColumnElement[int]]:
    return [
        sa.func.count(),
        sa.func.sum(sa.case((_calls.c.type == _FAILED, 1), else_=0)),
        *[sa.func.sum(_calls.c[name]) for name in ("amount", "paid", "refunded")],
    ]


def _used(meter: str) -> sa.ColumnElement[int]:
    """What a call used of a meter, which its details say."""
    if op.get_bind().dialect.name == "sqlite":
        said = sa.func.json_extract(_calls.c.details, f"$.usage.{meter}")
    else:
        said = sa.func.json_extract_path_text(sa.cast(_calls.c.details, sa.JSON), "usage", meter)
    return sa.func.coalesce(sa.func.sum(sa.cast(said, sa.BigInteger)), 0)


def _fill() -> sa.Insert:
    hour = _calls.c.at_ms // _HOUR_MS
    place = [hour if name == "hour" else _calls.c[name] for name in _PLACE]
    summed = sa.select(*place, *_sums(), *[_used(meter) for meter in _METERS]).group_by(*place)
    return sa.insert(_rollups).from_select([*_PLACE, *_FIGURES, *_METERS], summed)


def _fill_tagged() -> sa.Insert:
    hour = _calls.c.at_ms // _HOUR_MS
    place = [_tags.c.account_id, _tags.c.name, hour, _tags.c.value]
    summed = (
        sa.select(*place, *_sums(), *[sa.func.sum(_calls.c[name]) for name in _TOKENS])
        .join(_tags, sa.and_(_tags.c.call_id == _calls.c.call_id, _tags.c.account_id == _calls.c.account_id))
        .group_by(*place)
    )
    return sa.insert(_tag_rollups).from_select([*_TAG_PLACE, *_FIGURES, *_TOKENS], summed)
