"""The workers' journals as control reads them: folders, files, whole lines, and whether the writer still lives.

Reads files, decides nothing: settlement.py says what becomes of the lines.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from yescale.domain.ids import CallId, Incarnation
from yescale.domain.journal import OpenCall
from yescale.ledger.journal_file import Reading, Record, read_journal, torn_tail, unended

LOCK_FILE: Final = "lock"
READ_BYTES: Final = 2 * 1024 * 1024  # at a time; also the longest line that is believed
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_FILE: Final = re.compile(r"(\d{6,})\.log")


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


def read_bytes(path: Path, start: int, most: int = READ_BYTES) -> bytes:
    """What the file holds from `start` on, up to a bound."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(most)


def read_on(path: Path, start: int, size: int, most_lines: int) -> Reading:
    """The whole lines from `start`; none where the next line is still being written.

    What is no line at all (longer than READ_BYTES) comes as one record that cannot be read.
    """
    reading = read_journal(data := read_bytes(path, start), start, most_lines)
    if reading.records or reading.halted or size - start < READ_BYTES:
        return reading
    return Reading(records=(Record(start, data, None, "length: no line is this long"),), end=start + len(data))


def read_tail(path: Path, start: int, size: int) -> Reading:
    """What lies behind the last whole line of a writer that is gone, as one record that cannot be read."""
    return Reading(records=(torn_tail(read_bytes(path, start, size - start), start),), end=size)


def find_open_calls(life: Path) -> tuple[OpenCall, ...]:
    """The calls that went upstream and never ended, over all files of a dead writer. Blocks: call it in a thread."""
    opens: dict[CallId, OpenCall] = {}
    for file, size in find_files(life).items():
        start = 0
        while start < size:
            reading = read_on(path_of(life, file), start, size, READ_BYTES)
            if not reading.records:
                break
            unended(opens, reading.records)
            start = reading.end
    return tuple(opens.values())


@contextmanager
def writer_gone(life: Path) -> Generator[bool]:
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
