"""What models take at providers that speak like OpenAI, by the model's name at the provider."""

from collections.abc import Callable

from yescale.domain.profile import Profile

_OPEN_OPENAI = "gpt-oss"

# https://ollama.com/search?c=thinking
_SWITCHED = ("qwen3", "deepseek-r1", "deepseek-v3", "magistral", "nemotron", "glm-", "kimi-k2-thinking", "minimax-m2")


def of_all(profile: Profile) -> Callable[[str], Profile]:
    """Where all models take the same."""
    return lambda _model: profile


def deepseek(_model: str) -> Profile:
    """Thinking is switched; JSON comes without a schema: https://api-docs.deepseek.com/guides/thinking_mode."""
    return Profile(thinks="adaptive", schemas=False)


def xai(model: str) -> Profile:
    """https://docs.x.ai/docs/guides/reasoning: most that reason do so by themselves and refuse an effort."""
    takes_effort = model.startswith(("grok-3-mini", "grok-4.3", "grok-4.20-multi-agent"))
    return Profile(thinks="effort" if takes_effort else "no")


def mistral(_model: str) -> Profile:
    """https://docs.mistral.ai/api/endpoint/chat: unknown fields are refused, `max_completion_tokens` among them, and
    `stream_options` takes no wish for usage, which comes unasked.
    """
    return Profile(thinks="no", asks_usage=False)


def groq(model: str) -> Profile:
    """https://console.groq.com/docs/reasoning"""
    return Profile(limit_field="max_completion_tokens", thinks="effort" if _OPEN_OPENAI in model else "no")


def together(model: str) -> Profile:
    """https://docs.together.ai/docs/reasoning-overview"""
    return Profile(thinks="effort" if _OPEN_OPENAI in model else "no")


def moonshot(model: str) -> Profile:
    """https://platform.kimi.ai/docs/api/chat: thinking is switched, for models that have the switch."""
    return Profile(limit_field="max_completion_tokens", thinks="no" if model.startswith("moonshot-v1") else "adaptive")


def zhipu(_model: str) -> Profile:
    """https://docs.z.ai/guides/capabilities/thinking and .../struct-output: no schema."""
    return Profile(thinks="adaptive", schemas=False)


def qwen(_model: str) -> Profile:
    """Two fields of Qwen's own say how to think, which a quirk writes: https://help.aliyun.com/zh/model-studio/deep-thinking."""
    return Profile(thinks="effort", schemas=False)


def ark(_model: str) -> Profile:
    """https://www.volcengine.com/docs/82379/1449737: `thinking.type` is enabled, disabled or auto."""
    return Profile(thinks="adaptive")


def siliconflow(_model: str) -> Profile:
    """https://docs.siliconflow.cn/docs/api/chat-completions-post: Qwen's fields for every model."""
    return Profile(thinks="effort", schemas=False)


def cerebras(model: str) -> Profile:
    """https://inference-docs.cerebras.ai/capabilities/reasoning"""
    return Profile(limit_field="max_completion_tokens", thinks="effort" if _OPEN_OPENAI in model else "no")


def perplexity(model: str) -> Profile:
    """https://docs.perplexity.ai/api-reference/chat-completions-post: usage comes with every stream."""
    return Profile(thinks="effort" if "deep-research" in model else "no", asks_usage=False, searches=True)


def minimax(_model: str) -> Profile:
    """Its models think by themselves: https://platform.minimax.io/docs/api-reference/text-anthropic-api."""
    return Profile(thinks="budget", late_system=False, schemas=False)


def ollama(model: str) -> Profile:
    """https://docs.ollama.com/capabilities/thinking: gpt-oss has levels, some have a switch, and the rest refuse it."""
    thinks = model.startswith(_SWITCHED)
    return Profile(thinks="effort" if model.startswith(_OPEN_OPENAI) else "adaptive" if thinks else "no")
