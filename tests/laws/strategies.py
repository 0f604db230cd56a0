"""Canonical requests, answers and streams of events for hypothesis: every part, and texts that break careless code."""

from collections.abc import Callable
from typing import Literal

from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import (
    ChatRequest,
    ChatResponse,
    Choice,
    HostedTool,
    Message,
    OutputForm,
    Reasoning,
    Sampling,
    StopReason,
    Tool,
    ToolChoice,
    Voice,
)
from yescale.domain.content import (
    Audio,
    CachePoint,
    File,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.events import Event, MessageEnd, MessageStart, PartDelta, PartEnd, PartStart, StreamEnd, UsageReport
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter, Usage

FOREIGN = ProtocolId("other.format")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}')

_ODD = ["\u2028", "\x85", "é", "𝄞", '"', "\\", "\n", "\r\n", "data: [DONE]", "```", "<b>", "\ufeff", "\x00", "\x7f"]
words = st.one_of(st.text(st.characters(exclude_categories=("Cs",)), max_size=12), st.sampled_from(_ODD))
said = st.builds(lambda a, b: f"{a}{b}", st.sampled_from(["a", "Bär", "日本"]), words)  # never empty
names = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
call_ids = st.from_regex(r"call_[a-zA-Z0-9]{1,10}", fullmatch=True)
objects = st.sampled_from(
    [
        "{}",
        '{"z":1.10,"n":123456789012345678901234567890}',
        '{"a":"\u2028","b":[null,true,{"c":1e5}]}',
        '{"a":"","b":{}}',
        '{"text":"caf\\u00e9 \\"x\\""}',
    ]
)


def texts() -> st.SearchStrategy[Text]:
    return st.builds(Text, text=said)


def images() -> st.SearchStrategy[Image]:
    sources = st.sampled_from([Inline("image/png", PNG), Url("https://pictures.example/a.png")])
    details: list[Literal["auto", "low", "high"] | None] = [None, "low", "high"]
    return st.builds(Image, source=sources, detail=st.sampled_from(details))


def calls() -> st.SearchStrategy[ToolCall]:
    return st.builds(ToolCall, id=call_ids, name=names, arguments=objects)


def thoughts(origin: ProtocolId) -> st.SearchStrategy[Thinking]:
    """Of this origin; sealed, or not."""
    return st.builds(Thinking, text=said, seal=st.sampled_from(["", "c2VhbA==", "EqQB/+x="]), origin=st.just(origin))


def user_parts() -> st.SearchStrategy[Part]:
    sound = st.just(Audio(source=Inline("audio/wav", "UklGRg==")))
    files = st.sampled_from([File(source=Inline("application/pdf", "JVBERi0="), name="a.pdf")])
    return st.one_of(texts(), images(), sound, files, st.builds(Text, text=words))


def _results(made: list[ToolCall], answers: list[str]) -> tuple[ToolResult, ...]:
    return tuple(
        ToolResult(call_id=call.id, name=call.name, content=(Text(text=text),))
        for call, text in zip(made, answers, strict=False)
    )


@st.composite
def conversations(draw: st.DrawFn, origin: ProtocolId) -> tuple[Message, ...]:
    """Turns in which every call is answered, in parallel and in chains."""
    turns = [Message(role="user", parts=tuple(draw(st.lists(user_parts(), min_size=1, max_size=3))))]
    for _ in range(draw(st.integers(0, 2))):
        made = draw(st.lists(calls(), max_size=3, unique_by=lambda call: call.id))
        spoken: list[Part] = [*draw(st.lists(thoughts(origin), max_size=1)), *draw(st.lists(texts(), max_size=2))]
        if not made and not any(isinstance(part, Text) for part in spoken):
            spoken.append(Text(text="well"))
        turns.append(Message(role="assistant", parts=(*spoken, *made)))
        results = _results(made, draw(st.lists(words, min_size=len(made), max_size=len(made))))
        turns.append(Message(role="user", parts=(*results, Text(text=draw(said)))))
    return tuple(turns)


def tools() -> st.SearchStrategy[Tool]:
    return st.builds(
        Tool,
        name=names,
        description=words,
        parameters=st.just(SCHEMA),
        strict=st.sampled_from([None, True, False]),
    )


def samplings() -> st.SearchStrategy[Sampling]:
    return st.builds(
        Sampling,
        temperature=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
        top_p=st.none() | st.sampled_from([0.1, 1.0]),
        top_k=st.none() | st.integers(1, 50),
        seed=st.none() | st.integers(0, 2**31 - 1),
        presence_penalty=st.none() | st.sampled_from([-1.5, 0.0, 1.0]),
        frequency_penalty=st.none() | st.sampled_from([-1.5, 0.0, 1.0]),
        logit_bias=st.none() | st.just(Raw(b'{"50256":-100}')),
        logprobs=st.sampled_from([None, True]),
    )


