"""`yescale doctor`: looks at everything that an installation stands on, and says what to mend.

A check is a function of the settings that yields findings; it changes nothing.
"""

import asyncio
import json
import os
import re
import resource
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from yescale.command.asking import Refusal, open_desk
from yescale.serve.health import answers, base_url
from yescale.serve.home import is_held, read_address
from yescale.serve.listeners import free_address
from yescale.serve.preflight import check_database
from yescale.settings import Settings, SetupError, load
from yescale.store.database import DatabaseAway, database_ms, open_database
from yescale.store.schema import NEWEST, version_of

CONNECT_S: Final = 3.0
CLOCK_WARN_S: Final = 2.0
CLOCK_FAIL_S: Final = 30.0
YEAR_2025: Final = 1_735_689_600
FILES_WISHED: Final = 16_384
MOUNTS: Final = Path("/proc/self/mounts")
# File systems whose locks and appends are not those of a local disk: a journal may lose or mix lines there.
REMOTE: Final = re.compile(
    r"^(nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|ocfs2|fuse\.(sshfs|s3fs|gcsfuse|rclone).*)$"
)
PORTS: Final = {"https": 443, "http": 80}

Level = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True):
    """What a check saw, and what to do about it."""

    check: str
    level: Level
    found: str
    todo: str = ""


def command(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`yescale doctor`: 0, or 1 where something fails."""
    findings: list[Finding] = []
    for finding in examine(options, environ):
        findings.append(finding)
        if not options["json"]:
            sys.stdout.write(_line(finding))
            sys.stdout.flush()
    if options["json"]:
        sys.stdout.write(json.dumps(msgspec.to_builtins(findings), indent=2) + "\n")
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def examine(options: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every check in order; only the first where the configuration cannot be read."""
    try:
        settings = load(environ, {name: options[name] for name in ("home", "database")})
    except SetupError as error:
        yield Finding("configuration", "fail", str(error), "mend it, then run `yescale doctor` again")
        return
    yield Finding("configuration", "ok", f"home {settings.home}")
    settings = _as_running(settings)
    for check in CHECKS:
        yield from check(settings)


def _line(finding: Finding) -> str:
    todo = f"\n      {finding.todo}" if finding.todo else ""
    return f"{finding.level:<4}  {finding.check}: {finding.found}{todo}\n"


def _as_running(settings: Settings) -> Settings:
    """The settings with the address that a running server really has, whatever its command line said."""
    return read_address(settings) if _runs(settings) else settings


def _runs(settings: Settings) -> bool:
    return is_held(settings.home / "serve.lock")


def check_home(settings: Settings) -> Iterator[Finding]:
    """The folder and its secrets belong to us alone."""
    if not settings.home.exists():
        yield Finding("home", "ok", f"{settings.home} does not exist yet; the first start makes it")
        return
    about = settings.home.stat()
    if not stat.S_ISDIR(about.st_mode) or not os.access(settings.home, os.R_OK | os.W_OK | os.X_OK):
        todo = f"choose another with --home, or give it to this user (uid {os.getuid()})"
        yield Finding("home", "fail", f"{settings.home} is no folder that this user can write", todo)
        return
    open_files = [path for path in (settings.home, *settings.home.iterdir()) if path.stat().st_mode & 0o077]
    if open_files:
        names = ", ".join(path.name for path in open_files[:5])
        yield Finding("home", "warn", f"other users may look into {names}", f"chmod -R go= {settings.home}")
    else:
        yield Finding("home", "ok", "private to its owner")


def check_journals(settings: Settings) -> Iterator[Finding]:
    """Journals lie on a local file system."""
    mounts = MOUNTS.read_text() if MOUNTS.exists() else ""
    yield judged(settings.journals, file_system(_existing(settings.journals).resolve(), mounts))


def judged(journals: Path, kind: str | None) -> Finding:
    """Whether journals may lie on a file system of this kind."""
    if kind is None:
        return Finding("journals", "warn", "the file system is unknown", "make sure that the home lies on a local disk")
    if REMOTE.match(kind):
        todo = "move the home to a local disk with --home; each node keeps its own"
        return Finding("journals", "fail", f"{journals} lies on {kind}, a network file system", todo)
    return Finding("journals", "ok", f"on {kind}, a local file system")


def file_system(place: Path, mounts: str) -> str | None:
    """The kind of file system that a path lies on, by the lines of /proc/self/mounts; None if they do not say."""
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        _, where, kind, *_ = line.split(" ")
        mount = Path(re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), where))
        if place.is_relative_to(mount) and (found is None or len(mount.parts) >= found[0]):
            found = len(mount.parts), kind
    return found[1] if found else None


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Enough room: below the floor no call is admitted."""
    free, floor = shutil.disk_usage(_existing(settings.journals)).free, settings.journal.free_floor_bytes
    found = f"{free / 2**30:.1f} GiB free"
    if free < floor:
        todo = f"free some space: below {floor / 2**30:.1f} GiB (YESCALE_JOURNAL_FREE_FLOOR_BYTES) no call is admitted"
        yield Finding("disk", "fail", found, todo)
    elif free < 4 * floor:
        todo = f"free some space: at {floor / 2**30:.1f} GiB yescale stops admitting calls"
        yield Finding("disk", "warn", found, todo)
    else:
        yield Finding("disk", "ok", found)


def check_store(settings: Settings) -> Iterator[Finding]:
    """The database can be reached and has this version's schema; its clock and ours agree."""
    if not settings.database and _unborn(settings):
        yield Finding("database", "ok", "it does not exist yet; the first start makes it")
        return
    try:
        check_database(settings)
    except SetupError as error:
        yield Finding("database", "fail", str(error), "correct the database URL, or start the database")
        return
    try:
        version, database_s = asyncio.run(_look(settings.database_url))
    except (DatabaseAway, OSError, ValueError) as error:
        yield Finding("database", "fail", str(error), "check its address, name, user and password, and that it runs")
        return
    if version == NEWEST:
        yield Finding("database", "ok", f"schema {version}")
    else:
        todo = "run `yescale migrate`, or start the server, which does it"
        yield Finding("database", "warn", f"schema {version or 'none'}, this version has {NEWEST}", todo)
    yield _compared(abs(database_s - time.time()))


