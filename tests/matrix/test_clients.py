"""Every client against every upstream format: what arrives, what the client understands, what is charged."""

from itertools import product

import pytest

from tests.matrix.capabilities import CAPABILITIES, Cell
from tests.matrix.clients import CLIENTS, NODE, Kind
from tests.matrix.figures import FULL, Result, note
from tests.matrix.house import House
from tests.matrix.upstreams import UPSTREAMS, Upstream

QUICK = (("text", True), ("tools", True), ("error", False))
ALL = tuple(product(CAPABILITIES, (False, True)))
MANNERS = {True: "stream", False: "whole"}


@pytest.mark.parametrize(("capability", "stream"), ALL if FULL else QUICK, ids=MANNERS.get)
@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
@pytest.mark.parametrize("kind", (*CLIENTS, *NODE) if FULL else CLIENTS, ids=lambda kind: kind.name)
def test_a_client_works_with_an_upstream(
    house: House, kind: Kind, upstream: Upstream, capability: str, stream: bool
) -> None:
    """Promise 27. Node's clients say their part of every run in tests/e2e/test_node_pairs.py."""
    client = kind.make(house.base_url, house.keys[upstream.name])
    cell = Cell(house=house, client=client, upstream=upstream, stream=stream, kind=kind)
    try:
        calls = CAPABILITIES[capability](cell)
    finally:
        client.close()
    lost = sorted({name for call in calls for name in call.row["losses"]})
    note(Result(client=kind.name, upstream=upstream.name, capability=capability, lost=lost))
