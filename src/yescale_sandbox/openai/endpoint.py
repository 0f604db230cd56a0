"""OpenAI's routes: who may call, what is asked, what is answered."""

from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from yescale_sandbox.exchange import JSON, Answer, Headers, Request, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai import catalogue, failure, refusal
from yescale_sandbox.openai.call import Count, Post, Stage, asked_of, guarded, only, refused_answer
from yescale_sandbox.openai.chat import Chat
from yescale_sandbox.openai.embedding import Embeddings
from yescale_sandbox.openai.moderation import USUAL, Moderations
from yescale_sandbox.openai.realtime import endpoint as realtime
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.openai.responses.endpoint import Responses
from yescale_sandbox.openai.text_completion import TextCompletions

KEY_PREFIX = "sk-sandbox-"
PREFIX = "/openai/v1"
_KEYS_PAGE = "https://platform.openai.com/account/api-keys"


class OpenAi:
    """The fake provider. `count` tells how often a prompt came before, which `+flaky` alone asks."""

    def __init__(self, count: Count) -> None:
        stage = Stage(count, failure.FAILURES)
        self._stage = stage
        self._responses = Responses(stage)
        self._posts: Mapping[str, Post] = {
            f"{PREFIX}/chat/completions": Chat(stage),
            f"{PREFIX}/responses": self._responses.create,
            f"{PREFIX}/embeddings": Embeddings(stage),
            f"{PREFIX}/completions": TextCompletions(stage),
            f"{PREFIX}/moderations": Moderations(stage),
        }

        # The model that a body without one means.
        self._usual: Mapping[str, str] = {f"{PREFIX}/moderations": USUAL}

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers = common_headers(call_id)
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return refused_answer(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        if request.path == f"{PREFIX}/realtime":
            request = realtime.with_key(request)
            return realtime.answer(request, presented_key(request), headers, self._stage)
        key = presented_key(request)
        post = self._posts.get(request.path)
        if post is not None:
            only("POST", request)
            return guarded(post, asked_of(request, key, headers, self._usual.get(request.path)))
        if request.path.startswith(f"{PREFIX}/responses/"):
            return self._responses.stored(request, request.path.removeprefix(f"{PREFIX}/responses/"), key, headers)
        if request.method == "GET" and request.path == f"{PREFIX}/models":
            return _listed(headers)
        if request.method == "GET" and request.path.startswith(f"{PREFIX}/models/"):
            return _described(unquote(request.path.removeprefix(f"{PREFIX}/models/")), headers)
        raise invalid_url(request, "/openai")


def invalid_url(request: Request, prefix: str) -> RefusedError:
    return RefusedError(f"Invalid URL ({request.method} {request.path.removeprefix(prefix)})", status=404)


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
