"""Messages of a request, written as contents: one per turn, so that answers of functions follow their calls."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Final

from msgspec import Raw, Struct
from msgspec.structs import replace

from yescale.domain.chat import Message
from yescale.domain.content import (
    Audio,
    File,
    HostedCall,
    HostedResult,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from yescale.domain.profile import Profile
from yescale.protocols.gemini_generate.losses import Losses
from yescale.protocols.gemini_generate.seals import ORIGIN
from yescale.protocols.gemini_generate.writing import Wire, open_object, write_call, write_source, write_thought

# What stands for the signature of a call that Gemini did not make: without one, Gemini 3 refuses the request.
# https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
PLACEHOLDER: Final = "skip_thought_signature_validator"
_NAMED: Final = frozenset({"output", "error"})


class Turns(Struct, frozen=True):
    """What writing a conversation needs beside its parts."""

    losses: Losses
    profile: Profile
    names: Mapping[str, str]  # of the functions that calls name


def encode_contents(messages: Sequence[Message], profile: Profile, losses: Losses) -> list[Wire]:
    """The contents. A late system message is said by the user: Gemini's conversations have no other role for it."""
    calls = (part for message in messages for part in message.parts if isinstance(part, ToolCall))
    turns = Turns(losses, profile, {call.id: call.name for call in calls})
    for message in messages:
        _note_message(message, losses)
    contents: list[Wire] = []
    for role, group in groupby(messages, key=_role):
        parts = [wire for message in group for wire in _encode_message(message, turns)]
        if parts:
            contents.append({"role": role, "parts": parts})
    if not contents:  # nothing but empty texts: Google wants a content, and says itself what is wrong with this one
        contents.append({"role": "user", "parts": [{"text": ""}]})
    return contents


def _role(message: Message) -> str:
    return "model" if message.role == "assistant" else "user"


def _note_message(message: Message, losses: Losses) -> None:
    if message.name:
        losses.add("message.name", "Gemini's turns have no name", "hint")
    if message.role == "system":
        losses.add("message.system", "a later system message is said as the user's", "hint")
    if any(getattr(part, "cache", None) is not None for part in message.parts):
        losses.add("cache", "Gemini caches prompts by itself", "hint")


def _encode_message(message: Message, turns: Turns) -> Iterator[Wire | Raw]:
    parts = _sealed(message.parts) if turns.profile.seals_required else message.parts
    return chain.from_iterable(_encode_part(part, turns) for part in parts)


def _sealed(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts with a seal at the first call: of parallel ones, only the first has and needs it."""
    first = next((n for n, part in enumerate(parts) if isinstance(part, ToolCall)), None)
    call = None if first is None else parts[first]
    if first is None or not isinstance(call, ToolCall) or (call.seal and call.origin == ORIGIN):
        return parts
    return (*parts[:first], replace(call, seal=PLACEHOLDER, origin=ORIGIN), *parts[first + 1 :])


def _encode_part(part: Part, turns: Turns) -> Sequence[Wire | Raw]:
    match part:
        case Text() | Refusal():
            return _encode_text(part, turns.losses)
        case Image() | Audio() | File():
            return _encode_medium(part, turns.losses)
        case Thinking():
            return _encode_thought(part, turns.losses)
        case ToolCall():
            return [_encode_call(part, turns.losses)]
        case ToolResult():
            return _encode_result(part, turns)
        case HostedCall() | HostedResult() | Opaque():
            return _encode_own(part, turns.losses)


def _encode_text(part: Text | Refusal, losses: Losses) -> list[Wire]:
    if isinstance(part, Text) and part.citations:
        losses.add("text.citations", "Gemini takes no citations in a prompt", "hint")
    return [{"text": part.text}] if part.text else []  # an empty part is refused


def _encode_medium(part: Image | Audio | File, losses: Losses) -> list[Wire]:
    source = None if part.source is None else write_source(part.source)
    kind = type(part).__name__.lower()
    if source is None and isinstance(part, Audio) and part.transcript:
        losses.add("part.audio", "what the model spoke is known elsewhere; its words are said instead", "setting")
        return [{"text": part.transcript}]
    if source is None:
        losses.add(f"part.{kind}", "the file is known to another provider only", "content")
        return []
    if isinstance(part, Image) and part.detail not in (None, "auto"):
        losses.add("part.image.detail", "Gemini chooses the resolution", "setting")
    if not isinstance(part, File):
        return [source]
    if part.name:
        losses.add("part.file.name", "Gemini's files have no name", "hint")
    if part.cited:
        losses.add("part.file.cited", "Gemini cites no documents of the prompt", "setting")
    return [{"text": part.context}, source] if part.context else [source]


def _encode_thought(part: Thinking, losses: Losses) -> list[Wire]:
    if part.origin == ORIGIN:
        return [write_thought(part)]
    losses.add("thinking.seal", "only its provider can read it, and models ignore the thoughts of others", "hint")
    return []


def _encode_call(call: ToolCall, losses: Losses) -> Wire:
    own = call.origin == ORIGIN
    if call.seal and not own:
        losses.add("thinking.seal", "only its provider can read it", "hint")
    wire, exact = write_call(call, call.seal if own else "")
    if not exact:
        losses.add("tool_call.arguments", "they are no JSON object; their text is kept as _raw", "setting")
    return wire


def _encode_result(result: ToolResult, turns: Turns) -> list[Wire]:
    """A `functionResponse`. Gemini 3 takes pictures within it, older models only behind it:
    https://ai.google.dev/gemini-api/docs/function-calling#multimodal
    """
    name = result.name or turns.names.get(result.call_id) or "function"
    texts = [part.text for part in result.content if isinstance(part, Text)]
    media = [
        wire for part in result.content if not isinstance(part, Text) for wire in _encode_medium(part, turns.losses)
    ]
    response: Wire = {"id": result.call_id, "name": name, "response": _encode_response(texts, failed=result.failed)}
    if media and turns.profile.seals_required:
        response["parts"] = media
        media = []
    return [{"functionResponse": response}, *media]


def _encode_response(texts: Sequence[str], *, failed: bool) -> object:
    """The object that a function must answer: its own, or its words under the documented name."""
    text = "\n".join(texts)
    members = None if failed or len(texts) != 1 else open_object(text)
    if members is not None and not _NAMED.intersection(members):
        return Raw(text.encode())
    return {"error" if failed else "output": text} if texts or failed else {}


def _encode_own(part: HostedCall | HostedResult | Opaque, losses: Losses) -> list[Wire | Raw]:
    if part.origin == ORIGIN:
        return [part.raw]
    if isinstance(part, Opaque):
        losses.add("part.opaque", "only another format can say it", "content")
        return []
    losses.add(f"hosted.{part.tool}", "what another provider's tool did is not told again", "setting")
    return [{"text": part.text}] if isinstance(part, HostedResult) and part.text else []
