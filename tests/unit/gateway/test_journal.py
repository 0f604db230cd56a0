"""The journal's files: what is on disk, what happens on a full one, and who holds the lock."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest

from tests.unit.gateway.fakes import INCARNATION, Time, end_line
from yescale.domain.ids import PurseId
from yescale.domain.journal import BackLine, EndLine, HeadLine, JournalLine, NextLine, NoLine, OpenCall, OpenLine
from yescale.gateway.journal import Journal
from yescale.tuning import JournalSettings

ROOMY = JournalSettings(free_floor_bytes=0)
DECODER = msgspec.json.Decoder(JournalLine)


def journal(home: Path, time: Time | None = None, settings: JournalSettings = ROOMY) -> Journal:
    time = time or Time()
    return Journal(home / "journals", INCARNATION, "node-1", settings, time, time)


def files(home: Path) -> list[Path]:
    return sorted((home / "journals" / INCARNATION).glob("*.log"))


def lines(home: Path) -> list[JournalLine]:
    """Every line of every file, its checksum verified."""
    found: list[JournalLine] = []
    for path in files(home):
        data = path.read_bytes()
        assert data.endswith(b"\n")
        for line in data.splitlines():
            crc, _, text = line.partition(b" ")
            assert len(crc) == 8
            assert int(crc, 16) == zlib.crc32(text)
            found.append(DECODER.decode(text))
    return found


def open_call(call: str = "c1") -> OpenCall:
    return msgspec.convert([call, 1, 1, 1, "m", 1, 5], OpenCall)


def say_open(book: Journal, call: OpenCall) -> None:
    book.open(call.id, lambda: call)


def no_line(key: int = 1, code: str = "insufficient_balance", call: str = "") -> NoLine:
    return msgspec.convert(["no", 0, 1, key, 1, code, 1, "", call], NoLine)


def test_a_file_begins_with_its_head_under_the_incarnations_name(tmp_path: Path) -> None:
    journal(tmp_path)
    (head,) = lines(tmp_path)
    assert head == HeadLine(n=1, incarnation=INCARNATION, node="node-1", file=1, program="yescale", at_ms=1_000_000)
    assert [path.name for path in (tmp_path / "journals").iterdir()] == [INCARNATION]
    assert oct((tmp_path / "journals" / INCARNATION).stat().st_mode)[-3:] == "700"


def test_lines_are_numbered_without_gaps_and_say_what_was_handed_in(tmp_path: Path) -> None:
    """promise 18: a line is known by its number in its incarnation; a request id that comes twice is two lines."""
    book = journal(tmp_path)
    assert book.end(end_line("same"))
    assert book.end(end_line("same"))
    assert book.back(((PurseId(10), 7),)) == 4
    assert book.last == 4
    found = lines(tmp_path)
    assert [line.n for line in found] == [1, 2, 3, 4]
    assert found[1] == msgspec.structs.replace(end_line("same"), n=2)
    assert found[3] == BackLine(n=4, purses=((PurseId(10), 7),))


def test_an_end_is_on_file_when_end_returns_with_what_waited_in_front_of_it(tmp_path: Path) -> None:
    time = Time()
    book = journal(tmp_path, time)
    say_open(book, open_call("c1"))
    say_open(book, open_call("c2"))
    book.no(no_line())
    assert book.end(end_line("c1"))
    assert [type(line) for line in lines(tmp_path)] == [HeadLine, NoLine, EndLine]
    time.pass_(0.1)
    assert lines(tmp_path)[3:] == [OpenLine(n=4, calls=(open_call("c2"),))]


def test_an_open_call_is_on_file_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    time = Time()
    book = journal(tmp_path, time)
    say_open(book, open_call())
    assert len(lines(tmp_path)) == 1
    time.pass_(0.1)
    assert lines(tmp_path)[1] == OpenLine(n=2, calls=(open_call(),))
    say_open(book, open_call("c2"))
    time.pass_(0.1)
    assert lines(tmp_path)[2:] == [OpenLine(n=3, calls=(open_call("c2"),))]


def test_a_call_that_ends_before_its_opening_was_written_needs_no_opening(tmp_path: Path) -> None:
    time = Time()
    book = journal(tmp_path, time)
    say_open(book, open_call("c1"))
    book.end(end_line("c1"))
    time.pass_(1)
    assert [type(line) for line in lines(tmp_path)] == [HeadLine, EndLine]


def test_refusals_of_a_key_are_ten_lines_a_second_and_then_a_count(tmp_path: Path) -> None:
    time = Time()
    book = journal(tmp_path, time)
    for number in range(500):
        book.no(no_line(call=str(number)))
    book.no(no_line(key=2))
    book.no(no_line(code="key_expired"))
    time.pass_(2)
    found = [line for line in lines(tmp_path) if isinstance(line, NoLine)]
    assert [line.count for line in found if line.id] == [1] * 10
    assert [(line.key, line.code, line.count) for line in found if not line.id] == [
        (2, "insufficient_balance", 1),
        (1, "insufficient_balance", 490),
        (1, "key_expired", 1),
    ]
    book.no(no_line(call="later"))
    time.pass_(1)
    assert [line.id for line in lines(tmp_path) if isinstance(line, NoLine)][-1] == "later"


def test_a_full_file_names_the_next_and_the_numbers_go_on(tmp_path: Path) -> None:
    book = journal(tmp_path, settings=JournalSettings(free_floor_bytes=0, file_bytes=2_000))
    for number in range(30):
        assert book.end(end_line(str(number)))
    assert len(files(tmp_path)) > 3
    found = lines(tmp_path)
    assert [line.n for line in found] == list(range(1, len(found) + 1))
    assert [line.id for line in found if isinstance(line, EndLine)] == [str(number) for number in range(30)]
    heads = [line.file for line in found if isinstance(line, HeadLine)]
    nexts = [line.file for line in found if isinstance(line, NextLine)]
    assert heads == [1, *nexts] == list(range(1, len(files(tmp_path)) + 1))
    assert book.last == found[-1].n


def test_a_file_that_cannot_be_followed_grows_on(tmp_path: Path) -> None:
    book = journal(tmp_path, settings=JournalSettings(free_floor_bytes=0, file_bytes=2_000))
    (tmp_path / "journals" / INCARNATION / "000002.log").mkdir()
    for number in range(30):
        assert book.end(end_line(str(number)))
    assert book.last == 31


def test_low_disk_space_stops_admission_and_its_return_lets_calls_in(tmp_path: Path) -> None:
    time = Time()
    assert journal(tmp_path, time).writable
    (tmp_path / "second").mkdir()
    poor = journal(tmp_path / "second", time, JournalSettings(free_floor_bytes=2**60))
    assert not poor.writable
    assert poor.end(end_line()), "calls in flight are still charged"


def test_too_much_unsettled_journal_stops_admission_until_control_is_heard(tmp_path: Path) -> None:
    time = Time()
    book = journal(tmp_path, time, JournalSettings(free_floor_bytes=0, unsettled_bytes=3_000))
    for number in range(10):
        book.end(end_line(str(number)))
    time.pass_(1.1)
    assert not book.writable
    book.alive()
    assert book.writable
    book.alive(unsettled=5_000)
    assert not book.writable


def test_closing_writes_what_waits_and_lets_the_lock_go(tmp_path: Path) -> None:
    time = Time()
    book = journal(tmp_path, time)
    say_open(book, open_call())
    book.close()
    assert not book.writable
    assert isinstance(lines(tmp_path)[-1], OpenLine)
    with (tmp_path / "journals" / INCARNATION / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    time.pass_(5)


def test_an_incarnation_has_one_life(tmp_path: Path) -> None:
    journal(tmp_path)
    with pytest.raises(OSError, match=INCARNATION):
        journal(tmp_path)


# A worker whose disk is full: RLIMIT_FSIZE cuts a write short and then refuses it, as ENOSPC does.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.unit.gateway.fakes import INCARNATION, Time, end_line
from yescale.domain.ids import PurseId
from yescale.gateway.journal import Journal
from yescale.tuning import JournalSettings

home, ends, spare, rotating = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True"
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
time = Time()


def begin(folder, file_bytes):
    return Journal(folder, INCARNATION, "n", JournalSettings(free_floor_bytes=0, file_bytes=file_bytes), time, time)


def size(folder):
    return (folder / INCARNATION / "000001.log").stat().st_size


dry = begin(home / "dry", 2**26)
for number in range(ends):
    dry.end(end_line(f"call {number}"))
limit = size(home / "dry") + spare
book = begin(home / "journals", size(home / "dry") if rotating else 2**26)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
written = [book.end(end_line(f"call {number}")) for number in range(6)]
full = written.index(False)
assert full == ends, written
assert not any(written[full:]), written
assert book.stuck and not book.writable
assert book.last == full + 1
waited = []
book.when_written(lambda: waited.append(book.last))
time.pass_(2)
assert book.stuck and not book.writable and waited == []
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert not book.end(end_line("call 6")), "the remainder comes first"
time.pass_(0.2)
assert not book.stuck and book.writable
assert waited == [book.last]
assert book.end(end_line("call 7"))
"""


