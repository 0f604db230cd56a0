"""What the fake Claude says, whole and as a stream, and what it counts."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.grammars import anthropic as grammar
from tests.sandbox.anthropic import bodies

Ask = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
THINKING = {"type": "enabled", "budget_tokens": 1024}
LOOK = {"name": "look", "input_schema": bodies.SCHEMA}


def user(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content[0] if len(content) == 1 else list(content)}]}


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "thinking": {"thinking": THINKING},
    "redacted": {"thinking": THINKING, **user("ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9")},
    "a tool": {"tools": [LOOK], **user("look there")},
    "tools": {"thinking": THINKING, "tools": [LOOK, {**LOOK, "name": "hear"}], **user("look and hear")},
    "a search": {"tools": [bodies.SEARCH], **user("search for snow")},
    "a fetch": {"tools": [bodies.FETCH], **user("fetch it")},
    "a citation": user({"type": "text", "text": "Which colour?"}, bodies.DOCUMENT),
    "a format": {"output_config": {"format": {"type": "json_schema", "schema": bodies.SCHEMA}}},
    "a stop": {"stop_sequences": ["a sandbox"]},
    "a limit": {"max_tokens": 5},
    "a limit in thinking": {"max_tokens": 1025, "thinking": THINKING, "model": "claude-sonnet-4-5+big-8"},
    "full": bodies.full(),
}
STYLES = ("", "+drip", "+done-only", "+tool-done-only", "+long-50", "+big-20", "+comment", "+usage-0", "+usage-huge")


@pytest.mark.parametrize("style", [*STYLES, "+refuse", "+filter", "+pause", "+cached-50", "+usage-each"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_stream_keeps_the_grammar_and_says_what_the_whole_says(ask: Ask, name: str, style: str) -> None:
    """promise 23"""
    asked = REQUESTS[name]
    model = f"{asked.get('model', 'claude-sonnet-4-5')}{style}"
    stream = ask(**{**asked, "model": model, "stream": True})
    whole = ask(**{**asked, "model": model, "stream": False}).json()
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    read = grammar.events(stream.content)
    assert grammar.faults(read) == []
    blocks = grammar.content(read)
    assert [cleaned(block) for block in blocks] == [cleaned(block) for block in whole["content"]]
    ending = read[-2].data
    assert ending["delta"]["stop_reason"] == whole["stop_reason"]
    assert ending["delta"]["stop_sequence"] == whole["stop_sequence"]
    assert ending["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    started = read[0].data["message"]
    assert (started["id"], started["model"]) == (whole["id"], whole["model"])


def cleaned(block: dict[str, Any]) -> dict[str, Any]:
    """A block without an empty list of citations."""
    return {name: value for name, value in block.items() if name != "citations" or value}


def test_the_answer_repeats_the_last_words_and_is_the_same_again(ask: Ask, marker: str) -> None:
    first, again = ask().json(), ask().json()
    assert first == again
    assert first["content"][0]["text"].startswith(f"You said: {marker}\n")
    assert (first["role"], first["type"], first["stop_reason"]) == ("assistant", "message", "end_turn")
    assert first["model"] == "claude-sonnet-4-5-20250929"


def test_thinking_comes_first_and_its_signature_is_taken_back_only_unchanged(ask: Ask, marker: str) -> None:
    made = ask(thinking=THINKING).json()
    thought, said = made["content"]
    assert 0 < made["usage"]["output_tokens_details"]["thinking_tokens"] < made["usage"]["output_tokens"]
    assert (thought["type"], said["type"]) == ("thinking", "text")

    def back(block: dict[str, Any]) -> httpx.Response:
        told = [{"role": "user", "content": marker}, {"role": "assistant", "content": [block, said]}]
        return ask(thinking=THINKING, messages=[*told, {"role": "user", "content": "and?"}])

    assert back(thought).status_code == 200
    for change in ({"thinking": thought["thinking"] + "!"}, {"signature": thought["signature"][:-2] + "AA"}):
        refused = back({**thought, **change})
        assert refused.status_code == 400
        assert refused.json()["error"]["message"] == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_redacted_thinking_is_taken_back_only_unchanged(ask: Ask) -> None:
    asked = REQUESTS["redacted"]
    hidden, said = ask(**asked).json()["content"]
    assert hidden["type"] == "redacted_thinking"
    for data, status in ((hidden["data"], 200), (hidden["data"][:-4] + "AAAA", 400)):
        told = [*asked["messages"], {"role": "assistant", "content": [{**hidden, "data": data}, said]}]
        assert ask(thinking=THINKING, messages=[*told, {"role": "user", "content": "and?"}]).status_code == status


def test_a_tool_is_called_and_its_answer_repeated(ask: Ask, marker: str) -> None:
    asked = user(f"look {marker}")["messages"]
    called = ask(tools=[LOOK], messages=asked).json()
    (call,) = called["content"]
    assert (call["type"], call["name"], called["stop_reason"]) == ("tool_use", "look", "tool_use")
    assert call["input"] == {"a": f"look {marker}"}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "seen it"}
    told = [*asked, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    said = ask(tools=[LOOK], messages=told).json()
    assert said["content"][0]["text"].startswith("The tool look answered: seen it")
    assert said["stop_reason"] == "end_turn"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("style", ["", "+drip", "+done-only", "+tool-done-only"])
def test_a_call_that_the_prompt_spells_out_is_made_exactly_so(ask: Ask, style: str, stream: bool) -> None:
    """promise 22"""
    text = 'Use look, please.\nsandbox-call: Bash {"command": "ls  -l \\u00e4", "n": 1.50}\n<more/>'
    tools = [LOOK, {"name": "Bash", "input_schema": {"type": "object"}}]
    answer = ask(model=f"claude-sonnet-4-5{style}", tools=tools, stream=stream, **user(text))
    blocks = grammar.content(grammar.events(answer.content)) if stream else answer.json()["content"]
    assert [(block["name"], block["input"]) for block in blocks] == [("Bash", {"command": "ls  -l ä", "n": 1.5})]


def test_what_is_spelled_out_for_a_tool_that_is_not_offered_calls_nothing(ask: Ask) -> None:
    answer = ask(tools=[LOOK], **user('look\nsandbox-call: Bash {"command": "ls"}')).json()
    assert [block["type"] for block in answer["content"]] == ["text"]


def test_the_choice_of_tools_is_obeyed(ask: Ask) -> None:
    tools = [LOOK, {**LOOK, "name": "hear"}]

    def called(text: str, **choice: Any) -> list[str]:
        blocks = ask(tools=tools, tool_choice=choice, **user(text)).json()["content"]
        return [block["name"] for block in blocks if block["type"] == "tool_use"]

    assert called("look and hear", type="auto") == ["look", "hear"]
    assert called("look and hear", type="auto", disable_parallel_tool_use=True) == ["look"]
    assert called("look and hear", type="none") == []
    assert called("nothing", type="any") == ["look"]
    assert called("nothing", type="tool", name="hear") == ["hear"]


def test_a_search_is_cited_counted_and_recorded(ask: Ask, recorded: Recorded, marker: str) -> None:
    answer = ask(tools=[bodies.SEARCH], **user(f"search {marker}")).json()
    use, found, _, cited = answer["content"]
    assert (use["type"], use["name"]) == ("server_tool_use", "web_search")
    assert (found["type"], found["tool_use_id"]) == ("web_search_tool_result", use["id"])
    assert {result["url"].split("/")[2] for result in found["content"]} == {"example.com"}
    assert cited["citations"][0]["url"] == found["content"][0]["url"]
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert recorded(marker)[-1]["usage"]["web_searches"] == 1
    told = [{"role": "user", "content": "x"}, {"role": "assistant", "content": answer["content"]}]
    assert ask(messages=[*told, {"role": "user", "content": "and?"}]).status_code == 200
    found["content"][0]["encrypted_content"] = "AAAA"
    refused = ask(messages=[*told, {"role": "user", "content": "and?"}])
    assert "messages.1.content.1.content.0: Invalid `encrypted_content`" in refused.text


def test_documents_are_cited_where_they_ask_for_it(ask: Ask) -> None:
    kinds = {"text": DOCUMENT_TEXT, "base64": DOCUMENT_PDF, "content": DOCUMENT_OWN}
    documents = [{"type": "document", "source": source, "citations": {"enabled": True}} for source in kinds.values()]
    blocks = ask(**user({"type": "text", "text": "x"}, *documents)).json()["content"]
    cited = [citation for block in blocks for citation in block.get("citations", [])]
    assert [one["type"] for one in cited] == ["char_location", "page_location", "content_block_location"]
    assert [one["document_index"] for one in cited] == [0, 1, 2]
    start, end = cited[0]["start_char_index"], cited[0]["end_char_index"]
    assert cited[0]["cited_text"] == DOCUMENT_TEXT["data"][start:end] == "Snow is white."
    told = [{"role": "user", "content": "x"}, {"role": "assistant", "content": blocks}]
    assert ask(messages=[*told, {"role": "user", "content": "and?"}]).status_code == 200


DOCUMENT_TEXT = {"type": "text", "media_type": "text/plain", "data": "Snow is white. Grass is green."}
DOCUMENT_PDF = {"type": "base64", "media_type": "application/pdf", "data": bodies.PDF}
DOCUMENT_OWN = {"type": "content", "content": [{"type": "text", "text": "Mine."}]}


def test_pictures_are_seen(ask: Ask) -> None:
    said = ask(**user({"type": "text", "text": "x"}, bodies.PICTURE)).json()["content"][0]["text"]
    assert "I see 1 image: image/png." in said


def test_a_format_is_kept(ask: Ask, marker: str) -> None:
    said = ask(**REQUESTS["a format"]).json()["content"][0]["text"]
    assert json.loads(said) == {"a": marker}


def test_the_reasons_to_stop(ask: Ask) -> None:
    def stopped(style: str = "", **asked: Any) -> tuple[str, str | None]:
        answer = ask(model=f"claude-sonnet-4-5{style}", **asked).json()
        return answer["stop_reason"], answer["stop_sequence"]

    assert stopped(stop_sequences=["zzz", "a sandbox"]) == ("stop_sequence", "a sandbox")
    assert stopped(max_tokens=5) == ("max_tokens", None)
    assert stopped("+refuse") == ("refusal", None)
    assert stopped("+filter") == ("refusal", None)
    assert stopped("+pause") == ("pause_turn", None)


def test_tokens_are_counted_as_they_are_charged(ask: Ask, recorded: Recorded, marker: str) -> None:
    asked = {**bodies.full(), "messages": [*bodies.full()["messages"], {"role": "user", "content": marker}]}
    charged = ask(**asked).json()["usage"]
    rest = {name: value for name, value in asked.items() if name not in NOT_COUNTED}
    counted = ask("messages/count_tokens", max_tokens=..., **rest).json()
    assert counted == {"input_tokens": charged["input_tokens"]}
    entry = recorded(marker)[0]
    assert entry["usage"]["prompt_tokens"] == charged["input_tokens"]
    assert entry["usage"] == entry["usage_reported"]


NOT_COUNTED = ("max_tokens", "stop_sequences", "stream", "top_p", "metadata", "service_tier", "container")


def test_models_are_listed_page_by_page(http: httpx.Client) -> None:
    first = http.get("/anthropic/v1/models", params={"limit": 4}).json()
    rest = http.get("/anthropic/v1/models", params={"after_id": first["last_id"]}).json()
    assert (len(first["data"]), first["has_more"], rest["has_more"]) == (4, True, False)
    before = http.get("/anthropic/v1/models", params={"before_id": rest["first_id"], "limit": 2}).json()
    assert [row["id"] for row in before["data"]] == [row["id"] for row in first["data"]][2:]
    one = http.get("/anthropic/v1/models/claude-opus-4-1").json()
    assert (one["id"], one["type"], one["max_tokens"]) == ("claude-opus-4-1-20250805", "model", 32_000)
    assert http.get("/anthropic/v1/models/gpt-4o").json()["error"]["type"] == "not_found_error"
    assert http.get("/anthropic/v1/models", params={"limit": 0}).status_code == 400
