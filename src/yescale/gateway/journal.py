"""The journal writer: the files in which a worker says what was spent and given back. One writer, one life.

A line is `crc32 SP json LF`. Nothing is written behind a short write but its remainder; until then no call is admitted.
"""

import fcntl
import logging
import os
from binascii import crc32
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from yescale.domain.ids import AccountId, CallId, Incarnation, KeyId, PurseId
from yescale.domain.journal import BackLine, EndLine, HeadLine, JournalLine, NextLine, NoLine, OpenCall, OpenLine
from yescale.domain.money import Nano
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock, Timer, Timers
from yescale.tuning import JournalSettings

PROGRAM: Final = "yescale"

_LOG: Final = logging.getLogger(__name__)
_encode: Final = msgspec.json.Encoder().encode
_CHECK_S: Final = 1.0  # free disk, unsettled bytes; the second of the refusals' rate
_RETRY_S: Final = 0.1  # of a short write
_FORMS: Final[Mapping[type[Struct], tuple[bytes, int]]] = MappingProxyType(
    {  # how a line's JSON begins, with its number, and where it goes on behind `["...",0`
        kind: (b'["%b",%%d%%b' % tag.encode(), len(f'["{tag}",0'))
        for kind, tag in (
            (HeadLine, "head"),
            (OpenLine, "open"),
            (EndLine, "end"),
            (BackLine, "back"),
            (NoLine, "no"),
            (NextLine, "next"),
        )
    }
)
_MAX_REFUSERS: Final = 10_000  # (key, code) pairs counted at a time; past that, they are written out early


