"""Hostile calls to a whole worker: what is refused reaches no provider, and what is said is what decides."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.integration.gateway.control import KEY
from tests.integration.gateway.rig import Rig
from tests.wire.rig import Peer, dial, statuses
from tests.wire.test_odd_requests import CASES, CLOSED, HOST, LIMITS
from yescale.gateway.worker import Worker
from yescale.tuning import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()
CREDENTIALS = b"Authorization: Bearer sk-%b\r\n" % KEY.encode()
REFUSED = [name for name, (_, expected, fate) in CASES.items() if fate == CLOSED and min(expected) >= 400]
PIECE = b"10000\r\n" + b"\x1f" * 65536 + b"\r\n"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A worker with the limits of the table of odd requests."""
    rig = Rig(tmp_path, max_body_bytes=LIMITS.max_body)
    rig.settings = msgspec.structs.replace(rig.settings, server=ServerSettings(limits=LIMITS))
    rig.worker = Worker(rig.settings, 0)
    async with rig:
        yield rig


def chat(*lines: bytes, body: bytes = BODY, host: bytes = HOST) -> bytes:
    """A call that would be served, but for these header lines."""
    size = b"Content-Length: %d\r\n" % len(body)
    return b"".join((b"POST /v1/chat/completions HTTP/1.1\r\n", host, *lines, size, b"\r\n", body))


async def send(rig: Rig, request: bytes) -> bytes:
    """Everything that comes back until the worker closes, or is silent after an answer."""
    peer = Peer(await dial(("127.0.0.1", rig.port)))
    try:
        await peer.send(request)
        answer, _ = await peer.read_quiet()
        return answer
    finally:
        peer.close()


async def flood(peer: Peer) -> None:
    """Send 64 MB, if the worker lets us."""
    for _ in range(1_000):
        await peer.send(PIECE)


async def test_a_refused_request_with_a_good_key_reaches_nobody(rig: Rig) -> None:
    for name in REFUSED:
        request, expected, _ = CASES[name]
        answer = await send(rig, request.replace(HOST, HOST + CREDENTIALS, 1))
        assert statuses(answer) == expected, name
    assert rig.first.visits == rig.second.visits == []
    assert rig.control.asked == []
    assert rig.lines[1:] == [], "no money was touched"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((CREDENTIALS,), 200),
        ((CREDENTIALS, CREDENTIALS), 400),
        ((CREDENTIALS, b"authorization: Bearer sk-other\r\n"), 400),
        ((b"Authorization: Bearer sk-other\r\n", CREDENTIALS), 400),
        ((b"Authorization:\r\n", CREDENTIALS), 400),
        ((b"Authorization : Bearer sk-%b\r\n" % KEY.encode(),), 400),
        ((b"Authorization: Bearer\r\n sk-%b\r\n" % KEY.encode(),), 400),
        ((CREDENTIALS, b"Content-Encoding: identity\r\n"), 200),
        ((CREDENTIALS, b"Content-Encoding: gzip\r\n"), 400),
        ((CREDENTIALS, b"Content-Encoding: zstd\r\n"), 415),
        ((CREDENTIALS, b"Content-Encoding: identity, gzip\r\n"), 415),
    ],
)
async def test_a_call_is_judged_by_headers_with_one_meaning(rig: Rig, lines: tuple[bytes, ...], status: int) -> None:
    assert statuses(await send(rig, chat(*lines))) == [status]
    assert len(rig.first.visits) == (status == 200)


@pytest.mark.parametrize(
    "host", [b"", b"Host: x/v1\r\n", b"Host: a@b\r\n", b"Host: x\r\nHost: x\r\n", b"Host: x\0\r\n"]
)
async def test_a_crafted_host_is_refused(rig: Rig, host: bytes) -> None:
    assert statuses(await send(rig, chat(CREDENTIALS, host=host))) == [400]
    assert rig.first.visits == []


async def test_a_foreign_host_changes_nothing_and_is_not_passed_on(rig: Rig) -> None:
    assert statuses(await send(rig, chat(CREDENTIALS, host=b"Host: evil.example\r\n"))) == [200]
    (visit,) = rig.first.visits
    assert b"evil" not in visit.head
    assert b"\r\nhost: 127.0.0.1:%d\r\n" % rig.first.port in visit.head.lower()


async def test_an_encoded_upload_without_end_is_refused_at_its_head_and_not_read(rig: Rig) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + CREDENTIALS
    with contextlib.closing(Peer(await dial(("127.0.0.1", rig.port)))) as peer:
        await peer.send(head + b"Content-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert statuses(await peer.read_until(b"unsupported_content_encoding")) == [415]
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(peer), 10)
    assert rig.first.visits == []
