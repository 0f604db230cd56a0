"""The catalogue's file: what it may say, everything that is refused, and that what is written is read back."""

import re
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from yescale.control.catalogue import format_conditions, name_unit, parse_conditions, unit_of
from yescale.control.catalogue_checks import Refused
from yescale.control.catalogue_diff import find_changes, show_changes
from yescale.control.catalogue_entries import as_rules
from yescale.control.catalogue_file import read_file, read_seed
from yescale.control.catalogue_text import write_catalogue
from yescale.control.seeding import catalogue_entry
from yescale.domain.ids import ModelName
from yescale.domain.money import NANO_PER_USD, RATIO_ONE
from yescale.domain.price import Condition
from yescale.domain.usage import Meter
from yescale.pricing.book import PriceBook, Unpriced
from yescale.pricing.quote import facts_of, quote

FAMILY = """
- provider: P
  owner: p
  group: default
  category: Chat
  endpoint: /v1/chat/completions
  operations: [chat]
  source: https://example.com/prices
  read: 2026-08-01
  models:
"""
GOOD = '    - {name: m, context: 1000, output: 100, price: {input_tokens: "1", output_tokens: "2"}}\n'


def refusal(text: str) -> str:
    with pytest.raises(Refused) as refused:
        read_file(text)
    return str(refused.value)


def test_every_seed_model_is_right_and_says_where_and_when_it_was_read() -> None:
    """Promise 40: a first start knows no model whose price could be mistaken for nothing."""
    seed = read_seed()
    assert len(seed) >= 150
    providers = {entry.owner for entry in seed}
    assert providers >= {
        "openai", "anthropic", "google", "deepseek", "xai", "mistral", "groq", "together", "fireworks", "moonshot",
        "zhipu", "qwen", "minimax", "volcengine", "siliconflow", "cerebras", "perplexity", "cohere", "jina", "voyage",
        "bedrock", "vertex",
    }  # fmt: skip
    rules = [rule for entry in seed for rule in as_rules(entry.name, entry.prices)]
    again = read_file(write_catalogue([catalogue_entry(entry) for entry in seed], rules))  # which checks all of it
    assert {entry.name for entry in again} == {entry.name for entry in seed}
    for entry in seed:
        assert re.fullmatch(r"https://\S+", entry.source), entry.name
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", entry.read), entry.name


def test_what_is_written_is_read_back_without_a_difference() -> None:
    seed = read_seed()
    rows = {entry.name: catalogue_entry(entry) for entry in seed}
    rules = {entry.name: as_rules(entry.name, entry.prices) for entry in seed}
    text = write_catalogue(rows.values(), [rule for some in rules.values() for rule in some])
    found = find_changes(read_file(text), rows, rules)
    assert show_changes(found, ()) == "The catalogue is as the file says.\n"
    assert write_catalogue(rows.values(), [rule for some in rules.values() for rule in some]) == text


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ('{name: m, context: 1, output: 1, price: {input_token: "1"}}', "m: .*input_token"),
        ('{name: m, context: 1, output: 1, price: {input_tokens: "-1", output_tokens: "1"}}', "m: '-1' is not an am"),
        ("{name: m, context: 1, output: 1, price: {input_tokens: 1, output_tokens: 1}}", "m: Expected `str`"),
        ('{name: m, output: 1, price: {input_tokens: "1", output_tokens: "1"}}', "m: say its `context` window"),
        ('{name: m, context: 1, price: {input_tokens: "1", output_tokens: "1"}}', "m: say its `context` window"),
        ("{name: m, context: 1, output: 1}", "m: it has no price"),
        ('{name: m, context: 1, output: 1, price: {input_tokens: "1"}}', "m: no price for output_tokens"),
        (
            '{name: m, context: 1, output: 1, when: {"service_tier = flex": {input_tokens: "1", output_tokens: "1"}}}',
            "m: no price for input_tokens holds in every case; m: no price for output_tokens",
        ),
        (
            '{name: m, context: 1, output: 1, price: {input_tokens: "1", output_tokens: "1"},'
            ' when: {"context_tokens > 5": {input_tokens: "2"}, "service_tier = flex": {input_tokens: "3"}}}',
            "m: two prices for input_tokens hold at the same time: context_tokens > 5, and service_tier = flex",
        ),
        ('{name: m, context: 1, output: 1, priced_as: n}', "m: it is priced as n, which has no price"),
        ('{name: m, context: 1, output: 1, priced_as: n, price: {requests: "1"}}', "m: it has prices and is priced as"),
        ('{name: m, operations: [image], when: {"size ~ 1": {images: "1"}}}', "m: 'size ~ 1' is no condition"),
        ('{name: m, operations: [image], when: {"size > x": {images: "1"}}}', "m: 'size > x' compares with"),
        ('{name: m, operations: [image], matrix: [{meter: images, by: [size], price: {1K: 1}}]}', "m: the price of si"),
        (
            '{name: m, operations: [image], matrix: [{meter: images, by: [size], price: {1K: {high: "1"}}}]}',
            "m: a matrix says by which facts",
        ),
        ('{name: m, operations: [image], source: "x", price: {images: "1"}}', "m: say its `source`"),
        ('{name: " ", operations: [image], price: {images: "1"}}', "a name has 1 to 128"),
        ('{name: m, context: 1, output: 1, cost: "1"}', "m: .*unknown field `cost`"),
    ],
)  # fmt: skip
def test_a_wrong_model_is_refused_by_its_name(model: str, words: str) -> None:
    """Promise 40."""
    assert re.search(words, refusal(FAMILY + GOOD.replace("name: m", "name: good") + f"    - {model}\n"))


