"""The node's heartbeat: says in the database that it lives, tells its workers so, and closes what lost nodes left."""

import asyncio
import logging
from typing import Final, Protocol

from yescale.ledger.incarnations import reclaim, unended
from yescale.store import nodes
from yescale.store.database import Database, DatabaseAway

_LOG: Final = logging.getLogger(__name__)
_SILENT_MS: Final = 30_000  # a node that was not seen for so long has no share of a rate


class Fenced(Exception):
    """Another machine lives under this node's id, probably a copy of its home."""


class Audience(Protocol):
    """Who hears of beats."""

    def tell_of_node(self, lives: bool) -> None:
        """After each beat: whether the database has taken it."""
        ...

    def count_nodes(self, nodes: int) -> None:
        """How many nodes beat."""
        ...


class Heartbeat:
    """Beats for one node; `audience` hears of it."""

    def __init__(self, database: Database, node: str, boot_id: str, audience: Audience) -> None:
        self._database = database
        self._audience = audience
        self._node = node
        self._boot_id = boot_id

    async def join(self, program: str) -> None:
        """Take the node's id for this life. Raises DatabaseAway."""
        async with self._database.writing() as connection:
            await nodes.join(connection, self._node, self._boot_id, program)
        self._audience.tell_of_node(True)

    async def leave(self) -> None:
        """Say that the node is gone for good reason. Raises DatabaseAway."""
        async with self._database.writing() as connection:
            await nodes.leave(connection, self._node, self._boot_id)

    async def run(self, every_s: float, lost_s: float) -> None:
        """Beat for ever. Raises Fenced."""
        while True:
            try:
                await self._beat()
                await self._close_lost_nodes(lost_s)
            except DatabaseAway as error:
                _LOG.warning("the heartbeat waits for the database: %s", error)
                self._audience.tell_of_node(False)
            await asyncio.sleep(every_s)

    async def _beat(self) -> None:
        async with self._database.writing(urgent=True) as connection:
            held = await nodes.beat(connection, self._node, self._boot_id)
            count = await nodes.count_nodes(connection, _SILENT_MS)
        if not held:
            raise Fenced(
                f"node {self._node} is taken over by another control process; if this home was copied, remove node.id"
            )
        self._audience.tell_of_node(True)
        self._audience.count_nodes(max(1, count))

    async def _close_lost_nodes(self, lost_s: float) -> None:
        async with self._database.reading() as connection:
            lost = await nodes.lost_nodes(connection, int(lost_s * 1000))
            left = [
                (node.id, life) for node in lost if node.id != self._node for life in await unended(connection, node.id)
            ]
        for node, life in left:
            async with self._database.writing() as connection:
                released = await reclaim(connection, life)
            if released:
                _LOG.error(
                    "alarm: node %s is lost; %d nano-dollars of its worker %s are released", node, released, life
                )
