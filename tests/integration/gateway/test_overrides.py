"""What a channel changes on the way up: headers, fields of the body, and the way itself."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.gateway.rig import SECRET, Rig, Visit
from tests.wire.test_proxy import Tunneller
from yescale.domain.ids import ProviderId
from yescale.domain.snapshot import Overrides

MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "hello"}],
    "usage": {"input_tokens": 10, "output_tokens": 20},
}  # fmt: skip


async def change(rig: Rig, **fields: Any) -> None:
    """`first`, changed, is the only channel."""
    snapshot = rig.snapshot(version=2)
    await rig.publish(replace(snapshot, channels=(replace(snapshot.channels[0], **fields),)))


async def test_fields_of_a_body_are_set_removed_and_given(rig: Rig) -> None:
    body = Overrides(set={"temperature": 0.5}, default={"top_p": 0.9, "seed": 1}, remove=("user",))
    await change(rig, body=body)
    assert (await rig.call(user="ada", seed=7, temperature=2)).status == 200
    assert rig.first.visits[0].json == {
        "model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "seed": 7, "temperature": 0.5, "top_p": 0.9,
    }  # fmt: skip


async def test_they_are_those_of_the_upstreams_format_where_a_call_is_translated(rig: Rig) -> None:
    async def speak(visit: Visit) -> None:
        await visit.answer(200, MESSAGE)

    rig.first.script = speak
    await change(rig, provider=ProviderId("anthropic"), body=Overrides(set={"top_k": 5}))
    assert (await rig.call(max_tokens=9)).status == 200
    assert rig.first.visits[0].json["top_k"] == 5


async def test_headers_are_set_and_taken_away(rig: Rig) -> None:
    await change(rig, headers={"X-Team": "red", "User-Agent": ""})
    await rig.call()
    head = rig.first.visits[0].head.lower()
    assert b"\r\nx-team: red\r\n" in head
    assert b"user-agent" not in head


@pytest.mark.parametrize("stream", [False, True])
async def test_a_channel_is_reached_through_its_proxy(rig: Rig, stream: bool) -> None:
    proxy = Tunneller()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await change(rig, proxy=f"http://ada:pw@127.0.0.1:{port}")
    for _ in range(2):
        assert (await rig.call(stream=stream)).status == 200
    assert len(proxy.asked) == 1
    assert proxy.asked[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % rig.first.port)
    assert SECRET.encode() not in proxy.asked[0]
    server.close()


async def test_a_proxy_that_refuses_is_the_channels_failure(rig: Rig) -> None:
    proxy = Tunneller(b"HTTP/1.1 407 No\r\n\r\n")
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    snapshot = rig.snapshot(version=2)
    first = replace(snapshot.channels[0], proxy=f"http://ada:pw@127.0.0.1:{port}")
    await rig.publish(replace(snapshot, channels=(first, snapshot.channels[1])))
    assert (await rig.call()).status == 200
    assert [(note.channel, note.failure) for note in (await rig.end()).attempts] == [(1, "proxy"), (2, "")]
    server.close()


async def test_nothing_that_a_client_says_chooses_a_host(rig: Rig) -> None:
    """SSRF: the upstream's place comes from the channel alone."""
    other = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    there = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
    client = await rig.client()
    named = {
        "x_portkey_custom_host": there, "x_base_url": there, "x_forwarded_host": there, "x_upstream": there,
        "proxy": there,
    }  # fmt: skip
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"base_url":"%b","api_base":"%b"}'
    from_client = body % (there.encode(), there.encode())
    client.send("POST", "/v1/chat/completions", from_client, authorization="Bearer sk-" + "k" * 48, **named)
    assert (await client.answer()).status == 200
    (visit,) = rig.first.visits
    assert b"host: 127.0.0.1:%d\r\n" % rig.first.port in visit.head
    assert there.encode() not in visit.head
    other.close()
