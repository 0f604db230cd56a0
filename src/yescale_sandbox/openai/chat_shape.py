"""The fields of a chat completion request, in the order in which OpenAI reports their faults.

From openapi.json, `CreateChatCompletionRequest` and `ChatCompletionRequestMessage`. `audio` is known to models that
speak alone, `web_search_options` to none of the catalogue (github.com/64bit/async-openai/issues/386).
"""

from collections.abc import Mapping

from yescale_sandbox.openai.shapes import (
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

# The variants of a union stand in the order in which OpenAI lists them when none fits.
TOOL_NAME = Text(most=64, pattern="^[a-zA-Z0-9_-]+$")
MESSAGE_NAME = Text(most=64, pattern=r"^[^\s<|\\/>]+$")
CALL_ID = Text(most=40)
TYPE = Field(Text(), required=True)


CACHE_MARK = Field(Fields({"mode": need(Choice(("explicit",)))}))

PART = Tagged(
    "type",
    {
        "text": Fields({"type": TYPE, "text": need(Text()), "prompt_cache_breakpoint": CACHE_MARK}),
        "image_url": Fields(
            {
                "type": TYPE,
                "image_url": need(Fields({"url": need(Text()), "detail": Field(Choice(("auto", "low", "high")))})),
                "prompt_cache_breakpoint": CACHE_MARK,
            }
        ),
        "input_audio": Fields(
            {
                "type": TYPE,
                "input_audio": need(Fields({"data": need(Text()), "format": need(Choice(("wav", "mp3")))})),
                "prompt_cache_breakpoint": CACHE_MARK,
            }
        ),
        "refusal": Fields({"type": TYPE, "refusal": need(Text())}),
        "audio": Fields({"type": TYPE, "audio": need(Fields({"id": need(Text())}))}),
        "file": Fields(
            {
                "type": TYPE,
                "file": need(Fields({"filename": Field(Text()), "file_data": Field(Text()), "file_id": Field(Text())})),
                "prompt_cache_breakpoint": CACHE_MARK,
            }
        ),
    },
)
CONTENT = Either(Text(), Items(PART, least=1), "one of a string or array of objects")

FUNCTION_CALL = Fields({"name": need(TOOL_NAME), "arguments": need(Text())})
TOOL_CALL = Tagged(
    "type",
    {
        "function": Fields({"id": need(CALL_ID), "type": TYPE, "function": need(FUNCTION_CALL)}),
        "custom": Fields(
            {
                "id": need(CALL_ID),
                "type": TYPE,
                "custom": need(Fields({"name": need(TOOL_NAME), "input": need(Text())})),
            }
        ),
    },
)

PLAIN_MESSAGE = Fields({"role": TYPE, "content": maybe(CONTENT), "name": maybe(MESSAGE_NAME)})
MESSAGE = Tagged(
    "role",
    {
        "system": PLAIN_MESSAGE,
        # `annotations` is not in the request schema, but answers carry it and OpenAI's own examples send answers back.
        "assistant": Fields(
            {
                "role": TYPE,
                "content": maybe(CONTENT),
                "name": maybe(MESSAGE_NAME),
                "refusal": maybe(Text()),
                "audio": maybe(Fields({"id": need(Text())})),
                "tool_calls": maybe(Items(TOOL_CALL, least=1, most=128)),
                "function_call": maybe(FUNCTION_CALL),
                "annotations": maybe(Items(Open())),
            }
        ),
        "user": PLAIN_MESSAGE,
        "function": Fields({"role": TYPE, "content": maybe(CONTENT), "name": need(TOOL_NAME)}),
        "tool": Fields(
            {"role": TYPE, "content": maybe(CONTENT), "tool_call_id": need(CALL_ID), "name": maybe(MESSAGE_NAME)}
        ),
        "developer": PLAIN_MESSAGE,
    },
)

FUNCTION = Fields(
    {
        "name": need(TOOL_NAME),
        "description": maybe(Text(most=1024)),
        "parameters": maybe(Open()),
        "strict": maybe(Flag()),
    }
)
TEXT_FORMAT = Fields({"type": TYPE})
GRAMMAR = Fields({"definition": need(Text()), "syntax": need(Choice(("lark", "regex")))})
CUSTOM_TOOL = Fields(
    {
        "name": need(TOOL_NAME),
        "description": maybe(Text(most=1024)),
        "format": Field(
            Tagged("type", {"text": TEXT_FORMAT, "grammar": Fields({"type": TYPE, "grammar": need(GRAMMAR)})})
        ),
    }
)
TOOL = Tagged(
    "type",
    {
        "function": Fields({"type": TYPE, "function": need(FUNCTION)}),
        "custom": Fields({"type": TYPE, "custom": need(CUSTOM_TOOL)}),
    },
)
NAMED = need(Fields({"name": need(TOOL_NAME)}))
TOOL_CHOICE = Either(
    Choice(("none", "auto", "required")),
    Tagged(
        "type",
        {
            "function": Fields({"type": TYPE, "function": NAMED}),
            "custom": Fields({"type": TYPE, "custom": NAMED}),
            "allowed_tools": Fields(
                {
                    "type": TYPE,
                    "allowed_tools": need(
                        Fields({"mode": need(Choice(("auto", "required"))), "tools": need(Items(Open(), least=1))})
                    ),
                }
            ),
        },
    ),
    "one of one of 'none', 'auto', or 'required' or object",
)
LEGACY_FUNCTION = Fields({"name": need(TOOL_NAME), "description": maybe(Text(most=1024)), "parameters": maybe(Open())})
LEGACY_CHOICE = Either(
    Choice(("none", "auto")), Fields({"name": need(TOOL_NAME)}), "one of one of 'none' or 'auto' or object"
)

# The tags stand in the order of OpenAI's sentence.
RESPONSE_FORMAT = Tagged(
    "type",
    {
        "json_object": TEXT_FORMAT,
        "json_schema": Fields(
            {
                "type": TYPE,
                "json_schema": need(
                    Fields(
                        {
                            "name": need(TOOL_NAME),
                            "schema": need(Open()),
                            "description": maybe(Text()),
                            "strict": maybe(Flag()),
                        }
                    )
                ),
            }
        ),
        "text": TEXT_FORMAT,
    },
)

FIELDS: Mapping[str, Field] = {
    "model": TYPE,
    "messages": need(Items(MESSAGE, least=1)),
    "functions": Field(Items(LEGACY_FUNCTION, least=1, most=128)),
    "function_call": Field(LEGACY_CHOICE),
    "tools": Field(Items(TOOL, least=1, most=128)),
    "tool_choice": Field(TOOL_CHOICE),
    "parallel_tool_calls": Field(Flag()),
    "max_completion_tokens": maybe(Whole(least=1)),
    "n": maybe(Whole(least=1, most=128)),
    "temperature": maybe(Number(0, 2)),
    "top_p": maybe(Number(0, 1)),
    "presence_penalty": maybe(Number(-2, 2)),
    "frequency_penalty": maybe(Number(-2, 2)),
    "logprobs": maybe(Flag()),
    "top_logprobs": maybe(Whole(least=0, most=20)),
    "user": Field(Text()),
    "seed": maybe(Whole(least=-(2**63), most=2**63 - 1)),
    "moderation": maybe(Fields({"model": need(Text()), "policy": maybe(Open())})),
    "safety_identifier": maybe(Text(most=64)),
    "prompt_cache_options": Field(Fields({"ttl": maybe(Text()), "mode": maybe(Text())})),
    "prompt_cache_key": maybe(Text()),
    "prompt_cache_retention": maybe(Choice(("in_memory", "24h"))),
    "response_format": Field(RESPONSE_FORMAT),
    "service_tier": maybe(Choice(("auto", "default", "fast", "flex", "priority"))),
    "max_tokens": maybe(Whole(least=1)),
    "reasoning_effort": maybe(Text()),
    "logit_bias": maybe(Pairs(Whole(least=-100, most=100))),
    "stop": maybe(Either(Text(), Items(Text(), "strings", most=4), "one of a string or array of strings")),
    "stream": maybe(Flag()),
    "stream_options": maybe(Fields({"include_usage": Field(Flag()), "include_obfuscation": Field(Flag())})),
    "store": maybe(Flag()),
    "metadata": maybe(Pairs(Text(most=512), most=16, most_key=64)),
    "modalities": maybe(Items(Choice(("text", "audio")), "strings", least=1)),
    "prediction": maybe(
        Fields(
            {
                "type": need(Choice(("content",))),
                "content": need(CONTENT),
            }
        )
    ),
    "verbosity": maybe(Choice(("low", "medium", "high"))),
}

VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)
AUDIO_FIELDS: Mapping[str, Field] = {
    **FIELDS,
    "audio": maybe(
        Fields(
            {
                "voice": need(Either(Choice(VOICES), Fields({"id": need(Text(least=1))}), "one of a string or object")),
                "format": need(Choice(("wav", "aac", "mp3", "flac", "opus", "pcm16"))),
            }
        )
    ),
}
