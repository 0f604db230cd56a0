"""Rendezvous hashing: a conversation goes to one place as long as that is there, with no table of conversations. Pure.

Every pair of conversation and place has a number as by chance; the place with the best one wins. A place that is added
takes over only those conversations in which it is the best.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from typing import Final, TypeVar
from zlib import crc32

T = TypeVar("T")

Option = tuple[T, int, int, int]  # what is chosen, its number, its weight, how many calls it carries

_MASK: Final = 2**64 - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15  # of splitmix64: https://prng.di.unimi.it/splitmix64.c
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB
_FEW: Final = 8  # calls under way that crowd no place
_CROWDED: Final = 2  # times its share of all calls
_KEY: Final = b'"prompt_cache_key"'
_CACHED_FROM: Final = 4_096  # bytes of a body, about the 1,024 tokens below which providers cache nothing
_PREFIX: Final = 1_024  # bytes that make a conversation, about the 256 tokens that OpenAI's own routing looks at
_LONGEST_KEY: Final = 256


def nearest(stick: int, options: Sequence[Option[T]]) -> T:
    """The option that a conversation sticks to, unless it is crowded: then its next best."""
    ranked = sorted(options, key=lambda option: _distance(stick, option[1], option[2]))
    calls, weights = sum(option[3] for option in options), sum(option[2] for option in options)
    for chosen, _, weight, load in ranked:
        if load < _FEW or load * weights <= _CROWDED * calls * weight:
            return chosen
    return ranked[0][0]


def find_stick(body: bytes, account: int, model: str, *, caches: bool) -> int:
    """The number of a conversation; 0 = it has none. `caches`: its provider keeps beginnings of prompts.

    https://platform.openai.com/docs/guides/prompt-caching says what is kept from which length on, and what
    `prompt_cache_key` is for.
    """
    start = body.find(_KEY)
    said = b"" if start < 0 else _read_key(body, start)
    if not said and (not caches or len(body) < _CACHED_FROM):
        return 0
    words = b"%d\0%b\0%b" % (account, model.encode(), said or body[:_PREFIX])
    return int.from_bytes(blake2b(words, digest_size=8).digest(), "big") or 1


def place_of(secret: str) -> int:
    """The number of a secret, the same in every process."""
    return crc32(secret.encode())


def _read_key(body: bytes, start: int) -> bytes:
    """The value of `prompt_cache_key`. Quotes inside of texts are escaped, so that only a name can look so."""
    begin, end = start + len(_KEY), start + len(_KEY) + _LONGEST_KEY
    name, colon, value = body[begin:end].partition(b":")
    value = value.lstrip(b" \t\r\n")
    return b"" if name.strip() or not colon or not value.startswith(b'"') else value[1:].partition(b'"')[0]


def _distance(stick: int, place: int, weight: int) -> float:
    """Less is better; of many conversations each place is the best for its weight's share."""
    mixed = (stick ^ (place * _GOLDEN)) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * _FIRST) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * _SECOND) & _MASK
    mixed ^= mixed >> 31
    return -log((mixed + 1) / (_MASK + 2)) / weight
