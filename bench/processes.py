"""The processes of a benchmark: started on a core, measured from /proc, ended by pid."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
BUSY_CORE = 0  # what is measured
OTHER_CORE = 1  # load, upstream, and whatever serves beside what is measured


class Missing(Exception):
    """Something that Debian provides is not installed."""


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30.0) -> None:
    """Return when something accepts connections there. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port} after {seconds} s")


@contextlib.contextmanager
def running(command: Sequence[str], *, core: int, cwd: Path, env: dict[str, str] | None = None) -> Iterator[int]:
    """Run a program on one core for as long as the block lasts; yields its pid."""
    with (cwd / "output.log").open("ab") as log:
        program = subprocess.Popen(
            ["taskset", "-c", str(core), *command], cwd=cwd, stdout=log, stderr=log, env=env, start_new_session=True
        )
    try:
        yield program.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.send_signal(signal.SIGTERM)
        try:
            program.wait(timeout=15)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)  # a program behind a script may outlive it


def own_environment(**more: str) -> dict[str, str]:
    """This process's environment without what is set for a development tree: installed software has its bytecode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YESCALE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | more


def pin(pids: Sequence[int], core: int) -> None:
    """Move processes to one core."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time that these processes have used, in seconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK_S


def rss_bytes(pids: Sequence[int]) -> int:
    """Resident memory of these processes, in bytes."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * PAGE


def wait_for_few_files(pids: Sequence[int], most: int, seconds: float) -> None:
    """Return when these processes have no more than `most` files and sockets open, or when the time is over."""
    end = time.monotonic() + seconds
    while sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids) > most and time.monotonic() < end:
        time.sleep(0.5)


def find_pids(parent: int, needle: str) -> list[int]:
    """The descendants of a process whose command line holds a word."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    todo = [parent]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        with contextlib.suppress(OSError):
            if needle in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                found.append(pid)
    return found


def wait_for_pids(parent: int, needle: str, seconds: float = 30.0) -> list[int]:
    """`find_pids` once there are any: a port may be open before its worker runs. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := find_pids(parent, needle):
            return found
        time.sleep(0.02)
    raise TimeoutError(f"process {parent} has no child {needle!r} after {seconds} s")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Something that is measured: where it listens, and whose CPU counts as its own and as its settlement."""

    name: str
    port: int
    pids: tuple[int, ...]
    keys: tuple[str, ...]
    settlement: tuple[int, ...] = ()
    tls_port: int = 0  # where calls go on through TLS; 0 = the model says so
    headers: tuple[str, ...] = ()  # that each request needs besides
