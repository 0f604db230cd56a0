"""The Gemini API's routes: who may call, what is asked, what is answered."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import parse_qs, unquote

import msgspec

from yescale_sandbox.exchange import JSON, Answer, Headers, Request, joined, whole
from yescale_sandbox.gemini import failure, listing, refusal
from yescale_sandbox.gemini.call import Asked, Calls, asked_of, refused, stopped
from yescale_sandbox.gemini.catalogue import EMBEDDING_MODELS, EMBEDS, GENERATES, MODELS
from yescale_sandbox.gemini.dialect import AI_STUDIO
from yescale_sandbox.gemini.refusal import RefusedError
from yescale_sandbox.jsontype import JsonObject

KEY_PREFIX = "AIzaSandbox"
PREFIX = "/gemini"
VERSIONS = frozenset({"v1", "v1beta"})  # the SDKs of 2026 call v1, all before v1beta
NOT_FOUND = b"<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n"

Count: TypeAlias = Callable[[str], int]


class Gemini:
    """The fake provider. `count` tells how often a prompt came before, which `+flaky` alone asks."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._calls = Calls(AI_STUDIO, self._stopped)
        self._methods: Mapping[str, Callable[[Asked], Answer]] = {
            "generateContent": self._calls.generate,
            "streamGenerateContent": self._calls.stream,
            "countTokens": self._calls.count_tokens,
            "embedContent": self._calls.embed,
            "batchEmbedContents": self._calls.embed_batch,
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers = common_headers()
        try:
            return self._route(request, headers)
        except RefusedError as error:
            return refused(error, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        version, _, place = unquote(request.path.removeprefix(f"{PREFIX}/")).partition("/")
        family, _, rest = place.partition("/")
        if version not in VERSIONS or family != "models":
            return _nowhere(headers)
        key = presented_key(request)
        if request.method == "GET":
            return _described(rest, version, parse_qs(request.query), headers)
        named, _, method = rest.rpartition(":")
        if request.method != "POST" or method not in self._methods:
            return _nowhere(headers)
        asked = asked_of(request, key, named, headers)
        return self._guarded(method, version, asked)

    def _guarded(self, method: str, version: str, asked: Asked) -> Answer:
        """The call, its refusal too, with the model and the scenario on record."""
        try:
            if not serves(asked.base, method):
                raise refusal.no_such_model(asked.named, version, method)
            answer = self._methods[method](asked)
        except RefusedError as error:
            answer = refused(error, asked.headers)
        return msgspec.structs.replace(answer, model=asked.base, scenario=asked.script.suffix)

    def _stopped(self, asked: Asked) -> Answer | None:
        digest = hashlib.sha256(asked.request.body).hexdigest()
        earlier = self._count(f"{asked.key}\n{asked.named}\n{digest}") if "flaky" in asked.script else 0
        return stopped(asked, earlier, failure.FAILURES)


def serves(model: str, method: str) -> bool:
    """Whether a model is there and has a method."""
    return method in (GENERATES if model in MODELS else EMBEDS if model in EMBEDDING_MODELS else ())


def presented_key(request: Request) -> str:
    """The key of the header or of the query.

    Raises: RefusedError.
    """
    key = request.headers.get("x-goog-api-key") or parse_qs(request.query).get("key", [""])[-1]
    if not key:
        raise refusal.bad_token("generativelanguage") if "authorization" in request.headers else refusal.no_key()
    if not key.startswith(KEY_PREFIX):
        raise refusal.bad_key()
    return key


def common_headers() -> Headers:
    """What Google adds to every answer; a gateway should know which of it not to pass on."""
    return (
        ("vary", "Origin"),
        ("vary", "X-Origin"),
        ("vary", "Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("server-timing", "gfet4t7; dur=1"),
    )


def _nowhere(headers: Headers) -> Answer:
    """Google answers an address that it does not know with a page."""
    start, body = whole(404, "text/html; charset=UTF-8", NOT_FOUND, headers)
    return Answer(404, joined(start, body), "refused")


def _described(name: str, version: str, query: Mapping[str, list[str]], headers: Headers) -> Answer:
    made: JsonObject = listing.page(query) if not name else listing.model(name, version)
    start, body = whole(200, JSON, msgspec.json.encode(made), headers)
    return Answer(200, joined(start, body))
