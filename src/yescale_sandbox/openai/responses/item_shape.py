"""What an input item of a response may hold (openapi.json, `InputItem`).

Ids that the schema demands are optional where OpenAI's own command line leaves them out (github.com/openai/codex,
protocol/src/models.rs, `ResponseItem`).
"""

from collections.abc import Mapping

from msgspec import Struct

from yescale_sandbox.jsontype import Json
from yescale_sandbox.openai.shapes import (
    Anything,
    Choice,
    Field,
    Fields,
    Flag,
    Items,
    Number,
    Open,
    Pairs,
    Shape,
    Tagged,
    Text,
    Whole,
    maybe,
    need,
    wrong_type,
)

TYPE = Field(Text(), required=True)
ID = maybe(Text(least=1, most=64))
NAME = need(Text(least=1, most=128, pattern="^[a-zA-Z0-9_-]+$"))
CALL_ID = need(Text(least=1, most=64))
STATUS = maybe(Choice(("in_progress", "completed", "incomplete")))
CACHE_MARK = maybe(Fields({"mode": need(Choice(("explicit",))), "ttl": Field(Choice(("30m", "12h")))}))
CALLER = maybe(
    Tagged(
        "type",
        {"direct": Fields({"type": TYPE}), "program": Fields({"type": TYPE, "caller_id": need(Text(least=1))})},
    )
)

INPUT_PARTS: Mapping[str, Fields] = {
    "input_text": Fields({"type": TYPE, "text": need(Text()), "prompt_cache_breakpoint": CACHE_MARK}),
    "input_image": Fields(
        {
            "type": TYPE,
            "image_url": maybe(Text()),
            "file_id": maybe(Text()),
            "detail": maybe(Choice(("low", "high", "auto", "original"))),
            "prompt_cache_breakpoint": CACHE_MARK,
        }
    ),
    "input_file": Fields(
        {
            "type": TYPE,
            "file_id": maybe(Text()),
            "filename": maybe(Text()),
            "file_data": maybe(Text()),
            "file_url": maybe(Text()),
            "detail": Field(Choice(("auto", "low", "high"))),
            "prompt_cache_breakpoint": CACHE_MARK,
        }
    ),
}
_CITED = {"start_index": need(Whole(least=0)), "end_index": need(Whole(least=0))}
_FILED = {"file_id": need(Text()), "index": need(Whole(least=0))}
ANNOTATION = Tagged(
    "type",
    {
        "file_citation": Fields({"type": TYPE, **_FILED, "filename": need(Text())}),
        "url_citation": Fields({"type": TYPE, **_CITED, "title": need(Text()), "url": need(Text())}),
        "container_file_citation": Fields(
            {"type": TYPE, **_CITED, "container_id": need(Text()), "file_id": need(Text()), "filename": need(Text())}
        ),
        "file_path": Fields({"type": TYPE, **_FILED}),
    },
)
OUTPUT_PARTS: Mapping[str, Fields] = {
    # `annotations` is required by the schema; OpenAI's own clients leave it out.
    "output_text": Fields(
        {
            "type": TYPE,
            "text": need(Text()),
            "annotations": Field(Items(ANNOTATION)),
            "logprobs": maybe(Items(Open())),
        }
    ),
    "refusal": Fields({"type": TYPE, "refusal": need(Text())}),
}
# The order is that of OpenAI's complaint: github.com/vercel/ai and openai/openai-agents-python quote it.
_KNOWN_PARTS = (
    *("input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot", "summary_text"),
)


class Content(Struct, frozen=True):
    """A list of parts, of those kinds that the role of the message allows."""

    parts: Mapping[str, Fields]

    @property
    def article(self) -> str:
        return "one of a string or array of objects"

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, str):
            return
        if not isinstance(value, list):
            raise wrong_type(self, value, path)
        for index, part in enumerate(value):
            place = f"{path}[{index}]"
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str):
                Choice(_KNOWN_PARTS).check(kind, f"{place}.type")
            Tagged("type", self.parts).check(part, place)


