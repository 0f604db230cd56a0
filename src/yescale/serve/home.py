"""The home of an installation: its folders, and the locks that say who works in it.

A lock is a `flock`, which the kernel drops with its holder however that ends; the file stays and names the last holder.
"""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from yescale.settings import Settings, SetupError

ADDRESS: Final = ("host", "port", "cert_file", "sandbox", "sandbox_port")
SOCKET_PATH_BYTES: Final = 103  # what every system allows of a Unix socket's path (macOS: 104 with its end)


def prepare(settings: Settings) -> None:
    """Make the folders that are missing; what this process and its children make is private. Raises SetupError."""
    os.umask(0o077)
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (settings.run, settings.journals):
            folder.mkdir(mode=0o700, exist_ok=True)
        settings.run.chmod(0o700)
        probe = settings.run / "writable"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"cannot use the home {settings.home}: {_reason(error)}; choose another with --home"
        ) from error
    longest = max(len(os.fsencode(path)) for path in (settings.public_socket, settings.internal_socket))
    if longest > SOCKET_PATH_BYTES:
        spare = longest - SOCKET_PATH_BYTES
        raise SetupError(
            f"the path of the home {settings.home} is {spare} bytes too long for its sockets; choose a shorter one"
        )


def note_address(settings: Settings) -> None:
    """Write down what the server listens on, whatever its command line said: port 0 is a real one by now."""
    values = {name: getattr(settings, name) for name in ADDRESS}
    (settings.run / "address.json").write_bytes(msgspec.json.encode(values))


def read_address(settings: Settings) -> Settings:
    """The settings with the address that was noted last, if any was."""
    try:
        values = msgspec.json.decode((settings.run / "address.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return settings
    return msgspec.structs.replace(settings, **{name: values[name] for name in ADDRESS if name in values})


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of this file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


class Lock:
    """One holder at a time of `<home>/<name>.lock`, for as long as its process lives or until `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self.left_behind = False  # the last holder died without letting go

    def take(self) -> bool:
        """Whether the lock is ours now. The descriptor is never inherited by a program that we start."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        self._file = file
        self.left_behind = os.fstat(file).st_size > 0
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return True

    def holder(self) -> str:
        """The process id that the file names, for messages."""
        try:
            return self.path.read_text().strip() or "?"
        except OSError:
            return "?"

    def release(self) -> None:
        """Let go, leaving an empty file: the sign of a clean end."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
