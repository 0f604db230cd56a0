"""Where attempts go: built once per snapshot, and never of one for a call of another."""

from msgspec.structs import replace

from yescale.domain.ids import ChannelId, ModelName, ProviderId
from yescale.domain.money import RATIO_ONE
from yescale.domain.snapshot import Channel, Group, Model, Snapshot
from yescale.gateway.admission import NO_CEILING, Order
from yescale.gateway.relay.targets import Targets
from yescale.protocols.openai_chat import CHAT
from yescale.protocols.passthrough import Peek
from yescale.routing.table import Table

NAME = ModelName("m")


def order(secret: str) -> Order:
    channel = Channel(
        id=ChannelId(1), name="c", provider=ProviderId("openai_compatible"), base_url="http://h/v1", secrets=(secret,),
        models={NAME: "m"}, groups=("g",),
    )  # fmt: skip
    model = Model(name=NAME, priced_as=NAME, owner="o", created=0, context_window=0, max_output=0)
    group = Group(name="g", ratio=RATIO_ONE, ratio_id=1)
    table = Table(Snapshot(version=1, groups=(group,), models=(model,), channels=(channel,)))
    offer = table.offer("g", NAME, "chat", CHAT.id)
    assert offer is not None
    return Order(peek=Peek(model=NAME, prompt_tokens=1), offer=offer, ceiling=NO_CEILING, table=table, operation="chat")


def head(targets: Targets, asked: Order) -> bytes:
    target = targets.find(asked.offer.tiers[0].candidates[0], asked, CHAT.id, 0)
    assert target is not None
    return target.head


def test_a_call_of_an_older_snapshot_leaves_nothing_to_those_of_the_newer() -> None:
    old, new = order("sk-old-secret"), order("sk-new-secret")
    targets = Targets(new.table)
    assert b"sk-old-secret" in head(targets, old)
    assert b"sk-new-secret" in head(targets, new)
    assert b"sk-old-secret" in head(targets, old), "nor does it take theirs"


def test_a_target_is_built_once() -> None:
    asked = order("sk-secret")
    targets = Targets(asked.table)
    candidate = asked.offer.tiers[0].candidates[0]
    found = targets.find(candidate, asked, CHAT.id, 0)
    assert found is targets.find(candidate, replace(asked), CHAT.id, 0) is not None
