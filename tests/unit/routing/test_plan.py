"""Routing: the index of a snapshot and the choice of a channel."""

from collections import Counter
from collections.abc import Collection
from random import Random

from yescale.domain.ids import ChannelId, ModelName, ProviderId
from yescale.domain.snapshot import Channel, Group, Model, Snapshot
from yescale.routing.plan import choose
from yescale.routing.table import Table

GPT = ModelName("gpt-4o")


class Known:
    """Health as the test says it."""

    def __init__(self, resting: Collection[int] = (), busy: dict[int, int] | None = None) -> None:
        self.unwell = {ChannelId(channel) for channel in resting}
        self.loads = {ChannelId(channel): calls for channel, calls in (busy or {}).items()}

    def resting(self, channel: ChannelId, now: float) -> bool:
        return channel in self.unwell


def channel(number: int, *, priority: int = 0, weight: int = 1, models: dict[ModelName, str] | None = None) -> Channel:
    return Channel(
        id=ChannelId(number), name=f"c{number}", provider=ProviderId("openai"), base_url="http://up", secrets=("s",),
        models=models or {GPT: "gpt-4o"}, groups=("g",), priority=priority, weight=weight,
    )  # fmt: skip


def model(name: str, priced_as: str | None = None) -> Model:
    return Model(
        name=ModelName(name),
        priced_as=ModelName(priced_as or name),
        owner="openai",
        created=0,
        context_window=0,
        max_output=0,
    )


def table(*channels: Channel, models: tuple[str, ...] = ("gpt-4o",)) -> Table:
    return Table(
        Snapshot(
            version=1,
            groups=(Group(name="g", ratio=1, ratio_id=1),),
            models=tuple(map(model, models)),
            channels=channels,
        )
    )


def picks(table: Table, health: Known, tried: Collection[ChannelId] = (), n: int = 2000) -> Counter[int]:
    rng = Random(1)
    found = [choose(table.tiers("g", GPT), health, 0.0, rng, tried) for _ in range(n)]
    return Counter(c.channel.id if c else 0 for c in found)


def test_the_highest_priority_goes_first_and_the_next_when_it_rests_or_was_tried() -> None:
    both = table(channel(1, priority=5), channel(2))
    assert set(picks(both, Known())) == {1}
    assert set(picks(both, Known(resting={1}))) == {2}
    assert set(picks(both, Known(), tried={ChannelId(1)})) == {2}
    assert set(picks(both, Known(resting={1, 2}))) == {0}


def test_weights_share_the_calls() -> None:
    shares = picks(table(channel(1, weight=9), channel(2, weight=1)), Known(busy={1: 9, 2: 1}), n=4000)
    assert 0.83 < shares[1] / 4000 < 1.0
    assert shares[2] > 0


def test_of_two_draws_the_less_busy_for_its_weight_wins() -> None:
    shares = picks(table(channel(1), channel(2)), Known(busy={1: 10}))
    assert shares[2] > 2 * shares[1]


def test_a_model_that_a_group_is_not_served_has_no_tiers() -> None:
    one = table(channel(1))
    assert one.tiers("other", GPT) == ()
    assert one.tiers("g", ModelName("gpt-9")) == ()


def test_a_wildcard_carries_the_suffix_to_the_provider() -> None:
    wild = table(channel(1, models={ModelName("gpt-4o+*"): "gpt-4o+*", GPT: "gpt-4o"}), models=("gpt-4o", "gpt-4o+*"))
    name = ModelName("gpt-4o+slow-50+cut-3")
    (tier,) = wild.tiers("g", name)
    assert tier.candidates[0].upstream_model == "gpt-4o+slow-50+cut-3"
    found = wild.model(name)
    assert found is not None
    assert found.name == name
    assert list(wild.names("g")) == ["gpt-4o"]
    assert wild.model(ModelName("gpt-4o+*")) is None
    assert wild.model(ModelName("gpt-5+x")) is None


def test_close_names_are_neighbours_of_the_mistake() -> None:
    one = table()
    names = ["claude-3", "gpt-4.1", "gpt-4o", "gpt-4o-mini", "o1"]
    assert one.close_names("gpt-4oo", names)[0] == "gpt-4o"
    assert one.close_names("zzz", names) == []
    assert len(one.close_names("gpt-4", names)) <= 3


def test_a_thinking_suffix_means_the_model_that_thinks() -> None:
    known = table(channel(1, models={GPT: "up", ModelName("gpt-4o+*"): "up+*"}), models=("gpt-4o", "gpt-4o+*"))
    (tier,) = known.tiers("g", ModelName("gpt-4o-thinking"))
    assert [(c.upstream_model, c.thinking) for c in tier.candidates] == [("up", True)]
    found = known.model(ModelName("gpt-4o-thinking"))
    assert found is not None
    assert (found.name, found.priced_as) == ("gpt-4o-thinking", "gpt-4o")
    (tier,) = known.tiers("g", ModelName("gpt-4o+slow-5-thinking"))
    assert [(c.upstream_model, c.thinking) for c in tier.candidates] == [("up+slow-5", True)]
    (tier,) = known.tiers("g", ModelName("gpt-4o+slow-5"))
    assert [(c.upstream_model, c.thinking) for c in tier.candidates] == [("up+slow-5", False)]
    assert known.tiers("g", ModelName("gpt-4o" + "-thinking" * 100_000)) == ()
    assert known.tiers("g", ModelName("other-thinking")) == ()
    assert known.model(ModelName("-thinking")) is None
    (tier,) = known.tiers("g", ModelName("gpt-4o+*-thinking"))
    assert [c.upstream_model for c in tier.candidates] == ["up+*-thinking"], "the wildcard itself is no model"


def test_a_model_that_is_called_thinking_is_itself() -> None:
    name = ModelName("kimi-k2-thinking")
    known = table(channel(1, models={name: "kimi"}), models=("kimi-k2-thinking",))
    (tier,) = known.tiers("g", name)
    assert [c.thinking for c in tier.candidates] == [False]