@pytest.mark.parametrize(
    ("ends", "spare", "rotating"), [(0, 0, False), (1, 1, False), (2, 300, False), (3, 0, True), (3, 20, True)]
)
def test_a_short_write_is_finished_before_anything_else_is_written(
    tmp_path: Path, ends: int, spare: int, rotating: bool
) -> None:
    """Also where the line that is cut short is the one that names the next file."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(ends), str(spare), str(rotating)],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = lines(tmp_path)
    assert [line.n for line in found] == list(range(1, len(found) + 1))
    assert [line.id for line in found if isinstance(line, EndLine)] == [f"call {number}" for number in range(8)]


WORKER = """
import sys, time
from pathlib import Path
from tests.unit.gateway.fakes import INCARNATION, Time, end_line
from yescale.gateway.journal import Journal
from yescale.tuning import JournalSettings

clock = Time()
book = Journal(Path(sys.argv[1]) / "journals", INCARNATION, "n", JournalSettings(free_floor_bytes=0), clock, clock)
print("made", flush=True)
number = 0
while True:
    number += 1
    book.end(end_line(str(number)))
"""


def test_the_lock_is_held_for_life_and_a_killed_worker_leaves_whole_lines_and_a_free_lock(tmp_path: Path) -> None:
    """promise 12"""
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"made\n"
    lock = os.open(tmp_path / "journals" / INCARNATION / "lock", os.O_RDWR)
    with pytest.raises(OSError, match=os.strerror(errno.EAGAIN)):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    while files(tmp_path)[0].stat().st_size < 200_000:
        assert worker.poll() is None
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)
    assert len(lines(tmp_path)) > 100


CHILD = """
import subprocess, sys
from pathlib import Path
from tests.unit.gateway.fakes import INCARNATION, Time
from yescale.gateway.journal import Journal
from yescale.tuning import JournalSettings

clock = Time()
book = Journal(Path(sys.argv[1]) / "journals", INCARNATION, "n", JournalSettings(free_floor_bytes=0), clock, clock)
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, close_fds=False)
book.close()
lock = open(Path(sys.argv[1]) / "journals" / INCARNATION / "lock")
import fcntl
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
child.communicate(b"")
"""


def test_a_program_that_the_worker_starts_does_not_keep_the_lock(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
