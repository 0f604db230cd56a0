"""Quotes over HTTP: by usage, by the sketch of a call, by facts; and what is refused."""

from typing import Any

import httpx

from tests.integration.control.house import House, bearer

PICTURES = """
- provider: Ours
  owner: ours
  group: drawing
  category: Image
  endpoint: /v1/images/generations
  operations: [image]
  source: https://example.com/prices
  read: 2026-08-01
  models:
    - {name: pictures, matrix: [{meter: images, by: [quality, size], price: {low: {1K: "0.02"}, high: {1K: "0.2"}}}]}
    - {name: films, matrix: [{meter: requests, by: [duration], price: {5: "1", 10: "2"}}]}
"""


async def ask(house: House, **body: Any) -> httpx.Response:
    return await house.client.post("/api/v1/quotes", json=body, headers=bearer(house.note["access_key"]))


async def test_a_usage_is_quoted_exactly_with_its_unit_and_ratio(house: House) -> None:
    """Promise 17."""
    found = (await ask(house, model="claude-3-5-sonnet-20241022", usage={"input_tokens": 100})).json()
    assert (found["object"], found["kind"], found["group"], found["amount_nano"]) == (
        "quote",
        "exact",
        "claude",
        525_000,
    )
    assert found["lines"] == [
        {
            "meter": "input_tokens", "quantity": 100, "per": 1_000_000, "unit": "1,000,000 input tokens", "when": "",
            "price_usd": "3", "price_nano": 3_000_000_000, "ratio": "1.75", "amount_nano": 525_000,
        }
    ]  # fmt: skip


async def test_the_facts_of_a_usage_choose_its_rows(house: House) -> None:
    await house.operate("catalogue import", text=PICTURES)
    found = (await ask(house, model="pictures", usage={"images": 3}, facts={"quality": "high", "size": "1K"})).json()
    assert (found["amount_nano"], found["lines"][0]["when"]) == (750_000_000, "quality = high & size = 1K")
    for duration in (10, "10"):
        film = (await ask(house, model="films", usage={"seconds": 10}, facts={"duration": duration})).json()
        assert film["amount_nano"] == 2_500_000_000  # not multiplied by its seconds
    long = (await ask(house, model="gemini-2.5-pro", usage={"input_tokens": 200_001})).json()
    assert long["lines"][0]["when"] == "context_tokens > 200000"


async def test_the_sketch_of_a_call_is_quoted_at_its_dearest(house: House) -> None:
    call = {"prompt_tokens": 1_000, "max_tokens": 100, "n": 2}
    found = (await ask(house, model="gpt-4o", call=call)).json()
    assert found["kind"] == "ceiling"
    assert [(line["quantity"], line["when"]) for line in found["lines"]] == [
        (1_000, "service_tier = priority"),
        (200, "service_tier = priority"),
    ]
    assert found["amount_nano"] == 1_000 * 4_250 + 200 * 17_000
    open_end = (await ask(house, model="gpt-4o", call={"prompt_tokens": 1})).json()
    assert [line["quantity"] for line in open_end["lines"]] == [1, 16_384]
    assert [line["quantity"] for line in (await ask(house, model="rerank-v3.5", call=call)).json()["lines"]] == [1]


async def test_what_cannot_be_quoted_is_refused_by_its_name(house: House) -> None:
    await house.operate("catalogue import", text=PICTURES)
    await house.operate("model add", name="unpriced")
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"model": "none", "usage": {}}, 404, "model: there is no model 'none'"),
        ({"model": "unpriced", "usage": {"input_tokens": 1}}, 400, "model: 'unpriced' has no price"),
        ({"model": "films", "usage": {"requests": 1}}, 400, "usage: films has no price for requests"),
        ({"model": "films", "usage": {}, "facts": {"duration": 7}}, 400, "films has no price for requests"),
        ({"model": "gpt-4o", "usage": {"pages": 1}}, 400, "usage: gpt-4o has no price for pages"),
        ({"model": "gpt-4o", "group": "vip", "usage": {}}, 400, "group: there is no group 'vip'"),
        ({"model": "gpt-4o"}, 400, "usage: say either"),
        ({"model": "gpt-4o", "usage": {}, "call": {}}, 400, "usage: say either"),
        ({"model": "gpt-4o", "usage": {"input_tokens": -1}}, 400, ""),
        ({"model": "gpt-4o", "call": {"n": 0}}, 400, ""),
        ({"model": "gpt-4o", "usage": {}, "facts": {str(n): n for n in range(33)}}, 400, ""),
        ({"model": "gpt-4o", "usage": {}, "more": 1}, 400, ""),
    ]
    for body, status, words in cases:
        answer = await ask(house, **body)
        assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text
