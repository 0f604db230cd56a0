"""OpenAI's Responses on the wire: what is read of requests, items, answers and the events of a stream.

Sources: https://platform.openai.com/docs/api-reference/responses and the openai/openai-openapi document.
"""

from typing import Any, Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from yescale.domain.ids import ProtocolId

OWN: Final = ProtocolId("openai.responses")
FILES: Final = frozenset({OWN, ProtocolId("openai.chat")})  # OpenAI's file ids mean the same in both
NOTHING: Final = Raw(b"null")  # absent or null: msgspec takes no `Raw | None`

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]


def said(raw: Raw) -> bool:
    """Whether a field is there and not null."""
    return bytes(memoryview(raw)[:5]) != b"null"


class WireReasoning(Struct, frozen=True, gc=False):
    """`reasoning` of a request."""

    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None  # the older name of `summary`


class WireForm(Struct, frozen=True, gc=False):
    """`text.format`."""

    type: Literal["text", "json_schema", "json_object"]
    name: str = ""
    schema: Raw | UnsetType = UNSET
    description: str | None = None
    strict: bool | None = None


class WireText(Struct, frozen=True, gc=False):
    """`text` of a request."""

    format: WireForm | None = None
    verbosity: Verbosity | None = None


class WireRequest(Struct, frozen=True, gc=False):
    """What the canonical form has of a request; its other fields travel as extras."""

    model: str
    input: Raw = NOTHING
    instructions: str | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = NOTHING
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    reasoning: WireReasoning | None = None
    text: WireText | None = None
    stream: bool | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class WireItemHead(Struct, frozen=True, gc=False):
    """What tells an item's kind. An easy message says no type, an item reference may say none either."""

    type: str | None = None
    role: str | None = None
    id: str | None = None


class WireMessage(Struct, frozen=True, gc=False):
    """A message, of a request or an answer: a string or content parts."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Raw]


class WireSound(Struct, frozen=True, gc=False):
    """`input_audio`."""

    data: str
    format: str


class WireBreakpoint(Struct, frozen=True, gc=False):
    """`prompt_cache_breakpoint`."""

    ttl: str | None = None


class WireContent(Struct, frozen=True, gc=False):
    """A part of a message or of a tool's output, whichever it is."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: WireSound | None = None
    annotations: list[Raw] | None = None
    logprobs: list[Raw] | None = None
    prompt_cache_breakpoint: WireBreakpoint | None = None


class WireAnnotation(Struct, frozen=True, gc=False):
    """What an output text rests on."""

    type: str
    url: str = ""
    title: str | None = None
    filename: str | None = None
    start_index: int = -1
    end_index: int = -1


class WireWords(Struct, frozen=True, gc=False):
    """A summary or a piece of reasoning."""

    text: str = ""


class WireThought(Struct, frozen=True, gc=False):
    """A `reasoning` item."""

    id: str | None = None
    summary: list[WireWords] | None = None
    content: list[WireWords] | None = None
    encrypted_content: str | None = None


class WireCall(Struct, frozen=True, gc=False):
    """A `function_call` item."""

    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class WireCustomCall(Struct, frozen=True, gc=False):
    """A `custom_tool_call` item."""

    call_id: str
    name: str
    input: str
    namespace: str | None = None


class WireOutput(Struct, frozen=True, gc=False):
    """A `function_call_output` or `custom_tool_call_output` item."""

    call_id: str
    output: str | list[Raw]


class WireHosted(Struct, frozen=True, gc=False):
    """A call of a tool of OpenAI's own."""

    id: str = ""
    status: str | None = None
    action: Raw = NOTHING
    code: str | None = None
    queries: Raw = NOTHING
    arguments: Any = None
    outputs: Raw = NOTHING


class WireLogs(Struct, frozen=True, gc=False):
    """One of the outputs of code that ran."""

    type: str
    logs: str = ""


class WireTool(Struct, frozen=True, gc=False):
    """One of a request's `tools`, or one that a choice allows."""

    type: str
    name: str = ""
    description: str | None = None
    parameters: Raw = NOTHING
    strict: bool | None = None
    format: Raw = NOTHING
    tools: list[Raw] | None = None  # of a group


class WireMoreTools(Struct, frozen=True, gc=False):
    """An `additional_tools` item, in which Codex declares the tools of newer models."""

    tools: list[Raw]


class WireFilters(Struct, frozen=True, gc=False):
    """`filters` of a web search."""

    allowed_domains: list[str] | None = None


class WireSearch(Struct, frozen=True, gc=False):
    """The tool `web_search`."""

    filters: WireFilters | None = None
    user_location: Raw = NOTHING


class WireChoice(Struct, frozen=True, gc=False):
    """`tool_choice`, where it is no word."""

    type: str
    name: str = ""
    mode: Literal["auto", "required"] | None = None
    tools: list[WireTool] | None = None


class InputDetails(Struct, frozen=True, gc=False):
    """Parts of `input_tokens`."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(Struct, frozen=True, gc=False):
    """Parts of `output_tokens`."""

    reasoning_tokens: int | None = None


class WireUsage(Struct, frozen=True, gc=False):
    """`usage` of an answer."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class WireReason(Struct, frozen=True, gc=False):
    """`incomplete_details`."""

    reason: str | None = None


class WireError(Struct, frozen=True, gc=False):
    """An error: of a body, of a failed response or of an event. Some servers put numbers where OpenAI has words."""

    message: Any = None
    code: Any = None
    type: Any = None
    param: Any = None


class WireErrorBody(Struct, frozen=True, gc=False):
    """An error body or event: with an envelope, without one, or a bare string in it."""

    error: WireError | str | None = None
    message: Any = None
    code: Any = None
    param: Any = None
    detail: Any = None


class WireResponse(Struct, frozen=True, gc=False):
    """A response, whole or as an event carries it."""

    id: str = ""
    model: str = ""
    created_at: float | None = None
    status: str | None = None
    error: WireError | None = None
    incomplete_details: WireReason | None = None
    output: list[Raw] | None = None
    usage: Raw = NOTHING
    service_tier: str | None = None


class WireTopScore(Struct, frozen=True, gc=False):
    """A likely token."""

    token: str = ""
    logprob: float = 0.0


class WireScore(Struct, frozen=True, gc=False):
    """A token of the answer."""

    token: str
    logprob: float
    top_logprobs: list[WireTopScore] | None = None


class WireEvent(Struct, frozen=True, gc=False):
    """One event of a stream, whichever it is."""

    type: str = ""
    response: WireResponse | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: Raw = NOTHING
    part: Raw = NOTHING
    delta: Any = None
    text: str | None = None
    arguments: str | None = None
    input: str | None = None
    refusal: str | None = None
    annotation: Raw = NOTHING
    logprobs: list[WireScore] | None = None


class WireHead(Struct, frozen=True, gc=False):
    """Nothing but the type of an event, or what an answer says that it is."""

    type: str = ""
