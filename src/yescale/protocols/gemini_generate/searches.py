"""What a grounded answer searched for: Google bills searches beside tokens, and its usage does not count them.

Up to Gemini 2.5 a grounded prompt is billed once; from Gemini 3 on, every different query that is not empty:
https://ai.google.dev/gemini-api/docs/google-search#pricing. A fetched page (URL context) is input, and counted there.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.usage import Meter, Usage
from yescale.protocols.gemini_generate.members import is_null
from yescale.protocols.gemini_generate.writing import BROKEN

_BY_PROMPT: Final = ("gemini-1", "gemini-2")
_MOST: Final = 1_000  # queries of one answer


class WireQueries(Struct, frozen=True, gc=False, rename="camel"):
    """`groundingMetadata`, of which only the queries are read."""

    web_search_queries: list[str] | None = None


_QUERIES: Final = msgspec.json.Decoder(WireQueries)


def read_queries(grounding: Raw) -> Iterable[str]:
    """The queries of one candidate's metadata; metadata that cannot be read names none."""
    if is_null(grounding):
        return ()
    try:
        return _QUERIES.decode(grounding).web_search_queries or ()
    except BROKEN:
        return ()


class Searches:
    """Those of one answer, in as many pieces as it came."""

    __slots__ = ("_model", "_queries")

    def __init__(self) -> None:
        self._model = ""
        self._queries: set[str] = set()

    def hear(self, queries: Iterable[str], model: str) -> None:
        """More queries; `model`: the one that answers, as it names itself."""
        self._model = model or self._model
        if len(self._queries) < _MOST:
            self._queries.update(query for query in queries if query.strip())

    def beside(self, usage: Usage | None) -> Usage | None:
        """The usage with the searches that are billed."""
        if usage is None or not self._queries:
            return usage
        count = 1 if self._model.startswith(_BY_PROMPT) else len(self._queries)
        return {**usage, Meter.WEB_SEARCHES: count}
