"""The tier that served a call, and what it searched for, read from the answer in every format that says it."""

import json
from collections.abc import Callable, Mapping

import pytest

from yescale.domain.events import Event
from yescale.domain.usage import Meter, Usage, tier_of
from yescale.protocols import anthropic_messages, gemini_generate, openai_chat, openai_responses
from yescale.protocols.codec import UpstreamCodec
from yescale.protocols.openai_chat.costs import Withholding
from yescale.protocols.passthrough import Answer, Format, Tap
from yescale.protocols.translation import TranslatingTap

CHAT, MESSAGES = openai_chat.CHAT, anthropic_messages.MESSAGES
RESPONSES, GENERATE = openai_responses.RESPONSES, gemini_generate.GENERATE

# What each format says where `word` is the tier: a whole answer, and the events of a stream.
Says = Callable[[str], dict[str, object]]


def chat(word: str) -> dict[str, object]:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return {"id": "c", "choices": [], "service_tier": word, "usage": usage}


def message(word: str) -> dict[str, object]:
    usage: dict[str, object] = {"input_tokens": 1, "output_tokens": 2}
    usage |= {"speed": "fast"} if word == "fast" else {"service_tier": word}
    return {"id": "m", "type": "message", "role": "assistant", "content": [], "stop_reason": "end_turn", "usage": usage}


def response(word: str) -> dict[str, object]:
    usage = {"input_tokens": 1, "output_tokens": 2}
    return {"id": "resp_1", "status": "completed", "output": [], "service_tier": word, "usage": usage}


def candidates(word: str, name: str = "serviceTier") -> dict[str, object]:
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 2, name: word}
    parts = {"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP", "index": 0}
    return {"candidates": [parts], "usageMetadata": usage}


def vertex(word: str) -> dict[str, object]:
    return candidates(f"ON_DEMAND_{word}".upper() if word != "standard" else "ON_DEMAND", "trafficType")


def sse(*events: Mapping[str, object], named: bool = False) -> bytes:
    lines = (f"event: {event['type']}\n" if named else "" for event in events)
    return b"".join(f"{line}data: {json.dumps(event)}\n\n".encode() for line, event in zip(lines, events, strict=True))


def chat_stream(word: str) -> bytes:
    first = {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
    return sse(first | {"service_tier": word}, chat(word)) + b"data: [DONE]\n\n"


def message_stream(word: str) -> bytes:
    start = {"type": "message_start", "message": message(word) | {"stop_reason": None}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    return sse(start, end, {"type": "message_stop"}, named=True)


def response_stream(word: str) -> bytes:
    begun = {"type": "response.created", "response": response("auto") | {"status": "in_progress", "usage": None}}
    return sse(begun, {"type": "response.completed", "response": response(word)}, named=True)


FORMATS: dict[str, tuple[Format, Says, Callable[[str], bytes], str]] = {
    "chat": (CHAT, chat, chat_stream, "priority"),
    "messages": (MESSAGES, message, message_stream, "priority"),
    "messages, hurried": (MESSAGES, message, message_stream, "fast"),
    "responses": (RESPONSES, response, response_stream, "flex"),
    "gemini": (GENERATE, candidates, lambda word: sse(candidates(word)), "flex"),
    "vertex": (GENERATE, vertex, lambda word: sse(vertex(word)), "priority"),
}


def read(form: Format, wire: Mapping[str, object]) -> Answer:
    answer = form.read_answer(json.dumps(wire).encode())
    assert answer is not None
    return answer


def hear(tap: Tap, data: bytes) -> Tap:
    tap.feed(data)
    tap.finish()
    return tap


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_answer_says_which_tier_served_it(name: str) -> None:
    form, says, _, word = FORMATS[name]
    assert read(form, says(word)).tier == word
    assert read(form, says("standard")).tier == ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_says_which_tier_served_it(name: str) -> None:
    form, _, stream, word = FORMATS[name]
    for tier, expected in ((word, word), ("standard", "")):
        tap = hear(form.tap(True, 100_000), stream(tier))
        assert (tap.tier, tap.usage) == (expected, {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2})


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_in_translation_says_it_too(name: str) -> None:
    form, says, stream, word = FORMATS[name]
    codec = form.codec
    assert isinstance(codec, UpstreamCodec)
    tap = hear(TranslatingTap(codec.stream_decoder(100_000), _Silent()), stream(word))
    assert tap.tier == word
    whole = codec.decode_response(json.dumps(says(word)).encode())
    assert tier_of(whole.service_tier) == word


class _Silent:
    def encode(self, event: Event) -> bytes:
        del event
        return b"x"


def test_a_tap_around_a_tap_hands_the_tier_on() -> None:
    tap = Withholding(CHAT.tap(True, 100_000))
    assert hear(tap, chat_stream("flex")).tier == "flex"


def test_a_tier_of_no_known_form_is_the_usual_one_and_costs_no_usage() -> None:
    odd = chat("") | {"service_tier": {"a": 1}}
    assert (read(CHAT, odd).tier, read(CHAT, odd).usage) == ("", {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2})


def searched(model: str, *queries: str) -> dict[str, object]:
    wire = candidates("standard")
    found = wire["candidates"]
    assert isinstance(found, list)
    found[0]["groundingMetadata"] = {"webSearchQueries": list(queries)}
    return wire | {"modelVersion": model}


@pytest.mark.parametrize(
    ("model", "queries", "billed"),
    [
        ("gemini-2.5-flash", ("a", "b", ""), 1),  # a grounded prompt
        ("gemini-2.0-flash", ("a",), 1),
        ("gemini-3-flash-preview", ("a", "b", "", "a"), 2),  # every different query that is not empty
        ("gemini-3.5-flash", ("",), 0),
        ("gemini-2.5-flash", (), 0),
    ],
)
def test_a_grounded_answer_counts_the_searches_that_google_bills(
    model: str, queries: tuple[str, ...], billed: int
) -> None:
    expected: Usage = {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2} | ({Meter.WEB_SEARCHES: billed} if billed else {})
    wire = searched(model, *queries)
    assert read(GENERATE, wire).usage == expected
    # A stream repeats the metadata, and may bring it before the usage.
    early = {name: value for name, value in wire.items() if name != "usageMetadata"}
    assert hear(GENERATE.tap(True, 100_000), sse(early, wire, wire)).usage == expected
    codec = GENERATE.codec
    assert isinstance(codec, UpstreamCodec)
    assert codec.decode_response(json.dumps(wire).encode()).usage == expected
    tap = hear(TranslatingTap(codec.stream_decoder(100_000), _Silent()), sse(early, wire))
    assert tap.usage == expected


def test_grounding_of_no_known_form_costs_no_usage() -> None:
    wire = searched("gemini-3.5-flash", "a")
    found = wire["candidates"]
    assert isinstance(found, list)
    found[0]["groundingMetadata"] = {"webSearchQueries": "a"}
    assert read(GENERATE, wire).usage == {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2}
