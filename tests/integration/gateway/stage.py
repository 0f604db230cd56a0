"""One worker, a provider of every format behind it, and many calls at once, each played as its scene says."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from tests.integration.gateway.askers import ASKERS, asked
from tests.integration.gateway.control import KEY
from tests.integration.gateway.rig import Client, Rig, Visit
from tests.integration.gateway.tongues import TEXTS, TONGUES, Tongue
from yescale.domain.ids import ChannelId, ModelName, PriceId, ProtocolId
from yescale.domain.journal import EndLine
from yescale.domain.money import RATIO_ONE
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Channel, Group, Model, Snapshot
from yescale.domain.usage import Meter, Usage
from yescale.gateway.surfaces import Surface
from yescale.providers.provider import Provider
from yescale.providers.registry import PROVIDERS

ROW_S = 5.0  # within which every call has its row (promise 10)
BRIEF_S = 0.3
NANO: Mapping[Meter, int] = {
    Meter.INPUT_TOKENS: 1_000,
    Meter.CACHE_READ_TOKENS: 100,
    Meter.CACHE_WRITE_TOKENS: 1_250,
    Meter.OUTPUT_TOKENS: 2_000,
    Meter.REASONING_TOKENS: 3_000,
}
PER_REQUEST = 7_000  # of a moderation
_MARKER = re.compile(rb"scene-\d+-")
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\nconnection: close\r\n"

Drain = Literal["long", "brief", "none"]
Then = Literal["go on", "reset", "close", "nonsense", "garbage", "error", "stall", "drip", "500", "400"]
Moment = Literal["before the head", "at the first text", "midway", "after the usage"]

_DRAINS: Mapping[Drain, float] = {"long": 30.0, "brief": BRIEF_S, "none": 0.0}


class Pair(Struct, frozen=True):
    """A surface, and the format that the provider speaks behind it."""

    surface: Surface
    operation: str
    spoken: ProtocolId
    provider: Provider

    @property
    def tongue(self) -> Tongue:
        return TONGUES[self.spoken]

    def model(self, drain: Drain) -> str:
        return f"{self.operation}-{drain}-{self.provider.id}-{self.spoken}"


def pairs_of(surface: Surface) -> Iterator[Pair]:
    """Every format of a provider that can serve a surface, by the first provider that speaks it."""
    for operation in filter(None, (surface.operation, surface.instead)):
        found: dict[ProtocolId, Provider] = {}
        for provider in PROVIDERS.values():
            endpoint = provider.endpoint(operation, surface.format.id)
            if endpoint is not None and (endpoint.format.id == surface.format.id or surface.format.codec is not None):
                found.setdefault(endpoint.format.id, provider)
        yield from (Pair(surface, operation, spoken, provider) for spoken, provider in found.items())


class Scene(Struct, frozen=True, kw_only=True):
    """How one call goes: how far the provider comes, what it does then, whether the client leaves at that moment."""

    pair: Pair
    stream: bool
    moment: Moment = "midway"
    then: Then = "go on"
    leaves: bool = False
    drain: Drain = "long"

    def __str__(self) -> str:
        client = "client leaves" if self.leaves else "client stays"
        how = "stream" if self.stream else "whole"
        where = f"{self.pair.surface.path.decode()} over {self.pair.spoken}, {how}"
        return f"{where}: {self.moment}, {client}, {self.then} ({self.drain} drain)"

    @property
    def texts(self) -> int:
        """How many texts have gone out."""
        return {"before the head": 0, "at the first text": 1, "midway": TEXTS - 1, "after the usage": TEXTS}[
            self.moment
        ]

    @property
    def sent(self) -> tuple[bytes, bytes]:
        """What the provider sends before the moment, and after it, without any framing."""
        tongue = self.pair.tongue
        if not self.stream:
            size = len(tongue.whole)
            at = {"before the head": 0, "after the usage": size - 1}.get(self.moment, size // 2)
            return tongue.whole[:at], tongue.whole[at:]
        told = self.moment == "after the usage"
        before = b"".join((tongue.opening, *tongue.texts[: self.texts], tongue.reckoning if told else b""))
        after = b"".join((*tongue.texts[self.texts :], b"" if told else tongue.reckoning, tongue.mark))
        return (b"", before + after) if self.moment == "before the head" else (before, after)


class Saw(Struct, frozen=True, kw_only=True):
    """What a client got. `whole`: it ended as HTTP says it must."""

    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    whole: bool = False


class Played(Struct, frozen=True):
    """A scene that is over: the request's size, what the client saw, what the journal says."""

    scene: Scene
    body: bytes
    saw: Saw
    end: EndLine


