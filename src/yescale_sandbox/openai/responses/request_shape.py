"""The fields of a request for a response (openapi.json, `CreateResponse` and `Tool`), in the order of complaints."""

from collections.abc import Mapping

from yescale_sandbox.openai.responses.item_shape import INPUT_PARTS, NAME, TYPE, InputItem
from yescale_sandbox.openai.shapes import (
    Anything,
    Choice,
    Either,
    Field,
    Fields,
    Flag,
    Items,
    Number,
    Open,
    Pairs,
    Tagged,
    Text,
    Whole,
    maybe,
    need,
)

_STRINGS = Items(Text(), "strings")
_LEVELS = ("low", "medium", "high")
_CALLERS = maybe(Items(Choice(("direct", "programmatic")), "strings"))
_PLACE = {name: maybe(Text()) for name in ("city", "country", "region", "timezone")}
_LOCATION = maybe(Fields({"type": Field(Choice(("approximate",))), **_PLACE}))
_SEARCH = {"type": TYPE, "search_context_size": maybe(Choice(_LEVELS)), "user_location": _LOCATION}
_GRAMMAR = Fields({"type": TYPE, "definition": need(Text(least=1)), "syntax": need(Choice(("lark", "regex")))})
FUNCTION_TOOL = Fields(
    {
        "type": TYPE,
        "name": NAME,
        "description": maybe(Text()),
        "parameters": maybe(Open()),
        "strict": maybe(Flag()),
        "defer_loading": Field(Flag()),
        "output_schema": maybe(Open()),
        "allowed_callers": _CALLERS,
        "async": Field(Flag()),
    }
)
CUSTOM_TOOL = Fields(
    {
        "type": TYPE,
        "name": NAME,
        "description": maybe(Text()),
        "format": Field(Tagged("type", {"text": Fields({"type": TYPE}), "grammar": _GRAMMAR})),
        "defer_loading": Field(Flag()),
        "allowed_callers": _CALLERS,
        "async": Field(Flag()),
    }
)
_WEB_SEARCH = Fields(
    {
        **_SEARCH,
        "filters": maybe(Fields({"allowed_domains": maybe(_STRINGS)})),
        "external_web_access": maybe(Flag()),
        "search_content_types": Field(Items(Choice(("text", "image")), "strings")),
    }
)
_WEB_SEARCH_PREVIEW = Fields({**_SEARCH, "search_content_types": Field(Items(Choice(("text", "image")), "strings"))})
_RANKING = Fields(
    {
        "ranker": Field(Choice(("auto", "default-2024-11-15"))),
        "score_threshold": Field(Number(0, 1)),
        "hybrid_search": Field(Fields({"embedding_weight": need(Number(0, 1)), "text_weight": need(Number(0, 1))})),
    }
)
_APPROVAL = Fields(
    {name: Field(Fields({"tool_names": Field(_STRINGS), "read_only": Field(Flag())})) for name in ("always", "never")}
)
_MCP = Fields(
    {
        "type": TYPE,
        "server_label": need(Text(least=1)),
        **{name: Field(Text(least=1)) for name in ("server_url", "connector_id", "tunnel_id", "authorization")},
        "server_description": Field(Text()),
        "headers": maybe(Pairs(Text())),
        "allowed_tools": maybe(Anything()),
        "require_approval": maybe(Either(Choice(("always", "never")), _APPROVAL, "one of a string or object")),
        "defer_loading": Field(Flag()),
        "allowed_callers": _CALLERS,
    }
)
_CONTAINER = Fields(
    {
        "type": need(Choice(("auto",))),
        "file_ids": Field(_STRINGS),
        "memory_limit": maybe(Choice(("1g", "4g", "16g", "64g"))),
        "network_policy": Field(Open()),
    }
)
_IMAGE = Fields(
    {
        "type": TYPE,
        **{name: Field(Text()) for name in ("model", "size")},
        "quality": Field(Choice((*_LEVELS, "xhigh", "max", "auto"))),
        "background": Field(Choice(("transparent", "opaque", "auto"))),
        "output_format": Field(Choice(("png", "webp", "jpeg", "gif", "svg"))),
        "output_compression": Field(Whole(least=0, most=100)),
        "moderation": Field(Choice(("auto", "low"))),
        "input_fidelity": maybe(Choice(("high", "low"))),
        "input_image_mask": Field(Fields({"image_url": Field(Text()), "file_id": Field(Text())})),
        "partial_images": Field(Whole(least=0, most=3)),
        "action": Field(Choice(("generate", "edit", "auto"))),
    }
)
_ENVIRONMENT = Tagged(
    "type",
    {
        "container_auto": Fields({"type": TYPE, "file_ids": Field(_STRINGS), "memory_limit": maybe(Text())}),
        "local": Fields({"type": TYPE, "skills": Field(Items(Open()))}),
        "container_reference": Fields({"type": TYPE, "container_id": need(Text(least=1))}),
    },
)
_SCREEN = {name: need(Whole(least=1)) for name in ("display_height", "display_width")}

