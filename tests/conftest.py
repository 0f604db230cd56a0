"""What every test may use: databases of both kinds, one event loop, and no way out of this machine."""

import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.postgres import Postgres, running

PURE_TIMEOUT_S = 20
PURE_FOLDERS = ("unit", "laws", "golden")

# Speed is a matter for benchmarks: a busy machine must not fail a law.
hypothesis.settings.register_profile("yescale", deadline=None, print_blob=True)
hypothesis.settings.load_profile("yescale")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Pure tests end within 20 seconds."""
    for item in items:
        folders = item.path.relative_to(config.rootpath).parts
        if folders[1:2] and folders[1] in PURE_FOLDERS and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PURE_TIMEOUT_S))


def pytest_configure() -> None:
    sys.addaudithook(_stay_on_this_machine)


def _stay_on_this_machine(event: str, arguments: tuple[object, ...]) -> None:
    """Sockets of this process reach loopback only. (uvloop's own sockets raise no such event.)"""
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(str(address[0])):
            raise PermissionError(f"a test tried to connect to {address[0]}: tests talk to this machine only")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        if not _is_number(name) and name != "localhost" and not name.endswith((".localhost", ".invalid")):
            raise PermissionError(f"a test asked for the address of {name}: tests talk to this machine only")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    if not _is_number(host):
        return host in ("localhost", "")
    address = ipaddress.ip_address(host.partition("%")[0])
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Async tests run on the loop that yescale runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server per test process, which forgets on a crash. `tests.postgres.running(durable=True)` does not."""
    with running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database; a test that takes it runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'yescale.db'}"
    return request.getfixturevalue("postgres_url")
