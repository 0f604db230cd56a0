"""Vertex AI's routes: who may call, for which project, what is asked, what is answered."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import msgspec

from yescale_sandbox.anthropic.cache import Memory
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, Tokens, joined, whole
from yescale_sandbox.gemini.call import Asked, Calls, asked_of, played_body, refused, stopped
from yescale_sandbox.gemini.catalogue import EMBEDDING_MODELS, GENERATES, MODELS
from yescale_sandbox.gemini.endpoint import NOT_FOUND, common_headers
from yescale_sandbox.gemini.refusal import RPC, VALUE_SHOWN, RefusedError, bad_token
from yescale_sandbox.vertex import claude, failure, grant, predict
from yescale_sandbox.vertex.account import GRANT_PATH, PROJECT, public_key
from yescale_sandbox.vertex.dialect import VERTEX

PREFIX = "/vertex"
_PATH = re.compile(
    r"/vertex/v1(?:beta1)?/(?P<resource>projects/(?P<project>[^/]+)/locations/[a-z0-9-]+/publishers/(?P<publisher>google|anthropic)/models/"
    r"(?P<model>[^/:]+)):(?P<method>\w+)"
)


class Vertex:
    """The fake provider. `memory` tells how often a prompt came before, and holds the prompt cache."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._key = public_key()
        calls = Calls(VERTEX, self._stopped)
        self._methods: Mapping[str, Callable[[Asked], Answer]] = {
            "generateContent": calls.generate,
            "streamGenerateContent": calls.stream,
            "countTokens": calls.count_tokens,
            "predict": self._predict,
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers = common_headers()
        if request.path == GRANT_PATH and request.method == "POST":
            return self._granted(request, headers)
        try:
            return self._route(request, call_id, headers)
        except RefusedError as error:
            return refused(error, headers)

    def _granted(self, request: Request, headers: Headers) -> Answer:
        try:
            status, made = 200, msgspec.json.encode(grant.granted(request, self._key, time.time()))
        except grant.DeniedError as denied:
            status, made = denied.status, denied.body
        start, body = whole(status, JSON, made, headers)
        return Answer(status, joined(start, body), "served" if status == 200 else "refused")

    def _route(self, request: Request, call_id: str, headers: Headers) -> Answer:
        place = _PATH.fullmatch(unquote(request.path))
        if place is None or request.method != "POST" or place["method"] not in self._methods.keys() | claude.METHODS:
            start, body = whole(404, "text/html; charset=UTF-8", NOT_FOUND, headers)
            return Answer(404, joined(start, body), "refused")
        token = presented_token(request, time.time())
        if place["project"] != PROJECT:
            raise _not_allowed(place["resource"])
        asked = asked_of(request, token, place["model"], headers)
        try:
            if place["publisher"] == "anthropic":
                answer = self._claude(place["method"], place["resource"], asked, call_id)
            else:
                answer = self._called(place["method"], place["resource"], asked)
        except RefusedError as error:
            answer = refused(error, headers)
        return msgspec.structs.replace(answer, model=asked.base, scenario=asked.script.suffix)

    def _called(self, method: str, resource: str, asked: Asked) -> Answer:
        served = GENERATES if asked.base in MODELS else ("predict",) if asked.base in EMBEDDING_MODELS else ()
        if method not in served:
            raise _no_such_model(resource)
        return self._methods[method](asked)

    def _claude(self, method: str, resource: str, asked: Asked, call_id: str) -> Answer:
        model = claude.find(asked.base)
        if model is None or method not in claude.METHODS:
            raise _no_such_model(resource)
        return claude.answered(asked, model, call_id, self._memory, self._stopped)

    def _predict(self, asked: Asked) -> Answer:
        model = EMBEDDING_MODELS[asked.base]
        request = predict.checked(asked.body, model)
        answer = self._stopped(asked)
        if answer is not None:
            return answer
        body, tokens = predict.answered(request, model)
        return played_body(asked, body, Tokens(prompt=tokens))

    def _stopped(self, asked: Asked) -> Answer | None:
        digest = hashlib.sha256(asked.request.body).hexdigest()
        earlier = self._memory(f"{asked.named}\n{digest}") if "flaky" in asked.script else 0
        return stopped(asked, earlier, failure.FAILURES)


def presented_token(request: Request, now: float) -> str:
    """The access token of the Authorization header, if it is known, not yet expired and of the right scope.

    Raises: RefusedError.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    access = grant.access_of(token.strip()) if scheme.lower() == "bearer" else None
    if access is None or access.expires <= now:
        raise bad_token("aiplatform")
    if grant.SCOPE not in access.scope.split():
        raise RefusedError(
            "Request had insufficient authentication scopes.",
            code=403,
            details=(
                {"@type": f"{RPC}.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "domain": "googleapis.com"},
            ),
        )
    return token.strip()


def _no_such_model(resource: str) -> RefusedError:
    """https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"""
    return RefusedError(
        f"Publisher Model `{resource[:300]}` was not found or your project does not have access to it. Please "
        "ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
        code=404,
    )


def _not_allowed(resource: str) -> RefusedError:
    return RefusedError(
        f"Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/"
        f"{resource[: 3 * VALUE_SHOWN]}' (or it may not exist).",
        code=403,
        details=(
            {"@type": f"{RPC}.ErrorInfo", "reason": "IAM_PERMISSION_DENIED", "domain": "aiplatform.googleapis.com"},
        ),
    )
