"""The page about Deepseek v3.1, at Ark and at DeepSeek itself (contract 11)."""

import pytest

from tests.e2e.pages import Caller, Json, Page, is_chat, is_chat_stream

V3_1 = "deepseek-v3-1-250821"
HELLO = [{"role": "user", "content": "Which is larger, 9.11 or 9.8?"}]


def cost(usage: Json, inward: int, cached: int, outward: int) -> int:
    read = usage["prompt_tokens_details"]["cached_tokens"]
    return (usage["prompt_tokens"] - read) * inward + read * cached + usage["completion_tokens"] * outward


def spoken(page: Page) -> list[str]:
    """What each piece of a stream is: of the answer, or of the thoughts."""
    deltas = [choice["delta"] for chunk in page.chunks for choice in chunk["choices"]]
    return [kind for delta in deltas for kind in ("reasoning_content", "content") if delta.get(kind)]


@pytest.mark.parametrize("thinking", ["enabled", "disabled", "auto"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_switch_of_thinking_passes_through(caller: Caller, thinking: str, stream: bool) -> None:
    more = {"max_tokens": 1_024, "temperature": 0.7, "thinking": {"type": thinking}}
    options: Json = {"stream_options": {"include_usage": True}} if stream else {}
    page = caller.chat(V3_1, HELLO, stream=stream, **more, **options)
    if stream:
        is_chat_stream(page, model=V3_1, usage=True)
        kinds = spoken(page)
        thought = "reasoning_content" in kinds
        assert kinds == sorted(kinds, reverse=True)  # thoughts first
        usage = page.chunks[-1]["usage"]
    else:
        assert is_chat(page.json, model=V3_1)
        message = page.json["choices"][0]["message"]
        assert message["content"]
        thought = bool(message.get("reasoning_content"))
        usage = page.json["usage"]
    if thinking != "auto":
        assert thought is (thinking == "enabled")
    assert bool(usage["completion_tokens_details"]["reasoning_tokens"]) is thought
    assert {name: page.up[name] for name in more} == more
    assert page.path == "/ark/api/v3/chat/completions"
    assert page.charged(cost(usage, 560, 112, 1_680))


def test_deepseek_tells_what_its_cache_had(caller: Caller) -> None:
    page = caller.chat("deepseek-chat+cached-50", HELLO, max_tokens=100)
    usage = page.json["usage"]
    hit = usage["prompt_cache_hit_tokens"]
    assert hit > 0
    assert hit + usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"]
    assert page.charged(cost(usage, 270, 70, 1_100))


@pytest.mark.parametrize("stream", [False, True])
def test_deepseeks_reasoner_thinks_before_it_answers(caller: Caller, stream: bool) -> None:
    page = caller.chat("deepseek-reasoner", HELLO, stream=stream, max_tokens=1_024)
    if stream:
        kinds = spoken(page)
        assert set(kinds) == {"reasoning_content", "content"}
        assert kinds == sorted(kinds, reverse=True)  # thoughts first
        assert page.events[-1] == ("", "[DONE]")
    else:
        assert is_chat(page.json, model="deepseek-reasoner")
        assert page.json["choices"][0]["message"]["reasoning_content"]
        assert page.charged(cost(page.json["usage"], 550, 140, 2_190))
    assert page.path == "/deepseek/chat/completions"


def test_thoughts_reach_a_client_of_claudes_format(caller: Caller) -> None:
    body = {
        "model": V3_1,
        "max_tokens": 2_048,
        "messages": HELLO,
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
    }
    page = caller.call("/v1/messages", body, {"x-api-key": caller.key})
    assert [block["type"] for block in page.json["content"]] == ["thinking", "text"]
    assert page.path == "/ark/api/v3/chat/completions"
    assert page.up["thinking"] == {"type": "enabled"}
