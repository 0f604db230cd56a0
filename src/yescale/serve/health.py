"""Whether a running installation answers: what the supervisor, the command line and the doctor ask it."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

from yescale.settings import Settings

ANSWER_S: Final = 2.0
ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  a table of what to call, binds nothing


def reachable_host(settings: Settings) -> str:
    """The address under which this machine itself reaches the port."""
    return ANY.get(settings.host, settings.host)


def base_url(settings: Settings) -> str:
    """The URL of the server, as a client on this machine writes it."""
    host = reachable_host(settings)
    scheme = "https" if settings.cert_file else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def answers(settings: Settings) -> bool:
    """Whether `GET /healthz` on the port is answered with 200."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await _healthy(settings)
    except (OSError, TimeoutError):
        return False


async def _healthy(settings: Settings) -> bool:
    context = _trusting() if settings.cert_file else None
    reader, writer = await asyncio.open_connection(reachable_host(settings), settings.port, ssl=context)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _trusting() -> ssl.SSLContext:
    """No verification: the certificate names the public host, not this address, and nothing secret is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def accepts(path: Path) -> bool:
    """Whether someone listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(ANSWER_S)
        try:
            caller.connect(str(path))
        except OSError:
            return False
    return True
