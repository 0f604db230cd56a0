"""What a response searched the web for: OpenAI bills searches beside tokens, and its usage does not count them.

Opening a page, or looking for something in one, is no search:
https://platform.openai.com/docs/guides/tools-web-search#output-and-citations
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.usage import Meter, Usage
from yescale.protocols.reading import BROKEN

_MARK: Final = b'"web_search_call"'
_KIND: Final = "web_search_call"
_FREE: Final = frozenset({"open_page", "find_in_page", "find"})


class WireAction(Struct, frozen=True, gc=False):
    """What a call of the search tool did."""

    type: str = ""


class WireSearch(Struct, frozen=True, gc=False):
    """An item of an answer, as far as it may be a search."""

    type: str = ""
    action: WireAction | None = None


_ITEM: Final = msgspec.json.Decoder(WireSearch)
_ITEMS: Final = msgspec.json.Decoder(list[Raw])


def add_searches(usage: Usage | None, items: Iterable[Raw]) -> Usage | None:
    """The usage with the searches among an answer's items; one that was not reported stays so."""
    if usage is None:
        return None
    searches = sum(_is_search(item) for item in items)
    return {**usage, Meter.WEB_SEARCHES: searches} if searches else usage


def add_searches_of(usage: Usage | None, output: Raw) -> Usage | None:
    """The same of an `output` that is not taken apart yet, which costs a look where it has none."""
    raw = bytes(output)
    if _MARK not in raw:
        return usage
    try:
        return add_searches(usage, _ITEMS.decode(raw))
    except BROKEN:
        return usage


def _is_search(item: Raw) -> bool:
    raw = bytes(item)
    if _MARK not in raw:
        return False
    try:
        wire = _ITEM.decode(raw)
    except BROKEN:
        return False
    return wire.type == _KIND and (wire.action is None or wire.action.type not in _FREE)
