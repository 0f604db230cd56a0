"""What requests and answers tell, apart from how a format orders and joins it: what the laws compare."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from yescale.domain.chat import ChatRequest, ChatResponse, Choice, StopReason, Tool
from yescale.domain.content import Part, Refusal, Text, Thinking, ToolCall, ToolResult
from yescale.domain.ids import ProtocolId
from yescale.domain.loss import Loss
from yescale.domain.seals import unwrap_seal
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Usage

# Formats that share what another calls its own: seals, stored files, extras.
_ORIGINS: Mapping[ProtocolId, ProtocolId] = MappingProxyType(
    {ProtocolId("gemini.generate.array"): ProtocolId("gemini.generate")}
)
# Formats whose answers are nothing but text.
TEXT_ONLY = frozenset({ProtocolId("openai.completions")})


def origin_of(protocol: ProtocolId) -> ProtocolId:
    """Under which id the format keeps what it alone can read."""
    return _ORIGINS.get(protocol, protocol)


class Told(Struct, frozen=True):
    """An answer's first choice, each kind of part by itself."""

    text: str
    refusals: str
    words: str  # both, in their order
    thoughts: str
    seals: tuple[str, ...]
    calls: tuple[tuple[str, str], ...]
    calling: bool  # it ended to have tools called


def told(response: ChatResponse, protocol: ProtocolId) -> Told:
    """What an answer tells in this protocol."""
    choice = response.choices[0] if response.choices else Choice(parts=(), reason=StopReason.OTHER)
    plain = protocol in TEXT_ONLY
    shown = [part for part in choice.parts if isinstance(part, Text | Refusal)]
    thoughts = [] if plain else [part for part in choice.parts if isinstance(part, Thinking)]
    made = [] if plain else [part for part in choice.parts if isinstance(part, ToolCall)]
    return Told(
        text="".join(part.text for part in shown if isinstance(part, Text)),
        refusals="".join(part.text for part in shown if isinstance(part, Refusal)),
        words="".join(part.text for part in shown),
        thoughts="".join(part.text for part in thoughts),
        # An envelope without a seal in it names nothing but who thought.
        seals=tuple(seal for part in thoughts if (seal := unwrap_seal(part.seal, protocol)[0])),
        calls=tuple((part.name, part.arguments) for part in made),
        calling=choice.reason is StopReason.TOOL_CALLS and not plain,
    )


def differences(found: Told, meant: Told) -> list[str]:
    """What is told otherwise than it was meant. Where a format has no mark for refusals they are words like others."""
    names = ["thoughts", "seals", "calls", "calling"]
    kinds = ["words"] if not found.refusals else ["text", "refusals"]
    return [name for name in (*names, *kinds) if getattr(found, name) != getattr(meant, name)]


def totals(usage: Usage | None) -> tuple[int, int]:
    """All that went in, and all that came out."""
    held = usage or {}
    return (
        sum(count for meter, count in held.items() if meter in INPUT_METERS),
        sum(count for meter, count in held.items() if meter in OUTPUT_METERS),
    )


class Said(Struct, frozen=True):
    """All words of a request, of each speaker one after the other."""

    system: str
    user: str
    assistant: str


def said(request: ChatRequest) -> Said:
    """What a request says."""
    return Said(
        system="".join(text.text for text in request.system),
        user=_texts(request, "user"),
        assistant=_texts(request, "assistant"),
    )


def _texts(request: ChatRequest, role: str) -> str:
    return "".join(
        part.text
        for message in request.messages
        if message.role == role
        for part in message.parts
        if isinstance(part, Text)
    )


def calls(request: ChatRequest) -> list[tuple[str, str]]:
    """All calls of a request."""
    return [(part.name, part.arguments) for part in _parts(request) if isinstance(part, ToolCall)]


def tool_names(request: ChatRequest, *, allowed_only: bool = False) -> list[str]:
    """The client's own tools."""
    allowed = request.tool_choice.allowed if request.tool_choice is not None and allowed_only else ()
    return [tool.name for tool in request.tools if isinstance(tool, Tool) and (tool.name in allowed or not allowed)]


def results(request: ChatRequest) -> list[str]:
    """The texts of all results, each with the place of the call that it answers."""
    order = [part.id for part in _parts(request) if isinstance(part, ToolCall)]
    found: list[str] = []
    for part in _parts(request):
        if isinstance(part, ToolResult):
            text = "".join(each.text for each in part.content if isinstance(each, Text))
            found.append(f"{order.index(part.call_id) if part.call_id in order else '?'}:{text}")
    return found


