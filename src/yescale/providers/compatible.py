"""Providers that speak as others do: what differs is data. Each row cites the page that it is taken from."""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.domain.profile import Profile
from yescale.protocols import anthropic_messages, gemini_generate, ollama_chat, openai_chat, openai_responses
from yescale.providers import profiles, quirks
from yescale.providers.openai import CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS, RESPONSES
from yescale.providers.openai_compatible import RERANK
from yescale.providers.provider import Bearer, Blame, Endpoint, Passed, Provider

_VERSION: Final = {"anthropic-version": "2023-06-01"}
_BETAS: Final = (Passed(b"anthropic-beta"),)
_OPENROUTER: Final = (Passed(b"http-referer"), Passed(b"x-title"))
MESSAGES: Final = Endpoint(format=anthropic_messages.MESSAGES, path="/messages", headers=_VERSION, passes=_BETAS)
# Where it stands beside a versioned API of another format.
_ANTHROPIC_AREA: Final = Endpoint(
    format=anthropic_messages.MESSAGES, path="/anthropic/v1/messages", headers=_VERSION, passes=_BETAS
)

DEEPSEEK: Final = Provider(  # https://api-docs.deepseek.com, .../guides/anthropic_api
    id=ProviderId("deepseek"),
    title="DeepSeek",
    base_url="https://api.deepseek.com",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=openai_chat.CHAT,
                path="/chat/completions",
                quirks=(
                    quirks.switch_thinking,
                    quirks.thoughts_with_calls,
                    quirks.schema_in_words,
                    quirks.leave_out("n"),
                ),
            ),
            _ANTHROPIC_AREA,
        ),
    },
    profile=profiles.deepseek,
)
XAI: Final = Provider(  # https://docs.x.ai/docs/api-reference, .../key-information/debugging
    id=ProviderId("xai"),
    title="xAI",
    base_url="https://api.x.ai/v1",
    auth=Bearer(),
    endpoints={"chat": (CHAT, RESPONSES), "embed": (EMBEDDINGS,)},
    profile=profiles.xai,
    charges=("cost_in_usd_ticks",),  # https://docs.x.ai/docs/api-reference, usage
    blame=(
        Blame(who="account", status=400, words="incorrect api key"),
        Blame(who="account", status=429, words="credits"),
        Blame(who="caller", status=403, words="usage guidelines"),
    ),
)
MISTRAL: Final = Provider(  # https://docs.mistral.ai/api
    id=ProviderId("mistral"),
    title="Mistral",
    base_url="https://api.mistral.ai/v1",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=openai_chat.CHAT,
                path="/chat/completions",
                quirks=(
                    quirks.random_seed,
                    quirks.short_call_ids,
                    quirks.leave_out(
                        *("user", "cache_key", "service_tier", "verbosity", "voice", "modalities"),
                        *("sampling.logit_bias", "sampling.logprobs", "sampling.top_logprobs"),
                    ),
                ),
            ),
        ),
        "embed": (EMBEDDINGS,),
        "moderate": (MODERATIONS,),
    },
    profile=profiles.mistral,
)
GROQ: Final = Provider(  # https://console.groq.com/docs/openai, .../docs/errors
    id=ProviderId("groq"),
    title="Groq",
    base_url="https://api.groq.com/openai/v1",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=openai_chat.CHAT,
                path="/chat/completions",
                quirks=(
                    quirks.unnamed,
                    quirks.leave_out("sampling.logit_bias", "sampling.logprobs", "sampling.top_logprobs", "n"),
                ),
            ),
            RESPONSES,
        ),
    },
    profile=profiles.groq,
    blame=(
        Blame(who="busy", status=498),  # no room in the flexible tier
        Blame(who="busy", status=413, code="rate_limit_exceeded"),  # more tokens than the account has in a minute
    ),
)
TOGETHER: Final = Provider(  # https://docs.together.ai/reference, .../docs/error-codes
    id=ProviderId("together"),
    title="Together",
    base_url="https://api.together.xyz/v1",
    auth=Bearer(),
    endpoints={"chat": (CHAT,), "complete": (COMPLETIONS,), "embed": (EMBEDDINGS,), "rerank": (RERANK,)},
    profile=profiles.together,
    blame=(
        Blame(who="caller", status=403, words="context length"),
        Blame(who="caller", status=403, words="max_tokens"),
    ),
)
FIREWORKS: Final = Provider(  # https://docs.fireworks.ai/api-reference, .../guides/inference-error-codes
    id=ProviderId("fireworks"),
    title="Fireworks",
    base_url="https://api.fireworks.ai/inference/v1",
    auth=Bearer(),
    endpoints={
        "chat": (CHAT, RESPONSES, MESSAGES),
        "complete": (COMPLETIONS,),
        "embed": (EMBEDDINGS,),
        "rerank": (RERANK,),
    },
    blame=(Blame(who="account", status=412),),  # suspended, or over its limit of spending
)
OPENROUTER: Final = Provider(  # https://openrouter.ai/docs/api-reference/overview, .../errors
    id=ProviderId("openrouter"),
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(format=openai_chat.CHAT, path="/chat/completions", passes=_OPENROUTER),
            Endpoint(format=openai_responses.RESPONSES, path="/responses", passes=_OPENROUTER),
            MESSAGES,
        ),
        "complete": (COMPLETIONS,),
        "embed": (EMBEDDINGS,),
    },
    charges=("cost", "cost_details", "is_byok"),  # https://openrouter.ai/docs/use-cases/usage-accounting
    profile=profiles.of_all(Profile(searches=True)),  # https://openrouter.ai/docs/features/web-search
    blame=(
        Blame(who="caller", status=403, words="flagged"),
        Blame(who="caller", status=403, words="moderation"),
        Blame(who="account", code="402"),
        Blame(who="busy", code="429"),
        Blame(who="provider", code="502"),
        Blame(who="busy", code="503"),
    ),
)
MOONSHOT: Final = Provider(  # https://platform.kimi.ai/docs/api/overview
    id=ProviderId("moonshot"),
    title="Moonshot",
    base_url="https://api.moonshot.ai",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(format=openai_chat.CHAT, path="/v1/chat/completions", quirks=(quirks.switch_thinking,)),
            Endpoint(format=openai_responses.RESPONSES, path="/v1/responses"),
            _ANTHROPIC_AREA,
        ),
    },
    profile=profiles.moonshot,
    blame=(Blame(who="account", code="exceeded_current_quota_error"),),
)
ZHIPU: Final = Provider(  # https://docs.bigmodel.cn/cn/api, .../api-code, https://docs.z.ai/devpack/tool/claude
    id=ProviderId("zhipu"),
    title="Zhipu",
    base_url="https://open.bigmodel.cn/api",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=openai_chat.CHAT,
                path="/paas/v4/chat/completions",
                quirks=(quirks.switch_thinking, quirks.schema_in_words),
            ),
            _ANTHROPIC_AREA,
        ),
        "embed": (Endpoint(format=openai_chat.EMBEDDINGS, path="/paas/v4/embeddings"),),
    },
    profile=profiles.zhipu,
    blame=tuple(
        Blame(who="account", code=code)  # under 429, as if it were busy
        for code in ("1110", "1111", "1112", "1113", "1121", "1304", "1308", "1309", "1310", "1311", "1313")
    ),
)
QWEN: Final = (
    Provider(  # https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope, .../error-code
        id=ProviderId("qwen"),
        title="Alibaba Cloud Model Studio (Qwen)",
        base_url="https://dashscope.aliyuncs.com",
        auth=Bearer(),
        endpoints={
            "chat": (
                Endpoint(
                    format=openai_chat.CHAT,
                    path="/compatible-mode/v1/chat/completions",
                    quirks=(quirks.enable_thinking, quirks.schema_in_words),
                ),
                # https://help.aliyun.com/en/model-studio/anthropic-api-messages
                Endpoint(
                    format=anthropic_messages.MESSAGES,
                    path="/apps/anthropic/v1/messages",
                    headers=_VERSION,
                    passes=_BETAS,
                ),
            ),
            "embed": (Endpoint(format=openai_chat.EMBEDDINGS, path="/compatible-mode/v1/embeddings"),),
        },
        profile=profiles.qwen,
        blame=(Blame(who="account", code="Arrearage"),),
    )
)
MINIMAX: Final = Provider(  # https://platform.minimax.io/docs/api-reference/text-anthropic-api, .../errorcode
    id=ProviderId("minimax"),
    title="MiniMax",
    base_url="https://api.minimax.io",
    auth=Bearer(),
    endpoints={
        "chat": (  # thoughts go back and forth in Anthropic's format alone
            _ANTHROPIC_AREA,
            Endpoint(format=openai_chat.CHAT, path="/v1/chat/completions"),
            Endpoint(format=openai_responses.RESPONSES, path="/v1/responses"),
        ),
    },
    profile=profiles.minimax,
    blame=(
        Blame(who="account", code="1004"),
        Blame(who="account", code="1008"),
        Blame(who="account", code="2049"),
        Blame(who="busy", code="1002"),
        Blame(who="busy", code="2045"),
        Blame(who="caller", code="1026"),
        Blame(who="caller", code="1027"),
        Blame(who="caller", code="1039"),
        Blame(who="caller", code="1042"),
        Blame(who="caller", code="2013"),
    ),
)
ARK: Final = Provider(  # https://www.volcengine.com/docs/82379/1494384, .../1299023 (errors)
    id=ProviderId("ark"),
    title="Volcengine Ark",
    base_url="https://ark.cn-beijing.volces.com/api/v3",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(format=openai_chat.CHAT, path="/chat/completions", quirks=(quirks.leave_out("n"),)),
            RESPONSES,
        ),
        "embed": (EMBEDDINGS,),
    },
    profile=profiles.ark,
    blame=(
        Blame(who="account", code="ModelNotOpen"),
        Blame(who="account", code="AccountOverdueError"),
        Blame(who="account", code="SetLimitExceeded"),
    ),
)
SILICONFLOW: Final = Provider(  # https://docs.siliconflow.cn/docs/api/chat-completions-post, .../messages-post
    id=ProviderId("siliconflow"),
    title="SiliconFlow",
    base_url="https://api.siliconflow.cn/v1",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=openai_chat.CHAT,
                path="/chat/completions",
                quirks=(quirks.enable_thinking, quirks.schema_in_words),
            ),
            MESSAGES,
        ),
        "embed": (EMBEDDINGS,),
        "rerank": (RERANK,),
    },
    profile=profiles.siliconflow,
)
CEREBRAS: Final = Provider(  # https://inference-docs.cerebras.ai/api-reference/chat-completions, .../resources/openai
    id=ProviderId("cerebras"),
    title="Cerebras",
    base_url="https://api.cerebras.ai/v1",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=openai_chat.CHAT,
                path="/chat/completions",
                quirks=(
                    quirks.leave_out(
                        *("parallel_tools", "service_tier", "sampling.logit_bias"),
                        *("sampling.presence_penalty", "sampling.frequency_penalty"),
                    ),
                ),
            ),
        ),
        "complete": (COMPLETIONS,),
    },
    profile=profiles.cerebras,
)
PERPLEXITY: Final = Provider(  # https://docs.perplexity.ai/api-reference/chat-completions-post
    id=ProviderId("perplexity"),
    title="Perplexity",
    base_url="https://api.perplexity.ai",
    auth=Bearer(),
    endpoints={"chat": (CHAT,)},
    charges=("cost",),
    profile=profiles.perplexity,
)
COHERE: Final = Provider(  # https://docs.cohere.com/docs/compatibility-api, .../reference/rerank
    id=ProviderId("cohere"),
    title="Cohere",
    base_url="https://api.cohere.com",
    auth=Bearer(),
    endpoints={
        "chat": (Endpoint(format=openai_chat.CHAT, path="/compatibility/v1/chat/completions"),),
        "embed": (Endpoint(format=openai_chat.EMBEDDINGS, path="/compatibility/v1/embeddings"),),
        "rerank": (Endpoint(format=openai_chat.RERANK, path="/v2/rerank"),),
    },
    profile=profiles.of_all(Profile(thinks="no", asks_usage=False)),  # which refuse `stream_options`
)
JINA: Final = Provider(  # https://api.jina.ai/redoc
    id=ProviderId("jina"),
    title="Jina",
    base_url="https://api.jina.ai/v1",
    auth=Bearer(),
    endpoints={"embed": (EMBEDDINGS,), "rerank": (RERANK,)},
)
VOYAGE: Final = Provider(  # https://docs.voyageai.com/reference/embeddings-api; its rerank is of a shape of its own
    id=ProviderId("voyage"),
    title="Voyage AI",
    base_url="https://api.voyageai.com/v1",
    auth=Bearer(),
    endpoints={"embed": (EMBEDDINGS,)},
)
NVIDIA: Final = Provider(  # https://docs.api.nvidia.com/nim/reference/llm-apis
    id=ProviderId("nvidia"),
    title="NVIDIA NIM",
    base_url="https://integrate.api.nvidia.com/v1",
    auth=Bearer(),
    endpoints={"chat": (CHAT,), "complete": (COMPLETIONS,), "embed": (EMBEDDINGS,)},
)
GITHUB: Final = Provider(  # https://docs.github.com/en/rest/models/inference
    id=ProviderId("github"),
    title="GitHub Models",
    base_url="https://models.github.ai/inference",
    auth=Bearer(),
    endpoints={"chat": (CHAT,), "embed": (EMBEDDINGS,)},
    blame=(Blame(who="busy", status=413, code="tokens_limit_reached"),),  # of our plan, not of the model
)
HUGGING_FACE: Final = Provider(  # https://huggingface.co/docs/inference-providers/tasks/chat-completion
    id=ProviderId("huggingface"),
    title="Hugging Face",
    base_url="https://router.huggingface.co/v1",
    auth=Bearer(),
    endpoints={"chat": (CHAT, RESPONSES)},
)
VLLM: Final = Provider(  # https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
    id=ProviderId("vllm"),
    title="vLLM",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (CHAT, RESPONSES, MESSAGES),
        "complete": (COMPLETIONS,),
        "embed": (EMBEDDINGS,),
        "rerank": (RERANK,),
    },
)
LM_STUDIO: Final = Provider(  # https://lmstudio.ai/docs/developer/openai-compat, .../anthropic-compat
    id=ProviderId("lmstudio"),
    title="LM Studio",
    base_url="",
    auth=Bearer(),
    endpoints={"chat": (CHAT, RESPONSES, MESSAGES), "complete": (COMPLETIONS,), "embed": (EMBEDDINGS,)},
)
LLAMA_CPP: Final = Provider(  # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    id=ProviderId("llamacpp"),
    title="llama.cpp",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (CHAT, RESPONSES, MESSAGES),
        "complete": (COMPLETIONS,),
        "embed": (EMBEDDINGS,),
        "rerank": (RERANK,),
    },
)
OLLAMA: Final = Provider(  # https://docs.ollama.com/api/openai-compatibility, .../anthropic-compatibility
    id=ProviderId("ollama"),
    title="Ollama",
    base_url="",
    auth=Bearer(),
    endpoints={"chat": (CHAT, RESPONSES, MESSAGES), "complete": (COMPLETIONS,), "embed": (EMBEDDINGS,)},
)
OLLAMA_NATIVE: Final = Provider(  # https://docs.ollama.com/api, whose own chat says more than what is compatible
    id=ProviderId("ollama_native"),
    title="Ollama (its own API)",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (Endpoint(format=ollama_chat.CHAT, path="/api/chat"),),
        "complete": (Endpoint(format=openai_chat.COMPLETIONS, path="/v1/completions"),),
        "embed": (Endpoint(format=openai_chat.EMBEDDINGS, path="/v1/embeddings"),),
    },
    profile=profiles.ollama,
)
_GOOGLE: Final = "/v1beta/models/{model}"
NEW_API: Final = Provider(  # another yescale, or https://docs.newapi.pro/en/api
    id=ProviderId("newapi"),
    title="yescale or new-api",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(format=openai_chat.CHAT, path="/v1/chat/completions"),
            Endpoint(format=openai_responses.RESPONSES, path="/v1/responses"),
            Endpoint(format=anthropic_messages.MESSAGES, path="/v1/messages", headers=_VERSION, passes=_BETAS),
            Endpoint(
                format=gemini_generate.GENERATE,
                path=f"{_GOOGLE}:generateContent",
                stream_path=f"{_GOOGLE}:streamGenerateContent",
                stream_query="alt=sse",
            ),
        ),
        "complete": (Endpoint(format=openai_chat.COMPLETIONS, path="/v1/completions"),),
        "embed": (
            Endpoint(format=openai_chat.EMBEDDINGS, path="/v1/embeddings"),
            Endpoint(format=gemini_generate.BATCH_EMBED, path=f"{_GOOGLE}:batchEmbedContents"),
            Endpoint(format=gemini_generate.EMBED, path=f"{_GOOGLE}:embedContent"),
        ),
        "moderate": (Endpoint(format=openai_chat.MODERATIONS, path="/v1/moderations"),),
        "rerank": (Endpoint(format=openai_chat.RERANK, path="/v1/rerank"),),
    },
)

COMPATIBLE: Final = (
    *(DEEPSEEK, XAI, MISTRAL, GROQ, TOGETHER, FIREWORKS, OPENROUTER, MOONSHOT, ZHIPU, QWEN, MINIMAX, ARK, SILICONFLOW),
    *(CEREBRAS, PERPLEXITY, COHERE, JINA, VOYAGE, NVIDIA, GITHUB, HUGGING_FACE),
    *(VLLM, LM_STUDIO, LLAMA_CPP, OLLAMA, OLLAMA_NATIVE, NEW_API),
)
