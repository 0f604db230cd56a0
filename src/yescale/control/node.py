"""This machine's place among the nodes: its id, and the lock that keeps two controls from one home."""

import asyncio
import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Final

NODE_FILE: Final = "node.id"
LOCK_FILE: Final = "control.lock"
_TRY_S: Final = 0.05


class HomeTaken(Exception):
    """Another control process works in this home."""


def read_node_id(home: Path) -> str:
    """The id of this home's node, made at its first start. A cloned home is noticed by the boot id, not by this."""
    path = home / NODE_FILE
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(8))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()


class HomeLock:
    """Held by the control process, or by a command line that works while there is none."""

    def __init__(self, home: Path) -> None:
        self._file = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Whether the lock is ours now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def take_within(self, seconds: float) -> None:
        """Wait for an earlier control to leave. Raises HomeTaken."""
        deadline = time.monotonic() + seconds
        while not self.take():
            if time.monotonic() >= deadline:
                raise HomeTaken("another control process works in this home; stop it, or choose another home")
            await asyncio.sleep(_TRY_S)

    def release(self) -> None:
        """Let go."""
        os.close(self._file)
