"""How the installation is doing: nodes and journals, for the operator."""

from msgspec import Struct
from msgspec.structs import asdict

from yescale.control.context import Context
from yescale.store.nodes import list_nodes


class AskStatus(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything."""


async def status(context: Context, _asked: AskStatus) -> object:
    """The nodes, with when they were last seen."""
    async with context.database.reading() as connection:
        return {"nodes": [asdict(node) for node in await list_nodes(connection)]}
