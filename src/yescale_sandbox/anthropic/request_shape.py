"""The fields of a request, in the order in which faults are reported; betas open more of them.

From `message_create_params.py`, its beta twin and the tools' types of anthropic-sdk-python 2.13. What a beta gates:
https://github.com/anthropics/claude-code/issues/14135 (`context_management: Extra inputs are not permitted`).
"""

from collections.abc import Mapping
from typing import TypeVar

from yescale_sandbox.anthropic.block_shape import BLOCK, CITING, MARK, ONLY_TEXT, TOOL_NAME, TYPE
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.anthropic.refusal import RefusedError, shortened
from yescale_sandbox.anthropic.shapes import (
    Choice,
    Field,
    Fields,
    Flag,
    Items,
    Number,
    Open,
    Tagged,
    Text,
    TextOr,
    Whole,
    may,
    maybe,
    need,
    wrong,
)
from yescale_sandbox.jsontype import Json

MOST_MESSAGES = 100_000
MOST_TOOLS = 10_000


class Role(Text, frozen=True):
    """The models of the catalogue know no turns of the system: they are older than Claude Opus 4.8.

    https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
    """

    def check(self, value: Json, path: str) -> None:
        super().check(value, path)
        if value == "system":
            raise wrong(path, "role 'system' is not supported on this model")
        if value not in ("user", "assistant"):
            raise RefusedError(
                f'messages: Unexpected role "{shortened(str(value))}". Allowed roles are "user" or "assistant". For '
                "more information, please visit https://docs.claude.com/en/api/messages#body-messages"
            )


class Messages(Items, frozen=True):
    """The list of messages, which is not empty."""

    def check(self, value: Json, path: str) -> None:
        if value == []:
            raise RefusedError("messages: at least one message is required")
        super().check(value, path)


class InputSchema(Open, frozen=True):
    """A JSON Schema of an object."""

    def check(self, value: Json, path: str) -> None:
        super().check(value, path)
        if isinstance(value, dict):
            kind = Fields({"type": need(Choice(("object",)))})
            kind.check({name: one for name, one in value.items() if name == "type"}, path)


_COMMON: Mapping[str, Field] = {
    "cache_control": MARK,
    "strict": may(Flag()),
    "defer_loading": may(Flag()),
    "allowed_callers": may(Items(Text())),
}
_EXAMPLES = {"input_examples": may(Items(Open()))}
_SIZE = Whole(least=1)


def _named(name: str, **more: Field) -> Fields:
    return Fields({"type": TYPE, "name": need(Choice((name,))), **_COMMON, **more})


