"""Ceilings: no usage within a call's limits costs more than what it was admitted against."""

from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Model
from yescale.domain.usage import Meter
from yescale.pricing.book import PriceBook
from yescale.pricing.ceiling import Ask, Ceiling, find_tariff
from yescale.pricing.quote import quote

NAME = ModelName("m")
MODEL = Model(name=NAME, priced_as=NAME, owner="o", created=0, context_window=1000, max_output=500)


def book(prompt: int, output: int, cached: int = 0, request: int = 0) -> PriceBook:
    rows = [
        (Meter.INPUT_TOKENS, prompt, 1000),
        (Meter.OUTPUT_TOKENS, output, 1000),
        (Meter.CACHE_READ_TOKENS, cached, 1000),
    ]
    rows += [(Meter.REQUESTS, request, 1)] if request else []
    return PriceBook(
        PriceRule(id=PriceId(i), model=NAME, meter=meter, per=per, price=price)
        for i, (meter, price, per) in enumerate(rows)
    )


def ceiling(prices: PriceBook, ratio: int, ask: Ask, least_output: int) -> Ceiling:
    return find_tariff(prices, MODEL, ratio).bound(ask, least_output)


def test_a_declared_limit_is_reserved_whole() -> None:
    found = ceiling(book(1000, 4000), 1_000_000, Ask(10, declared=100, n=2), 1024)
    assert found.least == found.most == 10 + 100 * 2 * 4


def test_an_undeclared_limit_is_reserved_between_a_floor_and_the_models_maximum() -> None:
    found = ceiling(book(1000, 4000), 1_500_000, Ask(10), 64)
    assert (found.least, found.most) == (15 + 64 * 6, 15 + 500 * 6)


def test_a_grant_pays_for_the_output_that_it_covers() -> None:
    found = ceiling(book(1000, 4000), 1_000_000, Ask(10, n=3), 8)
    tokens = found.output_tokens(10 + 12 * 25 + 11)
    assert tokens == 25
    assert found.output_tokens(0) == 0


def test_calls_without_output_cost_their_prompt() -> None:
    found = ceiling(book(1000, 4000), 1_000_000, Ask(10, outputs=False), 1024)
    assert found.least == found.most == 10


@given(
    st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**5),
    st.integers(1, 10**7), st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 8), st.data(),
)  # fmt: skip
def test_no_usage_within_the_limits_costs_more_than_the_ceiling(
    price: int, output: int, cached: int, request: int, ratio: int, prompt: int, limit: int, n: int, data: st.DataObject
) -> None:
    prices = book(price, output, cached, request)
    most = ceiling(prices, ratio, Ask(prompt, declared=limit, n=n), 1024).most
    from_cache = data.draw(st.integers(0, prompt))
    thought = data.draw(st.integers(0, limit * n))
    usage = {
        Meter.REQUESTS: 1,
        Meter.CACHE_READ_TOKENS: from_cache,
        Meter.INPUT_TOKENS: prompt - from_cache,
        Meter.REASONING_TOKENS: thought,
        Meter.OUTPUT_TOKENS: limit * n - thought,
    }
    # Each line may round up by half; the ceiling rounds up per direction.
    assert quote(prices, NAME, usage, ratio).total <= most + 2
