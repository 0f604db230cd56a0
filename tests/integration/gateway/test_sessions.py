"""Sessions over WebSocket through one worker: their bounds are settings, and a model that will go says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.integration.gateway.control import KEY
from tests.integration.gateway.rig import Rig
from yescale.domain.ids import ProviderId
from yescale.domain.snapshot import GOING
from yescale.wire.limits import TunnelLimits

CREATED = json.dumps({"type": "session.created", "session": {"model": "gpt-4o"}})


@asynccontextmanager
async def session(
    folder: Path, tunnels: TunnelLimits, **model: Any
) -> AsyncIterator[tuple[ClientConnection, asyncio.Event]]:
    """An open session whose first event was read, and what tells that the provider has lost it."""
    left = asyncio.Event()

    async def play(link: ServerConnection) -> None:
        await link.send(CREATED)
        await link.wait_closed()
        left.set()

    async with Rig(folder, tunnels=tunnels) as rig, serve(play, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        old = rig.snapshot(version=2, provider=ProviderId("openai"))
        channel = replace(old.channels[0], base_url=f"http://127.0.0.1:{port}/v1")
        models = tuple(replace(each, operations=("realtime",), **model) for each in old.models)
        rig.control.publish(replace(old, channels=(channel,), models=models))
        await asyncio.sleep(0.1)
        headers = {"authorization": f"Bearer {KEY}"}
        async with connect(f"ws://127.0.0.1:{rig.port}/v1/realtime?model=gpt-4o", additional_headers=headers) as link:
            assert await link.recv() == CREATED
            yield link, left


async def test_the_longest_message_is_a_setting(tmp_path: Path) -> None:
    async with session(tmp_path, TunnelLimits(max_message=1_000)) as (link, _):
        await link.send(json.dumps({"type": "x", "fill": "x" * 2_000}))
        with pytest.raises(ConnectionClosed) as closed:
            await link.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_how_long_a_session_may_be_silent_is_a_setting(tmp_path: Path) -> None:
    async with session(tmp_path, TunnelLimits(ping_s=0.1, pong_s=0.1)) as (link, left):
        await asyncio.sleep(0.5)
        assert not left.is_set(), "its client answers"
        link.transport.pause_reading()
        await asyncio.wait_for(left.wait(), 5)
        link.transport.resume_reading()


async def test_a_session_with_a_model_that_will_go_says_so(tmp_path: Path) -> None:
    async with session(tmp_path, TunnelLimits(), deprecation=GOING, alternative="newer") as (link, _):
        assert link.response is not None
        assert link.response.headers["deprecation"] == "true"
        assert link.response.headers["x-yescale-alternative"] == "newer"
