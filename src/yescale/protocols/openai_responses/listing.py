"""The input of a response that is kept, as its client lists it: items with ids, page by page.

https://platform.openai.com/docs/api-reference/responses/input-items
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from yescale.protocols.openai_responses.schema import NOTHING, said

_JSON: Final = msgspec.json.Encoder()
_ITEMS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_QUOTE: Final = ord('"')
_TEXTS: Final = {"assistant": b"output_text"}  # the type of a part that is text alone, by role


class Paging(Struct, frozen=True, gc=False):
    """Which items: so many, from the last to the first if `backwards`, behind the one with the id `after`."""

    limit: int = 20
    backwards: bool = True
    after: str = ""


class WireItems(Struct, frozen=True):
    """A page."""

    object: str
    data: list[dict[str, Raw]]
    first_id: str | None
    last_id: str | None
    has_more: bool


def list_items(items: bytes, response: str, paging: Paging) -> bytes | None:
    """A page of a JSON array of items, or None where there is no item `after`. Items without an id are given one."""
    named = [_name(fields, f"{response}_{number}") for number, fields in enumerate(_ITEMS.decode(items))]
    if paging.backwards:
        named.reverse()
    ids = [_text(fields["id"]) for fields in named]
    if paging.after and paging.after not in ids:
        return None
    start = ids.index(paging.after) + 1 if paging.after else 0
    end = start + paging.limit
    page, shown = named[start:end], ids[start:end]
    first, last = (shown[0], shown[-1]) if shown else (None, None)
    return _JSON.encode(WireItems("list", page, first, last, end < len(named)))


def _name(fields: dict[str, Raw], mark: str) -> dict[str, Raw]:
    """An item with its id and, of a message in short, what is understood by itself."""
    kind = _text(fields.get("type", NOTHING)) or ("message" if "role" in fields else "item")
    whole = {"type": Raw(_JSON.encode(kind))} | fields
    if not _text(whole.get("id", NOTHING)):
        whole["id"] = Raw(_JSON.encode(f"{'msg' if kind == 'message' else kind}_{mark}"))
    content = whole.get("content", NOTHING)
    if kind == "message" and said(content) and memoryview(content)[0] == _QUOTE:
        part = _TEXTS.get(_text(whole.get("role", NOTHING)), b"input_text")
        whole["content"] = Raw(b'[{"type":"%b","text":%b}]' % (part, bytes(content)))
    return whole


def _text(raw: Raw) -> str:
    """A string; "" for anything else."""
    found: Any = msgspec.json.decode(raw) if memoryview(raw)[0] == _QUOTE else ""
    return found
