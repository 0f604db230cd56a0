"""Many streams at once, each with a marker of its own: no marker is ever seen anywhere else."""

import asyncio
import contextlib
import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.faults.books import broken_laws, quiet, read_books, unreconciled
from tests.faults.caller import Heard, Line
from tests.faults.figures import publish
from tests.faults.house import House, Key, housing
from tests.faults.load import CHAT, FAILOVER, SMALL, furnish, mark
from tests.faults.scale import SCALE

MARKER = re.compile(r"mark-[0-9a-f]{16}")
LEAVES_S = 1.5
# Streams of many events, and all ways in which they end badly.
MODELS = (
    f"{SMALL}+slow-20", f"{SMALL}+slow-5+drip", SMALL, f"{SMALL}+slow-10+cut-3", f"{SMALL}+slow-10+error-4",
    f"{SMALL}+400", f"{SMALL}+badjson", FAILOVER,
)  # fmt: skip
ACCOUNTS = 4


async def stream(line: Line, key: Key, marker: str, rng: Random) -> Heard:
    """One stream that repeats its marker; every third client leaves at some moment."""
    said = f"{marker} " * rng.randrange(2, 20)
    body = {"model": rng.choice(MODELS), "messages": [{"role": "user", "content": said}], "stream": True}
    headers = key.headers | {"x-request-id": marker}
    return await line.post(
        CHAT, body, headers, leave_after=rng.uniform(0.01, LEAVES_S) if rng.random() < 0.34 else None
    )


def markers_of(text: str) -> set[str]:
    return set(MARKER.findall(text))


def said_in(heard: Heard) -> str:
    """The text of a stream, put together from its events."""
    whole = heard.body[: heard.body.rfind(b"\n\n") + 2]  # a client that left may have half an event
    lines = [line[6:] for line in whole.split(b"\n") if line.startswith(b"data: {")]
    said: list[str] = []
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # what the provider spoilt
            said += [choice["delta"].get("content") or "" for choice in json.loads(line).get("choices", ())]
    return "".join(said)


def mixed_lines(house: House) -> list[str]:
    """Lines of logs and journals that name more than one call."""
    files = [house.log, *house.home.glob("journals/*/*.log")]
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines()]
    return [line for line in lines if len(markers_of(line)) > 1]


@pytest.mark.timeout(600)
async def test_no_stream_shows_anything_of_another(tmp_path: Path, database_url: str) -> None:
    """Promise 38: neither a stream nor an error, a log row, a journal line or a log line."""
    rng = Random()
    async with housing(tmp_path / "house", database=database_url) as house:
        furnish(house)
        for number in range(ACCOUNTS):
            house.add_account(f"user-{number}", "100")
        keys = [house.add_key(f"user-{number}") for number in range(ACCOUNTS)]
        lines = [Line(house.port) for _ in range(SCALE.streams)]
        heard: dict[str, Heard] = {}
        for _ in range(SCALE.stream_rounds):
            calls = {mark(): rng.choice(keys) for _ in lines}
            answers = await asyncio.gather(
                *(stream(line, key, marker, rng) for line, (marker, key) in zip(lines, calls.items(), strict=True))
            )
            heard |= dict(zip(calls, answers, strict=True))
        for line in lines:
            await line.close()
        assert (await quiet(house))["ok"] is True
        assert unreconciled(house) == []
        books = await read_books(house)
        for marker, each in heard.items():
            assert markers_of(each.body.decode(errors="replace") + repr(each.headers) + said_in(each)) <= {marker}
            assert not each.completed or marker in said_in(each)
        for row in books.rows:
            assert markers_of(row.text) == {row.marker}
        assert mixed_lines(house) == []
        assert broken_laws(books) == []
        published = Counter(
            "completed" if each.completed else "left" if each.left else "failed" for each in heard.values()
        )
        publish(
            "isolation", database_url.partition("+")[0], {"streams": len(heard), "at once": len(lines), **published}
        )
