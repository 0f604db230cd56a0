"""The record of what arrived and what became of it: a bounded ring of entries, and totals that outlive the ring."""

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec
from msgspec import Struct

from yescale_sandbox.exchange import Answer, Request, Send, Tokens
from yescale_sandbox.jsontype import Json, JsonObject

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie"})
BODY_KEPT_BYTES = 262_144
MOST_MODELS = 1_000


class Entry:
    """One request. The connection that plays its answer tells it what was sent and how it ended."""

    __slots__ = (
        "_body",
        "_headers",
        "_wire_usage",
        "at",
        "chunks_sent",
        "finished_at",
        "method",
        "model",
        "outcome",
        "path",
        "planned",
        "raw_sha256",
        "reported",
        "scenario",
        "seq",
        "size",
        "status",
        "totals",
        "usage",
    )

    def __init__(self, seq: int, request: Request, totals: "Totals") -> None:
        self.seq = seq
        self.at = time.time()
        self.method = request.method
        self.path = request.path
        self.raw_sha256 = hashlib.sha256(request.body).hexdigest()
        self.size = len(request.body)
        self.scenario = ""
        self.model = ""
        self.status = 0
        self.outcome: str | None = None
        self.planned = "failed"
        self.usage: Tokens | None = None
        self.reported: Tokens | None = None
        self.chunks_sent = 0
        self.finished_at: float | None = None
        self.totals = totals
        self._headers = masked(request.headers)
        self._body = request.body if self.size <= BODY_KEPT_BYTES else None
        self._wire_usage: Tokens | None = None

    @property
    def kept_bytes(self) -> int:
        return len(self._body) if self._body is not None else 0

    def answered(self, answer: Answer) -> None:
        """What was decided about the request, before anything is sent."""
        self.status = answer.status
        self.planned = answer.outcome
        self.model = answer.model
        self.scenario = answer.scenario
        self.usage = answer.counted
        self._wire_usage = answer.reported

    def sent(self, send: Send) -> None:
        self.chunks_sent += send.events
        if send.usage:
            self.reported = self._wire_usage
        if send.tokens is not None:
            self.usage = (self.usage or Tokens()) + send.tokens
        if send.reported is not None:
            self.reported = (self.reported or Tokens()) + send.reported

    def finish(self, *, gone: bool) -> None:
        """The exchange is over: as planned, or because the client went away. Told twice, the first counts."""
        if self.outcome is not None:
            return
        self.outcome = "client_gone" if gone else self.planned
        self.finished_at = time.time()
        self.totals.add(self)

    def to_json(self) -> JsonObject:
        return {
            "seq": self.seq,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "headers": dict(self._headers),
            "body": self._decoded_body(),
            "raw_sha256": self.raw_sha256,
            "size": self.size,
            "model": self.model,
            "scenario": self.scenario,
            "outcome": self.outcome,
            "status": self.status,
            "usage": usage_json(self.usage),
            "usage_reported": usage_json(self.reported),
            "chunks_sent": self.chunks_sent,
            "finished_at": self.finished_at,
        }

    def _decoded_body(self) -> Json:
        if not self._body:
            return None
        try:
            return msgspec.json.decode(self._body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._body.decode("utf-8", "replace")


class Tally(Struct):
    """Sums for one model and outcome."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reported: int = 0
    reported_prompt_tokens: int = 0
    reported_completion_tokens: int = 0

    def add(self, entry: Entry) -> None:
        self.requests += 1
        if entry.usage is not None:
            self.prompt_tokens += entry.usage.prompt
            self.completion_tokens += entry.usage.completion
        if entry.reported is not None:
            self.reported += 1
            self.reported_prompt_tokens += entry.reported.prompt
            self.reported_completion_tokens += entry.reported.completion


class Totals:
    """Finished requests, summed by model and outcome."""

    def __init__(self) -> None:
        self._tallies: dict[str, dict[str, Tally]] = {}
        self._finished = 0

    def add(self, entry: Entry) -> None:
        self._finished += 1
        known = entry.model in self._tallies or len(self._tallies) < MOST_MODELS
        outcomes = self._tallies.setdefault(entry.model if known and entry.model else "-", {})
        outcomes.setdefault(entry.outcome or "-", Tally()).add(entry)

    def to_json(self, started: int) -> JsonObject:
        models: JsonObject = {
            model: {outcome: _tally_json(tally) for outcome, tally in outcomes.items()}
            for model, outcomes in sorted(self._tallies.items())
        }
        return {"requests": started, "in_progress": started - self._finished, "models": models}


class Records:
    """The ring. It forgets the oldest entries beyond `most` of them or beyond `most_bytes` of kept bodies."""

    def __init__(self, most: int = 100_000, most_bytes: int = 268_435_456) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._entries: deque[Entry] = deque()
        self._kept_bytes = 0
        self._last = 0
        self._started = 0
        self._totals = Totals()

    def open(self, request: Request) -> Entry:
        """A new entry with the next sequence number, which also a reset never gives out again."""
        self._last += 1
        self._started += 1
        entry = Entry(self._last, request, self._totals)
        self._entries.append(entry)
        self._kept_bytes += entry.kept_bytes
        while len(self._entries) > self._most or self._kept_bytes > self._most_bytes:
            self._kept_bytes -= self._entries.popleft().kept_bytes
        return entry

    def after(self, seq: int, limit: int) -> Iterator[Entry]:
        """Entries with a number above `seq`, oldest first."""
        if not self._entries:
            return iter(())
        start = max(0, seq - self._entries[0].seq + 1)
        return islice(self._entries, start, start + limit)

    def reset(self) -> None:
        """Empty the ring and the totals; requests under way no longer count."""
        self._entries.clear()
        self._kept_bytes = 0
        self._started = 0
        self._totals = Totals()

    @property
    def last(self) -> int:
        return self._last

    def totals_json(self) -> JsonObject:
        return self._totals.to_json(self._started)


def usage_json(tokens: Tokens | None) -> Json:
    """OpenAI's names for the sums; what only others count stands beside them, and of audio only where there is any."""
    if tokens is None:
        return None
    audio: JsonObject = {"prompt_audio_tokens": tokens.heard, "completion_audio_tokens": tokens.spoken}
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "cached_tokens": tokens.cached,
        "reasoning_tokens": tokens.reasoning,
        "cache_write_tokens": tokens.cache_write,
        "cache_write_1h_tokens": tokens.cache_write_1h,
        "web_searches": tokens.web_searches,
        **(audio if tokens.heard or tokens.spoken else {}),
    }


def masked(headers: Mapping[str, str]) -> Mapping[str, Json]:
    """Headers without secrets: of a credential stay its scheme, its last four characters and the digest of the rest."""
    return {name: _masked_value(value) if name in SECRET_HEADERS else value for name, value in headers.items()}


def _masked_value(value: str) -> JsonObject:
    scheme, _, secret = value.rpartition(" ")
    return {"scheme": scheme, "last4": secret[-4:], "sha256": hashlib.sha256(secret.encode()).hexdigest()}


def _tally_json(tally: Tally) -> JsonObject:
    return {
        "requests": tally.requests,
        "prompt_tokens": tally.prompt_tokens,
        "completion_tokens": tally.completion_tokens,
        "total_tokens": tally.prompt_tokens + tally.completion_tokens,
        "reported": tally.reported,
        "reported_prompt_tokens": tally.reported_prompt_tokens,
        "reported_completion_tokens": tally.reported_completion_tokens,
    }
