"""Ark's route of chat, and what it takes and refuses."""

from collections.abc import Mapping

import msgspec

from yescale_sandbox import playback, scenario
from yescale_sandbox.ark.failure import FAILURES, RefusedError, invalid, missing, no_such_key, unknown_model
from yescale_sandbox.chatlike import answer, writing
from yescale_sandbox.chatlike import request as requests
from yescale_sandbox.chatlike.request import ChatLike
from yescale_sandbox.chatlike.writing import Manner
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Count, Stage, good
from yescale_sandbox.playback import Framing
from yescale_sandbox.speech import claimed, digest_of

PREFIX = "/ark/api/v3/chat"
FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + FAILURES.by_name["500"].body + b"\n\n")
MOST_OUTPUT = 32_768
CONTEXT = 131_072
ROLES = ("system", "user", "assistant", "tool")
# Models, and whether each thinks unless `thinking` says otherwise (https://www.volcengine.com/docs/82379/1449737).
MODELS: Mapping[str, bool] = {
    "deepseek-v3-1-250821": False,
    "deepseek-v3-1-terminus": False,
    "deepseek-v3-2-251201": False,
    "deepseek-v3-250324": False,
    "deepseek-r1-250528": True,
}


def usage_object(usage: Tokens) -> JsonObject:
    return {
        "completion_tokens": usage.completion,
        "prompt_tokens": usage.prompt,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


MANNER = Manner(lambda seed: f"0217{seed[:44]}", usage_object, {"service_tier": "default"})


class Ark:
    """The fake provider. Any bearer token is a key if it says that it is the sandbox's."""

    def __init__(self, count: Count) -> None:
        self._stage = Stage(count, FAILURES)

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers: Headers = (("x-request-id", call_id), ("x-client-request-id", call_id), ("server", "istio-envoy"))
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return _refused(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        key = _key(request)
        if (request.method, request.path) != ("POST", f"{PREFIX}/completions"):
            raise RefusedError("The path does not exist.", "InvalidPath", status=404, type_="NotFound")
        asked = _asked(request, key, headers)
        try:
            answered = self._chat(asked)
        except RefusedError as refused:
            answered = _refused(refused, headers)
        return msgspec.structs.replace(answered, model=asked.base, scenario=asked.script.suffix)

    def _chat(self, asked: Asked) -> Answer:
        if asked.base not in MODELS:
            raise unknown_model(asked.base)
        request = checked(asked.body)
        stopped = self._stage.stopped(asked, digest_of(asked.body["messages"]))
        if stopped is not None:
            return stopped
        answered = answer.compose(
            *(request, asked.body, asked.request.body, asked.script),
            model=asked.base,
            thinks=thinks(request, usual=MODELS[asked.base]),
        )
        reported = claimed(answered.usage, asked.script)
        if request.stream:
            events = writing.events(answered, request, MANNER, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = writing.whole_body(answered, request, MANNER, reported)
            played = playback.body_steps(body, asked.script, asked.headers)
        return good(asked.script, played, answered.usage, reported)


def thinks(request: ChatLike, *, usual: bool) -> bool:
    """`auto` leaves it to the model: the sandbox's thinks about questions."""
    if request.thinking is None:
        return usual
    asks = any("?" in message.text() for message in request.messages[-1:])
    return request.thinking.type == "enabled" or (request.thinking.type == "auto" and asks)


def checked(body: JsonObject) -> ChatLike:
    """The request, typed, if Ark would take it.

    Raises: RefusedError.
    """
    if body.get("messages") in (None, []):
        raise missing("messages")
    try:
        request = requests.typed(body)
    except msgspec.ValidationError as error:
        words = str(error)
        place = words.rpartition("$.")[2].removesuffix("`") if "$." in words else "body"
        raise invalid(place) from None
    _check_messages(request)
    _check_values(request)
    if requests.prompt_tokens(request, body) > CONTEXT:
        raise RefusedError(f"Input length exceeds the maximum length {CONTEXT}.", "InvalidParameter", param="messages")
    return request


def _check_messages(request: ChatLike) -> None:
    called: set[str] = set()
    for index, message in enumerate(request.messages):
        place = f"messages[{index}]"
        if message.role not in ROLES:
            raise invalid(f"{place}.role", f"got {message.role[:40]}")
        if message.content is None and not message.tool_calls:
            raise missing(f"{place}.content")
        for part in message.parts():
            if part.type != "text":
                raise invalid(f"{place}.content", f"model does not support {part.type[:40]}")
        if message.role == "tool" and message.tool_call_id not in called:
            raise invalid(f"{place}.tool_call_id")
        called |= {call.id for call in message.tool_calls or []}


def _check_values(request: ChatLike) -> None:
    for name, least, most in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
        ("max_tokens", 1, MOST_OUTPUT),
        ("n", 1, 1),
        ("top_logprobs", 0, 20),
    ):
        value = getattr(request, name)
        if value is not None and not least <= value <= most:
            raise invalid(name, f"must be between {least} and {most}")
    if request.thinking is not None and request.thinking.type not in ("enabled", "disabled", "auto"):
        raise invalid("thinking.type")
    for index, tool in enumerate(request.tools or []):
        if tool.type != "function" or tool.function is None:
            raise invalid(f"tools[{index}].type")
    if isinstance(request.tool_choice, str) and request.tool_choice not in ("none", "auto", "required"):
        raise invalid("tool_choice")
    form = request.response_format
    if form is not None and form.type not in ("text", "json_object", "json_schema"):
        raise invalid("response_format.type")


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or "sandbox" not in key:
        raise no_such_key()
    return key.strip()


def _asked(request: Request, key: str, headers: Headers) -> Asked:
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body", "cannot be parsed as JSON") from None
    if not isinstance(body, dict):
        raise invalid("body")
    named = body.get("model")
    if named is None:
        raise missing("model")
    if not isinstance(named, str):
        raise invalid("model")
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        raise unknown_model(named) from None
    return Asked(request, body, key, named, base, script, headers)


def _refused(refused: RefusedError, headers: Headers) -> Answer:
    start, body = whole(refused.status, JSON, refused.body, headers)
    return Answer(refused.status, joined(start, body), "refused")
