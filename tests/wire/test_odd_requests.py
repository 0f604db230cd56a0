"""Every odd or hostile request that we thought of, and what we decided it gets."""

from __future__ import annotations

import pytest

from tests.wire.rig import Desk, serving, statuses
from yescale.wire.server import Limits

BODY = b'{"model":"m"}'
HOST = b"Host: x\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST
SIZE = b"Content-Length: %d\r\n" % len(BODY)
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
GET = b"GET / HTTP/1.1\r\n" + HOST

KEPT = "kept"
CLOSED = "closed"

LIMITS = Limits(max_head_bytes=8192, max_headers=50, max_target=2048, max_body=4096, linger_s=0.05, discard=1 << 20)

# name: request, statuses of the answers, and whether the connection is kept
CASES: dict[str, tuple[bytes, list[int], str]] = {
    "plain": (POST + SIZE + b"\r\n" + BODY, [200], KEPT),
    "chunked body": (POST + TE + b"\r\n" + CHUNKS, [200], KEPT),
    "chunked, other case": (POST + b"Transfer-Encoding: Chunked\r\n\r\n" + CHUNKS, [200], KEPT),
    "no body at all": (POST + b"\r\n", [200], KEPT),
    "GET with a body": (GET + SIZE + b"\r\n" + BODY, [200], KEPT),
    "lower-case header names": ((POST + SIZE).replace(b"Host", b"hOST") + b"\r\n" + BODY, [200], KEPT),
    "CL and TE": (POST + SIZE + TE + b"\r\n" + CHUNKS, [400], CLOSED),
    "TE and CL": (POST + TE + SIZE + b"\r\n" + CHUNKS, [400], CLOSED),
    "two CL, differ": (POST + SIZE + b"Content-Length: 5\r\n\r\n" + BODY, [400], CLOSED),
    "two CL, same": (POST + SIZE + SIZE + b"\r\n" + BODY, [400], CLOSED),
    "CL list": (POST + b"Content-Length: 13, 13\r\n\r\n" + BODY, [400], CLOSED),
    "CL: +n": (POST + b"Content-Length: +13\r\n\r\n" + BODY, [400], CLOSED),
    "CL: -n": (POST + b"Content-Length: -13\r\n\r\n" + BODY, [400], CLOSED),
    "CL: hex": (POST + b"Content-Length: 0xd\r\n\r\n" + BODY, [400], CLOSED),
    "CL: empty": (POST + b"Content-Length:\r\n\r\n" + BODY, [400], CLOSED),
    "CL: space inside": (POST + b"Content-Length: 1 3\r\n\r\n" + BODY, [400], CLOSED),
    "CL: underscore": (POST + b"Content-Length: 1_3\r\n\r\n" + BODY, [400], CLOSED),
    "CL: overflow": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY, [400], CLOSED),
    "CL: 64-bit": (POST + b"Content-Length: 18446744073709551615\r\n\r\n" + BODY, [400], CLOSED),
    "CL: many zeros": (POST + b"Content-Length: " + b"0" * 5000 + b"13\r\n\r\n" + BODY, [400], CLOSED),
    "CL: trailing space": (POST + b"Content-Length: 13 \r\n\r\n" + BODY, [200], KEPT),
    "CL: zero": (POST + b"Content-Length: 0\r\n\r\n", [200], KEPT),
    "CL : space before colon": (POST + b"Content-Length : 13\r\n\r\n" + BODY, [400], CLOSED),
    "TE: xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS, [501], CLOSED),
    "TE: chunked, identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS, [400], CLOSED),
    "TE: gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, [501], CLOSED),
    "TE: gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n" + CHUNKS, [501], CLOSED),
    "TE: identity": (POST + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS, [501], CLOSED),
    "TE: empty": (POST + b"Transfer-Encoding:\r\n\r\n" + CHUNKS, [400], CLOSED),
    "TE twice": (POST + TE + TE + b"\r\n" + CHUNKS, [400], CLOSED),
    "TE in HTTP/1.0": (POST.replace(b"1.1", b"1.0") + TE + b"\r\n" + CHUNKS, [400], CLOSED),
    "bare LF": ((POST + SIZE + b"\r\n").replace(b"\r\n", b"\n") + BODY, [400], CLOSED),
    "bare LF after a header": (GET + b"A: b\nC: d\r\n\r\n", [400], CLOSED),
    "bare LF as blank line": (GET + b"\n", [400], CLOSED),
    "bare CR in a header": (GET + b"A: b\rC: d\r\n\r\n", [400], CLOSED),
    "obs-fold": (POST + b"X-A: b\r\n c\r\n" + SIZE + b"\r\n" + BODY, [400], CLOSED),
    "space before the first header": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", [400], CLOSED),
    "NUL in a header": (POST + b"X-A: b\0c\r\n" + SIZE + b"\r\n" + BODY, [400], CLOSED),
    "NUL in a header name": (POST + b"X\0A: b\r\n" + SIZE + b"\r\n" + BODY, [400], CLOSED),
    "NUL in a chunk size": (POST + TE + b"\r\nd\0\r\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "control character in a header": (GET + b"X-A: b\x01c\r\n\r\n", [400], CLOSED),
    "tab and high bytes in a header": (GET + b"X-A: b\tc\xff\r\n\r\n", [200], KEPT),
    "header without a name": (GET + b": b\r\n\r\n", [400], CLOSED),
    "header without a colon": (GET + b"AB\r\n\r\n", [400], CLOSED),
    "space in a header name": (GET + b"A B: c\r\n\r\n", [400], CLOSED),
    "chunk size 0x": (POST + TE + b"\r\n0xd\r\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "chunk size with space": (POST + TE + b"\r\nd \r\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "chunk size negative": (POST + TE + b"\r\n-d\r\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "chunk size empty": (POST + TE + b"\r\n\r\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "chunk size overflow": (POST + TE + b"\r\nfffffffffffffffff\r\n" + BODY, [400], CLOSED),
    "chunk ended by LF": (POST + TE + b"\r\nd\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "chunk longer than its size": (POST + TE + b"\r\n3\r\n" + BODY + b"\r\n0\r\n\r\n", [400], CLOSED),
    "chunk extensions": (POST + TE + b'\r\nd;a=b;c="d"\r\n' + BODY + b"\r\n0;e\r\n\r\n", [200], KEPT),
    "2 MB chunk extension": (POST + TE + b"\r\nd;" + b"a" * (2 << 20) + b"\r\n" + BODY, [431], CLOSED),
    "trailers": (POST + TE + b"\r\n" + CHUNKS[:-2] + b"X-T: y\r\nHost: z\r\n\r\n", [200], KEPT),
    "2 MB trailer": (POST + TE + b"\r\n" + CHUNKS[:-2] + b"T: " + b"a" * (2 << 20) + b"\r\n\r\n", [431], CLOSED),
    "Content-Length as trailer": (POST + TE + b"\r\n" + CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n", [400], CLOSED),
    "header over the limit": (GET + b"X-A: " + b"a" * 65536 + b"\r\n\r\n", [431], CLOSED),
    "2 MB header": (GET + b"X-A: " + b"a" * (2 << 20) + b"\r\n\r\n", [431], CLOSED),
    "blank lines without end": (b"\r\n" * 5000, [431], CLOSED),
    "blank lines before a request": (b"\r\n\r\n\r\n" + GET + b"\r\n", [200], KEPT),
    "too many headers": (GET + b"X-A: b\r\n" * 50 + b"\r\n", [431], CLOSED),
    "headers without end": (GET + b"X-A: b\r\n" * 51, [431], CLOSED),
    "target over the limit, then too many headers": (
        b"GET /" + b"x" * 2048 + b" HTTP/1.1\r\n" + b"X-A: b\r\n" * 51,
        [414],
        CLOSED,
    ),
    "too many trailers": (POST + TE + b"\r\n" + CHUNKS[:-2] + b"T: u\r\n" * 51 + b"\r\n", [431], CLOSED),
    "as many headers as allowed": (GET + b"X-A: b\r\n" * 49 + b"\r\n", [200], KEPT),
    "no Host": (b"POST / HTTP/1.1\r\n" + SIZE + b"\r\n" + BODY, [400], CLOSED),
    "empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", [400], CLOSED),
    "two Hosts": (GET + HOST + b"\r\n", [400], CLOSED),
    "Host with a path": (b"GET /v1/keys HTTP/1.1\r\nHost: x/?\r\n\r\n", [400], CLOSED),
    "Host with a fragment": (b"GET /v1/keys HTTP/1.1\r\nHost: x/#\r\n\r\n", [400], CLOSED),
    "Host with a user": (b"GET /v1/keys HTTP/1.1\r\nHost: a@x\r\n\r\n", [400], CLOSED),
    "Host as a list": (b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", [400], CLOSED),
    "Host with a NUL": (b"GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n", [400], CLOSED),
    "Host with an escape": (b"GET / HTTP/1.1\r\nHost: x%2fy\r\n\r\n", [400], CLOSED),
    "Host with a port": (b"GET / HTTP/1.1\r\nHost: x:8080\r\n\r\n", [200], KEPT),
    "Host of IPv6": (b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", [200], KEPT),
    "two Authorizations": (POST + b"Authorization: a\r\n" * 2 + SIZE + b"\r\n" + BODY, [400], CLOSED),
    "two Content-Encodings": (
        POST + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n" + SIZE + b"\r\n" + BODY,
        [400],
        CLOSED,
    ),
    "HTTP/1.0": (POST.replace(b"1.1", b"1.0") + SIZE + b"\r\n" + BODY, [200], CLOSED),
    "HTTP/1.0 without Host": (b"GET / HTTP/1.0\r\n\r\n", [200], CLOSED),
    "HTTP/1.0 keep-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200], KEPT),
    "Connection: close": (GET + b"Connection: close\r\n\r\n", [200], CLOSED),
    "Connection: close, then more": (GET + b"Connection: close\r\n\r\n" + GET + b"\r\n", [200], CLOSED),
    "HTTP/0.9": (b"GET /\r\n\r\n", [505], CLOSED),
    "HTTP/0.9 in words": (b"GET / HTTP/0.9\r\n\r\n", [505], CLOSED),
    "HTTP/1.2": (GET.replace(b"1.1", b"1.2") + b"\r\n", [400], CLOSED),
    "HTTP/2.0": (GET.replace(b"1.1", b"2.0") + b"\r\n", [505], CLOSED),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], CLOSED),
    "TLS hello on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200, [400], CLOSED),
    "Upgrade: websocket": (GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", [426], CLOSED),
    "Upgrade: h2c is ignored": (
        POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SIZE + b"\r\n" + BODY,
        [200],
        KEPT,
    ),
    "Upgrade: h2c, chunked": (POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + TE + b"\r\n" + CHUNKS, [200], KEPT),
    "Upgrade: h2c, no body": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", [200], KEPT),
    "Upgrade without Connection": (GET + b"Upgrade: websocket\r\n\r\n", [200], KEPT),
    "three pipelined": ((POST + SIZE + b"\r\n" + BODY) * 3, [200, 200, 200], KEPT),
    "good, then bad": (GET + b"\r\n" + b"GET / HTTP/1.1\r\n\r\n", [200, 400], CLOSED),
    "Expect: 100-continue": (POST + b"Expect: 100-continue\r\n" + SIZE + b"\r\n" + BODY, [100, 200], KEPT),
    "Expect without a body": (POST + b"Expect: 100-continue\r\n\r\n", [200], KEPT),
    "Expect in HTTP/1.0": (
        POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\n" + SIZE + b"\r\n" + BODY,
        [200],
        CLOSED,
    ),
    "Expect: a miracle": (POST + b"Expect: a miracle\r\n" + SIZE + b"\r\n" + BODY, [417], CLOSED),
    "absolute target": (b"GET http://y:80/x?z=1 HTTP/1.1\r\n" + HOST + b"\r\n", [200], KEPT),
    "absolute target with a user": (b"GET http://u@y/x HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target of another scheme": (b"GET ftp://y/x HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target with a fragment": (b"GET /x#y HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target without a slash": (b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target with a space": (b"GET /x y HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target with a NUL": (b"GET /x\0y HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target with high bytes": (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "target over the limit": (b"GET /" + b"x" * 2048 + b" HTTP/1.1\r\n" + HOST + b"\r\n", [414], CLOSED),
    "target at the limit": (b"GET /" + b"x" * 2047 + b" HTTP/1.1\r\n" + HOST + b"\r\n", [200], KEPT),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", [200], KEPT),
    "GET *": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "CONNECT": (b"CONNECT y:80 HTTP/1.1\r\n" + HOST + b"\r\n", [405], CLOSED),
    "CONNECT with a body": (b"CONNECT y:80 HTTP/1.1\r\n" + HOST + SIZE + b"\r\n" + BODY, [405], CLOSED),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", [501], CLOSED),
    "PROPFIND": (b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", [501], CLOSED),
    "made-up method": (b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "lower-case method": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", [400], CLOSED),
    "RTSP reads as HTTP/1.0": (b"GET / RTSP/1.0\r\n" + HOST + b"\r\n", [200], CLOSED),
    "body over the limit, announced": (POST + b"Content-Length: 4097\r\n\r\n", [413], CLOSED),
    "body at the limit": (POST + b"Content-Length: 4096\r\n\r\n" + b"a" * 4096, [200], KEPT),
    "body over the limit, chunked": (POST + TE + b"\r\n1001\r\n" + b"a" * 4097 + b"\r\n0\r\n\r\n", [413], CLOSED),
    "body at the limit, chunked": (POST + TE + b"\r\n1000\r\n" + b"a" * 4096 + b"\r\n0\r\n\r\n", [200], KEPT),
    "body over the limit, in small chunks": (POST + TE + b"\r\n" + b"1\r\na\r\n" * 4097, [413], CLOSED),
    "huge body, announced with Expect": (
        POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
        [413],
        CLOSED,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_odd_request_gets_what_the_table_says(name: str) -> None:
    request, expected, fate = CASES[name]
    async with serving(Desk(most=LIMITS.max_body), LIMITS) as served, served.peer() as peer:
        await peer.send(request)
        data = b""
        if fate == CLOSED:
            data = await peer.read_all()
        while len(statuses(data)) < len(expected):
            data += await peer.read_until(b">" if expected[-1] == 200 else b"\r\n\r\n")
        assert statuses(data) == expected
        if fate == KEPT:
            assert b"connection: close" not in data
            await peer.send(b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"<GET /after >" in await peer.read_until(b">"), "nothing of the odd request is left over"
        assert served.server.busy == 0
        assert all(reason for _, reason, _ in served.desk.rejected)


BY_THEIR_HEAD = [
    name
    for name in CASES
    if name.startswith(("CL and", "TE and", "two ", "TE twice", "TE in", "CL:", "CL list", "no Host", "Host "))
    and CASES[name][2] == CLOSED
]


@pytest.mark.parametrize("name", BY_THEIR_HEAD)
async def test_a_head_with_two_readings_is_refused_before_the_application_hears_of_it(name: str) -> None:
    request, _, _ = CASES[name]
    async with serving(limits=LIMITS) as served, served.peer() as peer:
        await peer.send(request)
        await peer.read_all()
        assert served.desk.seen == []
        assert [exchange for _, _, exchange in served.desk.rejected] == [None]


async def test_a_body_may_look_like_a_request_and_is_never_read_as_one() -> None:
    inner = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = POST + TE + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
    sized = POST + b"Content-Length: %d\r\n\r\n" % len(inner) + inner
    async with serving() as served, served.peer() as peer:
        await peer.send(chunked + sized + chunked + GET + b"\r\n")
        await peer.read_until(b"<GET / >")
        assert [exchange.path for exchange in served.desk.whole] == [b"/v1/chat/completions"] * 3 + [b"/"]
        assert [exchange.body for exchange in served.desk.whole] == [inner] * 3 + [b""]


async def test_the_facts_of_a_request_are_as_sent() -> None:
    async with serving() as served, served.peer() as peer:
        await peer.send(
            b"POST http://other/a%2Fb/../c?q=1?2&x HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-tWo:  2 \r\n"
            b"Content-Length: 2\r\n\r\nab"
        )
        await peer.read_until(b">")
        exchange = served.desk.whole[0]
        assert (exchange.method, exchange.target) == (b"POST", b"/a%2Fb/../c?q=1?2&x")
        assert (exchange.path, exchange.query) == (b"/a%2Fb/../c", b"q=1?2&x")
        assert exchange.headers[:3] == [(b"host", b"h"), (b"x-two", b"1"), (b"x-two", b"2 ")]
        assert exchange.header(b"x-two") == b"1"
        assert exchange.header(b"absent") is None
        assert (exchange.version, exchange.peer, exchange.body) == ((1, 1), "127.0.0.1", b"ab")
        assert 0 <= served.timers.now() - exchange.started < 5
