"""What a company takes and refuses: what all of them check, and what its dialect adds."""

import re
from collections.abc import Sequence

import msgspec

from yescale_sandbox.alike.dialect import Dialect
from yescale_sandbox.chatlike import request as requests
from yescale_sandbox.chatlike.request import ChatLike, Message
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai.refusal import RefusedError, missing, unknown_parameter, unsupported_parameter

ROLES = ("system", "developer", "user", "assistant", "tool")
CHOICES = ("none", "auto", "required")
FORMS = ("text", "json_object", "json_schema")
_IN_MESSAGES = "messages."


def checked(body: JsonObject, dialect: Dialect) -> ChatLike:
    """The request, typed, if this company would take it.

    Raises: RefusedError.
    """
    _check_fields(body, dialect)
    if not body.get("messages"):
        raise missing("messages")
    try:
        request = requests.typed(body)
    except msgspec.ValidationError as error:
        words = str(error)
        raise RefusedError(f"Invalid type: {words}", param=words.rpartition("$.")[2].removesuffix("`")) from None
    _check_messages(request.messages, dialect)
    _check_values(request, dialect)
    _check_tools(request)
    _check_form(request, dialect)
    return request


def thinks(request: ChatLike, body: JsonObject) -> bool:
    """A model thinks where it is told to, by whichever of the companies' words."""
    switched = request.thinking is not None and request.thinking.type == "enabled"
    return switched or body.get("enable_thinking") is True or request.reasoning_effort not in (None, "none")


def _check_fields(body: JsonObject, dialect: Dialect) -> None:
    """A field that is null is said all the same, as pydantic has it."""
    for name, value in body.items():
        if dialect.knows is not None and name not in dialect.knows:
            raise unknown_parameter(name)
        if name in dialect.refuses and value is not None:
            raise unsupported_parameter(name)
    messages = body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        for name in message if isinstance(message, dict) else ():
            if f"{_IN_MESSAGES}{name}" in dialect.refuses:
                raise unsupported_parameter(f"messages[{index}].{name}")


def _check_messages(messages: Sequence[Message], dialect: Dialect) -> None:
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if message.role not in ROLES:
            raise RefusedError(f"Invalid value: '{message.role[:40]}'.", param=f"{place}.role")
        if message.content is None and not message.tool_calls:
            raise missing(f"{place}.content")
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise RefusedError("This id answers no call before it.", param=f"{place}.tool_call_id")
            waiting.discard(message.tool_call_id or "")
            continue
        _check_answered(waiting, place)
        waiting = {_checked_id(call.id, dialect, place) for call in message.tool_calls or []}
    _check_answered(waiting, "messages")


def _check_answered(waiting: set[str], place: str) -> None:
    if waiting:
        raise RefusedError("A call has no result behind it.", param=place)


def _checked_id(call_id: str, dialect: Dialect, place: str) -> str:
    if dialect.call_id and not re.fullmatch(dialect.call_id, call_id):
        raise RefusedError(
            f"Tool call id was {call_id[:60]} but must match {dialect.call_id}.", param=f"{place}.tool_calls"
        )
    return call_id


def _check_values(request: ChatLike, dialect: Dialect) -> None:
    for name, least, most in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
        ("max_tokens", 1, 1_000_000),
        ("max_completion_tokens", 1, 1_000_000),
        ("n", 1, dialect.most_answers),
        ("top_logprobs", 0, 20),
    ):
        value = getattr(request, name)
        if value is not None and not least <= value <= most:
            raise RefusedError(f"'{name}' must be between {least} and {most}.", param=name)
    switch = request.thinking
    if switch is not None and dialect.switches and switch.type not in dialect.switches:
        raise RefusedError(f"'thinking.type' must be one of {', '.join(dialect.switches)}.", param="thinking.type")


def _check_tools(request: ChatLike) -> None:
    for index, tool in enumerate(request.tools or []):
        if tool.type != "function" or tool.function is None:
            raise RefusedError("Only functions are tools.", param=f"tools[{index}].type")
    if isinstance(request.tool_choice, str) and request.tool_choice not in CHOICES:
        raise RefusedError(f"'tool_choice' must be one of {', '.join(CHOICES)}, or a function.", param="tool_choice")
    if request.tool_choice not in (None, "none", "auto") and not request.tools:
        raise RefusedError("'tool_choice' needs tools.", param="tool_choice")


def _check_form(request: ChatLike, dialect: Dialect) -> None:
    form = request.response_format
    if form is None:
        return
    if form.type not in (FORMS if dialect.schemas else FORMS[:-1]):
        raise RefusedError(f"'{form.type[:40]}' is not supported.", param="response_format.type")
    if form.type == "json_object" and not any("json" in message.text().lower() for message in request.messages):
        raise RefusedError("The messages must say the word JSON for this format.", param="response_format")
