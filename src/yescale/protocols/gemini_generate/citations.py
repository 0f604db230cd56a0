"""Grounding: stretches in bytes on the wire, in characters in canonical form.

Source: https://ai.google.dev/api/generate-content#GroundingSupport ("measured in bytes")
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct

from yescale.domain.content import Citation, Part, Text
from yescale.protocols.gemini_generate.schema import (
    WireCandidate,
    WireCitations,
    WireGrounding,
    WirePage,
    WireSegment,
    WireSource,
    WireUrlContext,
)
from yescale.protocols.gemini_generate.writing import Wire

# https://ai.google.dev/api/generate-content#UrlRetrievalStatus
_FETCHED: Final = frozenset({"URL_RETRIEVAL_STATUS_SUCCESS", "URL_RETRIEVAL_STATUS_UNSPECIFIED", ""})


class Placed(Struct, frozen=True, gc=False):
    """A citation and the number of the text that it stands at."""

    text: int
    citation: Citation


def read_citations(candidate: WireCandidate, texts: Sequence[str]) -> Iterator[Placed]:
    """What the texts of an answer rest on. A stretch that is not found is cited without its place."""
    if candidate.grounding_metadata is not None:
        yield from _read_grounding(candidate.grounding_metadata, texts)
    if candidate.citation_metadata is not None:
        yield from _read_quotes(candidate.citation_metadata, texts)
    if candidate.url_context_metadata is not None:
        yield from _read_fetched(candidate.url_context_metadata, texts)


def _read_fetched(wire: WireUrlContext, texts: Sequence[str]) -> Iterator[Placed]:
    """Pages that were read, of which nothing says where they were used."""
    for page in wire.url_metadata or ():
        if page.retrieved_url and page.url_retrieval_status in _FETCHED:
            yield Placed(max(len(texts) - 1, 0), Citation(url=page.retrieved_url))


def _read_grounding(wire: WireGrounding, texts: Sequence[str]) -> Iterator[Placed]:
    pages = [_page(source) for source in wire.grounding_chunks or ()]
    used: set[int] = set()
    for support in wire.grounding_supports or ():
        segment = support.segment or WireSegment()
        place, start, end = _find(segment, texts)
        for number in support.grounding_chunk_indices or ():
            page = pages[number] if 0 <= number < len(pages) else None
            if page is None:
                continue
            used.add(number)
            yield Placed(place, _cite(page, segment.text, start, end))
    for number, page in enumerate(pages):
        if page is not None and number not in used:
            yield Placed(max(len(texts) - 1, 0), _cite(page, "", -1, -1))


def _cite(page: WirePage, quote: str, start: int, end: int) -> Citation:
    return Citation(url=page.uri or "", title=page.title or "", quote=quote, start=start, end=end)


def _page(source: WireSource) -> WirePage | None:
    return source.web or source.retrieved_context or source.maps


def _read_quotes(wire: WireCitations, texts: Sequence[str]) -> Iterator[Placed]:
    """Here the bytes are counted over the whole answer."""
    ends = list(accumulate(len(text.encode()) for text in texts))
    for quote in wire.citation_sources or ():
        place = next((n for n, end in enumerate(ends) if quote.start_index < end), 0)
        before = ends[place - 1] if place else 0
        text = texts[place] if texts else ""
        start, end = _characters(text, quote.start_index - before, quote.end_index - before)
        yield Placed(place, Citation(url=quote.uri, start=start, end=end))


def _find(segment: WireSegment, texts: Sequence[str]) -> tuple[int, int, int]:
    """Which text a stretch stands in, and where. Google numbers parts, of which not all are texts: its words decide."""
    places = sorted(range(len(texts)), key=lambda n: n != segment.part_index)
    for place in places:
        start, end = _characters(texts[place], segment.start_index, segment.end_index)
        if start >= 0 and segment.text in ("", texts[place][start:end]):
            return place, start, end
    for place in places:
        start = texts[place].find(segment.text) if segment.text else -1
        if start >= 0:
            return place, start, start + len(segment.text)
    return 0, -1, -1


def _characters(text: str, start: int, end: int) -> tuple[int, int]:
    """Offsets in characters for offsets in bytes; -1 where they lie outside or within a character."""
    data = text.encode()
    if not 0 <= start < end <= len(data):
        return -1, -1
    try:
        first = len(data[:start].decode())
        return first, first + len(data[start:end].decode())
    except UnicodeDecodeError:
        return -1, -1


def write_grounding(parts: Sequence[Part]) -> Wire | None:
    """`groundingMetadata` for the citations of an answer's texts; None, if there are none."""
    pages: dict[tuple[str, str], int] = {}
    supports: list[Wire] = []
    for index, part in enumerate(parts):
        for citation in part.citations if isinstance(part, Text) else ():
            page = (citation.url, citation.title)
            number = pages.setdefault(page, len(pages))
            if isinstance(part, Text) and 0 <= citation.start < citation.end:
                segment = _segment(index, part.text, citation)
                supports.append({"segment": segment, "groundingChunkIndices": [number]})
    if not pages:
        return None
    chunks: list[Wire] = [
        {"web": {"uri": url, "title": title}} if url else {"retrievedContext": {"title": title}} for url, title in pages
    ]
    return {"groundingChunks": chunks, "groundingSupports": supports}


def _segment(index: int, text: str, citation: Citation) -> Wire:
    """proto3 leaves out what is zero."""
    start = len(text[: citation.start].encode())
    said = text[citation.start : citation.end]
    segment: Wire = {"partIndex": index} if index else {}
    if start:
        segment["startIndex"] = start
    return segment | {"endIndex": start + len(said.encode()), "text": said}
