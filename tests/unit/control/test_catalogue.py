"""The catalogue seed and its prices, against the golden numbers of the contract (3.3)."""

from decimal import Decimal

import pytest

from yescale.control.catalogue import format_ratio, format_usd, parse_ratio, parse_usd
from yescale.control.catalogue_file import read_seed
from yescale.control.market import Market, compare, price_text
from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import quota_of
from yescale.domain.price import PriceRule
from yescale.domain.usage import Meter
from yescale.pricing.book import PriceBook, find_conflict
from yescale.pricing.quote import quote

SEED = {entry.name: entry for entry in read_seed()}
ONE = 1_000_000


def rules() -> list[PriceRule]:
    return [
        PriceRule(id=PriceId(0), model=entry.name, meter=row.meter, per=row.per, price=row.price, when=row.when)
        for entry in SEED.values()
        for row in entry.prices
    ]


@pytest.mark.parametrize(
    ("model", "usage", "ratio", "quota"),
    [
        ("gpt-4o", {Meter.INPUT_TOKENS: 9, Meter.OUTPUT_TOKENS: 12}, ONE, 71),
        ("gpt-4o-mini", {Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 500}, 1_500_000, 338),
        ("gpt-4.1", {Meter.INPUT_TOKENS: 1000, Meter.WEB_SEARCHES: 2}, ONE, 11_000),
        ("claude-3-5-sonnet-20241022", {Meter.INPUT_TOKENS: 100, Meter.OUTPUT_TOKENS: 50}, 1_750_000, 919),
        ("imagen4-fast", {Meter.REQUESTS: 1}, 1_250_000, 25_000),
        ("tts-1", {Meter.CHARACTERS: 11}, ONE, 83),
        ("whisper-1", {Meter.SECONDS: 60}, ONE, 15_000),
        ("text-embedding-3-small", {Meter.INPUT_TOKENS: 8}, ONE, 0),
        ("text-embedding-3-small", {Meter.INPUT_TOKENS: 1000}, ONE, 10),
    ],
)
def test_seed_prices_give_the_golden_numbers(model: str, usage: dict[Meter, int], ratio: int, quota: int) -> None:
    assert quota_of(quote(PriceBook(rules()), ModelName(model), usage, ratio).total) == quota


def test_every_model_is_priced_without_conflict_and_states_its_limits() -> None:
    book = PriceBook(rules())
    assert find_conflict(rules()) is None
    for entry in SEED.values():
        assert book.priced(entry.name), entry.name
        if "chat" in entry.operations:
            assert entry.context_window > 0, entry.name
            assert entry.max_output > 0, entry.name


def test_the_saving_of_imagen4_fast_is_the_documented_one() -> None:
    entry = SEED[ModelName("imagen4-fast")]
    saving = compare(Market(), entry.official[0].price, entry.prices[0].price, 1_250_000)
    assert (saving.official_vnd, saving.here_vnd, saving.percent) == (520, 400, Decimal("23.08"))
    assert price_text(Market(), entry.prices[0].price, 1_250_000) == "0.04 ~ 400 VND"
    assert saving.explain("").splitlines() == [
        "- Official price: 520 VND",
        "- YEScale price: 400 VND",
        "- Saving: 23.08%",
    ]


@pytest.mark.parametrize(("text", "nano"), [("2.5", 2_500_000_000), ("0.000000001", 1), ("0", 0), ("1e-3", 1_000_000)])
def test_dollars_are_exact(text: str, nano: int) -> None:
    assert parse_usd(text) == nano
    assert parse_usd(format_usd(nano)) == nano


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "NaN", "Infinity", "0.0000000001", "1.0000000000000000000000000000001", "1e99", "1000001"]
)
def test_what_is_no_exact_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="US dollars"):
        parse_usd(text)


def test_ratios_are_exact_millionths() -> None:
    assert parse_ratio("1.75") == 1_750_000
    assert format_ratio(1_250_000) == "1.25"