def check_clock(_: Settings) -> Iterator[Finding]:
    """A clock that goes on in sleep, and a date that can be true."""
    if time.time() < YEAR_2025:
        yield Finding("clock", "fail", f"it is {time.strftime('%F')}", "set the clock: keys and budgets go by the date")
    elif not hasattr(time, "CLOCK_BOOTTIME"):
        todo = "expect a node that slept to go on for a moment before it notices"
        yield Finding("clock", "warn", "this system has no CLOCK_BOOTTIME", todo)
    else:
        yield Finding("clock", "ok", f"{time.strftime('%F %T %Z')}, up {time.clock_gettime(time.CLOCK_BOOTTIME):.0f} s")


def check_port(settings: Settings) -> Iterator[Finding]:
    """A running server answers; else the port is free."""
    where = f"{settings.host}:{settings.port}"
    if not _runs(settings):
        try:
            free_address(settings.host, settings.port)
        except SetupError as error:
            yield Finding("port", "fail", str(error), "stop the other program, or choose another port")
        else:
            yield Finding("port", "ok", f"{where} is free; no server runs in this home")
    elif asyncio.run(answers(settings)):
        yield Finding("port", "ok", f"the server answers at {base_url(settings)}")
    else:
        todo = "look at what it wrote to stderr; it may still be starting"
        yield Finding("port", "fail", f"the server does not answer at {base_url(settings)}", todo)


def check_files(settings: Settings) -> Iterator[Finding]:
    """Every call takes two descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= FILES_WISHED:
        yield Finding("file descriptors", "ok", "unlimited" if hard == resource.RLIM_INFINITY else f"{hard} at most")
        return
    todo = "raise the hard limit (ulimit -Hn, LimitNOFILE= of a systemd unit): each call takes two"
    level: Level = "fail" if hard < settings.server.files_least else "warn"
    yield Finding("file descriptors", level, f"{hard} at most", todo)


def check_channels(settings: Settings) -> Iterator[Finding]:
    """The providers of the channels accept connections."""
    if _unborn(settings):
        return
    try:
        with open_desk(settings) as desk:
            channels = desk.ask("channel list", {})
    except (Refusal, SetupError) as error:
        yield Finding("channels", "warn", str(error), "mend what stands above, then run `yescale doctor` again")
        return
    if not channels:
        yield Finding("channels", "warn", "there is none", "add one: yescale admin channel add --help")
        return
    urls = sorted({channel["base_url"] for channel in channels})
    with ThreadPoolExecutor(min(16, len(urls))) as threads:
        reasons = dict(zip(urls, threads.map(_unreachable, urls), strict=True))
    for channel in channels:
        name, url = channel["name"], channel["base_url"]
        if reasons[url] is None:
            yield Finding(f"channel {name}", "ok", f"{url} accepts connections")
        else:
            todo = "check its base URL, and the way out of this machine (DNS, firewall, proxy)"
            yield Finding(f"channel {name}", "warn", f"{url} cannot be reached: {reasons[url]}", todo)


def check_sandbox(settings: Settings) -> Iterator[Finding]:
    """The fake providers are there, and answer if the server runs them."""
    if find_spec("yescale_sandbox") is None:
        yield Finding("sandbox", "warn", "it is not installed", "install yescale whole to use `serve --sandbox`")
    elif _runs(settings) and settings.sandbox and (reason := _unreachable(f"http://127.0.0.1:{settings.sandbox_port}")):
        yield Finding("sandbox", "fail", f"it does not accept connections: {reason}", "look at what it wrote to stderr")
    else:
        yield Finding("sandbox", "ok", "installed")


CHECKS: Final[tuple[Callable[[Settings], Iterable[Finding]], ...]] = (
    check_home,
    check_journals,
    check_disk,
    check_store,
    check_clock,
    check_port,
    check_files,
    check_channels,
    check_sandbox,
)


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _unborn(settings: Settings) -> bool:
    url = urlsplit(settings.database_url)
    return url.scheme.startswith("sqlite") and not Path(url.path.removeprefix("/")).exists()


async def _look(url: str) -> tuple[str | None, float]:
    database = open_database(url)
    try:
        async with database.reading() as connection:
            return await version_of(connection), await database_ms(connection) / 1000
    finally:
        await database.close()


def _compared(apart_s: float) -> Finding:
    found = f"{apart_s:.1f} s from the database's"
    if apart_s < CLOCK_WARN_S:
        return Finding("clock", "ok", found)
    return Finding(
        "clock", "fail" if apart_s >= CLOCK_FAIL_S else "warn", found, "let NTP set the clocks of both machines"
    )


def _unreachable(url: str) -> str | None:
    """Why no connection could be opened to a URL's host; None if one was."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 443)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S).close()
    except (OSError, UnicodeError, ValueError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()
    return None
