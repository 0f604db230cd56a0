"""The fields of answers and chunks: https://ai.google.dev/api/generate-content#generatecontentresponse

Google answers in camelCase. Parts stay Raw: they are read one by one, and those that we do not know are kept.
"""

from typing import Final

from msgspec import Raw, Struct

NOTHING: Final = Raw(b"null")  # absent or null: msgspec takes no `Raw | None`


class WireContent(Struct, frozen=True, gc=False, rename="camel"):
    """`content` of a candidate."""

    parts: list[Raw] | None = None


class WireScore(Struct, frozen=True, gc=False, rename="camel"):
    """A token with its log probability."""

    token: str = ""
    log_probability: float = 0.0


class WireScores(Struct, frozen=True, gc=False, rename="camel"):
    """The likeliest tokens of one step."""

    candidates: list[WireScore] | None = None


class WireLogprobs(Struct, frozen=True, gc=False, rename="camel"):
    """`logprobsResult`."""

    chosen_candidates: list[WireScore] | None = None
    top_candidates: list[WireScores] | None = None


class WireSegment(Struct, frozen=True, gc=False, rename="camel"):
    """A stretch of a part, in bytes of UTF-8."""

    part_index: int = 0
    start_index: int = 0
    end_index: int = 0
    text: str = ""


class WireSupport(Struct, frozen=True, gc=False, rename="camel"):
    """A stretch and the sources that it rests on."""

    segment: WireSegment | None = None
    grounding_chunk_indices: list[int] | None = None


class WirePage(Struct, frozen=True, gc=False, rename="camel"):
    """A source: `web`, `retrievedContext` or `maps`."""

    uri: str | None = None
    title: str | None = None


class WireSource(Struct, frozen=True, gc=False, rename="camel"):
    """One of `groundingChunks`."""

    web: WirePage | None = None
    retrieved_context: WirePage | None = None
    maps: WirePage | None = None


class WireGrounding(Struct, frozen=True, gc=False, rename="camel"):
    """`groundingMetadata`."""

    grounding_chunks: list[WireSource] | None = None
    grounding_supports: list[WireSupport] | None = None
    web_search_queries: list[str] | None = None


class WireQuote(Struct, frozen=True, gc=False, rename="camel"):
    """One of `citationSources`: a stretch of the answer that repeats a source."""

    start_index: int = 0
    end_index: int = 0
    uri: str = ""


class WireCitations(Struct, frozen=True, gc=False, rename="camel"):
    """`citationMetadata`."""

    citation_sources: list[WireQuote] | None = None


class WireFetched(Struct, frozen=True, gc=False, rename="camel"):
    """One of `urlMetadata`: a page that the tool for URL context looked up."""

    retrieved_url: str = ""
    url_retrieval_status: str = ""


class WireUrlContext(Struct, frozen=True, gc=False, rename="camel"):
    """`urlContextMetadata`."""

    url_metadata: list[WireFetched] | None = None


class WireCandidate(Struct, frozen=True, gc=False, rename="camel"):
    """One of an answer's candidates, or what a chunk adds to it."""

    index: int = 0
    content: WireContent | None = None
    finish_reason: str | None = None
    logprobs_result: WireLogprobs | None = None
    grounding_metadata: WireGrounding | None = None
    citation_metadata: WireCitations | None = None
    url_context_metadata: WireUrlContext | None = None

    @property
    def cites(self) -> bool:
        """Whether it says what its texts rest on."""
        return (self.grounding_metadata or self.citation_metadata or self.url_context_metadata) is not None


class WireFeedback(Struct, frozen=True, gc=False, rename="camel"):
    """`promptFeedback`."""

    block_reason: str | None = None


class WireAnswer(Struct, frozen=True, gc=False, rename="camel"):
    """An answer, or a chunk of its stream."""

    candidates: list[WireCandidate] | None = None
    prompt_feedback: WireFeedback | None = None
    usage_metadata: Raw = NOTHING
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = NOTHING


class WireMark(Struct, frozen=True, gc=False, rename="camel"):
    """Of a candidate, whether it ended, and what it searched for."""

    index: int = 0
    finish_reason: str | None = None
    grounding_metadata: Raw = NOTHING


class WireMarks(Struct, frozen=True, gc=False, rename="camel"):
    """What settlement reads of an answer or a chunk."""

    candidates: list[WireMark] | None = None
    prompt_feedback: WireFeedback | None = None
    usage_metadata: Raw = NOTHING
    model_version: str | None = None
    error: Raw = NOTHING
