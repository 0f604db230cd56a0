"""How an operation is carried out: by the control process if one runs, else here, under the lock that it would hold."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pkgutil import resolve_name
from typing import Any, Final, Protocol, Self

import msgspec

from yescale.domain.link import MAX_FRAME, AnswerAdmin, AskAdmin, FromControl
from yescale.serve.home import is_held
from yescale.settings import Settings, SetupError

OFFLINE: Final = (
    "yescale.command.offline:Offline"  # imported only where no server runs: it loads the whole database side
)
ANSWER_S: Final = 60.0
STARTING_S: Final = 20.0
LOOK_S: Final = 0.1
ABSENT: Final = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)
_LENGTH_BYTES: Final = 4
_FROM_CONTROL: Final = msgspec.msgpack.Decoder(FromControl)


class Refusal(Exception):
    """The one sentence why an operation was not done."""


class Desk(Protocol):
    """Where operations are carried out."""

    def ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """The result, as JSON would show it. Raises Refusal, SetupError."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_desk(settings: Settings) -> Desk:
    """The running server's desk, else one of our own. Raises SetupError."""
    give_up = time.monotonic() + STARTING_S
    while True:
        with suppress(*ABSENT):
            return Online(settings)
        if not is_held(settings.home / "serve.lock"):
            return resolve_name(OFFLINE)(settings)
        if time.monotonic() >= give_up:
            raise SetupError("a server runs, but its control process does not answer; look at what it wrote to stderr")
        time.sleep(LOOK_S)  # control is starting, or starting again


class Online:
    """A conversation with the control process over its internal socket."""

    def __init__(self, settings: Settings) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        self._last = 0
        try:
            self._socket.connect(os.fspath(settings.internal_socket))
        except ABSENT:
            self._socket.close()
            raise
        except OSError as error:
            self._socket.close()
            reason = (error.strerror or str(error)).lower()
            raise SetupError(f"cannot ask the server at {settings.internal_socket}: {reason}") from error

    def ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """The result, as JSON would show it. Raises Refusal, SetupError."""
        self._last += 1
        body = msgspec.msgpack.encode(AskAdmin(id=self._last, operation=operation, arguments=dict(arguments)))
        try:
            self._socket.sendall(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
            answer = self._answer()
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            raise SetupError(
                "the server left before it answered; look whether the operation was done before you repeat it"
            ) from error
        if answer.error is not None:
            raise Refusal(answer.error)
        return answer.result

    def _answer(self) -> AnswerAdmin:
        while True:
            length = int.from_bytes(self._read(_LENGTH_BYTES), "big")
            if length > MAX_FRAME:
                raise EOFError
            message = _FROM_CONTROL.decode(self._read(length))
            if isinstance(message, AnswerAdmin) and message.id == self._last:
                return message

    def _read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            part = self._socket.recv(count)
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
