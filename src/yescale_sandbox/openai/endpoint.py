"""OpenAI's routes: who may call, what is asked, what is answered."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from yescale_sandbox import outage, playback, scenario
from yescale_sandbox.exchange import JSON, Answer, Headers, Pause, Request, Step, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai import catalogue, chat_rules, completion, embedding, failure, refusal, reply
from yescale_sandbox.openai.prompt import prompt_digest
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.playback import Framing
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed

KEY_PREFIX = "sk-sandbox-"
PREFIX = "/openai/v1"
MS_PER_S = 1000
FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + failure.FAILURES.by_name["500"].body + b"\n\n")
_KEYS_PAGE = "https://platform.openai.com/account/api-keys"


class Asked(Struct, frozen=True):
    """A call whose key, JSON and model name were understood."""

    request: Request
    body: JsonObject
    key: str
    named: str
    base: str
    script: Script
    headers: Headers


Count: TypeAlias = Callable[[str], int]


class OpenAi:
    """The fake provider. `count` tells how often a prompt came before, which `+flaky` alone asks."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._posts: Mapping[str, Callable[[Asked], Answer]] = {
            f"{PREFIX}/chat/completions": self._chat,
            f"{PREFIX}/embeddings": self._embeddings,
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers = common_headers(call_id)
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return _refused(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        key = presented_key(request)
        post = self._posts.get(request.path)
        if post is not None:
            if request.method != "POST":
                raise RefusedError(
                    "Only POST requests are accepted.",
                    code="method_not_supported",
                    status=405,
                    headers=(("allow", "POST"),),
                )
            asked = _asked(request, key, headers)
            return self._guarded(post, asked)
        if request.method == "GET" and request.path == f"{PREFIX}/models":
            return _listed(headers)
        if request.method == "GET" and request.path.startswith(f"{PREFIX}/models/"):
            return _described(unquote(request.path.removeprefix(f"{PREFIX}/models/")), headers)
        path = request.path.removeprefix("/openai")
        raise RefusedError(f"Invalid URL ({request.method} {path})", status=404)

    def _guarded(self, post: Callable[[Asked], Answer], asked: Asked) -> Answer:
        """The call, its refusal too, with the model and the scenario on record."""
        try:
            answer = post(asked)
        except RefusedError as refused:
            answer = _refused(refused, asked.headers)
        return msgspec.structs.replace(answer, model=asked.base, scenario=asked.script.suffix)

    def _chat(self, asked: Asked) -> Answer:
        model = catalogue.chat_model(asked.base)
        if model is None:
            raise _not_for_chat(asked)
        request = chat_rules.checked(asked.body, model)
        stopped = self._stopped(asked, prompt_digest(asked.body))
        if stopped is not None:
            return stopped
        said = reply.compose(request, asked.body, asked.request.body, model, asked.script)
        reported = claimed(said.usage, asked.script)
        if request.stream:
            events = completion.events(said, request, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = completion.whole_body(said, request, reported)
            played = playback.body_steps(body, asked.script, asked.headers)
        return _good(asked.script, played, said.usage, reported)

    def _embeddings(self, asked: Asked) -> Answer:
        model = catalogue.EMBEDDING_MODELS.get(asked.base)
        if model is None:
            raise _not_for_embeddings(asked)
        request = embedding.checked(asked.body, model)
        stopped = self._stopped(asked, hashlib.sha256(asked.request.body).hexdigest())
        if stopped is not None:
            return stopped
        usage = Tokens(prompt=request.tokens)
        reported = claimed(usage, asked.script)
        body = embedding.body_of(request, model, reported)
        return _good(asked.script, playback.body_steps(body, asked.script, asked.headers), usage, reported)

    def _stopped(self, asked: Asked, digest: str) -> Answer | None:
        """The failure that a scenario puts in the place of an answer."""
        earlier = self._count(f"{asked.key}\n{asked.named}\n{digest}") if "flaky" in asked.script else 0
        call = outage.Call(asked.named, asked.key, asked.script, earlier, asked.headers)
        answer = outage.instead(call, failure.FAILURES)
        if answer is None:
            return None
        return msgspec.structs.replace(answer, steps=_delayed(answer.steps, asked.script))


def presented_key(request: Request) -> str:
    """The key of the Authorization header.

    Raises: RefusedError, with OpenAI's 401 (github.com/chatboxai/chatbox/issues/98, popjane/free_chatgpt_api/issues/3).
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise RefusedError(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're "
            "accessing the API from your browser and are prompted for a username and password. You can obtain an API "
            f"key from {_KEYS_PAGE}.",
            status=401,
            headers=(("www-authenticate", 'Bearer realm="OpenAI API"'),),
        )
    if not key.startswith(KEY_PREFIX):
        shown = key if len(key) < 12 else f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"
        raise RefusedError(
            f"Incorrect API key provided: {shown}. You can find your API key at {_KEYS_PAGE}.",
            code="invalid_api_key",
            status=401,
        )
    return key


def common_headers(call_id: str) -> Headers:
    """What OpenAI adds to every answer; a gateway should know which of it not to pass on."""
    return (
        ("openai-organization", "org-sandbox"),
        ("openai-processing-ms", "1"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-limit-tokens", "30000000"),
        ("x-ratelimit-remaining-tokens", "29999000"),
        ("x-request-id", call_id),
        ("set-cookie", "__cf_bm=sandbox; path=/; HttpOnly; Secure; SameSite=None"),
        ("server", "cloudflare"),
    )


def _asked(request: Request, key: str, headers: Headers) -> Asked:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON:
        raise RefusedError(
            f"Unsupported content type: '{media[:60]}'. This API method only accepts 'application/json' requests.",
            code="unsupported_content_type",
            status=415,
        )
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refusal.unparsable() from None
    if not isinstance(body, dict):
        raise refusal.unparsable()
    named = body.get("model")
    if named is None or named == "":
        raise RefusedError("you must provide a model parameter")
    if not isinstance(named, str):
        raise refusal.unparsable()
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        raise refusal.no_such_model(named) from None
    return Asked(request, body, key, named, base, script, headers)


def _not_for_chat(asked: Asked) -> RefusedError:
    if asked.base in catalogue.EMBEDDING_MODELS:
        return RefusedError(
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
            "Did you mean to use v1/completions?",
            param="model",
            status=404,
        )
    return refusal.no_such_model(asked.named)


def _not_for_embeddings(asked: Asked) -> RefusedError:
    if catalogue.chat_model(asked.base) is not None:
        return RefusedError("You are not allowed to generate embeddings from this model", status=403)
    return refusal.no_such_model(asked.named)


def _good(script: Script, played: playback.Played, counted: Tokens, reported: Tokens | None) -> Answer:
    return Answer(200, _delayed(played.steps, script), played.outcome, counted=counted, reported=reported)


def _delayed(steps: Iterator[Step], script: Script) -> Iterator[Step]:
    if "delay" in script:
        yield Pause(script.number("delay") / MS_PER_S)
    yield from steps


def _refused(refused: RefusedError, headers: Headers) -> Answer:
    start, body = whole(refused.status, JSON, refused.body, (*refused.headers, *headers))
    return Answer(refused.status, joined(start, body), "refused")


def _listed(headers: Headers) -> Answer:
    rows: list[Json] = [_model_object(name, created) for name, created in catalogue.created_times().items()]
    start, body = whole(200, JSON, msgspec.json.encode({"object": "list", "data": rows}), headers)
    return Answer(200, joined(start, body))


def _described(name: str, headers: Headers) -> Answer:
    created = catalogue.created_times().get(name)
    if created is None:
        raise RefusedError(
            f"The model '{refusal.shortened(name)}' does not exist", param="model", code="model_not_found", status=404
        )
    start, body = whole(200, JSON, msgspec.json.encode(_model_object(name, created)), headers)
    return Answer(200, joined(start, body))


def _model_object(name: str, created: int) -> JsonObject:
    return {"id": name, "object": "model", "created": created, "owned_by": "system"}
