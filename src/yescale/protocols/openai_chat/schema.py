"""The fields of OpenAI's bodies that price, route and settlement read; everything else passes unread."""

from typing import Any, Final

from msgspec import UNSET, Raw, Struct, UnsetType, field

NOTHING: Final = Raw(b"null")  # absent or null: msgspec takes no `Raw | None`


class WireOptions(Struct, frozen=True, gc=False):
    """`stream_options`."""

    include_usage: bool | None = None


class WireMessage(Struct, frozen=True, gc=False):
    """One of a request's messages."""

    content: Raw = NOTHING


class WireChat(Struct, frozen=True, gc=False):
    """A request to /chat/completions. Absent and null differ where a rewrite would have to know."""

    messages: list[WireMessage]
    model: str = ""  # the first of `models` may stand in for it
    stream: bool | None = None
    stream_options: WireOptions | UnsetType | None = UNSET
    max_tokens: int | UnsetType | None = UNSET
    max_completion_tokens: int | UnsetType | None = UNSET
    n: int | None = None
    user: Raw = NOTHING
    safety_identifier: Raw = NOTHING
    provider: Raw = NOTHING
    usage: Raw = NOTHING
    models: Raw = NOTHING


class WireMessages(Struct, frozen=True, gc=False):
    """Its messages as they stand in the body."""

    messages: Raw


class WireEmbeddings(Struct, frozen=True, gc=False):
    """A request to /embeddings."""

    model: str
    input: Raw
    user: Raw = NOTHING


class PromptDetails(Struct, frozen=True, gc=False):
    """Parts of `prompt_tokens`."""

    cached_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class CompletionDetails(Struct, frozen=True, gc=False):
    """Parts of `completion_tokens`."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class WireUsage(Struct, frozen=True, gc=False):
    """`usage` of an answer or a chunk."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's name for cached_tokens


class WireAnswer(Struct, frozen=True, gc=False):
    """A whole answer of /chat/completions, as a rule."""

    choices: Raw
    usage: WireUsage | None = None
    service_tier: object = None


class WireOddAnswer(Struct, frozen=True, gc=False):
    """The same where its usage is of no known shape."""

    items: Raw = field(name="choices")
    usage: Raw = NOTHING
    service_tier: object = None


class WireVectors(Struct, frozen=True, gc=False):
    """A whole answer of /embeddings."""

    items: Raw = field(name="data")
    usage: Raw = NOTHING
    service_tier: object = None


class WireChoice(Struct, frozen=True, gc=False):
    """One choice of a chunk."""

    finish_reason: str | None = None


class WireChunk(Struct, frozen=True, gc=False):
    """One event of a stream."""

    choices: list[WireChoice] | None = None
    usage: Raw = NOTHING
    service_tier: object = None
    error: Raw = NOTHING


class WireError(Struct, frozen=True, gc=False):
    """The inside of an error body. Compatible servers put numbers or null where OpenAI puts words."""

    message: Any = None
    code: Any = None
    type: Any = None
    param: Any = None


class WireOutcome(Struct, frozen=True, gc=False):
    """MiniMax's `base_resp`, which tells of errors under a status of success; 0 tells of none."""

    status_code: int = 0
    status_msg: Any = None


class WireErrorBody(Struct, frozen=True, gc=False):
    """An error body; some servers answer a bare string, or the fields without an envelope."""

    error: WireError | str | None = None
    message: Any = None
    code: Any = None
    detail: Any = None
    base_resp: WireOutcome | None = None
