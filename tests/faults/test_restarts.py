"""Restarts that are meant: of a SIGHUP nobody notices, and before a SIGTERM ends the gateway it finishes its calls."""

import asyncio
import signal
from pathlib import Path
from random import Random

import pytest

from tests.faults.books import broken_laws, quiet, read_books, unreconciled
from tests.faults.caller import HOST, call
from tests.faults.figures import publish
from tests.faults.house import House, Key, housing, until
from tests.faults.load import CHAT, GOOD, SMALL, Load, Made, Pace, furnish, now
from tests.faults.scale import SCALE

KEYS = 40  # so many that a worker meets new ones while control is away
SETTLED_S = 0.5  # of load before and after each restart
SLOW = f"{SMALL}+slow-100"  # 100 ms between two events
LOOK_S = 0.02
SENT_S = 0.05  # a call that began this long before a signal had been sent


def open_account(house: House) -> list[Key]:
    furnish(house)
    house.add_account("someone", "100")
    return [house.add_key("someone") for _ in range(KEYS)]


async def check_books(house: House, load: Load) -> None:
    """Each good answer is one charged row, and nothing was interrupted."""
    assert (await quiet(house))["ok"] is True
    assert unreconciled(house) == []
    books = await read_books(house)
    assert broken_laws(books) == []
    completed = {each.marker for each in load.made if each.heard.completed}
    left = {each.marker for each in load.made if each.heard.left}
    charged = {row.marker for row in books.charged}
    assert completed - charged == set()
    assert charged - completed - left == set(), "charged, and not answered"
    assert [row.text for row in books.rows if row.outcome == "interrupted"] == []
    assert "Traceback" not in house.log.read_text()


def failed(load: Load) -> list[Made]:
    """Calls that their clients did not give up and that were not answered whole."""
    return [made for made in load.made if not made.heard.completed and not made.heard.left]


def told(made: Made) -> str:
    """How a call failed, for the message of the test."""
    heard = made.heard
    return f"{made.sort.name}: {heard.trouble} {heard.status} {heard.body[:200]!r} reused={heard.reused} {heard.began}"


@pytest.mark.timeout(600)
async def test_sighup_fails_no_call(tmp_path: Path, database_url: str) -> None:
    """Workers and control are replaced one after the other, again and again, and every call is answered.

    Every client keeps its connection, and calls on it again well within the linger of a draining worker.
    """
    async with housing(tmp_path / "house", database=database_url) as house:
        scale = SCALE.restarts
        load = Load(house, open_account(house), Pace(callers=scale.callers, idle_s=scale.idle_s, sorts=GOOD), Random())
        before = {child.pid for _, child in house.children()}
        for count in range(1, scale.reloads + 1):
            await asyncio.sleep(SETTLED_S)
            house.signal(signal.SIGHUP)
            await until(lambda count=count: house.log.read_text().count('"replaced all"') == count, lambda: "no reload")
        await asyncio.sleep(SETTLED_S)
        await load.stop()
        assert before.isdisjoint(child.pid for _, child in house.children())
        assert [told(each) for each in failed(load)] == []
        await check_books(house, load)
        publish("reloads", database_url.partition("+")[0], figures_of(load, scale.reloads))


@pytest.mark.timeout(600)
async def test_sigterm_and_a_new_start_finish_what_was_begun(tmp_path: Path, database_url: str) -> None:
    """Who called before the signal gets the whole answer; who calls in the gap gets nothing and pays nothing.

    Nobody is let down on a connection that was open: one more call is answered, and its answer says it is the last.
    """
    async with housing(tmp_path / "house", database=database_url) as house:
        scale = SCALE.restarts
        load = Load(house, open_account(house), Pace(callers=scale.callers, idle_s=scale.idle_s, sorts=GOOD), Random())
        gaps: list[tuple[float, float]] = []
        for _ in range(scale.starts):
            await asyncio.sleep(SETTLED_S)
            began = now()
            assert await house.stop() == 0
            await house.start()
            gaps.append((began, now()))
        await asyncio.sleep(SETTLED_S)
        await load.stop()
        lost = failed(load)
        outside = [each for each in lost if not any(begin - SENT_S < each.heard.began < end for begin, end in gaps)]
        assert [told(each) for each in outside] == []
        assert [told(each) for each in lost if each.heard.status or each.heard.reused] == [], "let down by a server"
        await check_books(house, load)
        figures = {"calls in the gaps": len(lost)} | figures_of(load, scale.starts)
        publish("whole restarts", database_url.partition("+")[0], figures)


@pytest.mark.timeout(300)
async def test_a_gateway_that_stops_refuses_who_comes_and_serves_who_is_there(tmp_path: Path) -> None:
    """A new client must not wait in the queue of a port that nobody serves any more."""
    async with housing(tmp_path / "house") as house:
        keys = open_account(house)
        body = {"model": SLOW, "messages": [{"role": "user", "content": "word " * 40}], "stream": True}
        calling = asyncio.create_task(call(house.port, CHAT, body, keys[0].headers))
        await asyncio.sleep(SETTLED_S)
        stopping = asyncio.create_task(house.stop())
        refused = None
        while not calling.done() and refused is None:
            try:
                _, writer = await asyncio.open_connection(HOST, house.port)
                writer.transport.abort()
            except ConnectionRefusedError as error:
                refused = error
            await asyncio.sleep(LOOK_S)
        assert refused is not None
        assert not calling.done()
        assert (await calling).completed
        assert await stopping == 0


def figures_of(load: Load, restarts: int) -> dict[str, object]:
    heard = [each.heard for each in load.made]
    return {
        "restarts": restarts,
        "calls made": len(heard),
        "answered whole": sum(each.completed for each in heard),
        "left": sum(each.left for each in heard),
        "on a kept connection": sum(each.reused for each in heard),
    }
