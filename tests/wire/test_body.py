"""Bodies that are gathered: joined as they came, whole reads not copied before the join, small ones packed."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from yescale.wire.body import Body


@given(sizes=st.lists(st.sampled_from([1, 2, 100, 4095, 4096, 4097, 70_000, 700_000]), max_size=30))
def test_a_body_is_joined_as_it_came(sizes: list[int]) -> None:
    pieces = [bytes([n % 251]) * size for n, size in enumerate(sizes)]
    body = Body()
    for piece in pieces:
        body.add(piece)
    assert body.size == sum(sizes)
    assert body.take() == b"".join(pieces)


def test_one_read_is_handed_on_as_it_is() -> None:
    read = b"a" * 10_000
    body = Body()
    body.add(read)
    assert body.take() is read


def test_a_body_sent_byte_by_byte_takes_little_more_than_its_size() -> None:
    body = Body()
    for n in range(50_000):
        body.add(bytes([n % 256]))
    assert sum(sys.getsizeof(piece) for piece in body._pieces) < 100_000
    assert body.take() == bytes(range(256)) * 195 + bytes(range(80))


def test_a_dropped_body_keeps_nothing_and_goes_on_counting() -> None:
    body = Body()
    body.add(b"abc")
    body.drop()
    body.add(b"de")
    assert (body.size, body.take()) == (5, b"")
