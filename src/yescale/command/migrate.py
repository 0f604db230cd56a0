"""`yescale migrate`: bring the database to the schema of this version."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from yescale.serve.home import Lock, prepare
from yescale.serve.preflight import check_database
from yescale.settings import SetupError, load
from yescale.store.database import DatabaseAway, open_database
from yescale.store.migrations import migrate
from yescale.store.schema import NEWEST, version_of


def command(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`yescale migrate`. Raises SetupError."""
    settings = load(environ, {name: options[name] for name in ("home", "database")})
    prepare(settings)
    check_database(settings)
    with Lock(settings.home / "serve.lock") as lock:
        if not lock.take():
            raise SetupError(
                f"a server runs in {settings.home} (process {lock.holder()}): it has migrated at its start"
            )
        try:
            before, after = asyncio.run(_migrate(settings.database_url))
        except (DatabaseAway, OSError) as error:
            raise SetupError(f"the database was not migrated: {error}") from error
    changed = {"from": before, "to": after}
    if options["json"]:
        sys.stdout.write(json.dumps(changed) + "\n")
    else:
        sys.stdout.write(f"schema {before or 'none'} -> {after}\n")
    return 0


async def _migrate(url: str) -> tuple[str | None, str | None]:
    database = open_database(url)
    try:
        async with database.reading() as connection:
            before = await version_of(connection)
    finally:
        await database.close()
    await migrate(url)
    return before, NEWEST
