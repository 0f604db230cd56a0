"""Everything that a chat request and its answer say, as structs. What varies in shape stays Raw and is looked at later.

Sources: https://platform.openai.com/docs/api-reference/chat/create and the types of the `openai` package; dialects:
https://api-docs.deepseek.com/guides/thinking_mode, https://openrouter.ai/docs/use-cases/reasoning-tokens,
https://ai.google.dev/gemini-api/docs/openai.
"""

from typing import Literal

from msgspec import Raw, Struct, field

from yescale.protocols.openai_chat.schema import NOTHING, WireOptions

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class WireThinking(Struct, frozen=True, gc=False):
    """`thinking`, of Ark, DeepSeek and servers of Claude."""

    type: Literal["enabled", "disabled", "auto", "adaptive"]
    budget_tokens: int | None = None


class WireReasoning(Struct, frozen=True, gc=False):
    """`reasoning`, of OpenRouter."""

    effort: Effort | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class WireSchema(Struct, frozen=True, gc=False):
    """`response_format.json_schema`."""

    name: str
    schema: Raw = NOTHING
    description: str | None = None
    strict: bool | None = None


class WireForm(Struct, frozen=True, gc=False):
    """`response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: WireSchema | None = None


class WireVoiceId(Struct, frozen=True, gc=False):
    """A voice of one's own."""

    id: str


class WireVoice(Struct, frozen=True, gc=False):
    """`audio` of a request: how it is to sound."""

    voice: str | WireVoiceId
    format: str


class WireRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to /chat/completions, whole. Fields that are not here are kept as extras."""

    model: str
    messages: list[Raw]
    stream: bool | None = None
    stream_options: WireOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Raw = NOTHING
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: WireForm | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = NOTHING
    parallel_tool_calls: bool | None = None
    functions: list[Raw] | None = None
    function_call: Raw = NOTHING
    reasoning_effort: Effort | None = None
    reasoning: WireReasoning | None = None
    thinking: WireThinking | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    modalities: list[Literal["text", "audio", "image"]] | None = None
    audio: WireVoice | None = None
    web_search_options: Raw = NOTHING
    user: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


class WireFunction(Struct, frozen=True, gc=False):
    """A function as a tool, or as one of the legacy `functions`."""

    name: str
    description: str | None = None
    parameters: Raw = NOTHING
    strict: bool | None = None


class WireCustom(Struct, frozen=True, gc=False):
    """A custom tool."""

    name: str
    description: str | None = None
    format: Raw = NOTHING


class WireCache(Struct, frozen=True, gc=False):
    """`cache_control`, of OpenRouter and LiteLLM, or OpenAI's `prompt_cache_breakpoint`."""

    ttl: str | None = None


class WireTool(Struct, frozen=True, gc=False):
    """An entry of `tools`."""

    type: str
    function: WireFunction | None = None
    custom: WireCustom | None = None
    cache_control: WireCache | None = None


class WireNamed(Struct, frozen=True, gc=False):
    """Something that has nothing but a name."""

    name: str


class WireAllowedTool(Struct, frozen=True, gc=False):
    """A tool that may be called."""

    function: WireNamed | None = None
    custom: WireNamed | None = None


class WireAllowed(Struct, frozen=True, gc=False):
    """`tool_choice.allowed_tools`."""

    mode: Literal["auto", "required"]
    tools: list[WireAllowedTool]


class WireChoiceOfTool(Struct, frozen=True, gc=False):
    """`tool_choice` where it is an object."""

    type: Literal["function", "custom", "allowed_tools"]
    function: WireNamed | None = None
    custom: WireNamed | None = None
    allowed_tools: WireAllowed | None = None


class WireCalled(Struct, frozen=True, gc=False):
    """A function with its arguments, whole or in pieces."""

    name: str | None = None
    arguments: str | None = None


class WireCustomCalled(Struct, frozen=True, gc=False):
    """A custom tool with its text."""

    name: str | None = None
    input: str | None = None


class WireGoogle(Struct, frozen=True, gc=False):
    """What Google adds to a call."""

    thought_signature: str | None = None


class WireExtraContent(Struct, frozen=True, gc=False):
    """`extra_content` of a call."""

    google: WireGoogle | None = None


class WireCall(Struct, frozen=True, gc=False):
    """An entry of `tool_calls`; `index` in streams only, and there not always."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: WireCalled | None = None
    custom: WireCustomCalled | None = None
    extra_content: WireExtraContent | None = None


class WireSound(Struct, frozen=True, gc=False):
    """`audio` of a message."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class WireThought(Struct, frozen=True, gc=False):
    """An entry of `reasoning_details`."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None


class WireCitation(Struct, frozen=True, gc=False):
    """`url_citation` of an annotation."""

    url: str = ""
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class WireAnnotation(Struct, frozen=True, gc=False):
    """An entry of `annotations`."""

    type: str = ""
    url_citation: WireCitation | None = None


class WirePicture(Struct, frozen=True, gc=False):
    """`image_url` of a part."""

    url: str
    detail: str | None = None


class WireImage(Struct, frozen=True, gc=False):
    """An entry of `images`, of OpenRouter."""

    image_url: WirePicture | None = None


class WireSpeech(Struct, frozen=True, gc=False):
    """`input_audio` of a part."""

    data: str
    format: str


class WireFile(Struct, frozen=True, gc=False):
    """`file` of a part."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class WirePart(Struct, frozen=True, gc=False):
    """A part of a content. `thinking` is Mistral's."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: WirePicture | None = None
    input_audio: WireSpeech | None = None
    file: WireFile | None = None
    thinking: Raw = NOTHING
    cache_control: WireCache | None = None
    prompt_cache_breakpoint: WireCache | None = None


class WireTurn(Struct, frozen=True, kw_only=True):
    """A message of a request or an answer, or the delta of a chunk."""

    role: str | None = None
    content: Raw = NOTHING
    name: str | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[WireThought] | None = None
    tool_calls: list[WireCall] | None = None
    function_call: WireCalled | None = None
    audio: WireSound | None = None
    images: list[WireImage] | None = None
    annotations: list[WireAnnotation] | None = None
    cache_control: WireCache | None = None


class WireScore(Struct, frozen=True, gc=False):
    """A token with its log probability."""

    token: str
    logprob: float
    top_logprobs: "list[WireScore] | None" = None


class WireScores(Struct, frozen=True, gc=False):
    """`logprobs`. Those of the legacy completions are other fields, and are not read."""

    content: list[WireScore] | None = None
    refusal: list[WireScore] | None = None


class WireOutcome(Struct, frozen=True, kw_only=True):
    """A choice of an answer or a chunk. `text` is what legacy completions have instead of a message."""

    index: int = 0
    message: WireTurn | None = None
    delta: WireTurn | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: WireScores | None = None


class WireReply(Struct, frozen=True, kw_only=True):
    """A whole answer, or a chunk of one."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    service_tier: str | None = None
    outcomes: list[WireOutcome] | None = field(default=None, name="choices")
    usage: Raw = NOTHING
    error: Raw = NOTHING
