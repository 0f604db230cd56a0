"""The rig: one worker, its control, two scripted upstreams and a raw client, all on real sockets in one loop."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.integration.gateway.control import KEY, Control
from yescale.domain.ids import ChannelId, ModelName, PriceId, ProviderId
from yescale.domain.journal import BackLine, EndLine, HeadLine, JournalLine, NoLine, OpenLine
from yescale.domain.money import RATIO_ONE
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Channel, Group, Model, Snapshot
from yescale.domain.usage import Meter
from yescale.gateway.worker import Worker
from yescale.settings import Settings
from yescale.tuning import JournalSettings, RelaySettings, ServerSettings

SECRET = "sk-upstream-secret"
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
LINES = msgspec.json.Decoder(JournalLine)
Script = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One request at an upstream, and the means to answer it in any way."""

    def __init__(self, head: bytes, body: bytes, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        self.head = head
        self.body = body
        self.writer = writer
        self.reader = reader

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    async def answer(self, status: int, body: bytes | dict[str, Any], *headers: str) -> None:
        """One whole answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = "".join(f"{line}\r\n" for line in ("content-type: application/json", *headers))
        await self.raw(f"HTTP/1.1 {status} X\r\n{lines}content-length: {len(raw)}\r\n\r\n".encode() + raw)

    async def stream(self) -> None:
        """The head of a stream."""
        await self.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        if self.writer.transport.is_closing():  # uvloop would raise a RuntimeError
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()

    async def left(self) -> bool:
        """Wait until the gateway closes this connection."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


def event(text: str | None = None, **more: Any) -> bytes:
    """A chunk of a chat stream."""
    delta = {} if text is None else {"content": text}
    body = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta} | more]}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def usage_event(usage: dict[str, Any] = USAGE) -> bytes:
    """The chunk that carries usage alone."""
    return b"data: " + json.dumps({"choices": [], "usage": usage}, separators=(",", ":")).encode() + b"\n\n"


MODELS = {"gpt-4o": "gpt-4o", "alias": "gpt-4o-real", "embed-1": "embed-1", "free": "free"}
DONE = b"data: [DONE]\n\n"
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}  # fmt: skip


async def say_hello(visit: Visit) -> None:
    """What a good provider does."""
    if not visit.json.get("stream"):
        await visit.answer(200, ANSWER)
        return
    await visit.stream()
    await visit.chunk(event("", role="assistant"))
    await visit.chunk(event("hello"))
    await visit.chunk(event(" world"))
    await visit.chunk(event(finish_reason="stop"))
    if (visit.json.get("stream_options") or {}).get("include_usage"):
        await visit.chunk(usage_event())
    await visit.chunk(DONE)
    await visit.end()


class Upstream:
    """A provider that does what `script` says, call after call."""

    def __init__(self) -> None:
        self.script: Script = say_hello
        self.visits: list[Visit] = []
        self.errors: list[Exception] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and end the visits that are still going on."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")
                )
                visit = Visit(head, await reader.readexactly(length), writer, reader)
                self.visits.append(visit)
                await self.script(visit)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:
            self.errors.append(error)
            raise
        finally:
            writer.close()