TOOLS: Mapping[str, Fields] = {
    "function": FUNCTION_TOOL,
    "custom": CUSTOM_TOOL,
    "web_search": _WEB_SEARCH,
    "web_search_2025_08_26": _WEB_SEARCH,
    "web_search_preview": _WEB_SEARCH_PREVIEW,
    "web_search_preview_2025_03_11": _WEB_SEARCH_PREVIEW,
    "file_search": Fields(
        {
            "type": TYPE,
            "vector_store_ids": need(Items(Text(), "strings", least=1)),
            "max_num_results": Field(Whole(least=1, most=50)),
            "ranking_options": Field(_RANKING),
            "filters": maybe(Open()),
        }
    ),
    "code_interpreter": Fields(
        {
            "type": TYPE,
            "container": need(Either(Text(least=1), _CONTAINER, "one of a string or object")),
            "allowed_callers": _CALLERS,
        }
    ),
    "image_generation": _IMAGE,
    "mcp": _MCP,
    "local_shell": Fields({"type": TYPE}),
    "shell": Fields({"type": TYPE, "environment": maybe(_ENVIRONMENT), "allowed_callers": _CALLERS}),
    "apply_patch": Fields({"type": TYPE, "allowed_callers": _CALLERS}),
    "computer": Fields({"type": TYPE}),
    "computer_use_preview": Fields(
        {"type": TYPE, **_SCREEN, "environment": need(Choice(("windows", "mac", "linux", "ubuntu", "browser")))}
    ),
    "namespace": Fields(
        {
            "type": TYPE,
            "name": NAME,
            "description": need(Text()),
            "tools": need(Items(Tagged("type", {"function": FUNCTION_TOOL, "custom": CUSTOM_TOOL}), least=1)),
        }
    ),
    "tool_search": Fields(
        {
            "type": TYPE,
            "execution": Field(Choice(("server", "client"))),
            "description": maybe(Text()),
            "parameters": maybe(Open()),
        }
    ),
}
_ONLY_TYPE = Fields({"type": TYPE})
_HOSTED = (
    *("file_search", "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"),
    *(
        "computer",
        "computer_use_preview",
        "image_generation",
        "code_interpreter",
        "local_shell",
        "shell",
        "apply_patch",
    ),
)
TOOL_CHOICE = Either(
    Choice(("none", "auto", "required")),
    Tagged(
        "type",
        {
            "function": Fields({"type": TYPE, "name": NAME}),
            "custom": Fields({"type": TYPE, "name": NAME}),
            "mcp": Fields({"type": TYPE, "server_label": need(Text(least=1)), "name": maybe(Text())}),
            "allowed_tools": Fields(
                {"type": TYPE, "mode": need(Choice(("auto", "required"))), "tools": need(Items(Open(), least=1))}
            ),
            **dict.fromkeys(_HOSTED, _ONLY_TYPE),
        },
    ),
    "one of one of 'none', 'auto', or 'required' or object",
)
TEXT_FORMAT = Tagged(
    "type",
    {
        "text": _ONLY_TYPE,
        "json_object": _ONLY_TYPE,
        "json_schema": Fields(
            {
                "type": TYPE,
                "name": need(Text(least=1, most=64, pattern="^[a-zA-Z0-9_-]+$")),
                "schema": need(Open()),
                "description": maybe(Text()),
                "strict": maybe(Flag()),
            }
        ),
    },
)
INCLUDABLE = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
_SUMMARY = maybe(Choice(("auto", "concise", "detailed")))
_VARIABLE = Either(Text(), Tagged("type", INPUT_PARTS), "one of a string or object")

FIELDS: Mapping[str, Field] = {
    "model": TYPE,
    "input": Field(Either(Text(), Items(InputItem()), "one of a string or array of input items")),
    "instructions": maybe(Text()),
    "previous_response_id": maybe(Text()),
    "conversation": maybe(Either(Text(), Fields({"id": need(Text())}), "one of a string or object")),
    "include": maybe(Items(Choice(INCLUDABLE), "strings")),
    "tools": maybe(Items(Tagged("type", TOOLS), most=128)),
    "tool_choice": maybe(TOOL_CHOICE),
    "parallel_tool_calls": maybe(Flag()),
    "max_tool_calls": maybe(Whole(least=1)),
    "max_output_tokens": maybe(Whole(least=16)),
    "reasoning": maybe(
        Fields(
            {
                "effort": maybe(Choice(("none", "minimal", *_LEVELS, "xhigh", "max"))),
                "summary": _SUMMARY,
                "generate_summary": _SUMMARY,
                "context": maybe(Choice(("auto", "current_turn", "all_turns"))),
                "mode": Field(Text()),
            }
        )
    ),
    "text": Field(Fields({"format": Field(TEXT_FORMAT), "verbosity": maybe(Choice(_LEVELS))})),
    "temperature": maybe(Number(0, 2)),
    "top_p": maybe(Number(0, 1)),
    "top_logprobs": maybe(Whole(least=0, most=20)),
    "truncation": maybe(Choice(("auto", "disabled"))),
    "stream": maybe(Flag()),
    "stream_options": maybe(Fields({"include_obfuscation": Field(Flag())})),
    "store": maybe(Flag()),
    "background": maybe(Flag()),
    "metadata": maybe(Pairs(Text(most=512), most=16, most_key=64)),
    "prompt": maybe(
        Fields({"id": need(Text(least=1)), "version": maybe(Text()), "variables": maybe(Pairs(_VARIABLE))})
    ),
    "prompt_cache_key": maybe(Text()),
    "prompt_cache_retention": maybe(Choice(("in_memory", "24h"))),
    "prompt_cache_options": Field(
        Fields({"ttl": Field(Choice(("30m", "12h"))), "mode": Field(Choice(("implicit", "explicit")))})
    ),
    "context_management": maybe(Items(Fields({"type": TYPE, "compact_threshold": maybe(Whole(least=1))}), least=1)),
    "service_tier": maybe(Choice(("auto", "default", "flex", "scale", "priority", "fast"))),
    "safety_identifier": maybe(Text(most=64)),
    "moderation": maybe(Fields({"model": need(Text()), "policy": maybe(Open())})),
    "user": maybe(Text()),
    # What OpenAI's command line adds (github.com/openai/codex, codex-api/src/common.rs, `ResponsesApiRequest`).
    "client_metadata": maybe(Pairs(Text())),
}
