"""Every way in which a call can end, in one table: what the client saw, what the log says, what it cost.

The gateway is a process tree with its database; provider and client are raw sockets of the test.
"""

import asyncio
import json
import signal
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from msgspec import Struct

from tests.faults.books import Row, broken_laws, quiet, read_books
from tests.faults.endings import (
    BRIEF,
    ENDINGS,
    REFUSED,
    Ending,
    Piece,
    Told,
    pieces,
    request,
    told_when_cut,
)  # fmt: skip
from tests.faults.figures import publish_endings
from tests.faults.house import HOST, SECRET, House, Key, housing, until
from tests.faults.load import CHAT, SMALL, mark
from tests.faults.provider import MARKER
from tests.integration.gateway.rig import Client, Upstream, Visit

ENVIRON = {
    "YESCALE_RELAY_MAX_ATTEMPTS": "2",
    "YESCALE_RELAY_BREAKER_FAILURES": "1000000",  # no ending rests a channel for the next one
    "YESCALE_RELAY_DEADLINES_FIRST_BYTE_S": "2.5",
    "YESCALE_RELAY_DEADLINES_IDLE_S": "2.5",
    "YESCALE_RELAY_DEADLINES_TOTAL_S": "4",
    "YESCALE_SERVER_DRAIN_TIMEOUT_S": "1",
    "YESCALE_SERVER_DRAIN_LINGER_S": "0.2",
}
STANDS_S = 0.3  # after this long a call stands in the journal, and its worker may be killed
ROW_S = 15.0  # a killed worker's rows come once control has its lock
DRIP_S = 0.2
CUTTERS = 8  # calls at once where each byte of an answer is tried
RESET = struct.pack("ii", 1, 0)