class Answer:
    """What a client got. `whole`: the answer ended as HTTP says it must."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, *, whole: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.whole = whole

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        return [e[6:] for e in self.body.decode().split("\n\n") if e.startswith("data: ")]


class Client:
    """One connection to the worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\nhost: yescale\r\n{lines}content-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode("latin-1") + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
        first, *lines = raw.strip().split("\r\n")
        return int(first.split()[1]), {name: value.strip() for name, _, value in (x.partition(":") for x in lines)}

    async def chunk(self) -> bytes:
        """One chunk of a chunked body; b"" is the end. Raises IncompleteReadError where it was cut."""
        size = int((await asyncio.wait_for(self.reader.readuntil(b"\r\n"), 10)).strip(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def answer_body(self) -> bytes:
        """The rest of a chunked body."""
        pieces: list[bytes] = []
        while piece := await self.chunk():
            pieces.append(piece)
        return b"".join(pieces)

    async def answer(self, *, body: bool = True) -> Answer:
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            pieces: list[bytes] = []
            try:
                while piece := await self.chunk():
                    pieces.append(piece)
            except asyncio.IncompleteReadError:
                return Answer(status, headers, b"".join(pieces), whole=False)
            return Answer(status, headers, b"".join(pieces), whole=True)
        size = int(headers.get("content-length", "0")) if body else 0
        return Answer(status, headers, await self.reader.readexactly(size), whole=True)

    def leave(self) -> None:
        self.writer.transport.abort()


class Rig:
    """Everything together. `settings` may be changed before it is entered."""

    def __init__(self, folder: Path, *, linger_s: float = 0.5, drain_s: float = 5.0, **relay: Any) -> None:
        run = folder / "run"
        run.mkdir(parents=True)
        self.settings = Settings(
            home=folder,
            relay=RelaySettings(**relay),
            journal=JournalSettings(free_floor_bytes=0),
            server=ServerSettings(drain_timeout_s=drain_s, drain_linger_s=linger_s),
        )
        self.first, self.second = Upstream(), Upstream()
        self.control = Control(run, Snapshot(version=1))
        self.worker = Worker(self.settings, 0)
        self.port = 0
        self._task: asyncio.Task[None] | None = None
        self.clients: list[Client] = []

    async def __aenter__(self) -> Self:
        await self.first.start()
        await self.second.start()
        self.control.snapshot = self.snapshot()
        await self.control.start()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._task = asyncio.get_running_loop().create_task(self.worker.serve(listener))
        client = await self.client()
        client.send("GET", "/healthz")
        assert (await client.answer()).status == 200
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self.clients:
            client.leave()
        await self.stop()
        await self.control.stop()
        for upstream in (self.first, self.second):
            await upstream.stop()
            assert upstream.errors == []

    async def stop(self) -> None:
        """SIGTERM, and wait until the worker has gone."""
        self.worker.stop()
        if self._task is not None:
            await asyncio.wait_for(self._task, 10)

    def snapshot(self, *, version: int = 1, **channel: Any) -> Snapshot:
        """Two channels for gpt-4o: `first` is preferred. Prices: input 1,000 and output 2,000 nano a token."""
        common: dict[str, Any] = {"provider": ProviderId("openai_compatible"), "groups": ("default",)} | channel
        channels = tuple(
            Channel(
                id=ChannelId(number), name=name, base_url=f"http://127.0.0.1:{upstream.port}/v1",
                secrets=(SECRET,), priority=-number,
                models={ModelName(ours): theirs for ours, theirs in MODELS.items()},
                **common,
            )
            for number, name, upstream in ((1, "first", self.first), (2, "second", self.second))
        )  # fmt: skip
        rules = [
            PriceRule(id=PriceId(i), model=ModelName(model), meter=meter, per=1_000_000, price=price * 1_000_000)
            for i, (model, meter, price) in enumerate(
                (name, meter, price)
                for name in ("gpt-4o", "alias", "embed-1")
                for meter, price in ((Meter.INPUT_TOKENS, 1_000), (Meter.OUTPUT_TOKENS, 2_000))
            )
        ]
        return Snapshot(
            version=version,
            groups=(Group(name="default", ratio=RATIO_ONE, ratio_id=1), Group(name="vip", ratio=RATIO_ONE, ratio_id=2)),
            models=tuple(
                Model(
                    name=ModelName(name), priced_as=ModelName(name), owner="openai", created=1, context_window=128_000,
                    max_output=16_384, operations=("embed",) if name == "embed-1" else ("chat",),
                )
                for name in MODELS
            ),
            channels=channels,
            prices=tuple(rules),
        )  # fmt: skip

    async def publish(self, snapshot: Snapshot) -> None:
        """Have the worker serve from another snapshot."""
        self.control.publish(snapshot)
        await asyncio.sleep(0.1)

    async def client(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        made = Client(reader, writer)
        self.clients.append(made)
        return made

    async def post(self, client: Client | None = None, *, path: str = "/v1/chat/completions", **body: Any) -> Client:
        """Send a chat call and do not wait."""
        client = client or await self.client()
        full = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]} | body
        client.send("POST", path, json.dumps(full).encode(), authorization=f"Bearer sk-{KEY}")
        return client

    async def call(self, **body: Any) -> Answer:
        """Send a chat call and read its answer."""
        return await (await self.post(**body)).answer()

    # --- the journal

    @property
    def lines(self) -> list[JournalLine]:
        """All whole lines so far, their checksums verified by the reader of the money tests."""
        files = sorted(self.settings.journals.glob("[!.]*/*.log"))
        raw = [line for file in files for line in file.read_bytes().split(b"\n")[:-1]]
        return [LINES.decode(line.split(b" ", 1)[1]) for line in raw]

    @property
    def ends(self) -> list[EndLine]:
        return [line for line in self.lines if isinstance(line, EndLine)]

    @property
    def refusals(self) -> list[str]:
        return [line.code for line in self.lines if isinstance(line, NoLine)]

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        for _ in range(250):
            if true():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it never came true")

    async def end(self, number: int = 1) -> EndLine:
        """Wait for the end line number `number`."""
        for _ in range(500):
            if len(self.ends) >= number:
                assert len(self.ends) == number
                return self.ends[-1]
            await asyncio.sleep(0.02)
        raise AssertionError(f"{len(self.ends)} end lines, not {number}")


__all__ = ["BackLine", "HeadLine", "OpenLine", "Rig"]
