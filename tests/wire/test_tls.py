"""TLS on both sides, with a certificate authority made for the test."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.wire.rig import Caller, Desk, Ear, Served, serving, until
from tests.wire.test_tunnel import Gate, call
from yescale.wire.client import Client, ClientLimits, Deadlines, Failure, Origin
from yescale.wire.server import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from yescale.wire.server import Door, Exchange


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
    )
    if subject != issuer:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("a.test")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Authority:
    """A CA, and the two contexts that trust it and are trusted by it."""

    def __init__(self, folder: Path) -> None:
        root = ec.generate_private_key(ec.SECP256R1())
        leaf = ec.generate_private_key(ec.SECP256R1())
        plain = serialization.NoEncryption()
        pem = serialization.Encoding.PEM
        authority = _certificate("authority", root, "authority", root)
        (folder / "leaf.pem").write_bytes(
            leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
            + _certificate("leaf", leaf, "authority", root)
        )
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(folder / "leaf.pem")
        self.client = ssl.create_default_context(cadata=authority.decode())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def joined(
    authority: Authority, desk: Desk | None = None, limits: Limits | None = None, door: Door | None = None
) -> AsyncIterator[tuple[Served, Caller]]:
    async with serving(desk, limits, tls=authority.server, door=door) as served:
        client = Client(served.timers, ClientLimits(), lambda _: authority.client)
        host, port = served.address
        try:
            yield served, Caller(client, served.timers, Origin("https", str(host), int(port)))
        finally:
            client.close()
            await asyncio.sleep(0.01)


async def test_requests_go_through_tls_and_reuse_the_connection(authority: Authority) -> None:
    async with joined(authority) as (_, caller):
        for turn in range(3):
            attempt, tank = await caller.answer()
            assert tank.data == b"<POST /x body>"
            assert attempt.reused == bool(turn)


async def test_websockets_go_through_tls(authority: Authority) -> None:
    async with joined(authority, door=Gate()) as (served, caller):
        phone = call(caller)
        await phone.end()
        assert phone.tunnel is not None
        said = [b"x", bytes(70_000), b"y" * 300]
        for data in said:
            phone.tunnel.send(data, text=False)
        await until(lambda: phone.ear.heard == said)
        phone.tunnel.close(1000)
        await until(lambda: served.server.connections == 0)


async def test_large_bodies_go_both_ways_through_tls(authority: Authority) -> None:
    desk = Desk(most=1 << 30)
    async with joined(authority, desk) as (_, caller):
        body = bytes(range(256)) * 20_000
        _attempt, tank = await caller.answer(body=body)
        assert tank.data == b"<POST /x %b>" % body
        assert caller.client.idle(caller.origin) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(authority: Authority) -> None:
    async with joined(authority) as (_, caller):
        caller.client = Client(caller.timers, ClientLimits())
        for _ in range(2):
            attempt, tank = await caller.answer()
            assert tank.failure is Failure.TLS
            assert not attempt.sent
        caller.client.close()


async def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    async with joined(authority) as (_, caller):
        caller.origin = Origin("https", "localhost", caller.origin.port)
        _, tank = await caller.answer()
        assert tank.failure is Failure.TLS


async def test_plain_http_on_a_tls_port_is_not_tls(authority: Authority) -> None:
    async with serving() as served:
        client = Client(served.timers, ClientLimits(), lambda _: authority.client)
        host, port = served.address
        caller = Caller(client, served.timers, Origin("https", str(host), int(port)))
        _, tank = await caller.answer()
        assert tank.failure in (Failure.TLS, Failure.REFUSED)
        client.close()


async def test_a_handshake_that_hangs_is_a_connect_timeout(authority: Authority) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with joined(authority) as (_, caller), await asyncio.start_server(mute, "127.0.0.1", 0) as listening:
        caller.origin = Origin("https", "127.0.0.1", listening.sockets[0].getsockname()[1])
        _, tank = await caller.answer(deadlines=Deadlines(connect_s=0.1))
        assert tank.failure is Failure.CONNECT_TIMEOUT
        assert caller.client.open(caller.origin) == 0
        await asyncio.sleep(0.01)


async def test_streams_pause_and_resume_through_tls(authority: Authority) -> None:
    """promise 34"""
    ear = Ear()
    sent = 0

    def start(exchange: Exchange) -> None:
        exchange.listener = ear
        exchange.begin(200, b"")

    desk = Desk()
    desk.on_received = start
    async with joined(authority, desk) as (_served, caller):
        attempt, tank = caller.send()
        await until(lambda: tank.reads)
        attempt.pause()
        exchange = desk.whole[0]
        while not exchange.paused:
            exchange.write(b"a" * 10_000)
            sent += 10_000
            await asyncio.sleep(0)
        held = tank.reads
        await asyncio.sleep(0.05)
        assert tank.reads == held
        attempt.resume()
        await until(lambda: not exchange.paused)
        exchange.end()
        await tank.end()
        assert len(tank.data) == sent


async def test_cancelling_reaches_the_server_through_tls(authority: Authority) -> None:
    ear = Ear()

    def start(exchange: Exchange) -> None:
        exchange.listener = ear
        exchange.begin(200, b"", b"first")

    desk = Desk()
    desk.on_received = start
    async with joined(authority, desk) as (_, caller):
        attempt, tank = caller.send()
        await until(lambda: tank.reads)
        attempt.cancel()
        await until(lambda: ear.heard == ["gone"])


async def test_a_stream_to_the_end_needs_the_goodbye_of_tls(authority: Authority) -> None:
    """promise 28: without close_notify anybody on the way could have cut the answer."""
    context = authority.server

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\nbody")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        await writer.drain()
        if b"/polite" in request:
            writer.close()
        else:
            await asyncio.sleep(0.02)
            writer.transport.abort()

    async with (
        joined(authority) as (_, caller),
        await asyncio.start_server(speak, "127.0.0.1", 0, ssl=context) as there,
    ):
        caller.origin = Origin("https", "127.0.0.1", there.sockets[0].getsockname()[1])
        _, tank = await caller.answer(head=b"POST /polite HTTP/1.1\r\n")
        assert (tank.data, tank.done, tank.failure) == (b"to the end", 1, None)
        _, tank = await caller.answer(head=b"POST /rude HTTP/1.1\r\n")
        assert (tank.done, tank.failure) == (0, Failure.CUT)


async def test_refusals_reach_the_client_through_tls(authority: Authority) -> None:
    async with joined(authority, Desk(most=3), Limits(linger_s=0.1)) as (served, caller):
        attempt, _tank = await caller.answer()
        assert attempt.status == 413
        await until(lambda: served.server.connections == 0)


async def test_an_upstream_that_does_not_take_the_request_through_tls(authority: Authority) -> None:
    desk = Desk(most=1 << 30)
    async with joined(authority, desk) as (served, caller):
        desk.on_opened = lambda _: next(iter(served.server._connections))._transport.pause_reading()
        _, tank = await caller.answer(body=b"a" * 30_000_000, deadlines=Deadlines(send_s=0.2))
        assert tank.failure is Failure.SEND_TIMEOUT
