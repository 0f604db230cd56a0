"""The tap: wherever the network cuts a stream, the client gets the same bytes and we hear the same usage."""

import json

import pytest
from msgspec import Raw

from yescale.domain.usage import Meter
from yescale.protocols.openai_chat.responses import meters, read_chat, read_embeddings
from yescale.protocols.openai_chat.stream import ChatTap
from yescale.protocols.sse import Framer, TooLong, data_of, split


def chunk(content: str, finish: str | None = None, **more: object) -> str:
    body = {"id": "c", "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]} | more
    return f"data: {json.dumps(body, separators=(',', ':'))}\n\n"


USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
PURE = f'data: {{"choices":[],"usage":{json.dumps(USAGE)}}}\n\n'
DONE = "data: [DONE]\n\n"
TEXT = (
    chunk("hé\\n") + ": comment\n\n" + chunk(' say "usage":{ [DONE]', None, usage=None) + chunk("", "stop", usage=None)
)
STREAM = (TEXT + PURE + DONE).encode()


def hear(data: bytes, cut: int | None = None, *, keep: bool = False) -> tuple[bytes, ChatTap]:
    tap = ChatTap(keep, 1_000_000)
    pieces = [data] if cut is None else [data[:cut], data[cut:]]
    out = b"".join(tap.feed(piece) for piece in pieces)
    return out + tap.finish(), tap


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_cut_anywhere_changes_nothing(ends: str) -> None:
    stream = STREAM.replace(b"\n", ends.encode())
    expected = (TEXT + DONE).encode().replace(b"\n", ends.encode())
    for cut in range(len(stream)):
        out, tap = hear(stream, cut)
        assert out.replace(b"\r\n", b"\n").replace(b"\r", b"\n") == expected.replace(b"\r\n", b"\n").replace(
            b"\r", b"\n"
        )
        assert tap.done
        assert tap.usage == {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 20}
        assert tap.text_bytes == hear(STREAM)[1].text_bytes


def test_byte_by_byte_gives_whole_events_only() -> None:
    tap = ChatTap(True, 1_000_000)
    out = [piece for i in range(len(STREAM)) if (piece := tap.feed(STREAM[i : i + 1]))]
    assert b"".join(out) == STREAM
    assert all(piece.endswith(b"\n\n") for piece in out)


def test_the_usage_chunk_stays_where_it_was_asked_for() -> None:
    assert hear(STREAM, keep=True)[0] == STREAM


def test_the_last_usage_wins_where_every_chunk_has_one() -> None:
    each = "".join(chunk("x", usage={"prompt_tokens": 1, "completion_tokens": i}) for i in range(3))
    out, tap = hear((each + DONE).encode())
    assert out == (each + DONE).encode()
    assert tap.usage == {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2}


def test_an_explicit_zero_is_zero() -> None:
    """Promise 11."""
    zero = 'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}\n\n'
    assert hear(zero.encode())[1].usage == {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}


def test_an_error_event_is_withheld_with_all_that_follows() -> None:
    out, tap = hear((chunk("a") + 'data: {"error":{"message":"boom","code":7}}\n\n' + DONE).encode())
    assert out == chunk("a").encode()
    assert tap.error is not None
    assert (tap.error.message, tap.error.code, tap.done) == ("boom", "7", False)


def test_a_named_error_event_is_one_too() -> None:
    assert hear(b'event: error\ndata: {"message":"boom"}\n\n')[1].error is not None


def test_what_follows_the_end_mark_is_dropped() -> None:
    assert hear((TEXT + DONE + chunk("late")).encode())[0] == (TEXT + DONE).encode()


def test_a_stream_that_said_why_it_stopped_is_given_its_end_mark() -> None:
    out, tap = hear(TEXT.encode())
    assert out == (TEXT + DONE).encode()
    assert tap.done


def test_a_stream_that_just_ends_is_not() -> None:
    """Promise 28."""
    out, tap = hear(chunk("a").encode())
    assert (out, tap.done) == (chunk("a").encode(), False)


def test_half_an_event_at_the_end_is_not_sent() -> None:
    """Promise 28: a client must not read half a chunk as a whole one."""
    out, tap = hear((chunk("a") + chunk("b")[:20]).encode())
    assert (out, tap.done) == (chunk("a").encode(), False)


def test_an_end_mark_without_its_blank_line_counts() -> None:
    out, tap = hear((TEXT + "data: [DONE]").encode())
    assert (out, tap.done) == ((TEXT + DONE).encode(), True)


def test_output_is_counted_whatever_its_shape() -> None:
    assert hear(chunk("12345").encode())[1].text_bytes == 5
    assert hear((chunk("12345") * 3).encode())[1].text_bytes == 15
    assert hear(b'data: {"choices": [{"delta": {"reasoning_content": "1234"}}]}\n\n')[1].text_bytes == 4
    tool = b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\\"a\\":1}"}}]}}]}\n\n'
    assert hear(tool)[1].text_bytes == len('{\\"a\\":1}')
    assert hear(chunk('say "x" now').encode())[1].text_bytes == len('say \\"x\\" now')


