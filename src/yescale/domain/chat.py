"""A chat request and its answer in canonical form: the union of what the chat formats can say.

`None` means "not said"; what one format alone knows travels in `extras` of that format and is given back only to it.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Raw, Struct

from yescale.domain.content import CachePoint, HostedKind, Part, Text
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Usage

Extras = Mapping[ProtocolId, Mapping[str, Raw]]
NO_EXTRAS: Final[Extras] = MappingProxyType({})


class Tool(Struct, frozen=True, kw_only=True):
    """A client's tool. `parameters` is its JSON Schema, byte for byte; a custom tool takes free text instead."""

    name: str
    description: str = ""
    parameters: Raw | None = None
    strict: bool | None = None
    custom: bool = False
    grammar: Raw | None = None  # of a custom tool's text, as OpenAI's `format` says it
    cache: CachePoint | None = None
    group: str = ""  # OpenAI Responses: the `namespace` that it stands in, with which its name begins


class HostedTool(Struct, frozen=True, kw_only=True):
    """A tool that the provider runs. `raw` is how `origin` wrote it; the fields are what formats share."""

    kind: HostedKind
    origin: ProtocolId | None
    raw: Raw | None = None
    max_uses: int | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    location: Raw | None = None  # {"type": "approximate", "city", "region", "country", "timezone"}


class ToolChoice(Struct, frozen=True, kw_only=True):
    """Which tools the model must, may or must not call."""

    mode: Literal["auto", "none", "required", "named"]
    name: str = ""
    allowed: tuple[str, ...] = ()  # auto or required, among these only


class Message(Struct, frozen=True, kw_only=True):
    """A turn. Results of tools are parts of the user's. A system message stands only behind the first other one:
    leading ones are the request's `system`.
    """

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]
    name: str = ""


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are drawn."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Raw | None = None  # token id -> bias, of OpenAI's vocabularies
    logprobs: bool | None = None
    top_logprobs: int | None = None


class Reasoning(Struct, frozen=True, kw_only=True):
    """How much the model is to think, and whether its thoughts are to be shown."""

    enabled: bool | None = None  # None = not said, or the model decides
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    budget: int | None = None  # tokens; -1 = the model decides
    shown: bool | None = None


class OutputForm(Struct, frozen=True, kw_only=True):
    """JSON that is asked for instead of prose; without a schema any JSON."""

    schema: Raw | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Voice(Struct, frozen=True, kw_only=True):
    """How audio output sounds and is encoded."""

    name: str
    format: str = ""


class ChatRequest(Struct, frozen=True, kw_only=True):
    """One request. Tool results answer calls of earlier turns by `call_id`."""

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool | HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None  # of output, thoughts included
    stop: tuple[str, ...] = ()
    n: int | None = None
    sampling: Sampling = Sampling()
    reasoning: Reasoning | None = None
    output: OutputForm | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    modalities: tuple[Literal["text", "audio", "image"], ...] = ()  # of the answer; () = not said
    voice: Voice | None = None
    stream: bool = False
    usage_wanted: bool = False  # the stream is to end with the usage, where the format leaves a choice
    user: str = ""
    cache_key: str = ""
    service_tier: str = ""
    legacy_functions: bool = False  # OpenAI's `functions` of 2023: the answer's call goes back in that shape
    extras: Extras = NO_EXTRAS


class StopReason(enum.Enum):
    """Why a message ended."""

    END = "end"
    LENGTH = "length"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    FILTERED = "filtered"
    PAUSED = "paused"
    ERROR = "error"
    OTHER = "other"


class TokenScore(Struct, frozen=True, gc=False):
    """A token of the answer with its log probability, and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Choice(Struct, frozen=True, kw_only=True):
    """One message of an answer."""

    parts: tuple[Part, ...]
    reason: StopReason
    raw_reason: str = ""  # the provider's word, for the log
    stop_sequence: str = ""  # which one ended it
    scores: tuple[TokenScore, ...] = ()


class ChatResponse(Struct, frozen=True, kw_only=True):
    """A whole answer; `usage` None = not reported."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    created: int = 0  # unix seconds; 0 = not said
    service_tier: str = ""
