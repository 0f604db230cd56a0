"""Prices under random catalogues and usages: a quote bounds what a call costs, and the quick path is the slow one."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.price import CONTEXT_TOKENS, SERVICE_TIER, Condition, PriceRule
from yescale.domain.snapshot import Model
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage
from yescale.pricing.book import PriceBook, find_conflict
from yescale.pricing.ceiling import Ask, explain_bound, find_tariff
from yescale.pricing.quote import facts_of, find_rates, quote, quote_at

NAME = ModelName("m")
MODEL = Model(name=NAME, priced_as=NAME, owner="o", created=0, context_window=10_000, max_output=1_000)
TIERS = ("", "flex", "priority", "fast")
TOKENS = sorted(INPUT_METERS | OUTPUT_METERS)

conditions = st.one_of(
    st.builds(Condition, st.just(SERVICE_TIER), st.just("="), st.sampled_from(TIERS[1:])),
    st.builds(Condition, st.just(CONTEXT_TOKENS), st.sampled_from([">", "<="]), st.integers(0, 5_000)),
)
amounts = st.one_of(st.integers(0, 50), st.integers(0, 10**12))
ratios = st.one_of(st.just(1_000_000), st.integers(1, 10**7))


@st.composite
def catalogues(draw: st.DrawFn) -> tuple[PriceRule, ...]:
    """One model: input and output without conditions, further meters and conditions at random, no conflict."""
    wanted = [(Meter.INPUT_TOKENS, ()), (Meter.OUTPUT_TOKENS, ())]
    if draw(st.booleans()):
        wanted.append((Meter.REQUESTS, ()))
    more = st.tuples(st.sampled_from(TOKENS), st.lists(conditions, max_size=2, unique_by=lambda c: c.attribute))
    wanted += [(meter, tuple(when)) for meter, when in draw(st.lists(more, max_size=8))]
    rows: list[PriceRule] = []
    for number, (meter, when) in enumerate(wanted, 1):
        per = draw(st.sampled_from([1, 1_000, 1_000_000]))
        row = PriceRule(id=PriceId(number), model=NAME, meter=meter, per=per, price=draw(amounts), when=when)
        if find_conflict([*rows, row]) is None:
            rows.append(row)
    return tuple(rows)


def split(draw: st.DrawFn, meters: Sequence[Meter], total: int) -> dict[Meter, int]:
    """Up to `total` tokens, spread over the meters."""
    usage: dict[Meter, int] = {}
    left = total
    for meter in draw(st.permutations(meters)):
        usage[meter] = draw(st.integers(0, left))
        left -= usage[meter]
    return usage


@st.composite
def calls(draw: st.DrawFn) -> tuple[Ask, Usage]:
    """What a call declares, and a usage within that."""
    ask = Ask(draw(st.integers(0, 10_000)), draw(st.one_of(st.none(), st.integers(0, 1_000))), draw(st.integers(1, 4)))
    most = MODEL.max_output if ask.declared is None else ask.declared
    inputs = split(draw, sorted(INPUT_METERS), ask.prompt_tokens)
    outputs = split(draw, sorted(OUTPUT_METERS), most * ask.n)
    return ask, {Meter.REQUESTS: 1, **inputs, **outputs}


@given(catalogues(), calls(), ratios, st.sampled_from(TIERS))
def test_no_call_within_its_limits_costs_more_than_its_quote(
    rules: tuple[PriceRule, ...], call: tuple[Ask, Usage], ratio: int, tier: str
) -> None:
    """Promise 17: of a metered call the quote is the most that it can cost, whatever tier serves it."""
    ask, usage = call
    book = PriceBook(rules)
    bound = explain_bound(book, MODEL, ask, ratio)
    assert quote(book, NAME, usage, ratio, facts_of(usage, tier)).total <= bound.total
    assert bound.total >= find_tariff(book, MODEL, ratio).bound(ask, 1).least


@given(catalogues(), calls(), ratios)
def test_the_quick_path_prices_as_the_slow_one(
    rules: tuple[PriceRule, ...], call: tuple[Ask, Usage], ratio: int
) -> None:
    """Promise 17: what is quoted and what is charged are one arithmetic."""
    _, usage = call
    book = PriceBook(rules)
    rates = find_rates(book, NAME, ratio)
    asks = any(condition.attribute == CONTEXT_TOKENS for rule in rules for condition in rule.when)
    assert (rates == {}) == asks
    if rates:
        assert quote_at(rates, usage) == quote(book, NAME, usage, ratio, facts_of(usage)).lines


@given(st.integers(0, 10**9), ratios, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_fixed_price_is_the_quote_and_the_charge_whatever_is_used(
    price: int, ratio: int, prompt: int, output: int
) -> None:
    """Promise 17: a price per call is never multiplied by what the call used."""
    book = PriceBook((PriceRule(id=PriceId(1), model=NAME, meter=Meter.REQUESTS, per=1, price=price),))
    usage = {Meter.REQUESTS: 1, Meter.INPUT_TOKENS: prompt, Meter.OUTPUT_TOKENS: output, Meter.SECONDS: prompt}
    bound = explain_bound(book, MODEL, Ask(prompt, output), ratio)
    charged = quote_at(find_rates(book, NAME, ratio), usage)
    assert charged is not None
    assert len(charged) == 1
    assert charged[0].amount == quote(book, NAME, {Meter.REQUESTS: 1}, ratio).total
    assert charged[0].amount <= bound.total <= charged[0].amount + 1  # a bound is rounded up, a charge half up