_DOMAINS = {"allowed_domains": maybe(Items(Text(least=1))), "blocked_domains": maybe(Items(Text(least=1)))}
_PLACE = Fields(
    {
        "type": need(Choice(("approximate",))),
        "city": maybe(Text(least=1, most=255)),
        "country": maybe(Text(least=2, most=2)),
        "region": maybe(Text(least=1, most=255)),
        "timezone": maybe(Text(least=1, most=255)),
    }
)
TOOLS: Mapping[str, Fields] = {
    "bash_20250124": _named("bash", **_EXAMPLES),
    "code_execution_20250522": _named("code_execution"),
    "code_execution_20250825": _named("code_execution"),
    "custom": Fields(
        {
            "type": maybe(Choice(("custom",))),
            "name": need(TOOL_NAME),
            "description": may(Text()),
            "input_schema": need(InputSchema()),
            **_COMMON,
            **_EXAMPLES,
            "eager_input_streaming": maybe(Flag()),
        }
    ),
    "memory_20250818": _named("memory", **_EXAMPLES),
    "text_editor_20250124": _named("str_replace_editor", **_EXAMPLES),
    "text_editor_20250429": _named("str_replace_based_edit_tool", **_EXAMPLES),
    "text_editor_20250728": _named("str_replace_based_edit_tool", max_characters=maybe(_SIZE), **_EXAMPLES),
    "web_fetch_20250910": _named(
        "web_fetch", **_DOMAINS, citations=CITING, max_content_tokens=maybe(_SIZE), max_uses=maybe(_SIZE)
    ),
    "web_search_20250305": _named("web_search", **_DOMAINS, max_uses=maybe(_SIZE), user_location=maybe(_PLACE)),
}
_COMPUTER = _named(
    "computer",
    display_width_px=need(_SIZE),
    display_height_px=need(_SIZE),
    display_number=maybe(Whole(least=0)),
    **_EXAMPLES,
)
# Tools that only a beta makes known.
BETA_TOOLS: Mapping[str, Mapping[str, Fields]] = {
    "computer-use-2024-10-22": {
        "bash_20241022": _named("bash"),
        "computer_20241022": _COMPUTER,
        "text_editor_20241022": _named("str_replace_editor"),
    },
    "computer-use-2025-01-24": {"computer_20250124": _COMPUTER},
}
_PARALLEL = {"type": TYPE, "disable_parallel_tool_use": may(Flag())}
TOOL_CHOICE = Tagged(
    {
        "any": Fields(_PARALLEL),
        "auto": Fields(_PARALLEL),
        "none": Fields({"type": TYPE}),
        "tool": Fields({**_PARALLEL, "name": need(Text())}),
    }
)
THINKING = Tagged(
    {
        "adaptive": Fields({"type": TYPE, "display": maybe(Choice(("summarized", "omitted")))}),
        "disabled": Fields({"type": TYPE}),
        "enabled": Fields(
            {
                "type": TYPE,
                "budget_tokens": need(Whole(least=1024)),
                "display": maybe(Choice(("summarized", "omitted"))),
            }
        ),
    }
)
FORMAT = Fields({"type": need(Choice(("json_schema",))), "schema": need(Open())})
OUTPUT = Fields({"effort": maybe(Choice(("low", "medium", "high", "xhigh", "max"))), "format": maybe(FORMAT)})
MESSAGE = Fields({"role": need(Role()), "content": need(TextOr(Items(BLOCK)))})
_SKILL = Fields({"type": need(Choice(("anthropic", "custom"))), "skill_id": need(Text()), "version": may(Text())})
_CONTAINER = TextOr(Fields({"id": maybe(Text()), "skills": maybe(Items(_SKILL, most=8))}))
_MCP_SERVER = Fields(
    {
        "type": need(Choice(("url",))),
        "name": need(Text(least=1)),
        "url": need(Text(least=1)),
        "authorization_token": maybe(Text()),
        "tool_configuration": maybe(Fields({"allowed_tools": maybe(Items(Text())), "enabled": maybe(Flag())})),
    }
)
_AMOUNT = Fields({"type": need(Choice(("input_tokens", "tool_uses"))), "value": need(Whole(least=0))})
_EDIT = Tagged(
    {
        "clear_thinking_20251015": Fields({"type": TYPE, "keep": may(TextOr(Open()))}),
        "clear_tool_uses_20250919": Fields(
            {
                "type": TYPE,
                "clear_at_least": maybe(_AMOUNT),
                "clear_tool_inputs": Field(Flag(), nullable=True),
                "exclude_tools": maybe(Items(Text())),
                "keep": may(_AMOUNT),
                "trigger": may(_AMOUNT),
            }
        ),
    }
)
# Fields that only a beta makes known.
BETA_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "mcp-client-2025-04-04": {"mcp_servers": may(Items(_MCP_SERVER, most=20))},
    "context-management-2025-06-27": {"context_management": maybe(Fields({"edits": may(Items(_EDIT))}))},
    "structured-outputs-2025-11-13": {"output_format": maybe(FORMAT)},
}
_ALSO_COUNTED: Mapping[str, Field] = {
    "messages": need(Messages(MESSAGE, most=MOST_MESSAGES)),
    "cache_control": MARK,
    "output_config": may(OUTPUT),
    "system": may(TextOr(Items(ONLY_TEXT))),
    "thinking": may(THINKING),
    "tool_choice": may(TOOL_CHOICE),
}
_ONLY_CREATED: Mapping[str, Field] = {
    "max_tokens": need(Whole(least=1)),
    "container": maybe(_CONTAINER),
    "inference_geo": maybe(Text()),
    "metadata": may(Fields({"user_id": maybe(Text(most=256))})),
    "service_tier": may(Choice(("auto", "standard_only"))),
    "stop_sequences": may(Items(Text())),
    "stream": may(Flag()),
}
# Gone since the version 2026-10-21.
_SAMPLING: Mapping[str, Field] = {
    "temperature": may(Number(0, 1)),
    "top_k": may(Whole(least=0)),
    "top_p": may(Number(0, 1)),
}
MODEL: Mapping[str, Field] = {"model": need(Text(least=1, most=256))}


_NOT_HOSTED = frozenset({"model", "stream", "container", "inference_geo", "service_tier", "mcp_servers"})
_One = TypeVar("_One")


def fields(terms: Terms, *, counting: bool = False) -> Mapping[str, Field]:
    """The fields that a request may have."""
    known = {**MODEL, **_ALSO_COUNTED, "tools": _tools(TOOLS, terms), **_opened(BETA_FIELDS, terms.betas)}
    if counting:
        return known
    return {**known, **_ONLY_CREATED} if terms.is_newest else {**known, **_ONLY_CREATED, **_SAMPLING}


def hosted_fields(terms: Terms, named: Mapping[str, Field]) -> Mapping[str, Field]:
    """The fields where a cloud hosts the model: `named` instead of the model, and no tools that Anthropic would run."""
    client_run = {name: tool for name, tool in TOOLS.items() if not name.startswith(("web_", "code_"))}
    known = {**named, **fields(terms), "tools": _tools(client_run, terms)}
    return {name: field for name, field in known.items() if name not in _NOT_HOSTED}


def _tools(known: Mapping[str, Fields], terms: Terms) -> Field:
    return may(Items(Tagged({**known, **_opened(BETA_TOOLS, terms.betas)}, usual="custom"), most=MOST_TOOLS))


def _opened(gated: Mapping[str, Mapping[str, _One]], betas: frozenset[str]) -> dict[str, _One]:
    return {name: one for beta, opened in gated.items() if beta in betas for name, one in opened.items()}
