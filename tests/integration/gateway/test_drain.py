"""A worker that is told to stop: what it has accepted is served, and no client meets a connection that just closes."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from tests.integration.gateway.rig import Client, Rig, Visit, event, say_hello

LINGER_S = 0.5
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: yescale\r\n\r\n"


async def kept(rig: Rig) -> Client:
    """A connection that has carried a call and is idle."""
    client = await rig.client()
    client.send("GET", "/healthz")
    assert (await client.answer()).headers.get("connection") is None
    return client


async def stop(rig: Rig) -> "asyncio.Task[None]":
    """Tell the worker to stop; it has begun to drain when this returns."""
    stopping = asyncio.create_task(rig.stop())
    await asyncio.sleep(0.05)
    return stopping


async def test_a_kept_connection_is_served_once_more_while_its_worker_drains(rig: Rig) -> None:
    """The client cannot know that its worker leaves: only the answer tells it not to come again."""
    client, other = await kept(rig), await kept(rig)
    stopping = await stop(rig)
    await rig.post(client)
    answer = await client.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await client.reader.read() == b""
    await asyncio.sleep(LINGER_S / 2)
    await rig.post(other, stream=True)
    answer = await other.answer()
    assert (answer.events[-1], answer.headers["connection"]) == ("[DONE]", "close")
    await stopping
    assert [end.outcome for end in rig.ends] == ["ok", "ok"]


async def test_an_idle_connection_is_closed_in_order_after_the_linger(rig: Rig) -> None:
    client = await kept(rig)
    began = time.monotonic()
    stopping = await stop(rig)
    assert await asyncio.wait_for(client.reader.read(), 5) == b""  # its end, and no reset
    assert time.monotonic() - began >= LINGER_S
    await stopping


async def test_a_connection_whose_answer_began_before_the_drain_lingers_after_it(rig: Rig) -> None:
    """Its head had said nothing of a close, so its client may come once more."""

    async def slow(visit: Visit) -> None:
        rig.first.script = say_hello
        await visit.stream()
        await visit.chunk(event("hello"))
        await asyncio.sleep(2 * LINGER_S)
        await visit.chunk(event(finish_reason="stop") + b"data: [DONE]\n\n")
        await visit.end()

    rig.first.script = slow
    client = await rig.post(stream=True)
    _, headers = await client.head()
    assert "connection" not in headers
    stopping = await stop(rig)
    assert b"[DONE]" in await client.answer_body()
    await asyncio.sleep(LINGER_S / 2)
    await rig.post(client)
    assert (await client.answer()).headers["connection"] == "close"
    await stopping


async def test_a_request_that_arrives_as_the_linger_ends_is_served(rig: Rig) -> None:
    """Its bytes are in the kernel when the time is over: closing then would reset the connection under it."""
    loop = asyncio.get_running_loop()
    bell, rope = socket.socketpair()
    with bell, rope, socket.create_connection(("127.0.0.1", rig.port)) as client:
        client.setblocking(False)
        await asyncio.sleep(0.05)
        stopping = await stop(rig)

        def hold_the_loop_up() -> None:
            """In the turn in which files are read: what comes now is read in the next turn, and timers go before it."""
            loop.remove_reader(bell)
            client.send(HEALTH)
            time.sleep(LINGER_S + 0.2)

        loop.add_reader(bell, hold_the_loop_up)
        rope.send(b"x")
        head = await asyncio.wait_for(loop.sock_recv(client, 65_536), 5)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in head
        await stopping


async def test_connections_in_the_queue_of_the_port_are_served(rig: Rig) -> None:
    """They were established before the worker was told, and nobody else accepts them once the port is closed."""
    loop = asyncio.get_running_loop()
    clients = [socket.create_connection(("127.0.0.1", rig.port)) for _ in range(20)]
    for client in clients:
        client.send(HEALTH)
        client.setblocking(False)
    stopping = asyncio.create_task(rig.stop())
    try:
        for client in clients:
            head = await asyncio.wait_for(loop.sock_recv(client, 65_536), 5)
            assert head.startswith(b"HTTP/1.1 200 ")
    finally:
        for client in clients:
            client.close()
        await stopping


async def test_a_worker_without_clients_leaves_without_a_linger(tmp_path: Path) -> None:
    async with Rig(tmp_path, linger_s=60.0, drain_s=60.0) as rig:
        for client in rig.clients:
            client.leave()
        await rig.stop()  # it waits for less than that


@pytest.mark.parametrize("sent", [b"", HEALTH[:20]], ids=["nothing", "half a head"])
async def test_what_a_client_does_not_send_does_not_hold_the_drain(tmp_path: Path, sent: bytes) -> None:
    """The drain's own time limit stands above the linger and the deadlines of a request."""
    async with Rig(tmp_path, linger_s=60.0, drain_s=0.3) as rig:
        client = await rig.client()
        client.writer.write(sent)
        await rig.stop()  # it waits for less than the linger
