"""The prompt cache: what is marked is written first and read again, for each account and model on its own."""

from collections.abc import Callable
from typing import Any

import httpx

Ask = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
LONG = "Long ago, in a land of sand, there was a box. " * 120


def marked(text: str, ttl: str | None = None) -> dict[str, Any]:
    mark = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
    return {"type": "text", "text": text, "cache_control": mark}


def counts(answer: httpx.Response) -> tuple[int, int, int]:
    """Read, written for five minutes, written for an hour; checked against the sums beside them."""
    usage = answer.json()["usage"]
    made = usage["cache_creation"]
    written = (made["ephemeral_5m_input_tokens"], made["ephemeral_1h_input_tokens"])
    assert usage["cache_creation_input_tokens"] == sum(written)
    return usage["cache_read_input_tokens"], *written


def test_a_marked_prefix_is_written_once_and_then_read(ask: Ask, recorded: Recorded, marker: str) -> None:
    system = [marked(marker + LONG)]
    read, written, _ = counts(ask(system=system))
    assert (read, written > 1024) == (0, True)
    again = ask(system=system, messages=[{"role": "user", "content": f"{marker} something else"}])
    assert counts(again) == (written, 0, 0)
    usage = recorded(marker)[-1]["usage"]
    assert (usage["cached_tokens"], usage["cache_write_tokens"]) == (written, 0)
    assert usage["prompt_tokens"] == written + again.json()["usage"]["input_tokens"]


def test_a_longer_prefix_reads_the_shorter_and_writes_the_rest(ask: Ask, marker: str) -> None:
    first = [{"role": "user", "content": [marked(marker + LONG)]}]
    _, written, _ = counts(ask(messages=first))
    more = [*first, {"role": "assistant", "content": "Go on."}, {"role": "user", "content": [marked(LONG)]}]
    read, rest, _ = counts(ask(messages=more))
    assert (read, rest > 1000) == (written, True)
    unmarked = [{"role": "user", "content": [{"type": "text", "text": marker + LONG}]}, *more[1:]]
    assert counts(ask(messages=unmarked)) == (written + rest, 0, 0)


def test_a_mark_looks_back_twenty_blocks_for_a_prefix_that_was_marked_before(ask: Ask, marker: str) -> None:
    _, written, _ = counts(ask(messages=[{"role": "user", "content": [marked(marker + LONG)]}]))

    def later(between: int) -> tuple[int, int, int]:
        plain = [{"type": "text", "text": text} for text in (marker + LONG, *("more" for _ in range(between)))]
        return counts(ask(messages=[{"role": "user", "content": [*plain, marked(f"the end {between}")]}]))

    read, rest, _ = later(19)
    assert (read, rest > 0) == (written, True)
    assert later(20)[0] == 0


def test_an_hour_and_five_minutes_are_counted_apart(ask: Ask, marker: str) -> None:
    system = [marked(marker + LONG, "1h"), marked(LONG, "5m")]
    read, short, long = counts(ask(system=system))
    assert read == 0
    assert long > short > 1024
    assert counts(ask(system=system)) == (short + long, 0, 0)


def test_what_is_too_short_or_not_marked_is_never_kept(ask: Ask, marker: str) -> None:
    for system in ([marked(marker)], [{"type": "text", "text": marker + LONG}]):
        assert [counts(ask(system=system)) for _ in range(2)] == [(0, 0, 0)] * 2
    system = [marked(marker + LONG)]
    assert counts(ask(system=system, model="claude-haiku-4-5")) == (0, 0, 0)


def test_models_and_accounts_have_caches_of_their_own(ask: Ask, marker: str) -> None:
    system = [marked(marker + LONG)]
    for changes in ({}, {"model": "claude-opus-4-1"}, {"headers": {"x-api-key": "sk-ant-sandbox-other"}}):
        assert counts(ask(system=system, **changes))[0] == 0
        assert counts(ask(system=system, **changes))[0] > 0


def test_one_mark_for_the_whole_request_stands_at_its_end(ask: Ask, marker: str) -> None:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": marker + LONG}, {"role": "user", "content": "x"}]}
    usage = ask(cache_control={"type": "ephemeral"}, **asked).json()["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (0, 0)
    assert ask(cache_control={"type": "ephemeral"}, **asked).json()["usage"]["cache_creation_input_tokens"] == 0


def test_a_reset_forgets_and_counting_keeps_nothing(ask: Ask, http: httpx.Client, marker: str) -> None:
    system = [marked(marker + LONG)]
    assert ask("messages/count_tokens", max_tokens=..., system=system).status_code == 200
    assert counts(ask(system=system))[1] > 0
    assert http.post("/__sandbox/reset").status_code == 200
    assert counts(ask(system=system))[1] > 0


def test_the_scenario_says_how_much_was_cached(ask: Ask) -> None:
    usage = ask(model="claude-sonnet-4-5+cached-50", system=LONG).json()["usage"]
    assert abs(usage["cache_read_input_tokens"] - usage["input_tokens"]) <= 1
