"""What a write leaves behind that was cancelled."""

import asyncio
from pathlib import Path

from sqlalchemy import text

from yescale.store.database import DatabaseLimits, driver_of, open_database


async def test_a_cancelled_write_leaves_no_lock_behind(tmp_path: Path) -> None:
    """Not even while someone holds a cursor that stands within its rows, as the trace of the cancelled call does."""
    url = f"sqlite:///{tmp_path}/yescale.db"
    ours, theirs = open_database(url), open_database(url, DatabaseLimits(busy_s=0.1))
    held: list[object] = []
    reading = asyncio.Event()

    async def write() -> None:
        async with ours.writing() as connection:
            await connection.execute(text("CREATE TABLE words (word TEXT)"))
            cursor = await driver_of(connection).execute("SELECT 1 UNION ALL SELECT 2")
            held.append(await cursor.fetchone())
            held.append(cursor)
            reading.set()
            await connection.execute(
                text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT 1 FROM n")
            )

    writer = asyncio.create_task(write())
    await reading.wait()
    await asyncio.sleep(0)
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    await ours.close()
    async with theirs.writing() as connection:
        await connection.execute(text("CREATE TABLE words (word TEXT)"))
    await theirs.close()
    assert held[0] == (1,)
    assert writer.cancelled()
