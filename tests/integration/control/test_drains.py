"""Channels as an operator sets them."""

from typing import Any

import pytest

from tests.integration.control.house import House
from yescale.control.operations.refusals import OperationRefused

CHANNEL = {
    "name": "mine", "provider": "openai", "base_url": "http://127.0.0.1:1/v1", "secrets": ["s"],
    "models": {"gpt-4o": "gpt-4o"}, "groups": ["default"],
}  # fmt: skip


async def served(house: House, name: str) -> dict[str, Any]:
    """The channel as workers get it."""
    worker = await (await house.peer()).hello(None)
    channels = (await worker.next("publish"))["snapshot"]["channels"]
    return next(channel for channel in channels if channel["name"] == name)


async def test_how_far_a_channel_is_drained_is_set_with_it(house: House) -> None:
    """Promise 9: the policy is the channel's."""
    usual = await house.operate("channel add", **CHANNEL)
    assert (usual["drain_s"], usual["drain_cost"]) == (30.0, "0.05")
    own = await house.operate("channel add", **CHANNEL | {"name": "own", "drain_s": 0, "drain_cost": "0.001"})
    assert (own["drain_s"], own["drain_cost"]) == (0.0, "0.001")
    edited = await house.operate("channel edit", id=own["id"], drain_cost="2")
    assert (edited["drain_s"], edited["drain_cost"]) == (0.0, "2")
    channel = await served(house, "own")
    assert (channel["drain_s"], channel["drain_cost"]) == (0.0, 2_000_000_000)


@pytest.mark.parametrize("wrong", [{"drain_s": -1}, {"drain_s": 4_000}, {"drain_cost": "-1"}, {"drain_cost": "much"}])
async def test_a_drain_that_cannot_be_is_refused(house: House, wrong: dict[str, Any]) -> None:
    with pytest.raises(OperationRefused, match=next(iter(wrong))):
        await house.operate("channel add", **CHANNEL | wrong)
