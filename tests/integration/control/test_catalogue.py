"""The catalogue as a file in a running control: exported, compared, imported in one version, refused as a whole."""

from typing import Any

import pytest

from tests.integration.control.house import House
from tests.integration.control.parties import read_rows
from yescale.control.operations import OperationRefused
from yescale.store.tables import models, prices

NEW = """
- provider: Ours
  owner: ours
  group: default
  category: Chat
  endpoint: /v1/chat/completions
  operations: [chat]
  source: https://example.com/prices
  read: 2026-08-01
  models:
    - {name: ours-1, context: 1000, output: 100, released: 2026-07-01,
       price: {input_tokens: "1", output_tokens: "2"},
       when: {"service_tier = flex": {input_tokens: "0.5", output_tokens: "1"}}}
    - {name: ours-latest, context: 1000, output: 100, released: 2026-07-01, priced_as: ours-1}
"""


async def rows_of(house: House, model: str) -> list[Any]:
    found = await read_rows(house.context.database, prices.select().where(prices.c.model == model))
    return [row for row in found if row["superseded_ms"] is None]


async def test_what_is_exported_is_imported_without_a_change(house: House) -> None:
    exported = (await house.operate("catalogue export"))["text"]
    assert (await house.operate("catalogue diff", text=exported))["text"] == "The catalogue is as the file says.\n"
    before = await read_rows(house.context.database, prices.select())
    done = await house.operate("catalogue import", text=exported)
    assert (done["changed"], done["imported"]) == ([], True)
    assert await read_rows(house.context.database, prices.select()) == before


async def test_an_import_is_one_version_of_the_snapshot(house: House) -> None:
    """Promise 40."""
    worker = await house.worker()
    said = await house.operate("catalogue diff", text=NEW)
    assert said["changed"] == ["ours-1", "ours-latest"]
    assert "none -> 0.5 USD for 1,000,000 input tokens where service_tier = flex" in said["text"]
    assert (await house.operate("catalogue import", text=NEW, dry_run=True)) == said
    assert await rows_of(house, "ours-1") == []
    assert (await house.operate("catalogue import", text=NEW))["changed"] == said["changed"]
    snapshot = (await worker.next("publish", count=2))["snapshot"]
    named = {model["name"]: model for model in snapshot["models"]}
    assert (named["ours-1"]["max_output"], named["ours-latest"]["priced_as"]) == (100, "ours-1")
    assert len([rule for rule in snapshot["prices"] if rule["model"] == "ours-1"]) == 4
    assert "gpt-4o" in named  # which the file does not hold


async def test_changed_prices_are_superseded_and_others_stay(house: House) -> None:
    await house.operate("catalogue import", text=NEW)
    before = {row["id"] for row in await rows_of(house, "ours-1")}
    others = await rows_of(house, "gpt-4o")
    await house.operate("model disable", name="ours-1")
    changed = NEW.replace('price: {input_tokens: "1"', 'price: {input_tokens: "1.5"')
    said = await house.operate("catalogue import", text=changed)
    assert said["changed"] == ["ours-1"]
    assert "1 -> 1.5 USD for 1,000,000 input tokens" in said["text"]
    after = await rows_of(house, "ours-1")
    assert before.isdisjoint(row["id"] for row in after)
    assert {row["price"] for row in after} == {1_500_000_000, 2_000_000_000, 500_000_000, 1_000_000_000}
    stored = await read_rows(house.context.database, prices.select().where(prices.c.model == "ours-1"))
    assert len(stored) == 8  # superseded, never edited: settled calls name them
    assert await rows_of(house, "gpt-4o") == others
    rows = await read_rows(house.context.database, models.select().where(models.c.name == "ours-1"))
    assert [(row["enabled"], row["source"], row["read_on"]) for row in rows] == [
        (False, "https://example.com/prices", "2026-08-01")
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (NEW.replace('price: {input_tokens: "1", output_tokens: "2"},\n', ""), "ours-1: no price for input_tokens"),
        (NEW.replace("ours-1}", "none}"), "ours-latest: it is priced as none, which has no price"),
        (NEW.replace("group: default", "group: nobody"), "ours-1: there is no group 'nobody'"),
        (NEW.replace('"0.5"', "'-1'"), "ours-1: '-1' is not an amount of US dollars"),
        (NEW[:-9], "the file is no YAML"),
    ],
)
async def test_a_wrong_file_changes_nothing(house: House, wrong: str, words: str) -> None:
    """Promise 40."""
    await house.operate("catalogue import", text=NEW)
    before = (
        await read_rows(house.context.database, prices.select()),
        await read_rows(house.context.database, models.select()),
    )
    for operation in ("catalogue import", "catalogue diff"):
        with pytest.raises(OperationRefused, match=words):
            await house.operate(operation, text=wrong.replace("output: 100", "output: 99"))
    after = (
        await read_rows(house.context.database, prices.select()),
        await read_rows(house.context.database, models.select()),
    )
    assert before == after
