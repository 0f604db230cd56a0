"""A call through a worker's own code, without sockets: microseconds of CPU, the least of many batches.

usage: python -m bench.inside [--batches N] [--body BYTES] [--stream] [--limited]

What the kernel does is not in it, so it wavers little beside other work, and a step more in Python shows.
"""

import argparse
import asyncio
import contextlib
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from random import Random
from typing import Any

import uvloop

from bench.scenarios import chat_body
from yescale.domain.ids import (
    AccountId,
    ChannelId,
    Incarnation,
    KeyId,
    LimitId,
    ModelName,
    PriceId,
    ProviderId,
    PurseId,
)
from yescale.domain.limits import NO_LIMITS, Limit, Limits
from yescale.domain.link import (
    AskKey,
    Draw,
    Drawn,
    Given,
    Granted,
    KeyAnswer,
    KeyRecord,
    Take,
    Taken,
    Welcome,
)
from yescale.domain.memory import OpenMemory
from yescale.domain.money import RATIO_ONE
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Channel, Group, Model, Snapshot
from yescale.domain.usage import Meter
from yescale.gateway.clock import SystemClock
from yescale.gateway.front import Front
from yescale.gateway.journal import Journal
from yescale.gateway.keys import KeyBounds, Keys
from yescale.gateway.memory import Memory
from yescale.gateway.purses import Purses
from yescale.gateway.rates import Rates
from yescale.gateway.relay.relay import Relay
from yescale.tuning import JournalSettings, MemorySettings, MoneySettings, RelaySettings
from yescale.wire.client import Client, Origin
from yescale.wire.limits import Limits as WireLimits
from yescale.wire.server import Server
from yescale.wire.timers import Timers

KEYS = 1_000
GRANT = 10**15
CHUNKS = 20
ANSWER_BYTES = 996


class Near(asyncio.Transport):
    """One end of a connection that keeps what is written to it; `heard` is who hears of it."""

    def __init__(self, heard: list["Near"] | None = None) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.protocol: Any = None
        self._heard = heard

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._heard is not None:
            self._heard.append(self)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class Loop:
    """What a worker needs of an event loop; connections open at once."""

    def __init__(self) -> None:
        self.time = uvloop.new_event_loop().time
        self.asked: list[Near] = []  # upstreams to which a request was sent

    def call_later(self, _delay: float, _call: Callable[..., object], *_arguments: object) -> None:
        """No time passes."""

    def create_task(self, steps: Coroutine[Any, Any, None]) -> None:
        with contextlib.suppress(StopIteration):
            steps.send(None)

    async def create_connection(self, factory: Callable[[], asyncio.Protocol], *_where: object) -> None:
        transport = Near(self.asked)
        transport.protocol = factory()
        transport.protocol.connection_made(transport)


class Control:
    """A link and its far side, which answers when told to: every key exists, and money is no object."""

    def __init__(self, clock: SystemClock) -> None:
        self.up = True
        self.alive_at = clock.boot()
        self.welcome = Welcome(node="bench", key_pepper=bytes(32))
        self.keys = 0
        self.limited = False  # whether keys have limits
        self.asked: list[object] = []
        self._callbacks: dict[type, Callable[[Any], object]] = {}

    def on(self, kind: type, callback: Callable[[Any], object]) -> None:
        self._callbacks[kind] = callback

    def on_down(self, _callback: Callable[[], object]) -> None:
        """The link stays up."""

    def send(self, message: object) -> bool:
        self.asked.append(message)
        return True

    def answer(self) -> None:
        """Answer what was asked."""
        while self.asked:
            match self.asked.pop():
                case AskKey(hash=key_hash):
                    self.keys += 1
                    self._callbacks[KeyAnswer](KeyAnswer(hash=key_hash, key=_key(self.keys, self.limited)))
                case Draw(id=number, wants=wants):
                    granted = tuple(
                        Granted(
                            purse=want.purse or PurseId(GRANT + want.limit), total=want.have + GRANT, limit=want.limit
                        )
                        for want in wants
                    )
                    self._callbacks[Drawn](Drawn(id=number, granted=granted))
                case Take(id=number, asks=asks):
                    given = tuple(Given(limit=ask.limit, amount=GRANT, left=GRANT) for ask in asks)
                    self._callbacks[Taken](Taken(id=number, given=given))
                case _:
                    pass


def _limits(number: int) -> Limits:
    """Requests and tokens a minute, and money a day."""
    return tuple(
        Limit(id=LimitId(3 * number + place), scope="key", subject=str(number), what=what, window=window, amount=GRANT)
        for place, (what, window) in enumerate((("requests", "minute"), ("tokens", "minute"), ("money", "day")))
    )


def _key(number: int, limited: bool) -> KeyRecord:
    account = number % 100
    return KeyRecord(
        id=KeyId(number), name=f"key-{number}", account=AccountId(account), username=f"account-{account}",
        group="default", status=1, account_status=1, role=1, expires_at=-1, models=None, allow_ips=(),
        account_purse=PurseId(account + 1), key_purse=PurseId(1_000 + number), limited=False,
        limits=_limits(number) if limited else NO_LIMITS,
    )  # fmt: skip