class _Act:
    """A scene while it is played."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.reached = asyncio.Event()  # the provider has sent what comes before the moment
        self.go = asyncio.Event()  # the client has acted

    async def play(self, visit: Visit) -> None:
        """Answer one request."""
        scene = self.scene
        if scene.then in ("500", "400"):
            await visit.answer(int(scene.then), {"error": {"message": "no"}}, "connection: close")
            self.reached.set()
            return
        before, after = scene.sent
        if scene.moment != "before the head":
            await self._begin(visit)
            await self._say(visit, before)
        self.reached.set()
        await self.go.wait()
        if scene.then == "go on" and scene.moment == "before the head":
            await self._begin(visit)
        with suppress(ConnectionError):
            await self._go_on(visit, after)

    async def _begin(self, visit: Visit) -> None:
        if self.scene.stream:
            head = _HEAD.format(self.scene.pair.tongue.kind) + "transfer-encoding: chunked\r\n\r\n"
        else:
            length = len(self.scene.pair.tongue.whole)
            head = _HEAD.format("application/json") + f"content-length: {length}\r\n\r\n"
        await visit.raw(head.encode())

    async def _say(self, visit: Visit, said: bytes) -> None:
        if said:
            await (visit.chunk(said) if self.scene.stream else visit.raw(said))

    async def _go_on(self, visit: Visit, after: bytes) -> None:
        match self.scene.then:
            case "go on":
                await self._say(visit, after)
                await self._close(visit)
            case "reset":
                visit.reset()
            case "close":
                await self._close(visit)
            case "nonsense":
                await self._say(visit, b"data: {nonsense\n\n" if self.scene.stream else b"x" * len(after))
                await self._close(visit)
            case "garbage":
                await visit.raw(b"\x00garbage\r\n\r\n")
                visit.writer.close()
            case "error":
                await self._say(visit, self.scene.pair.tongue.failing)
                await self._close(visit)
            case "stall":
                await visit.left()
            case "drip":
                while True:
                    await visit.chunk(self.scene.pair.tongue.idle)
                    await asyncio.sleep(0.1)
            case _:
                raise AssertionError(self.scene)

    async def _close(self, visit: Visit) -> None:
        if self.scene.stream:
            await visit.end()
        visit.writer.close()


class Stage(Rig):
    """The rig with a channel for each pair and way of draining; a call's scene is named in its prompt."""

    def __init__(self, folder: Path, pairs: tuple[Pair, ...], **relay: Any) -> None:
        super().__init__(folder, **({"max_attempts": 1, "breaker_failures": 1_000_000} | relay))
        self._pairs = pairs
        self._acts: dict[bytes, _Act] = {}
        self.first.script = self._answer

    def snapshot(self, *, version: int = 1, **channel: Any) -> Snapshot:
        """All models, priced by meter under the name that the client asks for; no price stands under the provider's."""
        channels: list[Channel] = []
        models: list[Model] = []
        for pair in {pair.model("long"): pair for pair in self._pairs}.values():
            for drain, drain_s in _DRAINS.items():
                name = ModelName(pair.model(drain))
                models.append(_model(name, pair))
                channels.append(
                    Channel(
                        id=ChannelId(len(channels) + 1), name=name, provider=pair.provider.id, secrets=("sk-up",),
                        base_url=f"http://127.0.0.1:{self.first.port}", models={name: "theirs"}, groups=("default",),
                        drain_s=drain_s, **channel,
                    )
                )  # fmt: skip
        prices = [rule for model in models for rule in _prices(model)]
        return Snapshot(
            version=version, groups=(Group(name="default", ratio=RATIO_ONE, ratio_id=1),), models=tuple(models),
            channels=tuple(channels),
            prices=tuple(replace(rule, id=PriceId(number)) for number, rule in enumerate(prices)),
        )  # fmt: skip

    async def _answer(self, visit: Visit) -> None:
        found = _MARKER.search(visit.body)
        assert found is not None, visit.body
        await self._acts[found[0]].play(visit)

    async def play(self, scenes: list[Scene]) -> list[Played]:
        """All of them at once; each has its row within ROW_S of its end."""
        results = await asyncio.gather(*(self._play(number, scene) for number, scene in enumerate(scenes)))
        async with asyncio.timeout(ROW_S):
            while len(rows := {line.client_request_id: line for line in self.ends}) < len(scenes):
                await asyncio.sleep(0.05)
        assert len(self.ends) == len(scenes), "each call has one row"
        return [
            Played(scene, body, saw, rows[str(number)])
            for number, (scene, (body, saw)) in enumerate(zip(scenes, results, strict=True))
        ]

    async def _play(self, number: int, scene: Scene) -> tuple[bytes, Saw]:
        act = _Act(scene)
        marker = f"scene-{number}-"
        self._acts[marker.encode()] = act
        path, body = asked(scene.pair.surface, scene.pair.model(scene.drain), marker + "x" * 200, stream=scene.stream)
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        client.send("POST", path, body, authorization=f"Bearer {KEY}", x_request_id=str(number))
        hearing = asyncio.create_task(_hear(client))
        await asyncio.wait_for(act.reached.wait(), 20)
        await asyncio.sleep(0.1)  # what was sent has come through
        if scene.leaves:
            hearing.cancel()
            client.leave()
            await asyncio.sleep(0.1)
        act.go.set()
        with suppress(asyncio.CancelledError):
            return body, await hearing
        return body, Saw()


