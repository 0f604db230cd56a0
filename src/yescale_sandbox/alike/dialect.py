"""What each company's chat takes differently, by the page that its row cites. Without a row: all that is usual."""

from collections.abc import Mapping

from msgspec import Struct


class Dialect(Struct, frozen=True, kw_only=True):
    """Fields are named as in the body; a field of each message as `messages.<name>`."""

    knows: frozenset[str] | None = None  # the only fields that are taken; None = others are not looked at
    refuses: frozenset[str] = frozenset()
    most_answers: int = 128
    call_id: str = ""  # the pattern of a call's id
    switches: tuple[str, ...] = ()  # what `thinking.type` may say; () = it is not looked at
    schemas: bool = True  # takes a JSON Schema for its output
    usage_unasked: bool = False  # usage stands in the last chunk of every stream


_COMMON = Dialect()
_SWITCH = ("enabled", "disabled")
DIALECTS: Mapping[str, Dialect] = {
    # https://api-docs.deepseek.com/guides/thinking_mode, .../guides/json_mode; `n` as its users quote it
    "deepseek": Dialect(switches=_SWITCH, schemas=False, most_answers=1, usage_unasked=True),
    # https://docs.x.ai/docs/guides/reasoning: models that reason by themselves refuse to be told how hard
    "xai": Dialect(refuses=frozenset({"reasoning_effort"})),
    # https://docs.mistral.ai/api/endpoint/chat; https://github.com/charmbracelet/crush/issues/1590 (messages)
    "mistral": Dialect(
        knows=frozenset(
            {
                *("model", "messages", "stream", "temperature", "top_p", "max_tokens", "stop", "random_seed", "n"),
                *("metadata", "response_format", "tools", "tool_choice", "presence_penalty", "frequency_penalty"),
                *("prediction", "parallel_tool_calls", "prompt_mode", "reasoning_effort", "guardrails", "safe_prompt"),
            }
        ),
        refuses=frozenset({"messages.reasoning_content"}),
        call_id="[A-Za-z0-9]{9}",
        usage_unasked=True,
    ),
    # https://console.groq.com/docs/openai, "Currently Unsupported OpenAI Features"
    "groq": Dialect(refuses=frozenset({"logprobs", "logit_bias", "top_logprobs", "messages.name"}), most_answers=1),
    "moonshot": Dialect(switches=_SWITCH),  # https://platform.kimi.ai/docs/api/chat
    "zhipu": Dialect(switches=_SWITCH, schemas=False),  # https://docs.z.ai/guides/capabilities/struct-output
    # https://help.aliyun.com/zh/model-studio/qwen-structured-output
    "qwen": Dialect(schemas=False),
    "ark": Dialect(switches=("enabled", "disabled", "auto"), most_answers=1),  # volcengine.com/docs/82379/1494384
    "siliconflow": Dialect(schemas=False),  # https://docs.siliconflow.cn/docs/api/chat-completions-post
    # https://inference-docs.cerebras.ai/resources/openai
    "cerebras": Dialect(
        refuses=frozenset(
            {"frequency_penalty", "logit_bias", "presence_penalty", "parallel_tool_calls", "service_tier"}
        )
    ),
    "perplexity": Dialect(usage_unasked=True),  # https://docs.perplexity.ai/api-reference/chat-completions-post
    # https://docs.cohere.com/docs/compatibility-api
    "cohere": Dialect(refuses=frozenset({"stream_options"}), usage_unasked=True),
}


def dialect_of(name: str) -> Dialect:
    """A company's dialect, or what all have in common."""
    return DIALECTS.get(name, _COMMON)
