"""Heads read without the parser: whatever they are, the parser would have said the same, or they are left to it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wire.rig import Desk
from tests.wire.test_odd_requests import CASES, LIMITS
from tests.wire.test_requests import feed
from yescale.wire.heads import Head
from yescale.wire.limits import Limits
from yescale.wire.lines import Lines
from yescale.wire.reader import Reader

POST = b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
TIGHT = Limits(max_head_bytes=300, max_headers=6, max_target=40)


def read_fast(raw: bytes, limits: Limits) -> tuple[Head, int] | None:
    """Twice with the same memory: a line that is known must read as it did when it was new."""
    lines = Lines(limits, 100)
    first = lines.read(raw, 0)
    assert lines.read(raw, 0) == first
    return first


def read_strictly(raw: bytes, limits: Limits) -> tuple[Head, int] | str:
    reader = Reader(limits)
    end = reader.read_head(raw, 0)
    try:
        if reader.fault is not None:
            return str(reader.fault)
        head = reader.open()
        return (head, end) if isinstance(head, Head) else str(head)
    finally:
        reader.close()


def law(raw: bytes, limits: Limits) -> bool:
    """Whether the head was read fast; if so, the parser must say the same."""
    fast = read_fast(raw, limits)
    if fast is None:
        return False
    assert fast == read_strictly(raw, limits)
    return True


NAMES = st.one_of(
    st.sampled_from(["accept", "authorization", "content-length", "content-type", "host", "user-agent", "x-a"]),
    st.sampled_from(["connection", "keep-alive", "proxy-connection"]),
    st.sampled_from(["expect", "te", "trailer", "transfer-encoding", "upgrade"]),
    st.text("aZ09-_!#$%&'*+.^`|~ :\t\x7f\xe9\"(),/;<=>?@[]{}\\", max_size=4),
)
VALUES = st.one_of(
    st.sampled_from(
        ["keep-alive", "Keep-Alive", "close", "keep-alive, close", "upgrade", "x", "x:80", "x/y", "chunked"]
    ),
    st.sampled_from(["0", "007", "12", "1 2", "+1", "12 ", "9" * 18, "9" * 19, "websocket", "100-continue"]),
    st.text(st.characters(max_codepoint=255), max_size=8),
)
SEPARATORS = st.sampled_from([": ", ":", ":  ", ":\t", " : "])
ENDS = st.sampled_from(["\r\n"] * 12 + ["\n", "\r", " \r\n", "\r\n ", "\r\n\t"])
TARGETS = st.one_of(
    st.sampled_from(["/", "/v1/chat/completions", "*", "//a/b", "/a?b#c", "http://h/x", "h:80", "/" + "a" * 39]),
    st.text(st.characters(max_codepoint=255), max_size=6).map(lambda text: "/" + text),
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "TRACE", "PRI", "get", "POS", "POSTS"])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    version = draw(st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "RTSP/1.0", "http/1.1", ""]))
    text = f"{draw(METHODS)} {draw(TARGETS)} {version}{draw(ENDS)}"
    for name in draw(st.lists(NAMES, max_size=5)):
        shown = draw(st.sampled_from([name, name.title(), name.upper()]))
        text += shown + draw(SEPARATORS) + draw(VALUES) + draw(ENDS)
        if draw(st.booleans()):
            text += "Host: h\r\n"
    return text.encode("latin-1", "replace") + b"\r\n" + draw(st.binary(max_size=4))


@settings(max_examples=600, deadline=None)
@given(raw=heads(), tight=st.booleans())
@example(raw=POST + b"\r\n", tight=True)
def test_a_head_that_is_read_without_the_parser_is_what_the_parser_reads(raw: bytes, tight: bool) -> None:
    law(raw, TIGHT if tight else Limits())


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, 200), noise=st.binary(max_size=3), cut=st.integers(0, 3))
def test_a_usual_head_with_any_damage_is_read_as_the_parser_reads_it(at: int, noise: bytes, cut: int) -> None:
    raw = POST + b"User-Agent: x y\r\nContent-Length: 3\r\nConnection: keep-alive\r\nX-A: b\r\n\r\n"
    at %= len(raw)
    law(raw[:at] + noise + raw[at + cut :], Limits())


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_in_a_name_a_value_a_target_and_a_method_means_what_it_means_to_the_parser(byte: int) -> None:
    one = bytes([byte])
    for raw in (
        POST + b"X" + one + b"Y: z\r\n\r\n",
        POST + one + b"Y: z\r\n\r\n",
        POST + b"XY: z" + one + b"z\r\n\r\n",
        POST + b"XY: " + one + b"\r\n\r\n",
        POST + b"XY:" + one + b"z\r\n\r\n",
        POST + b"Content-Length: " + one + b"\r\n\r\n",
        POST + b"Content-Length: 1" + one + b"\r\n\r\n",
        b"GET /" + one + b"/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /?" + one + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET" + one + b"/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h" + one + b"h\r\n\r\n",
    ):
        law(raw, Limits())


USUAL = {
    "a call": POST + b"Accept: */*\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-x\r\n"
    b"User-Agent: a (b; c) d/1.0\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n",
    "no body": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "no space after the colon": b"GET / HTTP/1.1\r\nhost:x\r\n\r\n",
    "a long line": b"GET / HTTP/1.1\r\nhost: x\r\ncookie: " + b"a" * 5000 + b"\r\n\r\n",
}
UNUSUAL = {
    "a name twice": POST + b"X-A: b\r\nx-a: c\r\n\r\n",
    "a length twice": POST + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nX-A: b\r\n\r\n",
    "an implausible host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "an encoding": POST + b"Transfer-Encoding: chunked\r\n\r\n",
    "an expectation": POST + b"Expect: 100-continue\r\n\r\n",
    "an upgrade": POST + b"Upgrade: h2c\r\n\r\n",
    "a trailer": POST + b"Trailer: x\r\n\r\n",
    "te": POST + b"TE: trailers\r\n\r\n",
    "close": POST + b"Connection: close\r\n\r\n",
    "an old way to say close": POST + b"Proxy-Connection: close\r\n\r\n",
    "obs-text": POST + b"X-A: \xc3\xa9\r\n\r\n",
    "an old version": b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
    "a proxy's target": b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "not all of it": POST + b"X-A: b\r\n",
}


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_head_is_read_without_the_parser(name: str) -> None:
    assert law(USUAL[name], Limits())


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_head_is_left_to_the_parser(name: str) -> None:
    assert not law(UNUSUAL[name], Limits())


def test_a_head_over_a_limit_is_left_to_the_parser() -> None:
    raw = b"GET /" + b"a" * 20 + b" HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n"
    assert law(raw, Limits(max_head_bytes=len(raw), max_headers=2, max_target=21))
    assert not law(raw, Limits(max_head_bytes=len(raw) - 1))
    assert not law(raw, Limits(max_headers=1))
    assert not law(raw, Limits(max_target=20))


def test_each_length_is_its_own_and_is_not_remembered() -> None:
    lines = Lines(Limits(), 100)
    for length in (5, 7, 5):
        found = lines.read(POST + b"Content-Length: %d\r\n\r\n" % length, 0)
        assert found is not None
        assert found[0].length == length
    assert [name for name, _ in lines._headers.values()] == [b"host"]


def test_what_is_remembered_is_bounded() -> None:
    lines = Lines(Limits(), 10)
    for n in range(1, 1000):
        assert lines.read(b"GET /%d HTTP/1.1\r\nHost: x\r\nX-A: %d\r\nX-B: %b\r\n\r\n" % (n, n, b"b" * n), 0)
        assert len(lines._requests) <= 10
        assert len(lines._headers) <= 10
        assert all(len(line) <= 512 for line in lines._headers)


@pytest.mark.parametrize("name", CASES)
def test_an_odd_request_gets_the_same_with_and_without_the_parser(name: str) -> None:
    request = CASES[name][0]
    fast, strict = (
        asyncio.run(feed([request], LIMITS, desk=Desk(most=LIMITS.max_body), known_lines=known)) for known in (100, 0)
    )
    assert vars(fast) == vars(strict)
