"""The table of odd requests through our worker and through nginx, each before an upstream that records.

What nginx refuses we refuse, unless a row of LENIENT says why not; what we accept reaches the upstream in one reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.integration.gateway.control import Control
from tests.integration.gateway.rig import Rig
from tests.wire.nginx import proxying
from tests.wire.rig import Peer, dial, statuses
from tests.wire.test_odd_requests import CASES, LIMITS
from yescale.domain.snapshot import Snapshot
from yescale.gateway.worker import Worker
from yescale.tuning import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# We accept, nginx refuses: why.
LENIENT: dict[str, str] = {
    "OPTIONS *": "RFC 9110 9.3.7 lets a client ask about the server as a whole; nginx has no such target",
    "RTSP reads as HTTP/1.0": "the parser does not tell them apart; it goes on as HTTP/1.1, then the connection closes",
}
# We refuse, nginx accepts: why.
STRICT: dict[str, str] = {
    "CL: many zeros": "a length is digits of a sane count",
    "two Content-Encodings": "whether a body is encoded is looked at once",
    "HTTP/0.9": "its answers have no head, and nobody speaks it",
    "HTTP/1.2": "there is no such version",
    "Upgrade: websocket": "426 says that this path has none; nginx drops the header and answers plainly",
    "Expect: a miracle": "RFC 9110 10.1.1 has 417 for it",
    "bare LF": "another reader may see other lines",
    "bare LF after a header": "likewise",
    "bare LF as blank line": "likewise",
    "control character in a header": "RFC 9110 5.5 calls it invalid",
    "header without a colon": "RFC 9112 5 has a colon in every header; nginx skips the line",
    "chunk size with space": "RFC 9112 7.1 has none",
    "2 MB trailer": "trailers are bounded as heads are",
    "too many trailers": "likewise",
    "Content-Length as trailer": "RFC 9110 6.5.1 forbids framing in trailers",
    "too many headers": "nginx bounds their bytes, not their count",
    "Host with an escape": "no host has one",
    "target of another scheme": "this is no proxy for it",
    "target with a fragment": "RFC 9112 3.2 has none in a target; nginx cuts it off",
    "target with high bytes": "RFC 3986 wants them escaped",
    "target over the limit": "nginx bounds the line by its buffer alone",
    "PROPFIND": "no path here has it",
    "made-up method": "likewise",
}

AFTER = b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Target: %b\r\n\r\nok"
SILENCE_S = 20.0
CANONICAL = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?:/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9a-z]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)+\r\n"
)
LENGTH = re.compile(rb"(?<=\r\n)content-length: (0|[1-9][0-9]*)\r\n", re.IGNORECASE)


class Recorder:
    """An upstream that reads requests strictly and answers each with 200."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.left_over: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = LENGTH.search(head)
                    self.heads.append(head)
                    self.bodies.append(await reader.readexactly(int(length[1]) if length is not None else 0))
                    writer.write(ANSWER % head.split(b" ")[1])
            except asyncio.IncompleteReadError as error:
                self.left_over += [error.partial] if error.partial else []
        writer.close()

    def take(self) -> list[bytes]:
        """The heads since the last time, without those of the request that follows each row."""
        heads = [head for head in self.heads if not head.startswith(b"GET /after ")]
        self.heads.clear()
        return heads


class RecordingControl(Control):
    """A control whose public socket records."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Snapshot(version=1))
        self.recorder = Recorder()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.recorder.serve(reader, writer)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[tuple[Rig, Recorder]]:
    """A whole worker with the limits of the table; paths that are not its own go to the recorder."""
    rig = Rig(tmp_path, max_body_bytes=LIMITS.max_body)
    rig.settings = msgspec.structs.replace(rig.settings, server=ServerSettings(limits=LIMITS))
    rig.worker = Worker(rig.settings, 0)
    rig.control = control = RecordingControl(tmp_path / "run")
    async with rig:
        control.recorder.take()
        yield rig, control.recorder


def relayed(request: bytes) -> bytes:
    """The row with a path that is passed on whatever its body."""
    return request.replace(b"/v1/chat/completions", b"/relayed")


async def replay(address: tuple[str, int] | str, request: bytes) -> list[int]:
    """Send a row and, right behind it, an ordinary request; the statuses up to the latter's answer or the end."""
    peer = Peer(await dial(address))
    data = b""
    try:
        with contextlib.suppress(ConnectionError):
            await peer.send(request + AFTER)
        async with asyncio.timeout(SILENCE_S):
            while b"X-Target: /after" not in data and b"x-target: /after" not in data:
                more = await peer.read()
                if not more:
                    break
                data += more
    except (ConnectionError, TimeoutError):
        pass
    finally:
        peer.close()
    return statuses(data)


async def test_what_nginx_refuses_we_refuse_and_what_we_pass_on_has_one_reading(rig: tuple[Rig, Recorder]) -> None:
    worker, ours = rig
    theirs = Recorder()
    lenient, strict = set[str](), set[str]()
    with proxying(LIMITS) as nginx:
        upstream = await asyncio.start_unix_server(theirs.serve, nginx.upstream)
        async with upstream:
            for name, (request, expected, _) in CASES.items():
                told = await replay(("127.0.0.1", worker.port), relayed(request))
                passed = ours.take()
                assert told[: len(expected)] == expected, name
                assert len(passed) == expected.count(200), f"{name}: one request upstream for each accepted, else none"
                assert all(map(is_canonical, passed)), f"{name}: {passed}"
                assert not ours.left_over, name
                await replay(nginx.address, relayed(request))
                accepted = len(theirs.take())
                if len(passed) > accepted:
                    lenient.add(name)
                elif len(passed) < accepted:
                    strict.add(name)
    assert lenient == LENIENT.keys(), "what nginx refuses we refuse, or say why not"
    assert strict == STRICT.keys(), "what nginx accepts we accept, or say why not"


def is_canonical(head: bytes) -> bool:
    """One spelling of everything, one Host, at most one length and no other framing."""
    lines = head.split(b"\r\n")[1:-2]
    names = [line.split(b":", 1)[0] for line in lines]
    return (
        CANONICAL.fullmatch(head) is not None
        and names.count(b"host") == 1
        and names.count(b"content-length") <= 1
        and len(LENGTH.findall(head)) == names.count(b"content-length")
        and b"transfer-encoding" not in names
        and b"connection" not in names
    )
