"""What the sandbox keeps of responses that were to be stored: a bounded number of the latest."""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox.jsontype import Json, JsonObject

MOST_RESPONSES = 5_000
MOST_BYTES = 67_108_864


class Kept(Struct):
    """A stored response; `context` is its input with all that went before. `waiting` counts the polls to come."""

    response: JsonObject
    given: list[Json]
    context: tuple[Json, ...]
    size: int = 0
    waiting: int = 0


class Shelf:
    """Responses by the key that made them and by their id; no key sees what another made."""

    def __init__(self, most: int = MOST_RESPONSES, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._bytes = 0

    def put(self, key: str, kept: Kept) -> None:
        """Keep a response, and forget the oldest beyond the bounds."""
        place = (key, str(kept.response["id"]))
        self.drop(*place)
        kept.size = len(msgspec.json.encode([kept.response, kept.context]))
        self._kept[place] = kept
        self._bytes += kept.size
        while self._kept and (len(self._kept) > self._most or self._bytes > self._most_bytes):
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size

    def get(self, key: str, response_id: str) -> Kept | None:
        return self._kept.get((key, response_id))

    def drop(self, key: str, response_id: str) -> bool:
        """Whether there was such a response."""
        kept = self._kept.pop((key, response_id), None)
        if kept is not None:
            self._bytes -= kept.size
        return kept is not None

    def item(self, key: str, item_id: str) -> JsonObject | None:
        """The item of that id, of the latest response that holds it."""
        for (owner, _), kept in reversed(self._kept.items()):
            if owner == key:
                for item in (*_items(kept.response.get("output")), *kept.given):
                    if isinstance(item, dict) and item.get("id") == item_id:
                        return item
        return None


def _items(output: Json) -> Sequence[Json]:
    return output if isinstance(output, list) else ()
