"""What a provider charges us, out of every place where formats tell usage, and nothing else changed."""

import json

import pytest

from tests.fuzz.pieces import grains
from yescale.protocols.anthropic_messages import MESSAGES
from yescale.protocols.discretion import Discreet, leave_out
from yescale.protocols.openai_chat import CHAT
from yescale.protocols.openai_responses import RESPONSES

NAMES = ("cost", "cost_details", "is_byok")
PAID = b'"cost":0.95,"is_byok":false,"cost_details":{"upstream_inference_cost":19,"cost":1}'


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"id":"a","usage":{"prompt_tokens":1,%b}}', b'{"id":"a","usage":{"prompt_tokens":1}}'),
        (b'{"usage": {%b, "total_tokens": 3.0 } , "x":1e2}', b'{"usage": {"total_tokens": 3.0 } , "x":1e2}'),
        (b'{"usage":{%b}}', b'{"usage":{}}'),
        (b'{"type":"e","response":{"id":"r","usage":{"input_tokens":1,%b}}}',
         b'{"type":"e","response":{"id":"r","usage":{"input_tokens":1}}}'),
        (b'{"type":"message_start","message":{"usage":{%b,"input_tokens":1}}}',
         b'{"type":"message_start","message":{"usage":{"input_tokens":1}}}'),
    ],
)  # fmt: skip
def test_costs_go_from_usage(body: bytes, kept: bytes) -> None:
    assert leave_out(body % PAID, NAMES) == kept


@pytest.mark.parametrize(
    "body",
    [
        b'{"usage":null,"cost":1}',
        b'{"usage":{"prompt_tokens":1},"choices":[{"message":{"content":"\\"usage\\":{\\"cost\\":1}"}}]}',
        b'{"choices":[{"usage":{"cost":1}}]}',  # of a tool's arguments, say
        b'{"content":[{"input":{"usage":{"cost":1}}}],"usage":{"x":1}}',
        b'"cost"',
        b"",
        b"{",
    ],
)
def test_all_else_stays_as_it_is(body: bytes) -> None:
    assert leave_out(body, NAMES) is body


def test_a_whole_answer_is_told_without() -> None:
    usage = b'"usage":{"prompt_tokens":1,"completion_tokens":2'
    body = b'{"choices":[{"index":0,"message":{"content":"cost"}}],' + usage
    answer = Discreet(CHAT, NAMES).read_answer(body + b"," + PAID + b"}}")
    assert answer is not None
    assert answer.translated == body + b"}}"
    assert answer.usage is not None
    untouched = Discreet(CHAT, NAMES).read_answer(body + b"}}")
    assert untouched is not None
    assert untouched.translated is None


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_streams_of_each_format_are_told_without_wherever_they_are_cut(newline: bytes) -> None:
    chat = b'data: {"choices":[{"index":0,"delta":{"content":"cost"}}]}\n\n'
    ends = (
        (CHAT, chat, b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2%b}}\n\n',
         b"data: [DONE]\n\n"),
        (RESPONSES, b"", b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r","status":'
         b'"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2%b}}}\n\n', b""),
        (MESSAGES, b'event: message_start\ndata: {"type":"message_start","message":{"id":"i"}}\n\n',
         b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":2%b}}\n\n',
         b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    )  # fmt: skip
    for form, before, told, after in ends:
        stream, clean = ((before + told % paid + after).replace(b"\n", newline) for paid in (b"," + PAID, b""))
        for pieces in ([stream], grains(stream)):
            tap = Discreet(form, NAMES).tap(True, 10_000)
            assert b"".join(map(tap.feed, pieces)) + tap.finish() == clean
            assert tap.done
            assert tap.usage is not None
            plain = form.tap(True, 10_000)
            plain.feed(clean)
            assert (tap.usage, tap.partial, tap.finished) == (plain.usage, plain.partial, plain.finished)


def test_an_event_in_two_lines_of_data_leaks_nothing() -> None:
    event = b'data: {"choices":[],\ndata: "usage":{"prompt_tokens":1,"completion_tokens":2,"cost":7}}\n\n'
    tap = Discreet(CHAT, NAMES).tap(True, 10_000)
    out = tap.feed(event)
    assert json.loads(out.removeprefix(b"data: "))["usage"] == {"prompt_tokens": 1, "completion_tokens": 2}
