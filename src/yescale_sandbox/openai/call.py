"""What all routes of a provider that speaks like OpenAI share: the call as it was understood, and ways to end it."""

import hashlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec
from msgspec import Struct

from yescale_sandbox import outage, playback, scenario
from yescale_sandbox.exchange import JSON, Answer, Headers, Pause, Request, Step, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai import refusal
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.scenario import Script

MS_PER_S = 1000
Count: TypeAlias = Callable[[str], int]


class Asked(Struct, frozen=True):
    """A call whose key, JSON and model name were understood."""

    request: Request
    body: JsonObject
    key: str
    named: str
    base: str
    script: Script
    headers: Headers

    def digest(self) -> str:
        """Of the body as it was sent."""
        return hashlib.sha256(self.request.body).hexdigest()


Post: TypeAlias = Callable[[Asked], Answer]


class Stage(Struct, frozen=True):
    """How a provider fails. `count` tells how often a prompt came before, which `+flaky` alone asks."""

    count: Count
    failures: outage.Failures

    def stopped(self, asked: Asked, digest: str) -> Answer | None:
        """The failure that a scenario puts in the place of an answer."""
        earlier = self.count(f"{asked.key}\n{asked.named}\n{digest}") if "flaky" in asked.script else 0
        call = outage.Call(asked.named, asked.key, asked.script, earlier, asked.headers)
        answer = outage.instead(call, self.failures)
        if answer is None:
            return None
        return msgspec.structs.replace(answer, steps=delayed(answer.steps, asked.script))


def asked_of(request: Request, key: str, headers: Headers, usual: str | None = None) -> Asked:
    """Read a call; a body that names no model means the usual one.

    Raises: RefusedError.
    """
    check_media(request)
    body = decoded(request.body)
    return named_call(request, body, key, headers, usual if usual and "model" not in body else _model_name(body))


def named_call(request: Request, body: JsonObject, key: str, headers: Headers, named: str) -> Asked:
    """Raises: RefusedError, if the name asks for a scenario that there is not."""
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        raise refusal.no_such_model(named) from None
    return Asked(request, body, key, named, base, script, headers)


def check_media(request: Request) -> None:
    """Raises: RefusedError, if the body is not said to be JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON:
        raise RefusedError(
            f"Unsupported content type: '{media[:60]}'. This API method only accepts 'application/json' requests.",
            code="unsupported_content_type",
            status=415,
        )


def decoded(raw: bytes) -> JsonObject:
    """Raises: RefusedError, if the body is no JSON object."""
    try:
        body: Json = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refusal.unparsable() from None
    if not isinstance(body, dict):
        raise refusal.unparsable()
    return body


def _model_name(body: JsonObject) -> str:
    named = body.get("model")
    if named is None or named == "":
        raise RefusedError("you must provide a model parameter")
    if not isinstance(named, str):
        raise refusal.unparsable()
    return named


def guarded(post: Post, asked: Asked) -> Answer:
    """The call, its refusal too, with the model and the scenario on record."""
    try:
        answer = post(asked)
    except RefusedError as refused:
        answer = refused_answer(refused, asked.headers)
    return msgspec.structs.replace(answer, model=asked.base, scenario=asked.script.suffix)


def good(script: Script, played: playback.Played, counted: Tokens, reported: Tokens | None) -> Answer:
    return Answer(200, delayed(played.steps, script), played.outcome, counted=counted, reported=reported)


def delayed(steps: Iterator[Step], script: Script) -> Iterator[Step]:
    if "delay" in script:
        yield Pause(script.number("delay") / MS_PER_S)
    yield from steps


def refused_answer(refused: RefusedError, headers: Headers) -> Answer:
    start, body = whole(refused.status, JSON, refused.body, (*refused.headers, *headers))
    return Answer(refused.status, joined(start, body), "refused")


def json_answer(value: JsonObject, headers: Headers) -> Answer:
    """A plain good answer, of which no usage is told."""
    start, body = whole(200, JSON, msgspec.json.encode(value), headers)
    return Answer(200, joined(start, body))


def only(method: str, request: Request) -> None:
    """Raises: RefusedError, if the request has another method."""
    if request.method != method:
        raise RefusedError(
            f"Only {method} requests are accepted.",
            code="method_not_supported",
            status=405,
            headers=(("allow", method),),
        )