class Journal:
    """The files of one incarnation. `writable` is false where no call may be admitted; `last` is the last `n` on file.

    Makes `<folder>/<incarnation>/` and holds its `lock` for life. Raises OSError where that fails.
    """

    def __init__(
        self,
        folder: Path,
        incarnation: Incarnation,
        node: str,
        settings: JournalSettings,
        timers: Timers,
        clock: Clock,
    ) -> None:
        self.writable = False
        self.stuck = False
        self.last = 0
        self._folder = folder / incarnation
        self._incarnation = incarnation
        self._node = node
        self._settings = settings
        self._timers = timers
        self._clock = clock
        self._n = 0
        self._file = 1
        self._bytes = 0  # of the current file, the unwritten ones included
        self._rotate_at = settings.file_bytes
        self._unsettled = 0
        self._roomy = False
        self._unwritten = bytearray()
        self._thens: list[Callable[[], object]] = []
        self._next_fd = -1  # the file that follows, while the last line of this one is unwritten
        self._after = bytearray()  # what is to be written there
        self._opens: dict[CallId, Callable[[], OpenCall]] = {}
        self._front: list[NoLine] = []
        self._flush_timer: Timer | None = None
        self._refusals = _Refusals(settings.refusals_per_s)
        self._lock, self._fd = self._make(folder)
        self._check()

    def open(self, call: CallId, describe: Callable[[], OpenCall]) -> None:
        """A call goes upstream: said after the set delay at latest, never if it ended by then, as most do."""
        self._opens[call] = describe
        if self._flush_timer is None:
            self._flush_soon()

    def end(self, line: EndLine) -> bool:
        """A call ended. True = on file, its last bytes may go out; False = they must wait for when_written()."""
        self._opens.pop(line.id, None)
        return self._write(self._refused() + self._bytes_of(line) if self._front else self._bytes_of(line))

    def back(self, purses: tuple[tuple[PurseId, Nano], ...]) -> int:
        """Money is given back: the new returned totals. The number of the line."""
        self._write(self._refused() + self._bytes_of(BackLine(n=0, purses=purses)))
        return self._n

    def no(self, line: NoLine) -> None:
        """A call of a known key was refused: a line each up to a rate, then a count. The next write takes it."""
        if self._refusals.count(line):
            self._front.append(line)
        if self._refusals.full:
            self._front.extend(self._refusals.take(self._clock.wall_ms()))
        self._flush_soon()

    def alive(self, unsettled: int = 0) -> None:
        """Control settles: so many bytes of this node's journals were unsettled a moment ago."""
        self._unsettled = unsettled
        self._judge()

    def when_written(self, then: Callable[[], object]) -> None:
        """Call once, when nothing is unwritten any more: at once, as a rule."""
        if self.stuck:
            self._thens.append(then)
        else:
            then()

    def close(self) -> None:
        """Write what waits, and let the lock go: control takes this incarnation for dead from here on."""
        self._front.extend(self._refusals.take(self._clock.wall_ms()))
        self._flush()
        self.writable = False
        for fd in (self._fd, self._next_fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._next_fd = self._lock = -1

    def _make(self, folder: Path) -> tuple[int, int]:
        """The folder under a name that control does not read, then under its own: it is seen with its lock held."""
        making = folder / f".{self._incarnation}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        making.mkdir(mode=0o700)
        lock = os.open(making / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fd = self._create(making, 1)
        head = self._head()
        written = os.write(fd, head)
        if written != len(head):
            raise OSError(f"the disk is full: the journal cannot be begun in {folder}")
        self._bytes = written
        self.last = self._n
        making.rename(self._folder)
        for path in (self._folder, folder):
            _sync_folder(path)
        return lock, fd

    def _create(self, folder: Path, number: int) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(folder / f"{number:06d}.log", flags, 0o600)

    def _head(self) -> bytes:
        line = HeadLine(
            n=0,
            incarnation=self._incarnation,
            node=self._node,
            file=self._file,
            program=PROGRAM,
            at_ms=self._clock.wall_ms(),
        )
        return self._bytes_of(line)

    def _bytes_of(self, line: JournalLine) -> bytes:
        """The next line: its number is put in where the caller left a 0."""
        form, cut = _FORMS[type(line)]
        self._n = n = self._n + 1
        json = form % (n, _encode(line)[cut:])
        return b"%08x %b\n" % (crc32(json), json)

    def _refused(self) -> bytes:
        """The refusals that waited: they go with the next line, before it."""
        waiting = b"".join([self._bytes_of(line) for line in self._front])
        self._front.clear()
        return waiting

    def _flush_soon(self) -> None:
        if self._flush_timer is None:
            # Half the delay: the wheel may run a tick late.
            self._flush_timer = self._timers.start(self._settings.open_delay_s / 2, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        if self._fd >= 0 and (self._opens or self._front):
            waiting = self._refused()
            if self._opens:
                waiting += self._bytes_of(OpenLine(n=0, calls=tuple([describe() for describe in self._opens.values()])))
                self._opens.clear()
            self._write(waiting)

    def _write(self, data: bytes) -> bool:
        size = len(data)
        self._bytes += size
        self._unsettled += size
        if self.stuck:
            (self._after if self._next_fd >= 0 else self._unwritten).extend(data)
            return False
        written = self._try(data)
        if written == size:
            self.last = self._n
            if self._bytes >= self._rotate_at:
                self._rotate()
            return True
        self._unwritten += data[written:]
        self.stuck = True
        self._judge()
        self._timers.start(_RETRY_S, self._resume)
        return False

    def _try(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except OSError as error:
            _LOG.error("the journal cannot be written, no call is admitted until it can: %s", error)
            return 0

    def _rotate(self) -> None:
        """Go on in a new file, which exists before the old one names it."""
        try:
            self._next_fd = self._create(self._folder, self._file + 1)
        except OSError as error:
            _LOG.error("the next journal file cannot be made, this one grows on: %s", error)
            self._rotate_at = self._bytes + self._settings.file_bytes // 8
            return
        self._file += 1
        self._unwritten += self._bytes_of(NextLine(n=0, file=self._file))
        self._after += self._head()
        self._bytes = len(self._after)
        self._rotate_at = self._settings.file_bytes
        self.stuck = True
        self._resume()

    def _resume(self) -> None:
        """Write what is unwritten, in order, over the end of a file if need be."""
        while self._unwritten and self._fd >= 0:
            del self._unwritten[: self._try(self._unwritten)]
            if self._unwritten:
                self._judge()
                self._timers.start(_RETRY_S, self._resume)
                return
            if self._next_fd >= 0:
                os.close(self._fd)
                self._fd, self._next_fd = self._next_fd, -1
                self._unwritten, self._after = self._after, bytearray()
        self.stuck = False
        self.last = self._n
        self._judge()
        thens, self._thens = self._thens, []
        for then in thens:
            run(then)

    def _check(self) -> None:
        """Once a second: is there room for what calls in flight will write, and are refusals to be told?"""
        if self._fd < 0:
            return
        self._timers.start(_CHECK_S, self._check)
        self._front.extend(self._refusals.take(self._clock.wall_ms()))
        self._flush()
        try:
            disk = os.statvfs(self._folder)
            self._roomy = disk.f_bavail * disk.f_frsize >= self._settings.free_floor_bytes
        except OSError as error:
            _LOG.error("the journal's disk cannot be asked for its free space: %s", error)
            self._roomy = False
        self._judge()

    def _judge(self) -> None:
        writable = (
            self._roomy and not self.stuck and self._fd >= 0 and self._unsettled <= self._settings.unsettled_bytes
        )
        if self.writable and not writable:
            _LOG.error(
                "no call is admitted: the journal is %s, the disk's free space is %s, %d bytes are unsettled",
                "stuck" if self.stuck else "written",
                "enough" if self._roomy else "below the floor",
                self._unsettled,
            )
        self.writable = writable


class _Refusals:
    """Refusals of the current second: so many lines per key, the others counted."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lines: dict[KeyId, int] = {}
        self._counts: dict[tuple[KeyId, AccountId, str], int] = {}

    @property
    def full(self) -> bool:
        return len(self._counts) >= _MAX_REFUSERS

    def count(self, line: NoLine) -> bool:
        """True = this one has a line of its own."""
        lines = self._lines.get(line.key, 0)
        if lines < self._rate:
            self._lines[line.key] = lines + 1
            return True
        which = (line.key, line.account, line.code)
        self._counts[which] = self._counts.get(which, 0) + line.count
        return False

    def take(self, at_ms: int) -> list[NoLine]:
        """What was counted only; a new second begins."""
        lines = [
            NoLine(n=0, at_ms=at_ms, key=key, account=account, code=code, count=count)
            for (key, account, code), count in self._counts.items()
        ]
        self._lines.clear()
        self._counts.clear()
        return lines


def _sync_folder(path: Path) -> None:
    """A power cut must not forget a name; the contents are control's to sync."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
