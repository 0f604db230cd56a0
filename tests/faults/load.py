"""Mixed calls from many clients at once, each with a marker of its own, and what became of each of them."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from tests.faults.caller import Heard, Line
from tests.faults.house import House, Key

CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"
SMALL, SMALL_EMBED = "gpt-4o-mini", "text-embedding-3-small"
PRICES = {SMALL: (150, 600), SMALL_EMBED: (20, 0)}  # nano-dollars of a token in and out
FAILOVER = f"{SMALL}+failover"


class Sort(Struct, frozen=True, kw_only=True):
    """A sort of call. `leaves`: the client goes away after up to so many seconds."""

    name: str
    weight: int
    surface: str = "chat"
    model: str = SMALL
    stream: bool = False
    leaves: float = 0.0


SORTS = (
    Sort(name="whole", weight=20),
    Sort(name="stream", weight=20, stream=True),
    Sort(name="slow stream", weight=15, model=f"{SMALL}+slow-20", stream=True),
    Sort(name="slow answer", weight=5, model=f"{SMALL}+delay-300"),
    Sort(name="abandoned stream", weight=12, model=f"{SMALL}+slow-30", stream=True, leaves=0.4),
    Sort(name="abandoned answer", weight=5, model=f"{SMALL}+delay-200", leaves=0.3),
    Sort(name="embedding", weight=10, model=SMALL_EMBED),
    Sort(name="failover", weight=5, model=FAILOVER, stream=True),
    Sort(name="error", weight=3, model=f"{SMALL}+500"),
    Sort(name="too many", weight=2, model=f"{SMALL}+429"),
    Sort(name="cut stream", weight=3, model=f"{SMALL}+cut-3", stream=True),
)
GOOD = tuple(sort for sort in SORTS if sort.name not in ("error", "too many", "cut stream"))
STAYING = tuple(sort for sort in GOOD if not sort.leaves)
FAILING = {sort.model: sort.model for sort in SORTS if sort.name in ("error", "too many", "cut stream")}


class Pace(Struct, frozen=True, kw_only=True):
    """How many clients call what, with pauses of up to `idle_s`, and how many calls they make at most."""

    callers: int
    idle_s: float
    sorts: tuple[Sort, ...] = SORTS
    most: int = 1_000_000


class Made(Struct, frozen=True, kw_only=True):
    """A call that ended for its client."""

    marker: str
    sort: Sort
    key: Key
    heard: Heard


def furnish(house: House) -> None:
    """Models, and channels that serve them; what always fails has a channel of its own, so that nothing else rests."""
    for model in (SMALL, SMALL_EMBED):
        house.add_model(model)
    names = (SMALL, f"{SMALL}+*", SMALL_EMBED)
    house.add_channel("right", {name: name for name in names})
    house.add_channel("wrong", FAILING)
    house.add_channel("worse", {FAILOVER: f"{SMALL}+500"}, priority=10)
    house.add_channel("better", {FAILOVER: SMALL}, priority=5)


def mark() -> str:
    return f"mark-{secrets.token_hex(8)}"


def body_of(sort: Sort, marker: str, rng: Random) -> tuple[str, dict[str, Any]]:
    """Path and body of one call."""
    words = f"{marker} " + "word " * rng.randrange(4, 40)
    if sort.model.startswith(SMALL_EMBED):
        return EMBED, {"model": sort.model, "input": words}
    return SURFACES[sort.surface](sort, words)


def _chat(sort: Sort, words: str) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"model": sort.model, "messages": [{"role": "user", "content": words}], "max_tokens": 200}
    if sort.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return CHAT, body


def _messages(sort: Sort, words: str) -> tuple[str, dict[str, Any]]:
    said = [{"role": "user", "content": words}]
    return "/v1/messages", {"model": sort.model, "messages": said, "max_tokens": 200, "stream": sort.stream}


def _responses(sort: Sort, words: str) -> tuple[str, dict[str, Any]]:
    return "/v1/responses", {"model": sort.model, "input": words, "max_output_tokens": 200, "stream": sort.stream}


def _generate(sort: Sort, words: str) -> tuple[str, dict[str, Any]]:
    verb = "streamGenerateContent?alt=sse" if sort.stream else "generateContent"
    said = [{"role": "user", "parts": [{"text": words}]}]
    path = f"/v1beta/models/{sort.model}:{verb}"
    return path, {"contents": said, "generationConfig": {"maxOutputTokens": 200}}


def _completions(sort: Sort, words: str) -> tuple[str, dict[str, Any]]:
    return "/v1/completions", {"model": sort.model, "prompt": words, "max_tokens": 200, "stream": sort.stream}


SURFACES = MappingProxyType(
    {
        "chat": _chat,
        "messages": _messages,
        "responses": _responses,
        "generateContent": _generate,
        "completions": _completions,
    }
)


class Load:
    """Clients that call until they are told to stop, or until `most` calls are made."""

    def __init__(self, house: House, keys: Sequence[Key], pace: Pace, rng: Random) -> None:
        self.made: list[Made] = []
        self.in_flight = 0
        self._house = house
        self._keys = keys
        self._rng = rng
        self._pace = pace
        self._begun = 0
        self._over = False
        self._callers = [asyncio.create_task(self._call_on()) for _ in range(pace.callers)]

    @property
    def answered(self) -> int:
        return sum(made.heard.completed for made in self.made)

    async def stop(self) -> None:
        """No new calls; those under way end first."""
        self._over = True
        await self.end()

    async def end(self) -> None:
        """Wait until all calls are made."""
        await asyncio.gather(*self._callers)

    async def _call_on(self) -> None:
        line = Line(self._house.port)
        while not self._over and self._begun < self._pace.most:
            self._begun += 1
            sort = self._rng.choices(self._pace.sorts, [sort.weight for sort in self._pace.sorts])[0]
            await self._call(line, sort)
            if self._rng.random() < 0.2:
                await line.close()
            nobody_there = self.made[-1].heard.trouble == "ConnectionRefusedError"
            await asyncio.sleep(1 if nobody_there else self._rng.uniform(0, self._pace.idle_s))
        await line.close()

    async def _call(self, line: Line, sort: Sort) -> None:
        marker, key = mark(), self._rng.choice(self._keys)
        path, body = body_of(sort, marker, self._rng)
        leave_after = self._rng.uniform(0.001, sort.leaves) if sort.leaves else None
        self.in_flight += 1
        try:
            heard = await line.post(path, body, key.headers | {"x-request-id": marker}, leave_after=leave_after)
        finally:
            self.in_flight -= 1
        self.made.append(Made(marker=marker, sort=sort, key=key, heard=heard))

    def outcomes(self) -> Counter[str]:
        """How the calls ended for their clients."""
        return Counter(_word(made.heard) for made in self.made)


def _word(heard: Heard) -> str:
    if heard.completed:
        return "completed"
    if heard.left:
        return "left"
    return heard.trouble or f"status {heard.status}"


def under_way(made: Made, moment: float, slack_s: float) -> bool:
    """Whether a call was under way at a moment; of a client that left, its call may have gone on for `slack_s`."""
    return made.heard.began - 0.1 <= moment <= made.heard.ended + (slack_s if made.heard.left else 0.1)


def cost_of(model: str, prompt: int, completion: int) -> int:
    """What a call must cost."""
    per_prompt, per_completion = PRICES[model.partition("+")[0]]
    return prompt * per_prompt + completion * per_completion


def now() -> float:
    return time.time()
