"""The prompt cache: which part of a prompt is read from it, and which is written to it.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching: a mark ends a prefix; the longest prefix that was
marked before, at most twenty blocks before a mark, is read. Here nothing expires; a reset of the sandbox forgets all.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from yescale_sandbox.anthropic.prompt import Segment

LOOKBACK = 20


class Memory(Protocol):
    """Remembers that something came before."""

    def __call__(self, thing: str) -> int: ...

    def knows(self, thing: str) -> bool: ...


class Cached(Struct, frozen=True):
    """How many tokens of a prompt were read, and written for five minutes or for an hour."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h


class _Prefix(Struct, frozen=True):
    """The prompt up to the end of one segment."""

    name: str
    tokens: int
    ttl: str | None


def use(segments: Sequence[Segment], scope: str, least: int, memory: Memory) -> Cached:
    """Look up a prompt and keep what it marks. `scope` tells accounts and models apart; `least` tokens are kept."""
    prefixes = _prefixes(segments, scope)
    marked = [place for place, prefix in enumerate(prefixes) if prefix.ttl is not None and prefix.tokens >= least]
    found = _longest_known(prefixes, marked, memory)
    done = prefixes[found].tokens if found is not None else 0
    cached = Cached(read=done)
    for place in marked:
        prefix = prefixes[place]
        fresh = max(0, prefix.tokens - done)
        done += fresh
        cached = Cached(
            cached.read,
            cached.written_5m + (fresh if prefix.ttl == "5m" else 0),
            cached.written_1h + (fresh if prefix.ttl == "1h" else 0),
        )
        memory(prefix.name)
    return cached


def _longest_known(prefixes: Sequence[_Prefix], marked: Sequence[int], memory: Memory) -> int | None:
    for mark in reversed(marked):
        for place in range(mark, max(-1, mark - LOOKBACK - 1), -1):
            if memory.knows(prefixes[place].name):
                return place
    return None


def _prefixes(segments: Sequence[Segment], scope: str) -> list[_Prefix]:
    digest = hashlib.sha256(scope.encode())
    tokens = 0
    found: list[_Prefix] = []
    for segment in segments:
        digest.update(segment.encoded + b"\n")
        tokens += segment.tokens
        found.append(_Prefix(f"cache {digest.hexdigest()}", tokens, segment.ttl))
    return found
