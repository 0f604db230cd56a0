"""OpenRouter's `provider` and `usage`: read, taken out of the body, and the cost written into the answer."""

import json
from typing import Any

import pytest

from yescale.domain.faults import Fault
from yescale.protocols import fields, openai_chat
from yescale.protocols.codec import NO_WORDS
from yescale.protocols.openai_chat.costs import Withholding, price_answer, price_events
from yescale.protocols.openai_chat.stream import ChatTap
from yescale.protocols.passthrough import Peek
from yescale.protocols.wishes import Preferences, Wishes

PLAIN = b'{"model": "m", "messages":[{"role":"user","content":"\\"provider\\":1,"}],"temperature":1.10}'
CHAT: dict[str, Any] = json.loads(PLAIN)
TEXT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a \\"usage\\":{ b"}}]}\n\n'
TELLS = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


def peeked(body: bytes) -> Peek:
    peek = openai_chat.CHAT.peek(body, NO_WORDS)
    assert isinstance(peek, Peek), peek
    return peek


def wished(body: bytes) -> Wishes:
    wishes = peeked(body).wishes
    assert wishes is not None
    return wishes


@pytest.mark.parametrize(
    "body",
    [
        b'{"provider":{"only":["X"]},' + PLAIN[1:],
        PLAIN[:-1] + b',"provider" : {"only":["X"]}}',
        PLAIN[:-1] + b',"provider":{"only":["X"]} , "usage":{"include":true}}',
        b'{ "usage": {"include": true}, "provider":\n{"only":["X"]},' + PLAIN[1:],
        b'{"pro\\u0076ider":{"only":["X"]},' + PLAIN[1:],
    ],
)
def test_the_wishes_are_taken_out_and_every_other_byte_stays(body: bytes) -> None:
    wishes = wished(body)
    assert wishes.preferences == Preferences(only=("x",))
    assert (wishes.costing is not None) == (b"usage" in body)
    assert wishes.body.replace(b" ", b"").replace(b"\n", b"") == PLAIN.replace(b" ", b"")
    assert wishes.body.strip(b"{ }") == PLAIN.strip(b"{ }")


def test_what_is_not_asked_is_no_wish() -> None:
    assert peeked(PLAIN).wishes is None
    nothing = wished(json.dumps(CHAT | {"provider": None, "usage": {"include": False}}).encode())
    assert (nothing.preferences, nothing.costing) == (None, None)
    assert json.loads(nothing.body) == CHAT
    assert wished(
        json.dumps(CHAT | {"provider": {"order": [" OpenAI "], "allow_fallbacks": False}}).encode()
    ) == Wishes(body=json.dumps(CHAT).encode(), preferences=Preferences(order=("openai",), fallbacks=False))


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        (b'"provider":{"zdr":true}', "provider"),
        (b'"provider":"openai"', "provider"),
        (b'"provider":{"order":"openai"}', "provider.order"),
        (b'"provider":{"order":["a",1]}', "provider.order[1]"),
        (b'"usage":true', "usage"),
        (b'"usage":{"include":1}', "usage.include"),
        (b'"provider":{},"provider":{}', "provider"),
    ],
)
def test_a_wish_that_cannot_be_kept_is_refused_by_name(wrong: bytes, param: str) -> None:
    fault = openai_chat.CHAT.peek(PLAIN[:-1] + b"," + wrong + b"}", NO_WORDS)
    assert isinstance(fault, Fault)
    assert (fault.status, fault.param) == (400, param)


def test_a_field_that_is_not_there_cannot_be_cut() -> None:
    assert fields.cut(PLAIN, "provider") == PLAIN


@pytest.mark.parametrize(
    ("amount", "said"), [(0, "0"), (1, "0.000000001"), (50_000, "0.00005"), (10**9, "1"), (1_234_500_000, "1.2345")]
)
def test_the_cost_is_written_as_exact_dollars(amount: int, said: str) -> None:
    assert price_answer(b'{"a":[1.10] , "usage":{"prompt_tokens":1}}', amount) == (
        f'{{"a":[1.10] , "usage":{{"cost":{said},"prompt_tokens":1}}}}'.encode()
    )
    assert (
        price_answer(b'{"usage": {"cost": 0.9 ,"x":1}}', amount) == f'{{"usage": {{"cost": {said} ,"x":1}}}}'.encode()
    )
    assert price_answer(b'{"usage":{}}', amount) == f'{{"usage":{{"cost":{said}}}}}'.encode()


@pytest.mark.parametrize("body", [b"{}", b'{"usage":null}', b'{"usage":7}', b'{"choices":[{"usage":{"a":1}}]}'])
def test_an_answer_without_usage_stays_as_it_is(body: bytes) -> None:
    assert price_answer(body, 5) == body


@pytest.mark.parametrize("size", [1, 7, 60, 10_000])
def test_the_end_of_a_stream_waits_from_its_usage_on_wherever_it_is_cut(size: int) -> None:
    tap = Withholding(ChatTap(True, 100_000))
    stream = TEXT + TEXT + TELLS + DONE
    outs = [tap.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert tap.done
    assert tap.usage is not None
    assert b"".join(outs) == stream
    assert all(b'"usage":{"' not in out for out in outs[:-1])
    priced = price_events(outs[-1], 50_000)
    assert b"".join(outs[:-1]) + priced == stream.replace(b'"usage":{"p', b'"usage":{"cost":0.00005,"p')


def test_a_stream_that_tells_usage_all_along_is_held_by_one_event() -> None:
    tap = Withholding(ChatTap(True, 100_000))
    told = TELLS.replace(b'"choices":[]', b'"choices":[{"index":0,"delta":{"content":"x"}}]')
    assert [tap.feed(told), tap.feed(told), tap.feed(TEXT)] == [b"", told, b""]
    assert tap.feed(DONE) == told + TEXT + DONE
    assert price_events(TEXT + DONE, 5) == TEXT + DONE


def test_what_was_held_comes_out_of_a_stream_that_breaks_off() -> None:
    tap = Withholding(ChatTap(True, 100_000))
    assert tap.feed(TEXT + TELLS) == TEXT
    assert tap.finish() == TELLS
    assert not tap.done


def test_what_is_held_is_bounded() -> None:
    tap = Withholding(ChatTap(True, 100_000))
    out = tap.feed(TELLS)
    for _ in range(2_000):
        out += tap.feed(TEXT)
    assert len(out) > 2_000 * len(TEXT) - 70_000
