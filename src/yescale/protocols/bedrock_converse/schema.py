"""The wire structs of Converse's answers, whole and as a stream.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, and its ConverseStream page.
"""

from typing import Final

from msgspec import Raw, Struct

NOTHING: Final = Raw(b"null")


class WireCacheDetail(Struct, frozen=True, rename="camel", gc=False):
    """How many tokens were written to the cache for how long."""

    ttl: str = ""
    input_tokens: int = 0


class WireUsage(Struct, frozen=True, rename="camel"):
    """Counts that exclude one another, but for the output, which includes thoughts."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[WireCacheDetail] | None = None


class WireToolUse(Struct, frozen=True, rename="camel", gc=False):
    """A call, or the beginning of one."""

    tool_use_id: str
    name: str
    input: Raw = NOTHING


class WireReasoningText(Struct, frozen=True, gc=False):
    """A thought, and Claude's seal of it."""

    text: str = ""
    signature: str = ""


class WireReasoning(Struct, frozen=True, rename="camel", gc=False):
    """A thought: shown, or sealed up as a whole in base64."""

    reasoning_text: WireReasoningText | None = None
    redacted_content: str | None = None


class WireWords(Struct, frozen=True, gc=False):
    """A piece of text within something."""

    text: str = ""


class WireWeb(Struct, frozen=True, gc=False):
    """Where on the web a citation points."""

    url: str = ""


class WireLocation(Struct, frozen=True, gc=False):
    """Where a citation points; places in documents stay unread."""

    web: WireWeb | None = None


class WireCitation(Struct, frozen=True, rename="camel"):
    """What a text rests on."""

    title: str = ""
    source_content: list[WireWords] = []
    location: WireLocation | None = None


class WireCited(Struct, frozen=True):
    """A text with its citations."""

    content: list[WireWords] = []
    citations: list[Raw] = []


class WireBytes(Struct, frozen=True, gc=False):
    """Where a picture's bytes stand, in base64."""

    bytes: str = ""


class WireImage(Struct, frozen=True, gc=False):
    """A picture that the model made."""

    format: str
    source: WireBytes


class WireBlock(Struct, frozen=True, rename="camel"):
    """A content block: one of these."""

    text: str | None = None
    tool_use: WireToolUse | None = None
    reasoning_content: WireReasoning | None = None
    citations_content: WireCited | None = None
    image: WireImage | None = None


class WireMessage(Struct, frozen=True):
    """The assistant's turn."""

    content: list[Raw] = []


class WireOutput(Struct, frozen=True):
    """The answer's place of the turn."""

    message: WireMessage


class WireMore(Struct, frozen=True, gc=False):
    """The field of Claude's own that we ask for."""

    stop_sequence: str | None = None


class WireTier(Struct, frozen=True, gc=False):
    """Which tier served."""

    type: str = ""


class WireAnswer(Struct, frozen=True, rename="camel"):
    """A whole answer."""

    output: WireOutput
    stop_reason: str = ""
    usage: WireUsage | None = None
    service_tier: WireTier | None = None
    additional_model_response_fields: Raw = NOTHING


class WireStart(Struct, frozen=True, rename="camel", gc=False):
    """What a block begins with; a call alone does."""

    tool_use: WireToolUse | None = None


class WireReasoningDelta(Struct, frozen=True, rename="camel", gc=False):
    """A piece of a thought."""

    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class WireInputDelta(Struct, frozen=True, gc=False):
    """A piece of a call's arguments, as text."""

    input: str = ""


class WireDelta(Struct, frozen=True, rename="camel"):
    """A piece of a block: one of these."""

    text: str | None = None
    tool_use: WireInputDelta | None = None
    reasoning_content: WireReasoningDelta | None = None
    citation: Raw = NOTHING


class WireEvent(Struct, frozen=True, rename="camel"):
    """Any event; its frame says which."""

    content_block_index: int = 0
    start: WireStart | None = None
    delta: WireDelta | None = None
    stop_reason: str = ""
    usage: WireUsage | None = None
    service_tier: WireTier | None = None
    additional_model_response_fields: Raw = NOTHING
    message: str = ""  # of an exception