async def _hear(client: Client) -> Saw:
    try:
        status, headers = await client.head()
        heard: list[bytes] = []
        if headers.get("transfer-encoding") != "chunked":
            body = await client.reader.readexactly(int(headers["content-length"]))
            return Saw(status=status, headers=headers, body=body, whole=True)
        try:
            while piece := await client.chunk():
                heard.append(piece)
        except (asyncio.IncompleteReadError, ConnectionError):
            return Saw(status=status, headers=headers, body=b"".join(heard))
        return Saw(status=status, headers=headers, body=b"".join(heard), whole=True)
    finally:
        client.leave()


def _model(name: ModelName, pair: Pair) -> Model:
    operation = pair.surface.needs or pair.operation
    return Model(
        name=name, priced_as=name, owner="x", created=1, context_window=100_000, max_output=1_000,
        operations=(operation,),
    )  # fmt: skip


def _prices(model: Model) -> list[PriceRule]:
    def rule(meter: Meter, nano: int) -> PriceRule:
        return PriceRule(id=PriceId(0), model=model.name, meter=meter, per=1_000_000, price=nano * 1_000_000)

    if model.operations == ("moderate",):
        return [rule(Meter.REQUESTS, PER_REQUEST)]
    return [rule(meter, nano) for meter, nano in NANO.items()]


def cost(usage: Usage) -> int:
    """What a usage costs at these prices."""
    return sum(count * NANO.get(meter, 0) for meter, count in usage.items())


def streams(surface: Surface) -> tuple[bool, ...]:
    """Whether calls of a surface may be streams, or must be."""
    if surface.stream:
        return (True,)
    return (False, True) if ASKERS[surface.format.id].streams else (False,)


def said_in_json(body: bytes) -> bool:
    """Whether a whole answer is an error of some format."""
    return "error" in json.loads(body)
