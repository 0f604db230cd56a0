"""Bytes in pieces: the cuts that a network could make, and damaged copies of good input."""

import itertools
import random
import zlib
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

LONGEST = 4_096  # bytes of one input; the limits of the checks are set by it
_MOST_CUTS = 6

Check = Callable[[bytes, Sequence[int]], None]
Row = tuple[str, Check, tuple[bytes, ...], tuple[bytes, ...]]  # name, property, seeds and words of a target


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The pieces between the places, which may be any numbers."""
    within = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(within)]


def grains(data: bytes) -> list[bytes]:
    """Byte by byte."""
    return [data[i : i + 1] for i in range(len(data))]


def places_for(data: bytes) -> list[int]:
    """Cuts that depend on the input alone, so that one file reproduces a failure."""
    rng = random.Random(zlib.crc32(data))
    return [rng.randrange(len(data) + 1) for _ in range(rng.randrange(_MOST_CUTS))]


def places() -> st.SearchStrategy[list[int]]:
    """Cuts for hypothesis to shrink."""
    return st.lists(st.integers(0, LONGEST), max_size=_MOST_CUTS)


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """A few seeds one after the other, with pieces left out, put in, doubled or replaced."""
    data = b"".join(draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        put = draw(st.one_of(st.sampled_from(words), st.binary(max_size=4), st.just(data[at:end] * 2)))
        data = data[:at] + put + data[end:]
    return data[:LONGEST]
