"""Tool calls and structured output: what is generated validates against the schema that was given."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import pytest

Chat = Callable[..., httpx.Response]
PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 3, "maxLength": 12},
        "unit": {"type": "string", "enum": ["c", "f"]},
        "days": {"type": "integer", "minimum": 3, "maximum": 7},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
    },
    "required": ["city", "unit", "days", "tags"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": PLACE, "strict": True}},
    {"type": "function", "function": {"name": "get_time"}},
]


def asks(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "tools": TOOLS}


def choice(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]


def test_a_tool_whose_name_is_said_is_called_with_valid_arguments(chat: Chat, marker: str) -> None:
    made = choice(chat(**asks(f"{marker} get_weather please")))
    assert (made["finish_reason"], made["message"]["content"]) == ("tool_calls", None)
    call = made["message"]["tool_calls"][0]
    assert (call["type"], call["function"]["name"]) == ("function", "get_weather")
    assert call["id"].startswith("call_")
    jsonschema.validate(json.loads(call["function"]["arguments"]), PLACE)


def test_several_named_tools_are_called_at_once_unless_that_is_forbidden(chat: Chat, marker: str) -> None:
    both = asks(f"{marker} get_weather get_time")
    assert [call["function"]["name"] for call in choice(chat(**both))["message"]["tool_calls"]] == [
        "get_weather",
        "get_time",
    ]
    assert len(choice(chat(**both, parallel_tool_calls=False))["message"]["tool_calls"]) == 1


def test_the_choice_of_tools_is_obeyed(chat: Chat, marker: str) -> None:
    quiet = asks(marker)
    assert "tool_calls" not in choice(chat(**quiet))["message"]
    assert (
        choice(chat(**quiet, tool_choice="required"))["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    )
    assert "tool_calls" not in choice(chat(**asks("get_time"), tool_choice="none"))["message"]
    named = choice(chat(**quiet, tool_choice={"type": "function", "function": {"name": "get_time"}}))
    assert named["message"]["tool_calls"][0]["function"]["name"] == "get_time"
    assert named["finish_reason"] == "stop"
    one = {"type": "function", "function": {"name": "get_time"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [one]}}
    made = choice(chat(**quiet, tool_choice=allowed))
    assert (made["message"]["tool_calls"][0]["function"]["name"], made["finish_reason"]) == ("get_time", "tool_calls")


def test_the_answer_after_a_tool_quotes_its_result(chat: Chat, marker: str) -> None:
    first = choice(chat(**asks(f"{marker} get_weather")))["message"]
    result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": f"sun {marker}"}
    messages = [*asks(f"{marker} get_weather")["messages"], first, result]
    made = choice(chat(messages=messages, tools=TOOLS))
    assert made["message"]["content"].startswith(f"The tool get_weather answered: sun {marker}")
    assert made["finish_reason"] == "stop"


def test_a_custom_tool_gets_free_text(chat: Chat, marker: str) -> None:
    made = choice(chat(tools=[{"type": "custom", "custom": {"name": "run"}}], tool_choice="required"))
    call = made["message"]["tool_calls"][0]
    assert (call["type"], call["custom"]) == ("custom", {"name": "run", "input": f"run: {marker}"})


def test_legacy_functions_are_called_too(chat: Chat, marker: str) -> None:
    functions = [{"name": "get_weather", "parameters": PLACE}]
    made = choice(chat(messages=[{"role": "user", "content": f"{marker} get_weather"}], functions=functions))
    assert made["finish_reason"] == "function_call"
    assert made["message"]["function_call"]["name"] == "get_weather"
    jsonschema.validate(json.loads(made["message"]["function_call"]["arguments"]), PLACE)
    forced = choice(chat(functions=functions, function_call={"name": "get_weather"}))
    assert (forced["finish_reason"], "function_call" in forced["message"]) == ("stop", True)
    again = {"role": "assistant", "content": None, "function_call": made["message"]["function_call"]}
    result = {"role": "function", "name": "get_weather", "content": "rain"}
    messages = [{"role": "user", "content": marker}, again, result]
    answered = choice(chat(messages=messages, functions=functions))["message"]["content"]
    assert answered.startswith("The tool get_weather answered: rain")


def test_a_token_limit_cuts_the_arguments(chat: Chat, marker: str) -> None:
    made = choice(chat(**asks(f"{marker} get_weather"), max_tokens=5))
    assert made["finish_reason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(made["message"]["tool_calls"][0]["function"]["arguments"])


SCHEMAS: dict[str, dict[str, Any]] = {
    "strict": PLACE,
    "nullable": {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}, "b": {"anyOf": [{"type": "null"}, {"type": "number"}]}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    "recursive": {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/node"}},
        "required": ["tree"],
        "additionalProperties": False,
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["value", "next", "children"],
                "additionalProperties": False,
            }
        },
    },
    "bounds": {
        "type": "object",
        "properties": {
            "a": {"type": "number", "exclusiveMinimum": 1, "maximum": 1.5},
            "b": {"type": "integer", "multipleOf": 5, "minimum": 11},
            "c": {"type": "integer", "maximum": -3},
            "d": {"type": "number", "minimum": -2, "exclusiveMaximum": -1},
            "e": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
            "f": {"type": "array", "items": {"type": "string"}, "maxItems": 0},
            "g": {"const": 4},
            "h": {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "minItems": 2},
        },
        "required": ["a", "b", "c", "d", "e", "f", "g", "h"],
    },
    "formats": {
        "type": "object",
        "properties": {
            "when": {"type": "string", "format": "date-time"},
            "id": {"type": "string", "format": "uuid"},
            "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "long": {"type": "string", "minLength": 300},
        },
        "required": ["when", "id", "code", "long"],
    },
    "unions": {
        "type": "object",
        "properties": {
            "all": {
                "allOf": [
                    {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
                    {"$ref": "#/definitions/y"},
                ]
            },
            "one": {"oneOf": [{"type": "boolean"}, {"type": "string"}]},
        },
        "required": ["all", "one"],
        "definitions": {"y": {"type": "object", "properties": {"y": {"type": "boolean"}}, "required": ["y"]}},
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_structured_output_validates_against_its_schema(chat: Chat, name: str) -> None:
    strict = name in {"strict", "nullable", "recursive"}
    form = {"type": "json_schema", "json_schema": {"name": name, "schema": SCHEMAS[name], "strict": strict}}
    made = choice(chat(response_format=form))
    value = json.loads(made["message"]["content"])
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMAS[name], format_checker=checker).validate(value)


def test_free_strings_of_structured_output_carry_the_prompt(chat: Chat, marker: str) -> None:
    shape = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": shape, "strict": True}}
    assert json.loads(choice(chat(response_format=form))["message"]["content"]) == {"a": marker}


def test_json_mode_answers_with_an_object(chat: Chat, marker: str) -> None:
    said = f"{marker} as JSON"
    made = choice(chat(messages=[{"role": "user", "content": said}], response_format={"type": "json_object"}))
    assert json.loads(made["message"]["content"])["you_said"] == said


@pytest.mark.parametrize("style", ["", "+drip", "+done-only", "+tool-done-only"])
def test_a_call_that_the_prompt_spells_out_is_made_exactly_so(chat: Chat, style: str) -> None:
    """promise 22"""
    tools = [{"type": "function", "function": {"name": name}} for name in ("look", "Bash")]
    text = 'look\nsandbox-call: Bash {"command": "ls  -l"}\n  sandbox-call: look {}\nsandbox-call: other {}'
    asked: dict[str, Any] = {"tools": tools, "messages": [{"role": "user", "content": text}]}
    calls = chat(model=f"gpt-4o{style}", **asked).json()["choices"][0]["message"]["tool_calls"]
    made = [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
    assert made == [("Bash", '{"command": "ls  -l"}'), ("look", "{}")]
    one = chat(model=f"gpt-4o{style}", parallel_tool_calls=False, **asked).json()["choices"][0]["message"]
    assert [call["function"]["name"] for call in one["tool_calls"]] == ["Bash"]
    answered = [
        *asked["messages"],
        {"role": "assistant", "tool_calls": one["tool_calls"]},
        {"role": "tool", "tool_call_id": one["tool_calls"][0]["id"], "content": "seen"},
    ]
    said = chat(model=f"gpt-4o{style}", tools=tools, messages=answered).json()["choices"][0]["message"]["content"]
    assert said.startswith("The tool Bash answered: seen")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_system_words_behind_the_users_do_not_hide_the_calls_that_he_spells_out(chat: Chat, role: str) -> None:
    said = [{"role": "user", "content": 'sandbox-call: Bash {"command": "ls"}'}, {"role": role, "content": "Be kind."}]
    tools = [{"type": "function", "function": {"name": "Bash"}}]
    (call,) = choice(chat(messages=said, tools=tools))["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"command": "ls"}'
