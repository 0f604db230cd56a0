"""Azure's routes: one for each deployment, with `api-version`, and the newer ones below `/openai/v1`.

A deployment is named as the model in it, scenarios included.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

import msgspec
from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.azure import filtering
from yescale_sandbox.azure.failure import DENIED, FAILURES, NO_DEPLOYMENT, GatewayError
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, joined, whole
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai import catalogue, chat_rules, completion, reply
from yescale_sandbox.openai.call import (
    Asked,
    Count,
    Post,
    Stage,
    asked_of,
    check_media,
    decoded,
    good,
    guarded,
    named_call,
    only,
    refused_answer,
)
from yescale_sandbox.openai.embedding import Embeddings
from yescale_sandbox.openai.prompt import prompt_digest
from yescale_sandbox.openai.refusal import RefusedError, no_such_model
from yescale_sandbox.openai.responses.endpoint import Responses
from yescale_sandbox.openai.text_completion import TextCompletions
from yescale_sandbox.playback import Framing
from yescale_sandbox.speech import claimed

PREFIX = "/azure/openai"
KEY_PREFIX = "sk-sandbox-"
FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + FAILURES.by_name["500"].body + b"\n\n")
_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?|v1|preview")
_TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")  # what Entra gives out is a JWT


class AzureChat(Struct, frozen=True):
    """Answers chat completions, with what the content filter found."""

    stage: Stage

    def __call__(self, asked: Asked) -> Answer:
        model = catalogue.chat_model(asked.base)
        if model is None or not model.chats:
            raise no_such_model(asked.named)
        request = chat_rules.checked(asked.body, model)
        stopped = self.stage.stopped(asked, prompt_digest(asked.body))
        if stopped is not None:
            return stopped
        said = reply.compose(request, asked.body, asked.request.body, model, asked.script)
        reported = claimed(said.usage, asked.script)
        if request.stream:
            events = filtering.annotated_events(completion.events(said, request, asked.script))
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = filtering.annotated_body(completion.whole_body(said, request, reported))
            played = playback.body_steps(body, asked.script, asked.headers)
        return good(asked.script, played, said.usage, reported)


class Azure:
    """The fake provider."""

    def __init__(self, count: Count) -> None:
        stage = Stage(count, FAILURES)
        self._responses = Responses(stage)
        self._deployed: Mapping[str, Post] = {
            "chat/completions": AzureChat(stage),
            "completions": TextCompletions(stage),
            "embeddings": Embeddings(stage),
        }
        self._newer: Mapping[str, Post] = {**self._deployed, "responses": self._responses.create}

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers = _common_headers(call_id)
        try:
            return self._route(request, headers)
        except GatewayError as error:
            start, body = whole(error.status, JSON, error.body, headers)
            return Answer(error.status, joined(start, body), "refused")
        except RefusedError as refused:
            return refused_answer(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        area, _, rest = request.path.removeprefix(f"{PREFIX}/").partition("/")
        key = _key(request, newer=area == "v1")
        if area == "v1":
            return self._newer_route(request, rest, key, headers)
        deployment, _, operation = rest.partition("/")
        post = self._deployed.get(operation) if area == "deployments" else None
        version = parse_qs(request.query).get("api-version", [""])[-1]
        if post is None or not version:
            raise GatewayError("404", "Resource not found", 404)
        if not _VERSION.fullmatch(version):
            raise GatewayError("BadRequest", "API version not supported", 400)
        only("POST", request)
        check_media(request)
        named = unquote(deployment)
        body: JsonObject = {**decoded(request.body), "model": named}
        return _deployed(post, named_call(request, body, key, headers, named))

    def _newer_route(self, request: Request, rest: str, key: str, headers: Headers) -> Answer:
        post = self._newer.get(rest)
        if post is not None:
            only("POST", request)
            return _deployed(post, asked_of(request, key, headers))
        if rest.startswith("responses/"):
            return self._responses.stored(request, rest.removeprefix("responses/"), key, headers)
        raise GatewayError("404", "Resource not found", 404)


def _deployed(post: Post, asked: Asked) -> Answer:
    """The call; a model that there is not is a deployment that there is not."""
    known = asked.base in catalogue.created_times()
    if not known:
        raise GatewayError("DeploymentNotFound", NO_DEPLOYMENT, 404)
    return msgspec.structs.replace(guarded(post, asked), model=asked.base)


def _key(request: Request, *, newer: bool) -> str:
    """A key of the resource in its own header, or a token of Entra's; the newer routes take the key as bearer too."""
    key = request.headers.get("api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if key.startswith(KEY_PREFIX):
        return key
    if not key and (_TOKEN.fullmatch(bearer) or (newer and bearer.startswith(KEY_PREFIX))):
        return bearer
    raise GatewayError("401", DENIED, 401)


def _common_headers(call_id: str) -> Headers:
    return (
        ("apim-request-id", call_id),
        ("x-request-id", call_id),
        ("x-ms-region", "Sandbox"),
        ("x-ms-rai-invoked", "true"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "29999000"),
    )