def _parts(request: ChatRequest) -> Iterator[Part]:
    return (part for message in request.messages for part in message.parts)


SETTINGS = (
    "tool_choice", "parallel_tools", "max_tokens", "stop", "n", "reasoning", "output", "verbosity", "modalities",
    "voice", "stream", "user", "cache_key", "service_tier",
)  # fmt: skip


# What says no more than leaving it out does.
_USUAL: Mapping[str, Any] = MappingProxyType({"n": 1, "modalities": ("text",), "parallel_tools": True})


def settings(request: ChatRequest) -> dict[str, Any]:
    """What was said, by its dotted name."""
    sampling = request.sampling
    words = {f"sampling.{name}": getattr(sampling, name) for name in sampling.__struct_fields__}
    words |= {name: getattr(request, name) for name in SETTINGS}
    return {name: value for name, value in words.items() if value not in (None, "", (), False, _USUAL.get(name))}


def at_limit(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The object of a request that holds its output limit, and the limit's name in it."""
    inner = body.get("generationConfig", body)
    return inner, next(name for name in _LIMITS if name in inner)


def names_it(losses: Iterable[Loss], stems: Iterable[str]) -> bool:
    """Whether some loss speaks of one of these."""
    return any(loss.what.startswith(stem) for loss in losses for stem in stems)


_LIMITS = ("max_tokens", "max_output_tokens", "maxOutputTokens")

# What a format makes us say of itself, whoever asked: Anthropic wants a limit; other formats than Responses keep
# nothing of a call unless asked, so it is told the same.
ADDED: Mapping[ProtocolId, Mapping[str, Any]] = MappingProxyType(
    {
        ProtocolId("anthropic.messages"): MappingProxyType({"max_tokens": 4_096}),
        ProtocolId("openai.responses"): MappingProxyType({"store": False}),
    }
)
# How an event begins whose end never comes.
OPENINGS: Mapping[ProtocolId, bytes] = MappingProxyType({ProtocolId("gemini.generate.array"): b'[{"x":"'})

# The words that each format's clients know, and where they stand in an answer.
REASON_WORDS: Mapping[ProtocolId, tuple[re.Pattern[str], frozenset[str]]] = MappingProxyType(
    {
        ProtocolId("openai.chat"): (
            re.compile(r'"finish_reason":"(\w+)"'),
            frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"}),
        ),
        ProtocolId("openai.completions"): (
            re.compile(r'"finish_reason":"(\w+)"'),
            frozenset({"stop", "length", "content_filter"}),
        ),
        ProtocolId("openai.responses"): (
            re.compile(r'"status":"(\w+)"'),
            frozenset({"completed", "failed", "in_progress", "cancelled", "queued", "incomplete"}),
        ),
        ProtocolId("anthropic.messages"): (
            re.compile(r'"stop_reason":"(\w+)"'),
            frozenset(
                {
                    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
                    "model_context_window_exceeded",
                }
            ),
        ),
        ProtocolId("gemini.generate"): (
            re.compile(r'"finishReason":"(\w+)"'),
            frozenset(
                {
                    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER",
                    "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY",
                    "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
                }
            ),
        ),
    }
)  # fmt: skip
FAULT_WORDS: Mapping[str, tuple[re.Pattern[str], frozenset[str]]] = MappingProxyType(
    {
        "openai": (
            re.compile(r'"type":"(\w+)"'),
            frozenset(
                {
                    "invalid_request_error", "authentication_error", "permission_error", "not_found_error",
                    "rate_limit_error", "insufficient_quota", "server_error", "upstream_error", "error",
                }
            ),
        ),
        "anthropic": (
            re.compile(r'"type":"(\w+)"'),
            frozenset(
                {
                    "invalid_request_error", "authentication_error", "billing_error", "permission_error",
                    "not_found_error", "request_too_large", "rate_limit_error", "timeout_error", "api_error",
                    "overloaded_error", "error",
                }
            ),
        ),
        "gemini": (
            re.compile(r'"status":"(\w+)"'),
            frozenset(
                {
                    "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND",
                    "RESOURCE_EXHAUSTED", "CANCELLED", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "OUT_OF_RANGE",
                    "UNIMPLEMENTED", "UNKNOWN", "ABORTED",
                }
            ),
        ),
    }
)  # fmt: skip
REASON_WORDS = MappingProxyType(
    {**REASON_WORDS, ProtocolId("gemini.generate.array"): REASON_WORDS[ProtocolId("gemini.generate")]}
)
FAULT_WORDS = MappingProxyType({**FAULT_WORDS, "rerank": FAULT_WORDS["openai"]})
