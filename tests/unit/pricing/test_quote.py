"""Quotes: the contract's golden numbers, rounding, conditions and fallbacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import NANO_PER_USD, RATIO_ONE, Nano, quota_balance, quota_of
from yescale.domain.price import Condition, PriceRule
from yescale.domain.usage import Meter, Usage
from yescale.pricing.book import PriceBook, Unpriced, find_conflict
from yescale.pricing.quote import facts_of, find_rates, quote, quote_at

MILLION = 1_000_000
MODEL = ModelName("m")


def rule(meter: Meter, price: Nano, per: int = MILLION, when: tuple[Condition, ...] = (), row: int = 1) -> PriceRule:
    return PriceRule(id=PriceId(row), model=MODEL, meter=meter, per=per, price=price, when=when)


def usd(text: str) -> Nano:
    whole, _, part = text.partition(".")
    return int(whole) * NANO_PER_USD + int(part.ljust(9, "0"))


# Contract section 3.3: (input price, output price per million in USD), usage, group ratio, quota.
GOLDEN: dict[str, tuple[tuple[PriceRule, ...], Usage, str, int]] = {
    "gpt-4o 9/12": (
        (rule(Meter.INPUT_TOKENS, usd("2.5")), rule(Meter.OUTPUT_TOKENS, usd("10"))),
        {Meter.INPUT_TOKENS: 9, Meter.OUTPUT_TOKENS: 12},
        "1",
        71,
    ),
    "gpt-4o-mini 1000/500 openaivip": (
        (rule(Meter.INPUT_TOKENS, usd("0.15")), rule(Meter.OUTPUT_TOKENS, usd("0.6"))),
        {Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 500},
        "1.5",
        338,
    ),
    "claude-3-5-sonnet 100/50": (
        (rule(Meter.INPUT_TOKENS, usd("3")), rule(Meter.OUTPUT_TOKENS, usd("15"))),
        {Meter.INPUT_TOKENS: 100, Meter.OUTPUT_TOKENS: 50},
        "1.75",
        919,
    ),
    "imagen4-fast": ((rule(Meter.REQUESTS, usd("0.04"), per=1),), {Meter.REQUESTS: 1}, "1.25", 25_000),
    "tts-1 11 characters": ((rule(Meter.CHARACTERS, usd("15")),), {Meter.CHARACTERS: 11}, "1", 83),
    "whisper-1 60 s": ((rule(Meter.SECONDS, usd("0.03"), per=60),), {Meter.SECONDS: 60}, "1", 15_000),
    "embedding 8 tokens": ((rule(Meter.INPUT_TOKENS, usd("0.02")),), {Meter.INPUT_TOKENS: 8}, "1", 0),
    "embedding 1000 tokens": ((rule(Meter.INPUT_TOKENS, usd("0.02")),), {Meter.INPUT_TOKENS: 1000}, "1", 10),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_numbers_hold_at_the_quota_edge(case: str) -> None:
    rules, usage, ratio, quota = GOLDEN[case]
    total = quote(PriceBook(rules), MODEL, usage, usd(ratio) // 1000).total
    assert quota_of(total) == quota


def test_a_tiny_charge_is_no_quota_but_stays_in_nano() -> None:
    rules, usage, _, _ = GOLDEN["embedding 8 tokens"]
    assert quote(PriceBook(rules), MODEL, usage, RATIO_ONE).total == 160


def test_quota_rounds_half_away_from_zero_and_balances_round_down() -> None:
    assert [quota_of(n) for n in (999, 1000, -999, -1000, 3000)] == [0, 1, 0, -1, 2]
    assert [quota_balance(n) for n in (1999, 2000, 0)] == [0, 1, 0]


def test_each_line_explains_its_amount() -> None:
    book = PriceBook((rule(Meter.INPUT_TOKENS, usd("2.5"), row=7),))
    (line,) = quote(book, MODEL, {Meter.INPUT_TOKENS: 3}, 1_500_000).lines
    assert (line.rule, line.quantity, line.per, line.price, line.ratio) == (7, 3, MILLION, usd("2.5"), 1_500_000)
    assert line.amount == 11_250


def test_a_meter_without_a_row_is_priced_as_the_one_that_contains_it() -> None:
    book = PriceBook((rule(Meter.INPUT_TOKENS, 1000, 1, row=1), rule(Meter.OUTPUT_TOKENS, 5000, 1, row=2)))
    usage = {Meter.CACHE_READ_TOKENS: 2, Meter.CACHE_WRITE_1H_TOKENS: 3, Meter.REASONING_TOKENS: 4}
    lines = quote(book, MODEL, usage, RATIO_ONE).lines
    assert [(line.rule, line.amount) for line in lines] == [(1, 2000), (1, 3000), (2, 20_000)]


def test_usage_without_any_price_is_refused() -> None:
    book = PriceBook((rule(Meter.INPUT_TOKENS, 1),))
    with pytest.raises(Unpriced, match="web_searches"):
        quote(book, MODEL, {Meter.WEB_SEARCHES: 1}, RATIO_ONE)
    with pytest.raises(Unpriced):
        quote(book, ModelName("other"), {Meter.INPUT_TOKENS: 1}, RATIO_ONE)


def test_a_price_per_request_covers_the_tokens() -> None:
    book = PriceBook((rule(Meter.REQUESTS, 500, 1),))
    usage = {Meter.INPUT_TOKENS: 9, Meter.OUTPUT_TOKENS: 9, Meter.REQUESTS: 1}
    assert quote(book, MODEL, usage, RATIO_ONE).total == 500


def test_the_most_specific_rule_whose_conditions_hold_wins() -> None:
    long = (Condition("context_tokens", ">", 200_000),)
    book = PriceBook((rule(Meter.INPUT_TOKENS, 1000, 1, row=1), rule(Meter.INPUT_TOKENS, 2000, 1, long, row=2)))
    usage = {Meter.INPUT_TOKENS: 1}
    assert quote(book, MODEL, usage, RATIO_ONE, {"context_tokens": 200_000}).total == 1000
    assert quote(book, MODEL, usage, RATIO_ONE, {"context_tokens": 200_001}).total == 2000
    assert quote(book, MODEL, usage, RATIO_ONE).total == 1000


def test_two_rules_that_could_price_the_same_use_are_a_conflict() -> None:
    up, down = Condition("context_tokens", ">", 10), Condition("context_tokens", "<=", 10)
    a, b = rule(Meter.INPUT_TOKENS, 1, when=(up,), row=1), rule(Meter.INPUT_TOKENS, 1, when=(down,), row=2)
    assert find_conflict((a, b)) is None
    assert (
        find_conflict((a, rule(Meter.INPUT_TOKENS, 1, when=(Condition("context_tokens", ">", 5),), row=3))) is not None
    )
    assert find_conflict((a, rule(Meter.OUTPUT_TOKENS, 1, when=(up,), row=3))) is None
    hd, sd = Condition("resolution", "=", "hd"), Condition("resolution", "=", "sd")
    assert find_conflict((rule(Meter.IMAGES, 1, when=(hd,)), rule(Meter.IMAGES, 1, when=(sd,)))) is None
    assert find_conflict((rule(Meter.IMAGES, 1), rule(Meter.IMAGES, 2))) is not None


def test_where_two_rules_meet_a_third_with_both_their_conditions_decides() -> None:
    long, flex = Condition("context_tokens", ">", 10), Condition("service_tier", "=", "flex")
    rows = [
        rule(Meter.INPUT_TOKENS, 100, 1, row=1),
        rule(Meter.INPUT_TOKENS, 200, 1, (long,), row=2),
        rule(Meter.INPUT_TOKENS, 50, 1, (flex,), row=3),
    ]
    assert find_conflict(rows) == (rows[1], rows[2])
    rows.append(rule(Meter.INPUT_TOKENS, 90, 1, (long, flex), row=4))
    assert find_conflict(rows) is None
    book = PriceBook(rows)
    usage = {Meter.INPUT_TOKENS: 11}
    totals = {tier: quote(book, MODEL, usage, RATIO_ONE, facts_of(usage, tier)).total for tier in ("", "flex", "other")}
    assert totals == {"": 2200, "flex": 990, "other": 2200}


def test_a_call_that_was_served_as_usual_is_priced_by_rates_where_only_its_tier_matters() -> None:
    flex, usual = Condition("service_tier", "=", "flex"), Condition("service_tier", "=", "default")
    book = PriceBook((
        rule(Meter.INPUT_TOKENS, 100, 1, row=1),
        rule(Meter.INPUT_TOKENS, 50, 1, (flex,), row=2),
        rule(Meter.OUTPUT_TOKENS, 7, 1, (usual,), row=3),
        rule(Meter.OUTPUT_TOKENS, 9, 1, row=4),
    ))  # fmt: skip
    usage = {Meter.INPUT_TOKENS: 3, Meter.OUTPUT_TOKENS: 2}
    lines = quote_at(find_rates(book, MODEL, RATIO_ONE), usage)
    assert lines == quote(book, MODEL, usage, RATIO_ONE, facts_of(usage)).lines
    assert lines is not None
    assert [line.amount for line in lines] == [300, 14]


def test_a_model_whose_price_asks_for_the_size_of_the_prompt_has_no_rates() -> None:
    long = Condition("context_tokens", ">", 10)
    book = PriceBook((rule(Meter.INPUT_TOKENS, 100, 1, row=1), rule(Meter.INPUT_TOKENS, 200, 1, (long,), row=2)))
    assert find_rates(book, MODEL, RATIO_ONE) == {}


@given(st.integers(0, 10**9), st.integers(0, 10**12), st.integers(1, 10**6), st.integers(1, 10**7))
def test_a_line_is_within_half_a_nano_of_the_exact_product(count: int, price: int, per: int, ratio: int) -> None:
    total = quote(PriceBook((rule(Meter.INPUT_TOKENS, price, per),)), MODEL, {Meter.INPUT_TOKENS: count}, ratio).total
    exact, scale = count * price * ratio, per * RATIO_ONE
    assert abs(2 * (total * scale - exact)) <= scale
