"""What the fake models have in common: what they take from a prompt, what they say to it, and in which pieces.

Text: `You said: <last user message>` and a digest of the prompt, so that a marker comes back and no two prompts get the
same answer. After tool results: `The tool <name> answered: <content>`. Tools are called when the choice demands it or
when the last message, the user's, contains a tool's name; its lines `sandbox-call: <name> {arguments}` call just so.
"""

import hashlib
import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.instance import InstanceMaker
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.scenario import Script

BYTES_PER_TOKEN = 4
QUOTE_CHARS = 2_000
SHORT_QUOTE_CHARS = 120
WORDS_PER_CHUNK = 3
JSON_CHARS_PER_CHUNK = 12
LONG_WORD_CHARS = 64
BIG_CHUNK_CHARS = 4096
REFUSAL = "I'm sorry, but I can't help with that."
FILLER = "This sentence is filler, number {:06}. "
HUGE = 10**15
CALL_MARK = "sandbox-call:"
MOST_DICTATED = 16
MOST_DICTATED_CHARS = 65_536


class Offered(Struct, frozen=True):
    """A tool that may be called, with the JSON Schema of its arguments."""

    name: str
    parameters: JsonObject


class Heard(Struct, frozen=True, kw_only=True):
    """What a fake model takes from a request, whatever format it came in."""

    quote: str  # the last user message's text
    digest: str  # of the whole prompt
    tool_answers: tuple[tuple[str, str], ...] = ()  # name and content, where the conversation ends with tool results
    seen: tuple[str, ...] = ()  # the kinds of the last user message's pictures and files
    tools: tuple[Offered, ...] = ()  # those that the choice allows
    demanded: bool = False  # one of them must be called
    parallel: bool = True
    schema: JsonObject | None = None  # of structured output
    is_json: bool = False  # JSON is wanted, without a schema


class Called(Struct, frozen=True):
    """One call of a tool, its arguments as JSON text."""

    name: str
    arguments: str
    digest: str  # to make an id of: equal requests get equal ids


class Said(Struct, frozen=True):
    """The answer before it is written down: text, or calls, or a refusal."""

    text: str = ""
    calls: tuple[Called, ...] = ()
    is_json: bool = False
    refused: bool = False

    def tokens(self) -> int:
        return text_tokens(self.text) + sum(text_tokens(call.name) + text_tokens(call.arguments) for call in self.calls)


class Dictated(Struct, frozen=True):
    """A call that the prompt spells out: the tool's name and its arguments as JSON text."""

    name: str
    arguments: str


def say(heard: Heard, script: Script, index: int = 0) -> Said:
    """The answer to a prompt; `index` tells the choices of one request apart."""
    if "refuse" in script:
        return Said(REFUSAL, refused=True)
    calls = _calls(heard, index)
    if calls:
        return Said(calls=calls)
    if heard.schema is not None:
        return Said(written(heard.schema, heard.quote), is_json=True)
    if heard.is_json:
        text = msgspec.json.encode({"you_said": shortened(heard.quote), "digest": heard.digest}).decode()
        return Said(text, is_json=True)
    return Said(grown(_spoken(heard, index), script))


def dictated(text: str) -> list[Dictated]:
    """The calls that a text spells out, one a line: `sandbox-call: <name> {arguments}`. Broken lines are not calls."""
    if CALL_MARK not in text:
        return []
    lines = (line.strip() for line in text.splitlines())
    found = (_dictated(line.removeprefix(CALL_MARK)) for line in lines if line.startswith(CALL_MARK))
    return [call for call in found if call is not None][:MOST_DICTATED]


