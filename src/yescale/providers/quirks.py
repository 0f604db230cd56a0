"""Tweaks that single providers need of a request which is translated for them. Each is named, pure and shared."""

import hashlib
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, Message, Reasoning
from yescale.domain.content import Part, Text, Thinking, ToolCall, ToolResult
from yescale.domain.loss import Loss
from yescale.protocols.codec import Quirk
from yescale.protocols.openai_chat import CHAT_CODEC

Quirked = tuple[ChatRequest, tuple[Loss, ...]]

_CALL_ID: Final = 9  # letters and digits
_NOT_SAID: Final = (None, "", ())
_HINTS: Final = frozenset({"user", "cache_key"})
_MODEL_DECIDES: Final = -1


def leave_out(*names: str) -> Quirk:
    """A provider that refuses fields it does not know: these are left out. `sampling.` begins those of the sampling."""

    def quirk(request: ChatRequest) -> Quirked:
        losses: list[Loss] = []
        plain = ChatRequest(model="", messages=())
        for name in names:
            inner = name.removeprefix("sampling.")
            sampled = inner != name
            if getattr(request.sampling if sampled else request, inner) in _NOT_SAID:
                continue
            losses.append(Loss(name, "the provider refuses this field", "hint" if name in _HINTS else "setting"))
            if sampled:
                request = replace(request, sampling=replace(request.sampling, **{inner: None}))
            else:
                request = replace(request, **{inner: getattr(plain, inner)})
        return request, tuple(losses)

    return quirk


def unnamed(request: ChatRequest) -> Quirked:
    """A provider that refuses names of participants."""
    if not any(message.name for message in request.messages):
        return request, ()
    messages = tuple(replace(message, name="") for message in request.messages)
    return replace(request, messages=messages), (Loss("message.name", "the provider refuses names", "hint"),)


def switch_thinking(request: ChatRequest) -> Quirked:
    """Thinking is switched on or off, and never left to the model (`auto`): an effort or a budget switches it on."""
    wish = request.reasoning
    if wish is None:
        return request, ()
    off = wish.enabled is False or wish.effort == "none" or wish.budget == 0
    asked = not off and (wish.enabled is True or wish.effort is not None or wish.budget is not None)
    switched = Reasoning(enabled=asked, shown=wish.shown) if off or asked else None
    said = not off and (wish.effort is not None or wish.budget not in (None, _MODEL_DECIDES))
    lost = (Loss("reasoning.effort", "the model's thinking is on or off", "setting"),) if said else ()
    return replace(request, reasoning=switched), lost


def enable_thinking(request: ChatRequest) -> Quirked:
    """Qwen's two fields for it: https://help.aliyun.com/zh/model-studio/deep-thinking."""
    switched, lost = switch_thinking(request)
    wish = switched.reasoning
    if wish is None or request.reasoning is None:
        return replace(request, reasoning=None), lost
    fields = {"enable_thinking": Raw(b"true" if wish.enabled else b"false")}
    budget = request.reasoning.budget
    if wish.enabled and budget is not None and budget > 0:
        fields["thinking_budget"] = Raw(b"%d" % budget)
        lost = ()
    return _with_fields(replace(request, reasoning=None), fields), lost


def random_seed(request: ChatRequest) -> Quirked:
    """Mistral's name for the seed: https://docs.mistral.ai/api/endpoint/chat."""
    seed = request.sampling.seed
    if seed is None:
        return request, ()
    unseeded = replace(request, sampling=replace(request.sampling, seed=None))
    return _with_fields(unseeded, {"random_seed": Raw(b"%d" % seed)}), ()


def schema_in_words(request: ChatRequest) -> Quirked:
    """The provider makes JSON, but takes no schema, and wants the word in the prompt: the schema goes in words."""
    if request.output is None:
        return request, ()
    words = "Answer with one JSON object and nothing else."
    if request.output.schema is not None:
        words += f" It must be valid under this JSON Schema:\n{bytes(request.output.schema).decode(errors='replace')}"
    return replace(request, system=(*request.system, Text(text=words))), ()


def thoughts_with_calls(request: ChatRequest) -> Quirked:
    """DeepSeek wants a thought back with the calls that it led to until the user speaks again, and refuses it later:
    https://api-docs.deepseek.com/guides/thinking_mode#tool-calls.
    """
    spoken = [number for number, message in enumerate(request.messages) if _is_prompt(message)]
    turn = spoken[-1] if spoken else 0
    kept = tuple(
        message if number > turn and _calls(message) else _without_thoughts(message)
        for number, message in enumerate(request.messages)
    )
    if kept == request.messages:
        return request, ()
    return replace(request, messages=kept), (Loss("part.thinking", "thoughts of an earlier turn stay out", "hint"),)


def short_call_ids(request: ChatRequest) -> Quirked:
    """Mistral takes ids of calls that are nine letters and digits; a call and its result get the same one."""
    messages = tuple(
        replace(message, parts=tuple(_with_short_id(part) for part in message.parts)) for message in request.messages
    )
    return replace(request, messages=messages), ()


def _with_fields(request: ChatRequest, fields: dict[str, Raw]) -> ChatRequest:
    """The request with fields that only this provider's dialect of the chat format has."""
    own = {**request.extras.get(CHAT_CODEC.id, {}), **fields}
    return replace(request, extras={**request.extras, CHAT_CODEC.id: own})


def _is_prompt(message: Message) -> bool:
    return message.role == "user" and any(not isinstance(part, ToolResult) for part in message.parts)


def _calls(message: Message) -> bool:
    return any(isinstance(part, ToolCall) for part in message.parts)


def _without_thoughts(message: Message) -> Message:
    if message.role != "assistant":
        return message
    return replace(message, parts=tuple(part for part in message.parts if not isinstance(part, Thinking)))


def _with_short_id(part: Part) -> Part:
    match part:
        case ToolCall():
            return replace(part, id=_short(part.id))
        case ToolResult():
            return replace(part, call_id=_short(part.call_id))
        case _:
            return part


def _short(call_id: str) -> str:
    if len(call_id) == _CALL_ID and call_id.isascii() and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode(errors="surrogatepass")).hexdigest()[:_CALL_ID]
