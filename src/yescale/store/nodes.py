"""Nodes and their heartbeats, by the database's clock. A node id is fenced by the boot that holds it."""

from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.store.bulk import either
from yescale.store.database import database_ms
from yescale.store.tables import nodes


class NodeRow(Struct, frozen=True, kw_only=True):
    """One node of the cluster."""

    id: str
    boot_id: str
    program: str
    started_ms: int
    seen_ms: int
    left_ms: int | None


_SELECT: Final = select(*[nodes.c[name] for name in NodeRow.__struct_fields__]).order_by(nodes.c.id)
_JOIN: Final = either(
    lambda insert: (made := insert(nodes)).on_conflict_do_update(
        index_elements=["id"],
        set_={name: made.excluded[name] for name in ("boot_id", "program", "started_ms", "seen_ms")}
        | {"left_ms": None},
    )
)
_BEAT: Final = (
    nodes.update()
    .where(nodes.c.id == bindparam("node"), nodes.c.boot_id == bindparam("boot"))
    .values(seen_ms=bindparam("now"))
)


async def join(connection: AsyncConnection, node: str, boot_id: str, program: str) -> None:
    """Take a node id for this boot; an older boot that still runs is fenced by it."""
    now_ms = await database_ms(connection)
    row = {"id": node, "boot_id": boot_id, "program": program, "started_ms": now_ms, "seen_ms": now_ms}
    await connection.execute(_JOIN[connection.dialect.name], row)


async def beat(connection: AsyncConnection, node: str, boot_id: str) -> bool:
    """Say that the node lives. False: another boot holds its id; stop admitting."""
    now_ms = await database_ms(connection)
    return (await connection.execute(_BEAT, {"node": node, "boot": boot_id, "now": now_ms})).rowcount > 0


async def leave(connection: AsyncConnection, node: str, boot_id: str) -> None:
    """The node is drained and goes."""
    left = nodes.update().where(nodes.c.id == node, nodes.c.boot_id == boot_id)
    await connection.execute(left.values(left_ms=await database_ms(connection)))


async def list_nodes(connection: AsyncConnection) -> tuple[NodeRow, ...]:
    """Every node that was ever here, by id."""
    return tuple(NodeRow(**row) for row in (await connection.execute(_SELECT)).mappings())


async def count_nodes(connection: AsyncConnection, within_ms: int) -> int:
    """How many nodes were seen of late and have not left."""
    seen_since = await database_ms(connection) - within_ms
    query = select(func.count()).where(nodes.c.left_ms.is_(None), nodes.c.seen_ms >= seen_since)
    return int((await connection.execute(query)).scalar_one())


async def lost_nodes(connection: AsyncConnection, after_ms: int) -> tuple[NodeRow, ...]:
    """The nodes that neither left nor were seen for `after_ms`."""
    seen_before = await database_ms(connection) - after_ms
    query = _SELECT.where(nodes.c.left_ms.is_(None), nodes.c.seen_ms < seen_before)
    return tuple(NodeRow(**row) for row in (await connection.execute(query)).mappings())
