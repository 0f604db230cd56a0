"""The listening sockets: bound once by the supervisor, inherited by whoever serves them."""

import socket
import time
from typing import Final

from yescale.settings import SetupError

RETRY_S: Final = 0.1


def free_address(host: str, port: int, *, patience_s: float = 0.0) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The family and the address to bind: that of `host`, with a port that no one listens on. Raises SetupError.

    The trial socket is bound without SO_REUSEPORT, under which two servers would share a port and neither know.
    `patience_s`: the workers of a killed supervisor may still be letting go of the port.
    """
    try:
        family, *_, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise SetupError(f"cannot listen on {host!r}: it is no address of this machine ({error})") from error
    give_up = time.monotonic() + patience_s
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(found)
                return family, (str(found[0]), trial.getsockname()[1])
            except OSError as error:
                if time.monotonic() >= give_up:
                    raise SetupError(_refusal(host, port, error)) from error
        time.sleep(RETRY_S)


def listen(family: socket.AddressFamily, address: tuple[str, int], backlog: int) -> socket.socket:
    """One listening socket of several on the same address. Raises SetupError."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise SetupError(_refusal(*address, error)) from error
    return listener


def _refusal(host: str, port: int, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"cannot listen on {host}:{port}: {reason}; choose another with --host and --port"