def test_an_endless_event_is_refused() -> None:
    framer = Framer(100)
    framer.feed(b"data: " + b"x" * 90)
    with pytest.raises(TooLong):
        framer.feed(b"x" * 10)


def test_fields_are_read_as_the_standard_says() -> None:
    assert data_of(b"event: a\r\ndata: 1\r\ndata:2\r\nid: 3\r\n\r\n") == (b"a", b"1\n2")
    assert list(split(b"a\n\nb\r\n\r\nc")) == [b"a\n\n", b"b\r\n\r\n", b"c"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"prompt_tokens": 100, "completion_tokens": 50,
             "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10},
             "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 5}},
            {"input_tokens": 30, "cache_read_tokens": 60, "audio_input_tokens": 10,
             "output_tokens": 15, "reasoning_tokens": 30, "audio_output_tokens": 5},
        ),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3, "completion_tokens": 1},
         {"input_tokens": 2, "cache_read_tokens": 3, "output_tokens": 1}),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 99}},
         {"input_tokens": 0, "cache_read_tokens": 5, "output_tokens": 2}),
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 16,
          "completion_tokens_details": {"reasoning_tokens": 9}},
         {"input_tokens": 5, "output_tokens": 2, "reasoning_tokens": 9}),
        ({"prompt_tokens": 8, "total_tokens": 8}, {"input_tokens": 8, "output_tokens": 0}),
        ({"prompt_tokens": -5, "completion_tokens": 2}, None),
        ({"prompt_tokens": 5, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": -9}}, None),
        ({"prompt_tokens": "many"}, None),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_meters_never_overlap(usage: object, expected: dict[str, int] | None) -> None:
    assert meters(Raw(json.dumps(usage).encode())) == expected


def test_only_answers_are_read_as_answers() -> None:
    assert read_chat(b'{"error":{"message":"x"}}') is None
    assert read_chat(b"<html>") is None
    assert read_chat(b'{"choices":[') is None
    assert read_embeddings(b'{"data":{}}') is None
    body = b'{"choices":[{"message":{"content":"12345678"}}]}'
    answer = read_chat(body)
    assert answer is not None
    assert (answer.usage, answer.text_bytes(body)) == (None, 8)


NULL = '"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]'


@pytest.mark.parametrize("end", ["}", ',"usage":null}'])
def test_an_event_that_ends_as_usual_is_still_heard(end: str) -> None:
    """What closes as plain text does may have said more before: usage, an error, a reason, or another event."""
    _, tap = hear(f'data: {{"usage":{json.dumps(USAGE)},{NULL}}}\n\n'.encode())
    assert tap.usage == {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 20}
    _, tap = hear(f'data: {{"error":{{"message":"no"}},{NULL}{end}\n\n'.encode())
    assert tap.error is not None
    reason = '"choices":[{"index":1,"finish_reason":"stop"},{"index":0,"delta":{},"finish_reason":null}]'
    assert hear(f"data: {{{reason}{end}\n\n".encode())[1].finished
    assert hear(f"data: {{}}\n\n{DONE}data: {{{NULL}{end}\n\n".encode())[1].done
    assert not hear(f"data: {{{NULL}{end}\n\n".encode())[1].finished


def spoken(text: str, more: str = "") -> bytes:
    delta = f'{{"index":0,"delta":{{"content":"{text}"{more}}},"finish_reason":null}}'
    return f'data: {{"id":"c","choices":[{delta}]}}\n\n'.encode()


@pytest.mark.parametrize(
    "event",
    [
        spoken("plain"),
        spoken("usage"),
        spoken(r"\"usage\":{\"prompt_tokens\":9}"),
        spoken('a","usage":{"prompt_tokens":9},"b":"'),
        spoken("a", '}},"usage":{"prompt_tokens":9,"completion_tokens":1},"x":{"y":{"z":""'),
        spoken(
            'a"},"finish_reason":null}]}\n\ndata: [DONE]\n\ndata: {"id":"c","choices":[{"index":0,"delta":{"content":"'
        ),
        spoken('a"}}],"error":{"message":"m"},"x":[{"y":{"z":"'),
        spoken("a\r\rdata: [DONE]\r\rdata: b"),
        spoken("a\n\nevent: error"),
    ],
)
def test_an_event_after_many_alike_is_heard_as_if_it_were_the_first(event: bytes) -> None:
    """Promise 28: nothing hides in what looks like one more piece of text."""
    fresh, used = ChatTap(False, 1_000_000), ChatTap(False, 1_000_000)
    for text in ("Hel", "lo", ""):
        used.feed(spoken(text))
    before = used.text_bytes
    assert used.feed(event) == fresh.feed(event)
    assert (used.usage, used.done, used.error, used.finished) == (fresh.usage, fresh.done, fresh.error, fresh.finished)
    assert used.text_bytes - before == fresh.text_bytes
