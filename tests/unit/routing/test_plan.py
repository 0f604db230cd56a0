"""Routing: the index of a snapshot and the choice of a channel."""

from collections import Counter
from collections.abc import Collection
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from yescale.domain.ids import ChannelId, ModelName, ProtocolId, ProviderId
from yescale.domain.snapshot import Channel, Group, Model, Snapshot
from yescale.routing.plan import choose
from yescale.routing.table import Table

GPT = ModelName("gpt-4o")


class Known:
    """Health as the test says it."""

    def __init__(
        self,
        resting: Collection[int] = (),
        busy: dict[int, int] | None = None,
        full: Collection[int] = (),
        speeds: dict[int, float] | None = None,
    ) -> None:
        self.by_speed = speeds is not None
        self.speeds = {(ChannelId(channel), "gpt-4o"): speed for channel, speed in (speeds or {}).items()}
        self.unwell = {ChannelId(channel) for channel in (*resting, *full)}
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


def test_a_full_channel_is_left_out_as_if_it_rested() -> None:
    both = table(channel(1, priority=5), channel(2))
    assert set(picks(both, Known(full={1}))) == {2}
    assert set(picks(both, Known(full={1}, resting={2}))) == {0}


def test_where_speed_counts_the_one_that_answers_sooner_wins_for_its_load() -> None:
    two = table(channel(1), channel(2))
    assert picks(two, Known(speeds={1: 0.2, 2: 1.0}))[1] > 1_400
    assert picks(two, Known(speeds={1: 0.2, 2: 1.0}, busy={1: 9}))[2] > 1_400
    assert picks(two, Known(speeds={1: 0.2}))[2] > 1_400, "one that was never measured is tried"
    assert picks(two, Known(speeds={1: 0.2, 2: 1.0}))[2] > 200, "and the slow one measured again"


def stuck(known: Table, health: Known, stick: int) -> int:
    found = choose(known.tiers("g", GPT), health, 0.0, Random(stick), (), stick)
    assert found is not None
    return found.channel.id


def test_a_conversation_goes_where_it_went_while_that_is_well_and_not_crowded() -> None:
    three = table(channel(1), channel(2), channel(3, weight=2))
    firsts = {stick: stuck(three, Known(), stick) for stick in range(1, 400)}
    shares = Counter(firsts.values())
    assert 60 < shares[1] < 140
    assert 60 < shares[2] < 140
    assert 150 < shares[3] < 250
    away = {stick: stuck(three, Known(resting={2}), stick) for stick in firsts}
    assert all(away[stick] == first for stick, first in firsts.items() if first != 2)
    assert 2 not in away.values()
    crowded = {stick: stuck(three, Known(busy={1: 50, 2: 1, 3: 1}), stick) for stick in firsts}
    assert 1 not in crowded.values()
    assert {stick: stuck(three, Known(busy={1: 7}), stick) for stick in firsts} == firsts


Fleet = list[tuple[int, int]]
FLEETS = st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 5)), min_size=1, max_size=8)
SETS = st.sets(st.integers(1, 8))


def fleet(ranks: Fleet) -> list[Channel]:
    return [channel(n, priority=priority, weight=weight) for n, (priority, weight) in enumerate(ranks, 1)]


@given(FLEETS, SETS, SETS, SETS, st.integers(0, 2**64 - 1))
def test_never_a_tried_one_while_another_is_eligible(
    ranks: Fleet, tried: set[int], resting: set[int], full: set[int], stick: int
) -> None:
    """promise 21: whoever is chosen is eligible, of the highest priority that has anyone; else nobody is."""
    channels = fleet(ranks)
    found = choose(
        table(*channels).tiers("g", GPT),
        Known(resting=resting, full=full),
        0.0,
        Random(stick),
        {ChannelId(n) for n in tried},
        stick,
    )
    eligible = [c for c in channels if c.id not in tried | resting | full]
    assert (found is None) == (not eligible)
    if found is not None:
        assert found.channel in eligible
        assert found.channel.priority == max(c.priority for c in eligible)


@given(FLEETS, st.integers(0, 2**64 - 1))
def test_a_call_that_fails_everywhere_tries_each_channel_once(ranks: Fleet, stick: int) -> None:
    """promise 21"""
    known, tried = table(*fleet(ranks)), list[ChannelId]()
    while (found := choose(known.tiers("g", GPT), Known(), 0.0, Random(1), tried, stick)) is not None:
        assert found.channel.id not in tried
        tried.append(found.channel.id)
    assert len(tried) == len(ranks)


@given(FLEETS, st.integers(1, 5), st.integers(1, 2**64 - 1))
def test_a_channel_that_is_added_moves_conversations_to_itself_alone(ranks: Fleet, weight: int, stick: int) -> None:
    before = [channel(n, weight=rank[1]) for n, rank in enumerate(ranks, 1)]
    added = channel(100, weight=weight)
    first, second = stuck(table(*before), Known(), stick), stuck(table(*before, added), Known(), stick)
    assert second in (first, 100)


@given(st.lists(st.sampled_from(["openai", "anthropic", "unheard-of"]), min_size=1, max_size=6), SETS)
def test_native_speakers_come_before_translators_of_the_same_priority(providers: list[str], resting: set[int]) -> None:
    channels = [replace(channel(n), provider=ProviderId(name)) for n, name in enumerate(providers, 1)]
    known = table(*channels, models=("gpt-4o",))
    offer = known.offer("g", GPT, "chat", ProtocolId("openai.chat"))
    assert offer is not None
    found = choose(offer.tiers, Known(resting=resting), 0.0, Random(1))
    awake = {name for n, name in enumerate(providers, 1) if n not in resting}
    assert (found is None) == (not awake)
    if found is not None and "openai" in awake:
        assert found.channel.provider == "openai"


def test_an_alias_is_served_and_priced_as_its_model() -> None:
    alias = replace(model("mine"), alias_of=GPT)
    known = table(channel(1, models={GPT: "up"}), models=("gpt-4o",))
    known = Table(replace(known.snapshot, models=(*known.snapshot.models, alias, replace(alias, name=ModelName("x")))))
    found = known.model(ModelName("mine"))
    assert found is not None
    assert (found.name, found.priced_as) == ("mine", "gpt-4o")
    assert known.tiers("g", ModelName("mine")) == known.tiers("g", GPT)
    assert list(known.names("g")) == ["gpt-4o", "mine", "x"]


def test_an_alias_of_nothing_or_of_an_alias_is_no_model() -> None:
    bad = [replace(model("a"), alias_of=ModelName("gone")), replace(model("b"), alias_of=ModelName("a"))]
    known = table(channel(1))
    known = Table(replace(known.snapshot, models=(*known.snapshot.models, *bad)))
    assert known.model(ModelName("a")) is None
    assert known.model(ModelName("b")) is None


def test_a_wide_name_of_a_channel_serves_all_of_the_catalogue_that_begin_so() -> None:
    wide = {ModelName("gpt-*"): "azure-*", ModelName("gpt-4o*"): "own-*", ModelName("gpt-4o"): "best"}
    known = table(channel(1, models=wide), models=("gpt-4o", "gpt-4o-mini", "gpt-5", "o1"))
    served = {name: known.tiers("g", name)[0].candidates[0].upstream_model for name in known.names("g")}
    assert served == {"gpt-4o": "best", "gpt-4o-mini": "own--mini", "gpt-5": "azure-5"}
    assert known.tiers("g", ModelName("o1")) == ()
    assert known.tiers("g", ModelName("gpt-9")) == (), "it is not in the catalogue: it would have no price"