def _snapshot() -> Snapshot:
    name = ModelName("bench")
    prices = tuple(
        PriceRule(id=PriceId(number), model=name, meter=meter, per=1_000_000, price=2_500_000_000)
        for number, meter in enumerate((Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS), start=1)
    )
    channels = tuple(
        Channel(
            id=ChannelId(number), name=f"channel-{number}", provider=ProviderId("openai"), groups=("default",),
            base_url="http://127.0.0.1:9/v1", secrets=("sk-upstream",), models={name: name},
        )
        for number in range(1, 11)
    )  # fmt: skip
    model = Model(name=name, priced_as=name, owner="bench", created=0, context_window=4_000_000, max_output=16_384)
    group = Group(name="default", ratio=RATIO_ONE, ratio_id=1)
    return Snapshot(version=1, groups=(group,), models=(model,), channels=channels, prices=prices)


class Worker:
    """The parts of a worker, and one connection of a client to it."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop()
        clock, settings, money = SystemClock(), RelaySettings(), MoneySettings()
        timers, link = Timers(self.loop), Control(clock)  # type: ignore[arg-type]  # as much of a loop as they use
        self.control = link
        life = Incarnation("b" * 32)
        journal = Journal(folder, life, "bench", JournalSettings(), timers, clock)
        keys = Keys(link, money, timers, clock, KeyBounds())
        relay = Relay(
            settings, money, timers=timers, clock=clock, now=self.loop.time, link=link, journal=journal, keys=keys,  # type: ignore[arg-type]
            client=Client(timers, settings.connections), purses=Purses(link, journal, keys, money, timers, clock),
            rates=Rates(link, 0, timers, clock),
            memory=Memory(folder, OpenMemory(incarnation=life, slot=0), MemorySettings(), timers, Random(1)),
            rng=Random(1),
        )  # fmt: skip
        relay.publish(_snapshot())
        server = Server(Front(relay, Origin("unix", "localhost", 0, "/nowhere"), tls=False), WireLimits(), timers)
        self.answered: list[Near] = []
        self.transport = Near(self.answered)
        self.client = server.protocol()
        self.client.connection_made(self.transport)

    def call(self, request: bytes, answer: Iterable[bytes]) -> None:
        """One call, there and back."""
        self.client.data_received(request)
        if self.control.asked:
            self.control.answer()
        upstream = self.loop.asked.pop()
        for piece in answer:
            upstream.protocol.data_received(piece)


def requests(body: bytes) -> list[bytes]:
    """The call of each key."""
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nAccept: */*\r\n"
        b"Content-Type: application/json\r\nUser-Agent: bench\r\n"
        b"Authorization: Bearer sk-%048d\r\nContent-Length: %d\r\n\r\n"
    )
    return [head % (number, len(body)) + body for number in range(KEYS)]


def whole_answer() -> tuple[bytes, ...]:
    """The mock upstream's JSON."""
    front = (
        b'{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,'
        b'"message":{"role":"assistant","content":"'
    )
    back = (
        b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":512,"completion_tokens":160,"total_tokens":672,'
        b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}'
    )
    body = front + b"w" * (ANSWER_BYTES - len(front) - len(back)) + back
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"Connection: keep-alive\r\n\r\n%b" % (len(body), body),
    )


def streamed_answer() -> tuple[bytes, ...]:
    """The mock upstream's stream, each chunk in its own read."""
    chunk = (
        b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":'
        b'[{"index":0,"delta":{"content":" 1700000000.123456789"},"finish_reason":null}]}\n\n'
    )
    last = (
        b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":'
        b'[],"usage":{"prompt_tokens":512,"completion_tokens":160,"total_tokens":672}}\n\ndata: [DONE]\n\n'
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(data), data) for data in (*[chunk] * CHUNKS, last)]
    return (head + chunks[0], *chunks[1:-1], chunks[-1] + b"0\r\n\r\n")


def least(worker: Worker, calls: list[bytes], answer: tuple[bytes, ...], batches: int) -> float:
    """Microseconds of CPU of one call: of the quickest batch."""
    call, found = worker.call, float("inf")
    for _ in range(batches):
        begun = time.process_time()
        for request in calls:
            call(request, answer)
        found = min(found, (time.process_time() - begun) / len(calls) * 1e6)
    return found


def main() -> int:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--body", type=int, default=2_000)
    parser.add_argument("--stream", action="store_true", help=f"a stream of {CHUNKS} chunks instead of a whole answer")
    parser.add_argument("--limited", action="store_true", help="keys with limits of requests, tokens and money")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yescale-bench-") as folder:
        worker = Worker(Path(folder))
        worker.control.limited = arguments.limited
        calls = requests(chat_body("bench", "x" * arguments.body, stream=arguments.stream))
        answer = streamed_answer() if arguments.stream else whole_answer()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        for request in calls * 2:
            worker.call(request, answer)
        print(f"{least(worker, calls, answer, arguments.batches):.1f} us of CPU a call of {arguments.body} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