@st.composite
def requests(draw: st.DrawFn, origin: ProtocolId) -> ChatRequest:
    """A whole request, with thoughts and extras of this origin."""
    given = draw(st.lists(tools(), max_size=3, unique_by=lambda tool: tool.name))
    choices = [None, ToolChoice(mode="auto"), ToolChoice(mode="required"), ToolChoice(mode="none")]
    choices += [ToolChoice(mode="named", name=tool.name) for tool in given]
    choices += [ToolChoice(mode="auto", allowed=(tool.name,)) for tool in given]
    efforts: list[Literal["low", "medium", "high"]] = ["low", "medium", "high"]
    return ChatRequest(
        model="m-1",
        messages=draw(conversations(origin)),
        system=tuple(draw(st.lists(texts(), max_size=2))),
        tools=tuple(given),
        tool_choice=draw(st.sampled_from(choices)) if given else None,
        parallel_tools=draw(st.sampled_from([None, True, False])) if given else None,
        max_tokens=draw(st.none() | st.integers(2_000, 64_000)),
        stop=tuple(draw(st.lists(said, max_size=5, unique=True))),
        n=draw(st.sampled_from([None, 1, 2])),
        sampling=draw(samplings()),
        reasoning=draw(st.none() | st.builds(Reasoning, effort=st.sampled_from(efforts))),
        output=draw(st.sampled_from([None, OutputForm(), OutputForm(schema=SCHEMA, name="form", strict=True)])),
        verbosity=draw(st.sampled_from([None, "low", "high"])),
        modalities=draw(st.sampled_from([(), ("text",), ("text", "audio")])),
        voice=draw(st.sampled_from([None, Voice(name="alloy", format="mp3")])),
        stream=draw(st.booleans()),
        user=draw(st.sampled_from(["", "user-7"])),
        cache_key=draw(st.sampled_from(["", "key-7"])),
        service_tier=draw(st.sampled_from(["", "auto"])),
        extras=draw(st.sampled_from([{}, {FOREIGN: {"odd_field": Raw(b'{"a":1}')}}])),
    )


PartWithMarker = Callable[[str, ProtocolId], tuple[Literal["user", "assistant"], Part]]

# Each kind of part, holding a marker that is to be seen on the wire, and who says it.
MARKED: dict[str, PartWithMarker] = {
    "text": lambda mark, _: ("user", Text(text=mark)),
    "text of the model": lambda mark, _: ("assistant", Text(text=mark)),
    "cached text": lambda mark, _: ("user", Text(text=mark, cache=CachePoint())),
    "image inline": lambda mark, _: ("user", Image(source=Inline("image/png", mark))),
    "image by address": lambda mark, _: ("user", Image(source=Url(f"https://a.example/{mark}.png"))),
    "image stored elsewhere": lambda mark, _: ("user", Image(source=Stored(mark, FOREIGN))),
    "image stored here": lambda mark, own: ("user", Image(source=Stored(mark, own))),
    "image of the model": lambda mark, _: ("assistant", Image(source=Inline("image/png", mark))),
    "sound inline": lambda mark, _: ("user", Audio(source=Inline("audio/wav", mark))),
    "sound by address": lambda mark, _: ("user", Audio(source=Url(f"https://a.example/{mark}.wav"))),
    "sound of the model": lambda mark, _: ("assistant", Audio(transcript=mark)),
    "file inline": lambda mark, _: ("user", File(source=Inline("application/pdf", mark), name="a.pdf")),
    "plain file": lambda mark, _: ("user", File(source=Inline("text/plain", mark), name="a.txt")),
    "file by address": lambda mark, _: ("user", File(source=Url(f"https://a.example/{mark}.pdf"))),
    "file stored here": lambda mark, own: ("user", File(source=Stored(mark, own))),
    "file stored elsewhere": lambda mark, _: ("user", File(source=Stored(mark, FOREIGN))),
    "thought of its own": lambda mark, own: ("assistant", Thinking(text=mark, seal="c2VhbA==", origin=own)),
    "thought of another": lambda mark, _: ("assistant", Thinking(text="t", seal=mark, origin=FOREIGN)),
    "redacted thought": lambda mark, own: ("assistant", Thinking(seal=mark, origin=own, redacted=True)),
    "call": lambda mark, _: ("assistant", ToolCall(id="call_1", name="f", arguments=f'{{"a":"{mark}"}}')),
    "call with free text": lambda mark, _: (
        "assistant",
        ToolCall(id="call_1", name="f", arguments=mark, custom=True),
    ),
    "call with malformed arguments": lambda mark, _: (
        "assistant",
        ToolCall(id="call_1", name="f", arguments=f'{{"a":"{mark}'),
    ),
    "sealed call": lambda mark, _: (
        "assistant",
        ToolCall(id="call_1", name="f", arguments="{}", seal=mark, origin=FOREIGN),
    ),
    "result": lambda mark, _: ("user", ToolResult(call_id="call_0", name="g", content=(Text(text=mark),))),
    "result with an image": lambda mark, _: (
        "user",
        ToolResult(call_id="call_0", name="g", content=(Image(source=Inline("image/png", mark)),)),
    ),
    "hosted call": lambda mark, _: (
        "assistant",
        HostedCall(id="h1", tool="web_search", arguments="{}", origin=FOREIGN, raw=Raw(b'{"x":"%b"}' % mark.encode())),
    ),
    "hosted program": lambda mark, _: (
        "assistant",
        HostedCall(
            id="h1",
            tool="code_execution",
            arguments=f'{{"language":"python","code":"{mark}"}}',
            origin=FOREIGN,
            raw=Raw(b"{}"),
        ),
    ),
    "hosted result": lambda mark, _: (
        "assistant",
        HostedResult(call_id="h1", tool="code_execution", origin=FOREIGN, raw=Raw(b"{}"), text=mark),
    ),
    "refusal": lambda mark, _: ("assistant", Refusal(text=mark)),
    "opaque of another": lambda mark, _: ("user", Opaque(origin=FOREIGN, raw=Raw(b'{"type":"%b"}' % mark.encode()))),
    "opaque of its own": lambda mark, own: (
        "user",
        Opaque(origin=own, raw=Raw(b'{"type":"new_kind","new_kind":"%b"}' % mark.encode())),
    ),
}