INPUT = Content(INPUT_PARTS)
_MESSAGE = {"type": Field(Text()), "role": TYPE, "id": ID, "status": STATUS}
_PHASE = maybe(Choice(("commentary", "final_answer")))
MESSAGE = Tagged(
    "role",
    {
        "assistant": Fields({**_MESSAGE, "content": need(Content(OUTPUT_PARTS)), "phase": _PHASE}),
        "system": Fields({**_MESSAGE, "content": need(INPUT)}),
        "developer": Fields({**_MESSAGE, "content": need(INPUT)}),
        "user": Fields({**_MESSAGE, "content": need(INPUT)}),
    },
)

_OUTPUT = need(Content(INPUT_PARTS))
_STRINGS = Items(Text(), "strings")
_TEXTS = {kind: Fields({"type": TYPE, "text": need(Text())}) for kind in ("summary_text", "reasoning_text")}
_EXEC = Fields(
    {
        "type": need(Choice(("exec",))),
        "command": need(_STRINGS),
        "env": maybe(Pairs(Text())),
        "timeout_ms": maybe(Whole(least=0)),
        "user": maybe(Text()),
        "working_directory": maybe(Text()),
    }
)
_COMMANDS = Fields(
    {"commands": need(_STRINGS), "timeout_ms": maybe(Whole(least=0)), "max_output_length": maybe(Whole(least=0))}
)
_OUTCOME = Tagged(
    "type", {"timeout": Fields({"type": TYPE}), "exit": Fields({"type": TYPE, "exit_code": need(Whole())})}
)
_SHELL_OUTPUT = Items(Fields({"stdout": need(Text()), "stderr": need(Text()), "outcome": need(_OUTCOME)}))
_PATCH = {"path": need(Text(least=1)), "diff": need(Text())}
_OPERATION = Tagged(
    "type",
    {
        "create_file": Fields({"type": TYPE, **_PATCH}),
        "update_file": Fields({"type": TYPE, **_PATCH}),
        "delete_file": Fields({"type": TYPE, "path": need(Text(least=1))}),
    },
)
_SEARCH_ACTION = Tagged(
    "type",
    {
        "search": Fields(
            {
                "type": TYPE,
                "query": maybe(Text()),
                "queries": maybe(_STRINGS),
                "sources": maybe(Items(Fields({"type": need(Choice(("url",))), "url": need(Text())}))),
            }
        ),
        "open_page": Fields({"type": TYPE, "url": maybe(Text())}),
        "find_in_page": Fields({"type": TYPE, "url": need(Text()), "pattern": need(Text())}),
    },
)
_FOUND = Fields(
    {
        "file_id": Field(Text()),
        "filename": Field(Text()),
        "text": Field(Text()),
        "score": Field(Number(0, 1)),
        "attributes": maybe(Open()),
    }
)
_CODE_OUTPUT = Tagged(
    "type",
    {
        "logs": Fields({"type": TYPE, "logs": need(Text())}),
        "image": Fields({"type": TYPE, "url": need(Text())}),
    },
)
_HOSTED = Choice(
    ("in_progress", "searching", "interpreting", "generating", "calling", "completed", "incomplete", "failed")
)
_CALL = {"type": TYPE, "id": ID, "call_id": CALL_ID, "status": STATUS, "caller": CALLER}
_MCP = {"type": TYPE, "id": need(Text(least=1)), "server_label": need(Text(least=1))}
_SCREENSHOT = Fields(
    {"type": need(Choice(("computer_screenshot",))), "image_url": Field(Text()), "file_id": Field(Text())}
)