class Scene:
    """What the provider does with the next calls, and how far it is."""

    def __init__(self, ending: Ending, *, stream: bool) -> None:
        self.reached = asyncio.Event()  # the provider has sent its pieces
        self.go = asyncio.Event()  # the others have acted
        self._ending = ending
        self._answer = pieces(stream=stream)
        self._stream = stream

    async def play(self, visit: Visit) -> None:
        """Answer one request."""
        ending = self._ending
        if ending.status != 200:
            await visit.answer(ending.status, {"error": {"message": "no", "code": "c"}}, "connection: close")
            return
        sent, left = self._answer[: ending.sent], self._answer[ending.sent :]
        for piece in sent:
            await visit.raw(piece.raw)
        self.reached.set()
        if ending.then != "reset":
            await self._wait()
        await self._go_on(visit, left)

    async def _wait(self) -> None:
        if self._ending.client == "leaves" or self._ending.worker != "lives":
            await self.go.wait()

    async def _go_on(self, visit: Visit, left: tuple[Piece, ...]) -> None:
        match self._ending.then:
            case "go on":
                for piece in left:
                    await visit.raw(piece.raw)
            case "reset":
                reset(visit)
            case "close":
                visit.writer.close()
            case "half and close":
                await visit.raw(left[0].raw[: len(left[0].raw) // 2])
                visit.writer.close()
            case "garbage":
                await asyncio.sleep(DRIP_S)  # or it spoils what came with it, of which nothing has gone out
                await visit.raw(b"\x00garbage\r\n\r\n")
                visit.writer.close()
            case "stall":
                await visit.left()
            case "drip":
                while True:
                    await visit.raw(b"b\r\n: nothing\n\n\r\n" if self._stream else b" ")
                    await asyncio.sleep(DRIP_S)


def reset(visit: Visit) -> None:
    """Close a connection with a reset, not with an end."""
    sock: socket.socket = visit.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    visit.reset()


class Stage(Struct, frozen=True, kw_only=True):
    """One gateway for all endings, with two channels for each model, and the table of what was seen."""

    house: House
    key: Key
    providers: tuple[Upstream, Upstream]
    seen: dict[tuple[str, str], tuple[object, ...]]
    nameless: set[str]  # calls whose rows say nothing of the client's request id: an `open` line does not have it

    @property
    def requests(self) -> int:
        return sum(len(provider.visits) for provider in self.providers)

    def play(self, scene: Scene) -> None:
        for provider in self.providers:
            provider.script = scene.play

    async def call(self, body: bytes, marker: str, *, upload: int | None = None) -> Client:
        """Send a call on a connection of its own, or the first `upload` bytes of its body."""
        client = Client(*await asyncio.open_connection(HOST, self.house.port))
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\nx-request-id: {marker}\r\n"
        head += f"content-type: application/json\r\nauthorization: Bearer {self.key.secret}\r\n\r\n"
        client.writer.write(head.encode() + body[:upload])
        return client

    async def row(self, marker: str) -> Row | None:
        """The call's row in the database, once it is there."""
        rows = [row for row in (await read_books(self.house)).rows if row.marker in (marker, "")]
        new = [row for row in rows if row.marker or row.call_id not in self.nameless]
        assert len(new) <= 1
        self.nameless.update(row.call_id for row in new if not row.marker)
        return new[0] if new else None

    async def row_soon(self, marker: str) -> Row:
        async with asyncio.timeout(ROW_S):
            while (row := await self.row(marker)) is None:
                await asyncio.sleep(0.05)
        return row


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Torn down only when the books are right."""
    providers = (Upstream(), Upstream())
    for provider in providers:
        await provider.start()
    nobody = socket.socket()
    nobody.bind((HOST, 0))  # bound and not listening: connections are refused
    async with housing(tmp_path_factory.mktemp("endings"), workers=1, environ=ENVIRON) as house:
        await asyncio.to_thread(furnish, house, providers, nobody.getsockname()[1])
        key = await asyncio.to_thread(house.add_key, "someone")
        made = Stage(house=house, key=key, providers=providers, seen={}, nameless=set())
        yield made
        assert (await quiet(house))["ok"] is True
        assert broken_laws(await read_books(house)) == []
    for provider in providers:
        await provider.stop()
        assert provider.errors == []
    nobody.close()
    publish_endings(made.seen)


def furnish(house: House, providers: tuple[Upstream, Upstream], nobody: int) -> None:
    house.add_model(SMALL)
    house.add_account("someone", "100")
    ports = {"first": providers[0].port, "second": providers[1].port}
    for priority, (name, port) in enumerate(ports.items()):
        for model, where, more in ((SMALL, port, {}), (BRIEF, port, {"drain_s": 0.3}), (REFUSED, nobody, {})):
            house.ask(
                "channel add", name=f"{name} {model}", provider="openai", base_url=f"http://{HOST}:{where}/v1",
                secrets=[SECRET], models={model: model}, groups=["default"], priority=-priority, **more,
            )  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name.replace(" ", "-"))
async def test_every_ending_is_told_logged_and_charged_right(stage: Stage, ending: Ending, stream: bool) -> None:
    """Promises 6 to 10, 12, 21, 28 and 31."""
    before = stage.requests
    scene = Scene(ending, stream=stream)
    stage.play(scene)
    marker = mark()
    saw = await act(stage, scene, ending, marker, stream=stream)
    told = ending.stream if stream else ending.whole
    row = await (stage.row(marker) if told.row is None else stage.row_soon(marker))
    got = Told(
        saw=saw,
        row=None if row is None else (row.status, row.outcome),
        nano=0 if row is None else row.amount,
        estimated=row is not None and row.estimated,
        requests=stage.requests - before,
    )
    stage.seen[ending.name, "stream" if stream else "whole"] = cells(got)
    assert got == told, row


async def act(stage: Stage, scene: Scene, ending: Ending, marker: str, *, stream: bool) -> str:
    """Play an ending; what its client saw."""
    body = request(ending.model, stream=stream)
    if ending.client == "leaves its upload":
        client = await stage.call(body, marker, upload=len(body) // 2)
        await asyncio.sleep(STANDS_S)
        client.leave()
        await asyncio.sleep(STANDS_S)
        return "left"
    client = await stage.call(body, marker)
    hearing = asyncio.create_task(hear(client))
    if ending.client == "leaves" or ending.worker != "lives":
        await asyncio.wait_for(scene.reached.wait(), 10)
        await asyncio.sleep(STANDS_S)  # what was sent has come through, and the call stands in the journal
        if ending.client == "leaves":
            hearing.cancel()
            await asyncio.sleep(0.1)
        await strike(stage.house, ending, scene)
    with suppress(asyncio.CancelledError):
        return await hearing
    return "left"


async def strike(house: House, ending: Ending, scene: Scene) -> None:
    """What happens to the worker; afterwards another one serves."""
    if ending.worker == "lives":
        scene.go.set()
        return
    workers = [child for kind, child in house.children() if kind == "worker"]
    for worker in workers:
        worker.send_signal(signal.SIGTERM if ending.worker == "drains" else signal.SIGKILL)
    await asyncio.sleep(0.1)
    scene.go.set()
    await until(lambda: not any(child in workers for _, child in house.children()), lambda: "the worker stays")
    await house.ready()


async def hear(client: Client) -> str:
    """The whole of an answer in a few words. The connection is not used again."""
    try:
        return await _hear(client)
    finally:
        client.leave()


async def _hear(client: Client) -> str:
    try:
        status, headers = await client.head()
    except (asyncio.IncompleteReadError, ConnectionError):
        return "nothing"
    if headers.get("transfer-encoding") != "chunked":
        body = await client.reader.readexactly(int(headers["content-length"]))
        return "200" if status == 200 else f"{status} {json.loads(body)['error']['code']}"
    heard: list[bytes] = []
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while chunk := await client.chunk():
            heard.append(chunk)
        heard.append(b"\n")  # it ended as HTTP says it must
    text = b"".join(heard).decode()
    last = text.split("data: ")[-1]
    if "[DONE]" in last and text.endswith("\n\n\n"):
        return str(status)
    assert "[DONE]" not in text, "a broken answer that looks whole"
    error = json.loads(last).get("error") if last.endswith("\n\n") else None
    return f"{status}, then {error['code'] if error else 'nothing'}"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_may_be_reset_at_any_byte(stage: Stage, stream: bool) -> None:
    """Promise 28: at each byte the client hears of it, and pays for what it got."""
    answer = b"".join(piece.raw for piece in pieces(stream=stream))
    cuts: dict[str, int] = {}

    async def cut(visit: Visit) -> None:
        found = MARKER.search(visit.body)
        assert found is not None
        at = cuts[found[0].decode()]
        await visit.raw(answer[:at])
        reset(visit)

    for provider in stage.providers:
        provider.script = cut
    before = stage.requests
    due = list(range(len(answer) + 1))
    got: dict[str, str] = {}

    async def call_on() -> None:
        while due:
            marker = mark()
            cuts[marker] = due.pop()
            body = request(SMALL, stream=stream).replace(b"x" * len(marker), marker.encode(), 1)
            got[marker] = await hear(await stage.call(body, marker))

    await asyncio.gather(*(call_on() for _ in range(CUTTERS)))
    await quiet(stage.house)
    rows = {row.marker: row for row in (await read_books(stage.house)).rows}
    tolds = {marker: told_when_cut(at, stream=stream) for marker, at in cuts.items()}
    for marker, told in tolds.items():
        row = rows[marker]
        seen = (got[marker], (row.status, row.outcome), row.amount, row.estimated)
        assert seen == (told.saw, told.row, told.nano, told.estimated), cuts[marker]
    assert stage.requests - before == sum(told.requests for told in tolds.values())
    name = f"reset at each of {len(cuts)} bytes"
    stage.seen[name, "stream" if stream else "whole"] = summary(cuts, tolds)


def summary(cuts: dict[str, int], tolds: dict[str, Told]) -> tuple[object, ...]:
    """Where what is seen changes."""
    steps: list[tuple[int, Told]] = []
    for at, told in sorted((cuts[marker], told) for marker, told in tolds.items()):
        if not steps or steps[-1][1] != told:
            steps.append((at, told))
    columns = zip(*(cells(told) for _, told in steps), strict=True)
    return tuple(
        "; ".join(f"from {at}: {cell}" for (at, _), cell in zip(steps, column, strict=True)) for column in columns
    )


def cells(told: Told) -> tuple[object, ...]:
    """A row of the table in docs/reliability.md."""
    row = "none" if told.row is None else f"{told.row[1]} ({told.row[0] or 'no status'})"
    return told.saw, row, f"{told.nano}{', estimated' if told.estimated else ''}", told.requests
