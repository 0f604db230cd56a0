"""What DeepSeek takes and what it refuses, in its words. Unknown fields it does not look at."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox.chatlike import request as requests
from yescale_sandbox.chatlike.request import ChatLike, Message
from yescale_sandbox.deepseek.failure import RefusedError
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai.prompt import ToolChoice

_GUIDE = "https://api-docs.deepseek.com/guides/thinking_mode#tool-calls"
ROLES = ("system", "user", "assistant", "tool", "latest_reminder")


class Model(Struct, frozen=True):
    """A model; `thinks` says what it does unless `thinking` says otherwise."""

    name: str
    most_output: int
    thinks: bool
    context: int = 131_072


# https://api-docs.deepseek.com/quick_start/pricing
MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (Model("deepseek-chat", 8_192, thinks=False), Model("deepseek-reasoner", 65_536, thinks=True))
}


def checked(body: JsonObject, model: Model) -> ChatLike:
    """The request, typed, if DeepSeek would take it.

    Raises: RefusedError.
    """
    request = _typed(body)
    _check_messages(request.messages)
    _check_values(request, model)
    _check_format(request)
    _check_conversation(request.messages)
    if thinks(request, model):
        _check_thinking(request, model)
    tokens, most = requests.prompt_tokens(request, body), request.max_tokens or 0
    if tokens + most > model.context:
        raise RefusedError(
            f"This model's maximum context length is {model.context} tokens. However, you requested {tokens + most} "
            f"tokens ({tokens} in the messages, {most} in the completion). Please reduce the length of the messages or "
            "completion."
        )
    return request


def thinks(request: ChatLike, model: Model) -> bool:
    return model.thinks if request.thinking is None else request.thinking.type == "enabled"


# https://github.com/farion1231/cc-switch/issues/3330, carlrobertoh/ProxyAI/issues/907
def _typed(body: JsonObject) -> ChatLike:
    try:
        return requests.typed(body)
    except msgspec.ValidationError as error:
        raise undeserialized(str(error)) from None


def undeserialized(words: str) -> RefusedError:
    return RefusedError(f"Failed to deserialize the JSON body into the target type: {words}")


def _check_messages(messages: Sequence[Message]) -> None:
    if not messages:
        raise RefusedError("Empty input messages")
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if message.role not in ROLES:
            known = ", ".join(f"`{role}`" for role in ROLES)
            raise undeserialized(f"{place}.role: unknown variant `{message.role[:40]}`, expected one of {known}")
        for part in message.parts():
            if part.type != "text":
                raise undeserialized(f"{place}: unknown variant `{part.type[:40]}`, expected `text`")
        if message.role == "tool" and message.tool_call_id is None:
            raise undeserialized(f"{place}: missing field `tool_call_id`")
        if message.content is None and not (message.role == "assistant" and message.tool_calls):
            raise undeserialized(f"{place}: missing field `content`")


def _check_values(request: ChatLike, model: Model) -> None:
    """https://github.com/BerriAI/litellm/issues/7980 and others quote these."""
    if request.max_tokens is not None and not 1 <= request.max_tokens <= model.most_output:
        raise RefusedError(f"Invalid max_tokens value, the valid range of max_tokens is [1, {model.most_output}]")
    if request.n not in (None, 1):
        raise RefusedError("Invalid n value (currently only n = 1 is supported)")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise RefusedError("Invalid temperature value, the valid range of temperature is [0, 2.0]")
    if request.top_p is not None and not 0 < request.top_p <= 1:
        raise RefusedError("Invalid top_p value, the valid range of top_p is (0, 1.0]")
    for name in ("presence_penalty", "frequency_penalty"):
        value = getattr(request, name)
        if value is not None and not -2 <= value <= 2:
            raise RefusedError(f"Invalid {name} value, the valid range of {name} is [-2, 2]")
    if request.top_logprobs is not None and not (request.logprobs and 0 <= request.top_logprobs <= 20):
        raise RefusedError("Invalid top_logprobs value, it needs logprobs and its valid range is [0, 20]")
    if len(request.stops()) > 16:
        raise RefusedError("Invalid stop value, the maximum number of stop sequences is 16")
    if request.thinking is not None and request.thinking.type not in ("enabled", "disabled"):
        raise undeserialized(f"thinking.type: unknown variant `{request.thinking.type[:40]}`, expected `enabled`")
    _check_tools(request)


def _check_tools(request: ChatLike) -> None:
    for tool in request.tools or []:
        if tool.type != "function" or tool.function is None:
            raise undeserialized(f"tools: unknown variant `{tool.type[:40]}`, expected `function`")
    if isinstance(request.tool_choice, str) and request.tool_choice not in ("none", "auto", "required"):
        raise undeserialized("tool_choice: data did not match any variant of untagged enum ChatCompletionToolChoice")
    if request.tool_choice not in (None, "none", "auto") and not request.tools:
        raise RefusedError("tool_choice is set but no tools are specified")


def _check_format(request: ChatLike) -> None:
    form = request.response_format
    if form is None or form.type == "text":
        return
    if form.type != "json_object":
        # https://github.com/langgenius/dify/issues/19365
        raise RefusedError("This response_format type is unavailable now")
    if not any("json" in message.text().lower() for message in request.messages):
        raise RefusedError(
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
        )


def _check_conversation(messages: Sequence[Message]) -> None:
    waiting: set[str] = set()
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise RefusedError(
                    "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
                )
            waiting.discard(message.tool_call_id or "")
            continue
        _check_answered(waiting)
        waiting = {call.id for call in message.tool_calls or []}
    _check_answered(waiting)


def _check_answered(waiting: set[str]) -> None:
    if waiting:
        raise RefusedError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. (insufficient tool messages following tool_calls message)"
        )


def _check_thinking(request: ChatLike, model: Model) -> None:
    """A thought goes back with the calls that it led to, until the user speaks again; elsewhere it must not."""
    if request.logprobs or request.top_logprobs is not None:
        raise RefusedError(f"{model.name} does not support logprobs or top_logprobs in thinking mode")
    if request.tool_choice == "required" or isinstance(request.tool_choice, ToolChoice):
        # https://github.com/pydantic/pydantic-ai/issues/3583
        raise RefusedError(f"{model.name} does not support this tool_choice")
    users = [index for index, message in enumerate(request.messages) if message.role == "user"]
    turn = users[-1] if users else 0
    for index, message in enumerate(request.messages):
        current = index > turn and bool(message.tool_calls)
        if current and message.reasoning_content is None:
            # https://github.com/continuedev/continue/issues/9831
            raise RefusedError(
                f"Missing `reasoning_content` field in the assistant message at message index {index}. For more "
                f"information, please refer to {_GUIDE}"
            )
        if message.reasoning_content is not None and not current:
            # https://api-docs.deepseek.com/guides/reasoning_model, "Multi-round Conversation"
            raise RefusedError(f"The `reasoning_content` of an earlier turn is in the message at index {index}")