ITEMS: Mapping[str, Fields] = {
    "reasoning": Fields(
        {
            "type": TYPE,
            "id": ID,
            "summary": need(Items(Tagged("type", {"summary_text": _TEXTS["summary_text"]}))),
            "content": maybe(Items(Tagged("type", {"reasoning_text": _TEXTS["reasoning_text"]}))),
            "encrypted_content": maybe(Text()),
            "status": STATUS,
        }
    ),
    "function_call": Fields({**_CALL, "name": NAME, "arguments": need(Text()), "namespace": maybe(Text())}),
    "function_call_output": Fields(
        {**_CALL, "call_id": maybe(Text(most=64)), "output": _OUTPUT, "name": maybe(Text()), "namespace": maybe(Text())}
    ),
    "custom_tool_call": Fields({**_CALL, "name": NAME, "input": need(Text()), "namespace": maybe(Text())}),
    "custom_tool_call_output": Fields({**_CALL, "output": _OUTPUT, "name": maybe(Text())}),
    "local_shell_call": Fields({**_CALL, "action": need(_EXEC)}),
    # The schema says `id`, the guide to the local shell `call_id`.
    "local_shell_call_output": Fields(
        {"type": TYPE, "id": ID, "call_id": maybe(Text(most=64)), "output": need(Text()), "status": STATUS}
    ),
    "shell_call": Fields({**_CALL, "action": need(_COMMANDS), "environment": maybe(Open())}),
    "shell_call_output": Fields({**_CALL, "output": need(_SHELL_OUTPUT), "max_output_length": maybe(Whole(least=0))}),
    "apply_patch_call": Fields({**_CALL, "operation": need(_OPERATION)}),
    "apply_patch_call_output": Fields(
        {**_CALL, "status": need(Choice(("completed", "failed"))), "output": maybe(Text())}
    ),
    "web_search_call": Fields({"type": TYPE, "id": ID, "status": Field(_HOSTED), "action": maybe(_SEARCH_ACTION)}),
    "file_search_call": Fields(
        {
            "type": TYPE,
            "id": need(Text()),
            "status": need(_HOSTED),
            "queries": need(_STRINGS),
            "results": maybe(Items(_FOUND)),
        }
    ),
    "code_interpreter_call": Fields(
        {
            "type": TYPE,
            "id": need(Text()),
            "status": need(_HOSTED),
            "code": maybe(Text()),
            "container_id": need(Text()),
            "outputs": maybe(Items(_CODE_OUTPUT)),
        }
    ),
    "image_generation_call": Fields(
        {
            "type": TYPE,
            "id": need(Text()),
            "status": need(_HOSTED),
            "result": maybe(Text()),
            **{name: maybe(Text()) for name in ("revised_prompt", "background", "output_format", "quality", "size")},
        }
    ),
    "computer_call": Fields(
        {
            **_CALL,
            "action": maybe(Open()),
            "actions": Field(Items(Open())),
            "pending_safety_checks": need(Items(Open())),
        }
    ),
    "computer_call_output": Fields(
        {**_CALL, "output": need(_SCREENSHOT), "acknowledged_safety_checks": maybe(Items(Open()))}
    ),
    "mcp_list_tools": Fields({**_MCP, "tools": need(Items(Open())), "error": maybe(Anything())}),
    "mcp_approval_request": Fields({**_MCP, "arguments": need(Text()), "name": need(Text())}),
    "mcp_approval_response": Fields(
        {
            "type": TYPE,
            "id": ID,
            "approval_request_id": need(Text()),
            "approve": need(Flag()),
            "reason": maybe(Text()),
        }
    ),
    "mcp_call": Fields(
        {
            **_MCP,
            "arguments": need(Text()),
            "name": need(Text()),
            "output": maybe(Text()),
            "error": maybe(Anything()),
            "status": Field(_HOSTED),
            "approval_request_id": maybe(Text()),
        }
    ),
    "compaction": Fields({"type": TYPE, "id": ID, "encrypted_content": need(Text(least=1))}),
    "item_reference": Fields({"type": maybe(Text()), "id": need(Text(least=1))}),
}
_KINDS = Choice(("message", *ITEMS))


class InputItem(Struct, frozen=True):
    """An item by its type; without one, a message if it has a role, else a reference."""

    @property
    def article(self) -> str:
        return "an object"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(self, value, path)
        kind = value.get("type")
        if kind is None:
            kind = "item_reference" if "id" in value and "role" not in value else "message"
        _KINDS.check(kind, f"{path}.type")
        shape: Shape = MESSAGE if kind == "message" else ITEMS[str(kind)]
        shape.check(value, path)
