"""OpenAI's Responses: what is answered, kept and streamed, also read by OpenAI's own client."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.grammars import openai_responses
from tests.grammars.frames import Frame, frames

PATH = "/openai/v1/responses"
SHAPE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
LOOK = {"type": "function", "name": "look", "parameters": SHAPE, "strict": True}
FREE = {"type": "custom", "name": "scribble"}
PNG = "data:image/png;base64,iVBORw0KGgoAAAA="

Respond = Callable[..., httpx.Response]


@pytest.fixture
def respond(http: httpx.Client, marker: str) -> Respond:
    """Post the smallest request for a response, changed by keywords."""
    return lambda **changes: http.post(PATH, json={"model": "gpt-4o", "input": marker, **changes})


def streamed(answer: httpx.Response) -> list[Frame]:
    """The frames of a stream whose grammar is right."""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    found = frames(answer.content)
    assert list(openai_responses.faults(found)) == []
    return found


def text_of(response: dict[str, Any]) -> str:
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


def names(found: list[Frame]) -> list[str]:
    return [frame.name.removeprefix("response.") for frame in found]


def test_the_answer_quotes_the_last_user_message_and_counts_its_tokens(respond: Respond, marker: str) -> None:
    body = respond().json()
    assert text_of(body).startswith(f"You said: {marker}\n")
    assert (body["object"], body["status"], body["model"]) == ("response", "completed", "gpt-4o-2024-08-06")
    usage = body["usage"]
    assert usage["input_tokens"] == 4 + -(-len(marker) // 4)
    assert usage["output_tokens"] == -(-len(text_of(body).encode()) // 4)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_a_stream_says_what_the_whole_answer_says(respond: Respond) -> None:
    found = streamed(respond(stream=True))
    last = found[-1].json()["response"]
    assert last["output"][0]["content"] == respond().json()["output"][0]["content"]
    assert names(found)[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert names(found)[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "gpt-5", "reasoning": {"effort": "high", "summary": "auto"}},
        {"input": "please look and scribble", "tools": [LOOK, FREE]},
        {"input": "search this", "tools": [{"type": "web_search"}]},
        {"model": "gpt-4o+refuse"},
        {"model": "gpt-4o+filter"},
        {"model": "gpt-4o+failed"},
        {"model": "gpt-4o+drip"},
        {"model": "gpt-4o+done-only", "input": "look", "tools": [LOOK]},
        {"model": "gpt-4o+tool-done-only", "input": "look", "tools": [LOOK]},
        {"model": "gpt-5", "max_output_tokens": 16},
        {"model": "gpt-5", "max_output_tokens": 40},
        {"input": "local_shell and shell and apply_patch", "tools": [{"type": "local_shell"}, {"type": "shell"}]},
        {"background": True},
        {"top_logprobs": 2, "include": ["message.output_text.logprobs"]},
    ],
)
def test_every_stream_keeps_the_grammar(respond: Respond, changes: dict[str, Any]) -> None:
    assert streamed(respond(stream=True, **changes))


def test_arguments_come_in_pieces_or_only_in_the_done_event(respond: Respond) -> None:
    """Promise 22: however they come, the call is the same."""
    calls: dict[str, tuple[int, int, Any]] = {}
    for scenario in ("", "+drip", "+done-only", "+tool-done-only"):
        found = streamed(respond(model=f"gpt-4o{scenario}", input="look at it", tools=[LOOK], stream=True))
        calls[scenario] = (
            names(found).count("function_call_arguments.delta"),
            names(found).count("function_call_arguments.done"),
            next(frame.json()["item"] for frame in found if frame.name == "response.output_item.done")["arguments"],
        )
    assert {call[2] for call in calls.values()} == {'{"a":"look at it"}'}
    assert [call[:2] for call in calls.values()] == [(2, 1), (len('{"a":"look at it"}'), 1), (0, 1), (0, 0)]


def test_usage_stands_in_every_terminal_event(respond: Respond) -> None:
    """Promise 7: also an answer that is incomplete or failed says what it used."""
    reasons = {}
    for model, most in (("gpt-4o", None), ("gpt-4o", 16), ("gpt-4o+filter", None), ("gpt-4o+failed", None)):
        last = streamed(respond(model=model, max_output_tokens=most, stream=True))[-1]
        response = last.json()["response"]
        reasons[last.name, (response["incomplete_details"] or {}).get("reason")] = response["usage"]["output_tokens"]
    assert set(reasons) == {
        ("response.completed", None),
        ("response.incomplete", "max_output_tokens"),
        ("response.incomplete", "content_filter"),
        ("response.failed", None),
    }
    assert reasons["response.incomplete", "max_output_tokens"] == 16
    assert all(reasons.values())


def test_an_error_in_the_middle_has_its_number(respond: Respond) -> None:
    found = streamed(respond(model="gpt-4o+error-4", stream=True))
    assert (found[-1].name, found[-1].json()["sequence_number"], len(found)) == ("error", 4, 5)


def test_a_cut_stream_has_no_terminal_event(respond: Respond) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        respond(model="gpt-4o+cut-4", stream=True)


def test_reasoning_is_sealed_and_opened_again(respond: Respond) -> None:
    asked = {"model": "gpt-5", "include": ["reasoning.encrypted_content"], "store": False}
    first = respond(**asked).json()
    assert first["usage"]["output_tokens_details"]["reasoning_tokens"] == 32
    thought = first["output"][0]
    assert thought["encrypted_content"].startswith("gAAAA")
    history = [{"role": "user", "content": "x"}, *first["output"], {"role": "user", "content": "y"}]
    assert text_of(respond(**asked, input=history).json()).startswith("You said: y\n")
    thought["encrypted_content"] = thought["encrypted_content"][:-6] + "AAAA=="
    refused = respond(**asked, input=history)
    assert refused.json()["error"]["code"] == "invalid_encrypted_content"


def test_a_conversation_goes_on_from_a_stored_response(respond: Respond, http: httpx.Client) -> None:
    first = respond(input="look", tools=[LOOK]).json()
    call = first["output"][0]
    silent = respond(input="and?", previous_response_id=first["id"])
    assert silent.json()["error"]["message"] == f"No tool output found for function call {call['call_id']}."
    answer = [{"type": "function_call_output", "call_id": call["call_id"], "output": "a tree"}]
    second = respond(input=answer, previous_response_id=first["id"]).json()
    assert text_of(second).startswith("The tool look answered: a tree")
    listed = http.get(f"{PATH}/{second['id']}/input_items").json()
    assert [(item["type"], item["output"]) for item in listed["data"]] == [("function_call_output", "a tree")]


def test_an_item_may_be_named_instead_of_repeated(respond: Respond) -> None:
    first = respond(input="look", tools=[LOOK]).json()
    call = first["output"][0]
    items = [
        {"type": "item_reference", "id": call["id"]},
        {"type": "function_call_output", "call_id": call["call_id"], "output": "x"},
    ]
    assert text_of(respond(input=items).json()).startswith("The tool look answered: x")
    unknown = respond(input=[{"type": "item_reference", "id": "fc_none"}], store=False)
    assert unknown.status_code == 404
    assert "Items are not persisted when `store` is set to false." in unknown.json()["error"]["message"]


def test_a_stored_response_is_read_and_deleted_by_its_own_key_alone(respond: Respond, http: httpx.Client) -> None:
    made = respond().json()
    assert http.get(f"{PATH}/{made['id']}").json() == made
    stranger = http.get(f"{PATH}/{made['id']}", headers={"authorization": "Bearer sk-sandbox-another"})
    assert stranger.status_code == 404
    gone = http.delete(f"{PATH}/{made['id']}").json()
    assert gone == {"id": made["id"], "object": "response", "deleted": True}
    assert http.get(f"{PATH}/{made['id']}").status_code == 404
    assert http.get(f"{PATH}/{respond(store=False).json()['id']}").status_code == 404


def test_a_response_in_the_background_is_polled_or_cancelled(respond: Respond, http: httpx.Client) -> None:
    made = respond(background=True).json()
    assert (made["status"], made["output"], made["usage"]) == ("queued", [], None)
    states = [http.get(f"{PATH}/{made['id']}").json()["status"] for _ in range(3)]
    assert states == ["in_progress", "completed", "completed"]
    other = respond(background=True, user="another").json()
    assert http.post(f"{PATH}/{other['id']}/cancel").json()["status"] == "cancelled"
    assert http.get(f"{PATH}/{other['id']}").json()["status"] == "cancelled"
    assert http.post(f"{PATH}/{made['id']}/cancel").status_code == 400


def test_a_search_is_told_cited_and_counted(respond: Respond, recorded: Callable[..., Any], marker: str) -> None:
    respond(input=f"search {marker}", tools=[{"type": "web_search"}])
    assert recorded(marker)[-1]["usage"]["web_searches"] == 1
    body = respond(input="search it", tools=[{"type": "web_search"}], include=["web_search_call.action.sources"]).json()
    assert [item["type"] for item in body["output"]] == ["web_search_call", "message"]
    part = body["output"][1]["content"][0]
    cited = part["annotations"][0]
    assert part["text"][cited["start_index"] : cited["end_index"]] == f"[{cited['title']}]({cited['url']})"
    assert body["output"][0]["action"]["sources"] == [{"type": "url", "url": cited["url"]}]


def test_every_kind_of_tool_is_called_in_its_own_form(respond: Respond) -> None:
    tools = [
        *(LOOK, FREE, {"type": "local_shell"}, {"type": "apply_patch"}),
        {"type": "namespace", "name": "inner", "description": "d", "tools": [{**LOOK, "name": "peek"}]},
    ]
    said = "look scribble local_shell apply_patch peek"
    output = respond(input=said, tools=tools).json()["output"]
    assert [item["type"] for item in output] == [
        *("function_call", "custom_tool_call", "local_shell_call", "apply_patch_call", "function_call"),
    ]
    assert output[1]["input"] == said
    assert output[2]["action"]["command"] == [said]
    assert output[3]["operation"]["type"] == "update_file"
    assert output[4]["namespace"] == "inner"
    one = respond(input=said, tools=tools, parallel_tool_calls=False).json()["output"]
    assert [item["name"] for item in one] == ["look"]


def test_a_prompt_may_dictate_its_calls(respond: Respond) -> None:
    lines = 'sandbox-call: look {"a":"there"}\nsandbox-call: scribble {"input":"*** Begin"}'
    output = respond(input=lines, tools=[LOOK, FREE]).json()["output"]
    assert (output[0]["arguments"], output[1]["input"]) == ('{"a":"there"}', "*** Begin")


def test_the_choice_of_a_tool_is_kept(respond: Respond) -> None:
    forced = respond(tools=[LOOK, FREE], tool_choice={"type": "custom", "name": "scribble"}).json()["output"]
    assert [item["type"] for item in forced] == ["custom_tool_call"]
    none = respond(input="look", tools=[LOOK], tool_choice="none").json()["output"]
    assert [item["type"] for item in none] == ["message"]


CODEX = {
    "model": "gpt-5-codex",
    "instructions": "You are a coding tool.",
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "apply_patch"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I shall."}]},
        {"type": "local_shell_call", "call_id": "c1", "status": "completed", "action": {"type": "exec", "command": []}},
        {"type": "function_call_output", "call_id": "c1", "output": "ok"},
    ],
    "tools": [
        {"type": "local_shell"},
        {"type": "web_search", "external_web_access": False},
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "d",
            "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'},
        },
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "a-thread",
    "text": {"verbosity": "low"},
    "client_metadata": {"x-codex-installation-id": "i"},
}


def test_the_request_of_the_codex_command_line_is_taken(http: httpx.Client) -> None:
    found = streamed(http.post(PATH, json=CODEX))
    assert text_of(found[-1].json()["response"]).startswith("The tool local_shell answered: ok")


class Thing(BaseModel):
    name: str
    parts: list[str]


def test_the_official_client_reads_parses_and_streams(sdk: OpenAI, marker: str) -> None:
    made = sdk.responses.create(model="gpt-5", input=marker, reasoning={"effort": "low", "summary": "auto"})
    assert made.output_text.startswith(f"You said: {marker}")
    assert made.usage is not None
    assert made.usage.output_tokens_details.reasoning_tokens == 16
    parsed = sdk.responses.parse(model="gpt-4o", input=marker, text_format=Thing)
    assert parsed.output_parsed == Thing(name=marker, parts=[marker])
    tools: list[Any] = [LOOK]
    with sdk.responses.stream(model="gpt-4o", input="look", tools=tools) as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert [event.name for event in events if event.type == "response.function_call_arguments.done"] == ["look"]
    assert kinds.count("response.function_call_arguments.done") == 1
    assert json.loads(str(final.output[0].to_dict()["arguments"])) == {"a": "look"}
    assert sdk.responses.retrieve(final.id).id == final.id
    assert [item.type for item in sdk.responses.input_items.list(final.id)] == ["message"]
    sdk.responses.delete(final.id)


# The change of a good request, then status, param, code and the words of the answer.
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
ASK = {"role": "user", "content": "hi"}
REFUSED: list[tuple[dict[str, Any], int, str | None, str | None, str]] = [
    ({"bogus": 1}, 400, "bogus", "unknown_parameter", "Unknown parameter: 'bogus'."),
    ({"messages": [ASK]}, 400, "messages", "unknown_parameter", "Unknown parameter: 'messages'."),
    ({"input": []}, 400, None, "missing_required_parameter", 'One of "input" or "previous_response_id"'),
    ({"input": [{"type": "x"}]}, 400, "input[0].type", "invalid_value", "Invalid value: 'x'. Supported values are:"),
    (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        *(
            400,
            "input[0].content[0].type",
            "invalid_value",
            "Invalid value: 'text'. Supported values are: 'input_text'",
        ),
    ),
    (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        *(400, "input[0].content[0].type", "invalid_value", "Supported values are: 'output_text' and 'refusal'."),
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        400,
        "tools[0].name",
        *("missing_required_parameter", "Missing required parameter: 'tools[0].name'."),
    ),
    ({"max_output_tokens": 15}, 400, "max_output_tokens", "integer_below_min_value", "Expected a value >= 16"),
    (
        {"model": "gpt-5", "temperature": 0.2},
        400,
        "temperature",
        "unsupported_parameter",
        "is not supported with this model",
    ),
    (
        {"reasoning": {"effort": "low"}},
        400,
        "reasoning.effort",
        "unsupported_parameter",
        "is not supported with this model",
    ),
    (
        {"include": ["reasoning.encrypted_content"]},
        400,
        "include",
        None,
        "Encrypted content is not supported with this model.",
    ),
    (
        {"previous_response_id": "resp_none"},
        400,
        "previous_response_id",
        "previous_response_not_found",
        "Previous response with id 'resp_none' not found.",
    ),
    (
        {"previous_response_id": "r", "conversation": "c"},
        400,
        None,
        "mutually_exclusive_parameters",
        "Mutually exclusive",
    ),
    ({"conversation": "conv_1"}, 404, "conversation", None, "Conversation with id 'conv_1' not found."),
    ({"input": [ASK, CALL]}, 400, "input", None, "No tool output found for function call call_1."),
    (
        {"input": [ASK, {"type": "function_call_output", "call_id": "call_9", "output": "x"}]},
        *(400, "input", None, "No tool call found for function call output with call_id call_9."),
    ),
    (
        {
            "model": "gpt-5",
            "store": False,
            "input": [ASK, {"type": "reasoning", "summary": [], "encrypted_content": "gAAAforeignDQ=="}],
        },
        *(400, None, "invalid_encrypted_content", "The encrypted content gAAA...DQ== could not be verified."),
    ),
    ({"text": {"format": {"type": "json_object"}}}, 400, "input", None, "must contain the word 'json'"),
    (
        {"text": {"format": {"type": "json_schema", "name": "t", "strict": True, "schema": {"type": "object"}}}},
        *(400, "text.format.schema", "invalid_json_schema", "'additionalProperties' is required"),
    ),
    ({"tool_choice": {"type": "function", "name": "x"}}, 400, "tool_choice", None, "not found in 'tools' parameter."),
    ({"background": True, "store": False}, 400, "background", None, "require 'store' to be true."),
    ({"model": "gpt-5-none"}, 404, None, "model_not_found", "does not exist or you do not have access to it."),
    (
        {"input": "word " * 120_000},
        400,
        "input",
        "context_length_exceeded",
        "exceeds the context window of this model.",
    ),
]


@pytest.mark.parametrize(("changes", "status", "param", "code", "words"), REFUSED)
def test_faults_are_refused_in_openais_words(
    respond: Respond, changes: dict[str, Any], status: int, param: str | None, code: str | None, words: str
) -> None:
    answer = respond(**changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    assert words in error["message"]


def test_truncation_drops_what_is_oldest(respond: Respond, marker: str) -> None:
    history = [{"role": "user", "content": "word " * 120_000}, {"role": "user", "content": marker}]
    assert text_of(respond(input=history, truncation="auto").json()).startswith(f"You said: {marker}")
