"""Groups and their multipliers. A ratio row is immutable: a new one supersedes it."""

from typing import Final

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.money import Ratio
from yescale.domain.snapshot import Group
from yescale.store.bulk import either
from yescale.store.tables import groups, ratios

_CURRENT: Final = (
    select(groups.c.name, ratios.c.ratio, ratios.c.id.label("ratio_id"))
    .join(ratios, and_(ratios.c.group == groups.c.name, ratios.c.superseded_ms.is_(None)))
    .where(groups.c.deleted_ms.is_(None))
    .order_by(groups.c.name)
)
_MAKE: Final = either(
    lambda insert: (made := insert(groups)).on_conflict_do_update(
        index_elements=["name"], set_={"deleted_ms": None, "description": made.excluded.description}
    )
)
_SUPERSEDE: Final = (
    ratios.update()
    .where(ratios.c.group == bindparam("of"), ratios.c.superseded_ms.is_(None))
    .values(superseded_ms=bindparam("now"))
)


async def list_groups(connection: AsyncConnection) -> tuple[Group, ...]:
    """The groups with the ratios that hold now, by name."""
    return tuple(Group(**row) for row in (await connection.execute(_CURRENT)).mappings())


async def set_group(
    connection: AsyncConnection, name: str, ratio: Ratio, *, now_ms: int, description: str = ""
) -> Group:
    """Make a group, or supersede its ratio. Note a snapshot change in the same transaction."""
    made = {"name": name, "description": description, "created_ms": now_ms, "deleted_ms": None}
    await connection.execute(_MAKE[connection.dialect.name], made)
    await connection.execute(_SUPERSEDE, {"of": name, "now": now_ms})
    row = {"group": name, "ratio": ratio, "created_ms": now_ms}
    ratio_id = (await connection.execute(ratios.insert().values(row).returning(ratios.c.id))).scalar_one()
    return Group(name=name, ratio=ratio, ratio_id=ratio_id)


async def delete_group(connection: AsyncConnection, name: str, *, now_ms: int) -> None:
    """Take a group out of the snapshot. Its ratio rows stay: settled calls name them."""
    await connection.execute(groups.update().where(groups.c.name == name).values(deleted_ms=now_ms))