def test_a_family_without_its_source_is_refused() -> None:
    assert "m: say its `source`" in refusal(FAMILY.replace("  read: 2026-08-01\n", "") + GOOD)
    assert "m: it stands there twice" in refusal(FAMILY + GOOD + GOOD)


@pytest.mark.parametrize("text", ["- [", "models: 1", "[1]", "\x00", "- {provider: P}"])
def test_what_is_no_catalogue_is_refused(text: str) -> None:
    assert refusal(text)


def test_a_matrix_becomes_a_row_for_each_cell() -> None:
    model = """    - name: pictures
      operations: [image]
      matrix:
        - meter: images
          by: [quality, size]
          price: {low: {1K: "0.02", 2K: "0.03"}, high: {1K: "0.2", 2K: "0.3"}}
        - {meter: requests, by: [duration], price: {5: "1", 10: "2"}}
"""
    (entry,) = read_file(FAMILY + model)
    book, name = PriceBook(as_rules(entry.name, entry.prices)), ModelName("pictures")
    assert len(entry.prices) == 6
    asked = {"quality": "high", "size": "2K", "duration": 10}
    usage = {Meter.IMAGES: 2, Meter.REQUESTS: 1}
    assert quote(book, name, usage, RATIO_ONE, facts_of(usage, said=asked)).total == 2_600_000_000
    for other in ({"quality": "high", "size": "4K"}, {"duration": 6}):
        with pytest.raises(Unpriced, match="pictures has no price for"):
            quote(book, name, usage, RATIO_ONE, facts_of(usage, said=asked | other))


def test_conditions_are_written_as_they_are_read() -> None:
    text = "context_tokens > 200000 & service_tier = flex"
    when = parse_conditions(text)
    assert when == (Condition("context_tokens", ">", 200_000), Condition("service_tier", "=", "flex"))
    assert format_conditions(when) == text


def test_a_unit_is_named() -> None:
    """Promise 17."""
    named = {meter: name_unit(meter, unit_of(meter)) for meter in Meter}
    assert named[Meter.INPUT_TOKENS] == "1,000,000 input tokens"
    assert named[Meter.CACHE_WRITE_1H_TOKENS] == "1,000,000 cache write (1 h) tokens"
    assert named[Meter.SECONDS] == "60 seconds"
    assert [named[meter] for meter in (Meter.REQUESTS, Meter.IMAGES, Meter.PAGES, Meter.WEB_SEARCHES)] == [
        "1 request", "1 image", "1 page", "1 web search",
    ]  # fmt: skip


def test_a_change_shows_what_was_and_what_will_be() -> None:
    (before,) = read_file(FAMILY + GOOD)
    rows, rules = {before.name: catalogue_entry(before)}, {before.name: as_rules(before.name, before.prices)}
    changed = GOOD.replace("output: 100", "output: 200, deprecated: true").replace(
        'input_tokens: "1"', 'input_tokens: "1.5"'
    )
    flex = changed.replace("}}\n", '}, when: {"service_tier = flex": {input_tokens: "0.5"}}}\n')
    new = GOOD.replace("name: m", "name: n")
    assert show_changes(find_changes(read_file(FAMILY + flex + new), rows, rules), ["x"]) == (
        "~ m\n"
        "    max_output: 100 -> 200\n"
        "    official_input: 1 USD -> 1.5 USD\n"
        "    is_deprecation: 0 -> 1\n"
        "    1 -> 1.5 USD for 1,000,000 input tokens\n"
        "    none -> 0.5 USD for 1,000,000 input tokens where service_tier = flex\n"
        "+ n\n"
        "    none -> 1 USD for 1,000,000 input tokens\n"
        "    none -> 2 USD for 1,000,000 output tokens\n"
        "1 not in the file, which stay as they are: x\n"
        "2 to change\n"
    )


def test_what_no_file_says_of_a_model_stays() -> None:
    (entry,) = read_file(FAMILY + GOOD)
    known = msgspec.structs.replace(catalogue_entry(entry), notes="ours", uptime=0, enabled=False, created_at=7)
    assert catalogue_entry(entry, known) == known
    assert entry.prices[0].price == NANO_PER_USD


def test_the_file_that_the_documentation_shows_is_right() -> None:
    page = (Path(__file__).parents[3] / "docs" / "prices.md").read_text()
    shown = page[page.index("    - provider: Ours") : page.index("`official` is the provider's")]
    entries = {entry.name: entry for entry in read_file(dedent(shown))}
    assert [len(entry.prices) for entry in entries.values()] == [8, 0, 4]
