"""What the kernel knows of a connection and the event loop does not say."""

from __future__ import annotations

import fcntl
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    import socket

_NO_BYTES: Final = bytes(4)  # what FIONREAD says of an empty buffer: a C int of 0


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether bytes of the client wait in the kernel; closing now would reset the connection under a request."""
    sock: socket.socket = transport.get_extra_info("socket")
    return fcntl.ioctl(sock.fileno(), termios.FIONREAD, _NO_BYTES) != _NO_BYTES
