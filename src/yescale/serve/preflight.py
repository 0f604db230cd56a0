"""What is looked at before the first process starts, so that a mistake is one line and not a restart loop.

Nothing here needs a database driver: the supervisor stays small.
"""

import resource
import socket
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from yescale.settings import Settings, SetupError
from yescale.tuning import ServerSettings

POSTGRESQL_PORT: Final = 5432
CONNECT_S: Final = 5.0
SQLITE_MAGIC: Final = b"SQLite format 3\0"


def raise_file_limit(settings: ServerSettings) -> int:
    """Ask for `files` descriptors, as far as the hard limit goes; the limit that now holds. Raises SetupError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.files if hard == resource.RLIM_INFINITY else min(settings.files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY and soft < settings.files_least:
        raise SetupError(
            f"only {soft} file descriptors are allowed, and yescale needs {settings.files_least}: "
            f"raise the limit (ulimit -Hn, LimitNOFILE=) or lower YESCALE_SERVER_FILES_LEAST"
        )
    return soft


def check_database(settings: Settings) -> None:
    """Raise SetupError where the database URL leads nowhere. Says nothing of passwords and schemas."""
    try:
        url = urlsplit(settings.database_url)
        host, port = url.hostname, url.port or POSTGRESQL_PORT
    except ValueError as error:
        raise SetupError(f"the database URL cannot be read: {error}") from error
    if url.scheme.startswith("sqlite"):
        _check_sqlite(Path(unquote(url.path.removeprefix("/"))), url.path)
    elif host is not None and "host=" not in url.query:
        _check_reachable(host, port)


def check_trust(settings: Settings) -> None:
    """Raise SetupError where `upstream_ca_file` holds no certificates."""
    if settings.upstream_ca_file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(settings.upstream_ca_file)
        except OSError as error:  # ssl.SSLError is one
            reason = (error.strerror or str(error)).lower()
            raise SetupError(
                f"upstream_ca_file {settings.upstream_ca_file} cannot be used: {reason}; "
                "name a file of certificates in PEM"
            ) from error


def _check_sqlite(path: Path, written: str) -> None:
    if written in ("", "/", "/:memory:"):
        raise SetupError("the database URL must name a SQLite file (sqlite:////path/file.db): its processes share it")
    if not path.absolute().parent.is_dir():
        raise SetupError(f"the folder of the database {path} does not exist: make it, or correct the database URL")
    try:
        with path.open("r+b") as file:
            magic = file.read(len(SQLITE_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise SetupError(f"cannot open the database {path}: {(error.strerror or str(error)).lower()}") from error
    if magic not in (b"", SQLITE_MAGIC):
        raise SetupError(f"{path} is no SQLite database: correct the database URL")


def _check_reachable(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise SetupError(f"cannot reach the database at {host}:{port}: {reason}") from error
