"""Requests of Google's clients, read: https://ai.google.dev/api/generate-content#request-body

A context cache (`cachedContent`) is a stored file in front of the conversation: no other format can read it, and none
may answer without it. Settings that only Google knows (`safetySettings`, `labels`) are extras under their own names.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import NO_EXTRAS, ChatRequest, HostedTool, Message, Tool, ToolChoice
from yescale.domain.content import File, Stored, Text
from yescale.protocols.codec import PathWords
from yescale.protocols.gemini_generate.config import decode_config
from yescale.protocols.gemini_generate.members import STRING, Members, expect, open_member, refuse
from yescale.protocols.gemini_generate.parts import Calls, decode_parts, join_thoughts
from yescale.protocols.gemini_generate.seals import ORIGIN
from yescale.protocols.gemini_generate.tools import decode_choice, decode_tools

CACHES: Final = "cachedContents/"
_EMPTY: Final = Raw(b"{}")


def decode_request(body: bytes, words: PathWords) -> ChatRequest:
    """A request in canonical form; model and stream stand in its path. Raises Malformed."""
    members = Members(expect(body))
    extras: dict[str, Raw] = {}
    members.take_raw("model")  # the path's counts
    tools = decode_tools(members.take_all("tools"), extras)
    config = decode_config(open_member(members, "generationConfig") or Members(_EMPTY), extras)
    messages = (*_decode_cache(members), *_decode_contents(members))
    choice = _decode_tool_config(members, tools, extras)
    system = _decode_system(members)
    tier = members.take("serviceTier", STRING) or ""
    extras.update(members.rest())
    return ChatRequest(
        model=words.model,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=choice,
        max_tokens=config.max_tokens,
        stop=config.stop,
        n=config.n,
        sampling=config.sampling,
        reasoning=config.reasoning,
        output=config.output,
        modalities=config.modalities,
        voice=config.voice,
        stream=words.stream,
        usage_wanted=words.stream,
        service_tier="default" if tier == "standard" else tier,
        extras={ORIGIN: extras} if extras else NO_EXTRAS,
    )


def _decode_contents(members: Members) -> tuple[Message, ...]:
    contents = members.take_all("contents")
    if not contents:
        raise refuse("contents", "'contents' must hold at least one content.")
    calls = Calls("")
    return _join(_decode_content(raw, f"contents[{n}]", calls) for n, raw in enumerate(contents))


def _join(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages with each answer in one: Google's clients keep a content for each chunk of its stream."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role == "assistant":
            joined[-1] = replace(message, parts=join_thoughts((*joined[-1].parts, *message.parts)))
        else:
            joined.append(message)
    return tuple(joined)


def _decode_content(raw: Raw, where: str, calls: Calls) -> Message:
    content = Members(raw, where)
    role = content.take("role", STRING) or "user"
    if role not in ("user", "model", "function"):
        raise refuse(f"{where}.role", f"'{where}.role' must be user or model.")
    parts = decode_parts(content.take_all("parts"), f"{where}.parts", calls)
    return Message(role="assistant" if role == "model" else "user", parts=parts)


def _decode_cache(members: Members) -> tuple[Message, ...]:
    name = members.take("cachedContent", STRING)
    if not name:
        return ()
    if not name.startswith(CACHES):
        raise refuse("cachedContent", f"'cachedContent' must begin with {CACHES}.")
    return (Message(role="user", parts=(File(source=Stored(name, ORIGIN)),)),)


def _decode_system(members: Members) -> tuple[Text, ...]:
    raw = members.take_raw("systemInstruction")
    if raw is None:
        return ()
    content = Members(raw, "systemInstruction")
    parts = decode_parts(content.take_all("parts"), "systemInstruction.parts", Calls("system"))
    texts = tuple(part for part in parts if isinstance(part, Text))
    if len(texts) != len(parts):
        raise refuse("systemInstruction", "'systemInstruction' may hold text only.")
    return texts


def _decode_tool_config(
    members: Members, tools: Sequence[Tool | HostedTool], extras: dict[str, Raw]
) -> ToolChoice | None:
    config = open_member(members, "toolConfig")
    if config is None:
        return None
    functions = open_member(config, "functionCallingConfig")
    choice = None if functions is None else decode_choice(functions, tools)
    more = {} if functions is None else functions.rest()
    extras.update({f"toolConfig.functionCallingConfig.{name}": value for name, value in more.items()})
    extras.update({f"toolConfig.{name}": value for name, value in config.rest().items()})
    return choice
