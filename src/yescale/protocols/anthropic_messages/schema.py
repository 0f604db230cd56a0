"""Wire structs of Anthropic's Messages API, as much of each as we read. Blocks stay raw until their `type` is known."""

from typing import Any, Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

NOTHING: Final = Raw(b"null")  # absent or null: msgspec takes no `Raw | None`


class WireKind(Struct, frozen=True, gc=False):
    """Any block, tool, source or event: which one it is."""

    type: str | None = None


class WireCache(Struct, frozen=True, gc=False):
    """`cache_control`."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class WireCitation(Struct, frozen=True, gc=False):
    """What the kinds of citation have in common, as far as other formats can say it."""

    type: str
    cited_text: str | None = None
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None
    encrypted_index: str | None = None


class WireText(Struct, frozen=True):
    """A `text` block."""

    type: str
    text: str
    citations: list[Raw] | None = None
    cache_control: WireCache | None = None


class WireSource(Struct, frozen=True):
    """Where a picture or a document comes from, of any kind."""

    type: Literal["base64", "url", "file", "text", "content"]
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Raw] | None = None


class WireImage(Struct, frozen=True):
    """An `image` block."""

    type: str
    source: WireSource
    cache_control: WireCache | None = None


class WireCited(Struct, frozen=True, gc=False):
    """`citations` of a document: whether the answer is to cite from it."""

    enabled: bool | None = None


class WireDocument(Struct, frozen=True):
    """A `document` block."""

    type: str
    source: WireSource
    title: str | None = None
    context: str | None = None
    citations: WireCited | None = None
    cache_control: WireCache | None = None


class WireSearchResult(Struct, frozen=True):
    """A `search_result` block: what a search of the client's found."""

    type: str
    source: str
    title: str
    content: list[WireText]
    citations: WireCited | None = None
    cache_control: WireCache | None = None


class WireThinking(Struct, frozen=True):
    """A `thinking` block."""

    type: str
    thinking: str
    signature: str = ""


class WireRedacted(Struct, frozen=True):
    """A `redacted_thinking` block."""

    type: str
    data: str


class WireToolUse(Struct, frozen=True):
    """A `tool_use` or `server_tool_use` block."""

    type: str
    id: str
    name: str
    input: Raw
    cache_control: WireCache | None = None
    caller: WireKind | None = None


class WireToolResult(Struct, frozen=True):
    """A `tool_result` block."""

    type: str
    tool_use_id: str
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: WireCache | None = None


class WireCode(Struct, frozen=True):
    """The input of the tools that run code."""

    code: str | None = None
    command: str | None = None


class WireHostedResult(Struct, frozen=True):
    """A result block of a tool that Anthropic runs."""

    type: str
    tool_use_id: str
    content: Raw = NOTHING
    is_error: bool | None = None


class WireOutcome(Struct, frozen=True):
    """The inside of a result block, where it is one object."""

    type: str = ""
    stdout: str | None = None
    stderr: str | None = None


class WireTurn(Struct, frozen=True):
    """One of `messages`."""

    role: Literal["system", "user", "assistant"]
    content: str | list[Raw]
    clear_at: Raw = NOTHING  # these two of system turns, and of a beta
    output_config: Raw = NOTHING


class WireTool(Struct, frozen=True):
    """A tool of the client's."""

    name: str
    input_schema: Raw
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: WireCache | None = None


class WireHosted(Struct, frozen=True):
    """A tool of Anthropic's."""

    type: str
    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    user_location: Raw = NOTHING


class WireToolChoice(Struct, frozen=True):
    """`tool_choice`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class WireThinkingWish(Struct, frozen=True):
    """`thinking` of a request."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = None
    display: str | None = None


class WireForm(Struct, frozen=True):
    """`output_config.format`, and `output_format` of the beta before it."""

    type: Literal["json_schema"]
    schema: Raw


class WireOutput(Struct, frozen=True):
    """`output_config`."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: WireForm | None = None


class WireUser(Struct, frozen=True):
    """`metadata`."""

    user_id: str | None = None


class WireRequest(Struct, frozen=True):
    """A request. `max_tokens` is required by Anthropic; here the model's maximum stands in for it."""

    model: str
    messages: list[WireTurn]
    system: str | list[Raw] | None = None
    max_tokens: int | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[Raw] | None = None
    tool_choice: WireToolChoice | None = None
    thinking: WireThinkingWish | None = None
    output_config: WireOutput | None = None
    output_format: WireForm | None = None
    metadata: WireUser | None = None
    service_tier: str | None = None


class WirePeek(Struct, frozen=True):
    """The fields of a request that price and route read."""

    model: str
    messages: Raw
    stream: bool | None = None
    max_tokens: int | UnsetType | None = UNSET
    tools: list[WireKind] | None = None
    mcp_servers: Raw = NOTHING
    container: Raw = NOTHING
    metadata: Raw = NOTHING


class WireWritten(Struct, frozen=True, gc=False):
    """`usage.cache_creation`."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class WireThought(Struct, frozen=True, gc=False):
    """`usage.output_tokens_details`."""

    thinking_tokens: int | None = None


class WireServed(Struct, frozen=True, gc=False):
    """`usage.server_tool_use`."""

    web_search_requests: int | None = None


class WireUsage(Struct, frozen=True, gc=False):
    """`usage` of an answer, of `message_start` and of `message_delta`; there it is cumulative."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: WireWritten | None = None
    output_tokens_details: WireThought | None = None
    server_tool_use: WireServed | None = None
    service_tier: str | None = None
    speed: object = None


class WireAnswer(Struct, frozen=True):
    """A whole answer."""

    content: list[Raw]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = NOTHING


class WireCount(Struct, frozen=True, gc=False):
    """A whole answer of count_tokens."""

    input_tokens: int


class WireBegun(Struct, frozen=True):
    """`message` of `message_start`."""

    id: str = ""
    model: str = ""
    usage: Raw = NOTHING


class WireDelta(Struct, frozen=True):
    """`delta` of `content_block_delta` and of `message_delta`."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Raw = NOTHING
    stop_reason: str | None = None
    stop_sequence: str | None = None


class WireEvent(Struct, frozen=True):
    """Any event of a stream."""

    type: str = ""
    index: int = -1
    message: WireBegun | None = None
    content_block: Raw = NOTHING
    delta: WireDelta | None = None
    usage: Raw = NOTHING
    error: Raw = NOTHING


class WireErrorDetails(Struct, frozen=True):
    """`error.details`."""

    error_code: Any = None


class WireError(Struct, frozen=True):
    """The inside of an error; compatible servers put other things where Anthropic puts words."""

    type: Any = None
    message: Any = None
    code: Any = None
    param: Any = None
    details: WireErrorDetails | None = None


class WireErrorBody(Struct, frozen=True):
    """An error body, or an `error` event."""

    error: WireError | str | None = None
    message: Any = None
    detail: Any = None
