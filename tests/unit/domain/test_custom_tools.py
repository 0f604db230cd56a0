"""Custom tools as functions, and their calls back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from yescale.domain.chat import HostedTool, Tool
from yescale.domain.content import ToolCall
from yescale.domain.custom_tools import INPUT_SCHEMA, as_function, custom_names, restore, unwrap_input, wrap_input


@given(st.text())
def test_text_survives_being_wrapped(text: str) -> None:
    assert unwrap_input(wrap_input(text)) == text
    assert json.loads(wrap_input(text)) == {"input": text}


@pytest.mark.parametrize("arguments", ["", "plain", '{"input":1}', '{"input":"a","more":1}', '["input"]', "{" * 2_000])
def test_what_is_not_wrapped_is_the_text_itself(arguments: str) -> None:
    assert unwrap_input(arguments) == arguments


@pytest.mark.parametrize(
    "grammar",
    [
        b'{"type":"grammar","syntax":"lark","definition":"start: X"}',
        b'{"type":"grammar","grammar":{"syntax":"lark","definition":"start: X"}}',
    ],
)
def test_a_grammar_is_put_into_words(grammar: bytes) -> None:
    tool = as_function(Tool(name="patch", description="Edits.", custom=True, grammar=Raw(grammar)))
    assert (tool.custom, tool.grammar, tool.parameters) == (False, None, INPUT_SCHEMA)
    assert tool.description.startswith("Edits.")
    assert "lark" in tool.description
    assert "start: X" in tool.description


@pytest.mark.parametrize("grammar", [None, Raw(b'{"type":"text"}'), Raw(b"[]")])
def test_without_a_grammar_only_the_description_stays(grammar: Raw | None) -> None:
    assert as_function(Tool(name="x", description="d", custom=True, grammar=grammar)).description == "d"


def test_a_function_stays_as_it_is() -> None:
    tool = Tool(name="f", parameters=Raw(b"{}"))
    assert as_function(tool) is tool


def test_a_call_is_restored_only_where_the_client_has_such_a_custom_tool() -> None:
    names = custom_names((Tool(name="patch", custom=True), Tool(name="f"), HostedTool(kind="other", origin=None)))
    assert names == {"patch"}
    call = ToolCall(id="1", name="patch", arguments='{"input":"x"}')
    assert restore(call, names) == ToolCall(id="1", name="patch", arguments="x", custom=True)
    assert restore(call, frozenset()) is call
    free = ToolCall(id="1", name="patch", arguments='{"input":"x"}', custom=True)
    assert restore(free, names) is free