def digest_of(value: object) -> str:
    """Sixteen hex digits of a JSON value: equal prompts have equal digests."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]


def shortened(quote: str) -> str:
    """A quote as an answer repeats it: whole, or its two ends."""
    return quote if len(quote) <= QUOTE_CHARS else f"{quote[: QUOTE_CHARS // 2]} … {quote[-QUOTE_CHARS // 2 :]}"


def written(schema: JsonObject, quote: str) -> str:
    """JSON that validates against a schema."""
    return msgspec.json.encode(InstanceMaker(schema, quote[:SHORT_QUOTE_CHARS]).make(schema)).decode()


def grown(text: str, script: Script) -> str:
    """The text with filler up to the size that `+big` asks for, or the number of chunks that `+long` asks for."""
    missing_bytes = script.number("big") * 1024 - len(text.encode())
    missing_words = script.number("long") * WORDS_PER_CHUNK - len(text.split())
    count = max(-(-missing_bytes // len(FILLER.format(0))), -(-missing_words // len(FILLER.split())))
    if count <= 0:
        return text
    return text + "\n\n" + "".join(FILLER.format(number) for number in range(count))


def first_stop(text: str, stops: Sequence[str]) -> tuple[int, str] | None:
    """Where the first of the stop sequences stands, and which."""
    places = [(place, stop) for stop in stops if stop and (place := text.find(stop)) >= 0]
    return min(places) if places else None


def cut_text(text: str, tokens: int) -> str:
    """As much of the text as a number of tokens holds."""
    return text.encode()[: tokens * BYTES_PER_TOKEN].decode("utf-8", "ignore")


def text_tokens(text: str) -> int:
    """The sandbox's count: four bytes are a token."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def claimed(usage: Tokens, script: Script) -> Tokens | None:
    """The usage that the answer claims, which a scenario may bend."""
    if "usage-none" in script:
        return None
    if "usage-0" in script:
        return Tokens()
    if "usage-huge" in script:
        return Tokens(prompt=HUGE, completion=HUGE)
    return usage


def pieces(text: str, script: Script, *, is_json: bool = False) -> list[str]:
    """The text in the pieces in which it is streamed; joined they are the text again."""
    if not text:
        return []
    if "done-only" in script:
        return [text]
    if "drip" in script:
        return list(text)
    if "big" in script:
        return equal_parts(text, BIG_CHUNK_CHARS)
    if is_json:
        return equal_parts(text, JSON_CHARS_PER_CHUNK)
    words = [part for word in re.findall(r"\s*\S+|\s+$", text) for part in equal_parts(word, LONG_WORD_CHARS)]
    return ["".join(words[start : start + WORDS_PER_CHUNK]) for start in range(0, len(words), WORDS_PER_CHUNK)]


def equal_parts(text: str, size: int) -> list[str]:
    """The text in parts of one size; the last may be shorter."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def _spoken(heard: Heard, index: int) -> str:
    which = "" if index == 0 else f" This is choice {index + 1}."
    tail = f"\n\nI am a sandbox: this answer depends on the request alone, digest {heard.digest}.{which}"
    if heard.tool_answers:
        answers = (f"The tool {name} answered: {content[:QUOTE_CHARS]}" for name, content in heard.tool_answers)
        return " ".join(answers) + tail
    return f"You said: {shortened(heard.quote)}" + _counted(heard.seen) + tail


def _counted(seen: Sequence[str]) -> str:
    if not seen:
        return ""
    return f"\n\nI see {len(seen)} {'image' if len(seen) == 1 else 'images'}: {', '.join(seen)}."


def _dictated(text: str) -> Dictated | None:
    name, _, arguments = text.strip().partition(" ")
    if not name or len(arguments) > MOST_DICTATED_CHARS:
        return None
    try:
        msgspec.json.decode(arguments, type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError):
        return None
    return Dictated(name, arguments.strip())


def _calls(heard: Heard, index: int) -> tuple[Called, ...]:
    wanted = [] if heard.tool_answers else _wanted(heard)
    if heard.demanded:
        wanted = wanted or [_invented(tool, heard) for tool in heard.tools[:1]]
    if not heard.parallel:
        wanted = wanted[:1]
    return tuple(
        Called(one.name, one.arguments, hashlib.sha256(f"{heard.digest}/{index}/{place}".encode()).hexdigest())
        for place, one in enumerate(wanted)
    )


def _wanted(heard: Heard) -> list[Dictated]:
    """What the prompt spells out of the offered tools; if it spells out nothing, the tools that it names."""
    spelled = dictated(heard.quote)
    if spelled:
        offered = {tool.name for tool in heard.tools}
        return [call for call in spelled if call.name in offered]
    return [_invented(tool, heard) for tool in heard.tools if tool.name in heard.quote]


def _invented(tool: Offered, heard: Heard) -> Dictated:
    return Dictated(tool.name, written(tool.parameters, heard.quote))
