"""How relevant a document is to a query: the share of the query's words that it has, and a trace of its digest."""

import hashlib
import re
from collections.abc import Sequence

from msgspec import Struct

from yescale_sandbox.speech import text_tokens

_WORD = re.compile(r"\w+")


class Ranked(Struct, frozen=True):
    """One document by its place in the request."""

    index: int
    score: float


def ranked(query: str, documents: Sequence[str]) -> list[Ranked]:
    """The documents, the most relevant first."""
    rows = [Ranked(index, _score(query, document)) for index, document in enumerate(documents)]
    return sorted(rows, key=lambda row: (-row.score, row.index))


def tokens(query: str, documents: Sequence[str]) -> int:
    """The query is read once for each document."""
    return len(documents) * text_tokens(query) + sum(text_tokens(document) for document in documents)


def _score(query: str, document: str) -> float:
    asked, held = _words(query), _words(document)
    trace = hashlib.sha256(f"{query}\n{document}".encode()).digest()[0] / 25_600
    return round(0.98 * len(asked & held) / max(1, len(asked)) + trace, 6)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