HOSTED_TOOLS = tuple(
    HostedTool(kind=kind, origin=FOREIGN, raw=Raw(b"{}"))
    for kind in ("web_search", "web_fetch", "code_execution", "url_context", "file_search", "other")
)


def usages() -> st.SearchStrategy[Usage]:
    """What a chat can report."""
    counts = st.integers(0, 100_000)
    return st.fixed_dictionaries(
        {Meter.INPUT_TOKENS: counts, Meter.OUTPUT_TOKENS: counts},
        optional={Meter.CACHE_READ_TOKENS: counts, Meter.REASONING_TOKENS: counts},
    )


def answer_parts(origin: ProtocolId) -> st.SearchStrategy[list[Part]]:
    """Thoughts between texts and calls, and calls beside one another."""
    part: st.SearchStrategy[Part] = st.one_of(texts(), thoughts(origin), calls(), st.builds(Refusal, text=said))
    parts: st.SearchStrategy[list[Part]] = st.lists(part, max_size=6)
    return parts.map(_with_own_ids)


def _with_own_ids(parts: list[Part]) -> list[Part]:
    return [
        replace(part, id=f"{part.id}{number}") if isinstance(part, ToolCall) else part
        for number, part in enumerate(parts)
    ]


def reason_of(parts: list[Part]) -> StopReason:
    """The reason that goes with these parts."""
    if any(isinstance(part, ToolCall) for part in parts):
        return StopReason.TOOL_CALLS
    return StopReason.REFUSAL if any(isinstance(part, Refusal) for part in parts) else StopReason.END


def responses(origin: ProtocolId) -> st.SearchStrategy[ChatResponse]:
    """A whole answer of one choice."""

    def build(parts: list[Part], usage: Usage) -> ChatResponse:
        choice = Choice(parts=tuple(parts), reason=reason_of(parts))
        return ChatResponse(id="r1", model="m-1", choices=(choice,), usage=usage, created=7)

    return st.builds(build, answer_parts(origin), usages())


def _grown(part: Part) -> tuple[Part, str, str, str]:
    """The part as it starts, which deltas continue it, with what, and its seal."""
    match part:
        case Text(text=text):
            return replace(part, text=""), "text", text, ""
        case Refusal(text=text):
            return replace(part, text=""), "text", text, ""
        case Thinking(text=text, seal=seal):
            return replace(part, text="", seal=""), "text", text, seal
        case ToolCall(arguments=arguments):
            return replace(part, arguments=""), "arguments", arguments, ""
        case _:
            return part, "text", "", ""


@st.composite
def event_streams(draw: st.DrawFn, origin: ProtocolId) -> list[Event]:
    """A stream that tells an answer in pieces of any size: all at once, or a character at a time."""
    parts = draw(answer_parts(origin))
    events: list[Event] = [MessageStart(id="r1", model="m-1", created=7)]
    for index, part in enumerate(parts):
        start, kind, text, seal = _grown(part)
        size = draw(st.sampled_from([0, 1, 2, 1_000]))
        if not size:
            events.append(PartStart(index=index, part=part))
        else:
            events.append(PartStart(index=index, part=start))
            pieces = [text[at : at + size] for at in range(0, len(text), size)]
            grows: Literal["text", "arguments"] = "arguments" if kind == "arguments" else "text"
            events += (PartDelta(index=index, kind=grows, data=piece) for piece in pieces)
            if seal:
                events.append(PartDelta(index=index, kind="seal", data=seal))
        events.append(PartEnd(index=index))
    usage = draw(usages())
    return [*events, MessageEnd(reason=reason_of(parts)), UsageReport(usage), StreamEnd()]
