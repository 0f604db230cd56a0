"""What Anthropic's fake models say: a pure function of the request, the same for a stream and for a whole answer.

The words and the rules of `speech`, with what only Anthropic has: thinking before the words, tools that the provider
runs, citations, and the reasons to stop.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from yescale_sandbox import speech
from yescale_sandbox.anthropic import citation, hearing, seal, search
from yescale_sandbox.anthropic.prompt import Call
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import Said, cut_text, text_tokens

# A test string of Anthropic's begins so: /docs/en/build-with-claude/extended-thinking, "redacted thinking".
REDACTING = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"


class Words(Struct, frozen=True):
    """A block of text."""

    text: str
    citations: tuple[JsonObject, ...] = ()
    is_json: bool = False
    citing: bool = False  # citations were asked for, so the list is there even if it is empty


class Thought(Struct, frozen=True):
    """A block of thinking, with its signature."""

    text: str
    signature: str


class Redacted(Struct, frozen=True):
    """A block of thinking that only Anthropic can read."""

    data: str


class Use(Struct, frozen=True):
    """A block that calls a tool; `server` says that the provider runs it."""

    id: str
    name: str
    arguments: str
    server: bool = False


class Result(Struct, frozen=True):
    """A block with what a tool of the provider answered."""

    block: JsonObject


Part: TypeAlias = Words | Thought | Redacted | Use | Result


class Reply(Struct, frozen=True):
    """The answer before it is written down."""

    id: str
    model: str
    parts: tuple[Part, ...]
    stop_reason: str
    stop_sequence: str | None = None
    searches: int = 0
    fetches: int = 0

    @property
    def reasoning_tokens(self) -> int:
        return sum(_tokens(part) for part in self.parts if isinstance(part, Thought | Redacted))

    @property
    def output_tokens(self) -> int:
        return max(1, sum(_tokens(part) for part in self.parts))


def compose(call: Call, script: Script) -> Reply:
    """Answer a checked request."""
    heard = hearing.heard(call)
    said = speech.say(heard, script)
    found = None if said.refused else search.run(call)
    parts = (*_thoughts(call), *_spoken(call, said, found), *(_use(one) for one in said.calls))
    seed = speech.digest_of({name: value for name, value in call.body.items() if name != "stream"})
    reply = Reply(
        id=identifier("msg", seed),
        model=call.model.dated,
        parts=parts,
        stop_reason="tool_use" if said.calls else "refusal" if said.refused else "end_turn",
        searches=len([one for one in found or () if one.name == "web_search"]),
        fetches=len([one for one in found or () if one.name == "web_fetch"]),
    )
    return _fitted(_stopped(_ended(reply, script), call.asked.stop_sequences), call.asked.max_tokens)


def identifier(kind: str, seed: str) -> str:
    """An id as Anthropic writes them: equal seeds have equal ids."""
    return f"{kind}_01{hashlib.sha256(seed.encode()).hexdigest()[:22]}"


def _thoughts(call: Call) -> tuple[Part, ...]:
    if not call.asked.thinks:
        return ()
    said = call.asked.last_user_text()
    text = f'The user says "{said[: speech.SHORT_QUOTE_CHARS]}". My answer depends on the request alone.'
    if REDACTING in said:
        return (Redacted(seal.closed("redacted", text)),)
    return (Thought(text, seal.sign("thinking", text)),)


def _spoken(call: Call, said: Said, found: Sequence[search.Ran] | None) -> tuple[Part, ...]:
    if said.calls:
        return ()
    citing = citation.is_wanted(call.asked)
    words = Words(said.text, is_json=said.is_json, citing=citing)
    if found:
        ran = [part for one in found for part in (_server_use(one), Result(one.result))]
        return (*ran, words, *(Words(one.text, one.citations) for one in search.quoted(found)))
    quotes = citation.quotes(call.asked) if citing and not said.refused else ()
    return (words, *(Words(text, (cited,), citing=True) for text, cited in quotes))


def _use(called: speech.Called) -> Use:
    return Use(identifier("toolu", called.digest), called.name, called.arguments)


def _server_use(ran: search.Ran) -> Use:
    return Use(ran.id, ran.name, ran.arguments, server=True)


def _ended(reply: Reply, script: Script) -> Reply:
    """The answer as a scenario ends it: halved by a filter, or at a pause."""
    halved = "filter" in script or "pause" in script
    if not halved or reply.stop_reason == "tool_use":
        return reply
    place = next(place for place, part in enumerate(reply.parts) if isinstance(part, Words))
    part = reply.parts[place]
    text = part.text[: len(part.text) // 2] if isinstance(part, Words) else ""
    return msgspec.structs.replace(
        reply,
        parts=(*reply.parts[:place], Words(text)),
        stop_reason="refusal" if "filter" in script else "pause_turn",
    )


def _stopped(reply: Reply, stops: Sequence[str]) -> Reply:
    """The answer up to the first stop sequence in its text."""
    for place, part in enumerate(reply.parts):
        found = speech.first_stop(part.text, stops) if isinstance(part, Words) else None
        if isinstance(part, Words) and found is not None:
            end, stop = found
            kept = (msgspec.structs.replace(part, text=part.text[:end]),) if end else ()
            return msgspec.structs.replace(
                reply, parts=(*reply.parts[:place], *kept), stop_reason="stop_sequence", stop_sequence=stop
            )
    return reply


def _fitted(reply: Reply, budget: int) -> Reply:
    """The answer cut to a budget of tokens: text at a character, a call as a whole."""
    if reply.output_tokens <= budget:
        return reply
    kept: list[Part] = []
    for part in reply.parts:
        left = budget - sum(_tokens(one) for one in kept)
        if _tokens(part) <= left:
            kept.append(part)
            continue
        if isinstance(part, Words) and left > 0:
            kept.append(msgspec.structs.replace(part, text=cut_text(part.text, left)))
        break
    return msgspec.structs.replace(reply, parts=tuple(kept), stop_reason="max_tokens", stop_sequence=None)


def _tokens(part: Part) -> int:
    match part:
        case Words() | Thought():
            return text_tokens(part.text)
        case Redacted():
            return text_tokens(part.data)
        case Use():
            return text_tokens(part.name) + text_tokens(part.arguments)
        case Result():
            return 0
