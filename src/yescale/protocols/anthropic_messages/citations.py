"""Citations, both directions. Each kind is kept as written; others learn the address, the title and the quote."""

from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.content import Citation
from yescale.protocols.anthropic_messages.schema import WireCitation
from yescale.protocols.anthropic_messages.taking import take
from yescale.protocols.anthropic_messages.words import ID

_CITATION: Final = msgspec.json.Decoder(WireCitation)
_WEB: Final = "web_search_result_location"


def read(raw: Raw, place: str) -> Citation:
    """What a citation says. Its places count characters, pages or blocks of the source, not of the answer's text."""
    wire = take(_CITATION, raw, place)
    ours = wire.type == _WEB and not wire.encrypted_index  # written by `write` for another format
    return Citation(
        url=wire.url or wire.source or "",
        title=wire.title or wire.document_title or "",
        quote=wire.cited_text or "",
        origin=None if ours else ID,
        raw=None if ours else raw.copy(),
    )


def write(citation: Citation) -> Raw | dict[str, str | None] | None:
    """A citation for a client; one of another format as a web search's, without what only Anthropic could read."""
    if citation.origin == ID and citation.raw is not None:
        return citation.raw
    if not citation.url:
        return None
    return {
        "type": _WEB,
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.quote,
        "encrypted_index": "",
    }
