"""The workers' journals as control reads them: folders, files, whole lines, and whether the writer still lives.

Reads files, decides nothing: settlement.py says what becomes of the lines (money.md 2, Journal files).
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from yescale.domain.ids import Incarnation

LOCK_FILE: Final = "lock"
READ_BYTES: Final = 1024 * 1024  # at a time; also the longest line that is believed
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_FILE: Final = re.compile(r"(\d{6,})\.log")
_NEWLINE: Final = b"\n"


class Piece(Struct, frozen=True):
    """Whole lines of one file, without their newline, from `start` to `end`; `rest`: bytes of a line begun after it."""

    start: int
    end: int
    lines: tuple[bytes, ...]
    rest: int


def find_lives(folder: Path) -> list[Incarnation]:
    """The incarnations that have a journal here. A folder that is still being made has another name."""
    try:
        return sorted(Incarnation(name) for name in os.listdir(folder) if _NAME.fullmatch(name))
    except FileNotFoundError:
        return []


def find_files(life: Path) -> dict[int, int]:
    """The numbers and sizes of a journal's files, in order."""
    found: dict[int, int] = {}
    with os.scandir(life) as entries:
        for entry in entries:
            match = _FILE.fullmatch(entry.name)
            if match:
                found[int(match[1])] = entry.stat().st_size
    return dict(sorted(found.items()))


def path_of(life: Path, file: int) -> Path:
    """Where a numbered file lies."""
    return life / f"{file:06d}.log"


def read_piece(path: Path, start: int, most_lines: int) -> Piece:
    """Up to `most_lines` whole lines from `start`. A line longer than READ_BYTES is handed out in pieces of that size."""
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(READ_BYTES)
    lines = text.split(_NEWLINE)
    tail = lines.pop()
    if not lines and len(tail) == READ_BYTES:
        return Piece(start, start + READ_BYTES, (tail,), 0)
    if len(lines) > most_lines:
        lines, tail = lines[:most_lines], b""
    end = start + sum(len(line) + 1 for line in lines)
    return Piece(start, end, tuple(lines), len(tail))


def read_tail(path: Path, start: int) -> bytes:
    """What lies behind the last whole line of a dead writer's file."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(READ_BYTES)


@contextmanager
def writer_gone(life: Path) -> Iterator[bool]:
    """Whether the journal's lock is free, which proves that its writer is gone; held for the time of the block."""
    try:
        descriptor = os.open(life / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # The worker takes the lock before the folder gets this name: without one, there is no writer.
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def sync(paths: list[Path]) -> None:
    """Have the disk keep what these files hold: a power cut loses nothing older. Blocks: call it in a thread."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def age_s(life: Path, now: float) -> float:
    """Seconds since the journal was last written to."""
    return now - max((path.stat().st_mtime for path in life.iterdir()), default=now)


def remove(life: Path) -> None:
    """Remove a journal that is settled and old."""
    shutil.rmtree(life)
