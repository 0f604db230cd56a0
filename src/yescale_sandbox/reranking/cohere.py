"""Cohere's reranking (https://docs.cohere.com/reference/rerank; errors: https://docs.cohere.com/reference/errors)."""

import hashlib
import uuid
from typing import Any

import msgspec
from msgspec import Struct

from yescale_sandbox import playback, scenario
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Count, Stage, good
from yescale_sandbox.outage import Failure, Failures
from yescale_sandbox.reranking import ranking

PREFIX = "/cohere/v2"
MODELS = frozenset(
    {"rerank-v3.5", "rerank-v4.0-pro", "rerank-v4.0-fast", "rerank-english-v3.0", "rerank-multilingual-v3.0"}
)
FIELDS = frozenset({"model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"})
MOST_DOCUMENTS = 1_000
DOCUMENTS_PER_UNIT = 100
_PAGE = "For proper usage, please refer to https://docs.cohere.com/reference/rerank"


class RefusedError(Exception):
    """The request is at fault."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message)


def error_body(message: str) -> bytes:
    """An id and a message are all (github.com/HKUDS/LightRAG/issues/1813)."""
    return msgspec.json.encode(
        {"id": str(uuid.UUID(bytes=hashlib.md5(message.encode(), usedforsecurity=False).digest())), "message": message}
    )


_TRIAL = "You are using a Trial key, which is limited to 10 API calls / minute."
_RETRY: Headers = (("retry-after", "1"),)
FAILURES = Failures(
    {
        "400": Failure(400, error_body("invalid request: this model answers every call so.")),
        "401": Failure(401, error_body("invalid api token")),
        "402": Failure(402, error_body("Please add or update your payment method to continue.")),
        "403": Failure(403, error_body("request is not allowed from this region")),
        "404": Failure(404, error_body("model 'rerank-v3.5' not found")),
        "429": Failure(429, error_body(_TRIAL), _RETRY),
        "quota": Failure(402, error_body("You have reached your billing limit.")),
        "500": Failure(500, error_body("internal server error")),
        "502": Failure(502, error_body("bad gateway")),
        "503": Failure(503, error_body("service unavailable")),
        "529": Failure(503, error_body("service unavailable")),
        "redirect": Failure(307, b"", (("location", "/cohere/v2/elsewhere"),)),
    },
    error_body,
)


class RerankRequest(Struct, frozen=True):
    """A request by its types."""

    model: str
    query: str
    documents: list[str]
    top_n: int | None = None
    max_tokens_per_doc: int | None = None
    priority: int | None = None


class Cohere:
    """The fake provider."""

    def __init__(self, count: Count) -> None:
        self._stage = Stage(count, FAILURES)

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers: Headers = (("x-debug-trace-id", call_id), ("server", "envoy"))
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return _refused(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.startswith("sk-sandbox-"):
            raise RefusedError("invalid api token" if key else "no api key supplied", 401)
        if (request.method, request.path) != ("POST", f"{PREFIX}/rerank"):
            raise RefusedError("404 page not found", 404)
        asked = _asked(request, key, headers)
        try:
            answered = self._rerank(asked)
        except RefusedError as refused:
            answered = _refused(refused, headers)
        return msgspec.structs.replace(answered, model=asked.base, scenario=asked.script.suffix)

    def _rerank(self, asked: Asked) -> Answer:
        request = checked(asked.body)
        if asked.base not in MODELS:
            raise RefusedError(
                f"model '{asked.base[:80]}' not found, make sure the correct model ID was used and that you have "
                "access to the model.",
                404,
            )
        stopped = self._stage.stopped(asked, asked.digest())
        if stopped is not None:
            return stopped
        rows = ranking.ranked(request.query, request.documents)[: request.top_n]
        results: list[Json] = [{"index": row.index, "relevance_score": row.score} for row in rows]
        units = -(-len(request.documents) // DOCUMENTS_PER_UNIT)
        meta: JsonObject = {"api_version": {"version": "2"}, "billed_units": {"search_units": units}}
        body = msgspec.json.encode({"id": str(uuid.UUID(asked.digest()[:32])), "results": results, "meta": meta})
        counted = Tokens(prompt=ranking.tokens(request.query, request.documents))
        return good(asked.script, playback.body_steps(body, asked.script, asked.headers), counted, None)


def checked(body: JsonObject) -> RerankRequest:
    """Raises: RefusedError."""
    for name in body:
        if name not in FIELDS:
            raise RefusedError(f"unknown field: parameter '{name[:80]}' is not a valid field. {_PAGE}", 422)
    for name in ("query", "documents"):
        if name not in body:
            raise RefusedError(f"invalid request: {name} is required.")
    try:
        request = msgspec.convert(body, RerankRequest)
    except msgspec.ValidationError as error:
        raise RefusedError(f"invalid type: {error}. {_PAGE}", 422) from None
    if not request.query:
        raise RefusedError("invalid request: query must not be empty")
    # https://github.com/langchain4j/langchain4j/issues/770
    if not request.documents:
        raise RefusedError("invalid request: list of documents must not be empty")
    if len(request.documents) > MOST_DOCUMENTS:
        raise RefusedError(f"invalid request: too many documents, at most {MOST_DOCUMENTS} are allowed")
    _check_bounds(request)
    return request


def _check_bounds(request: RerankRequest) -> None:
    bounds: dict[str, tuple[Any, int, int]] = {
        "top_n": (request.top_n, 1, MOST_DOCUMENTS),
        "max_tokens_per_doc": (request.max_tokens_per_doc, 1, 1_000_000),
        "priority": (request.priority, 0, 999),
    }
    for name, (value, least, most) in bounds.items():
        if value is not None and not least <= value <= most:
            raise RefusedError(f"invalid request: {name} must be between {least} and {most}")


def _asked(request: Request, key: str, headers: Headers) -> Asked:
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RefusedError(f"invalid json syntax. {_PAGE}")
    named = body.get("model")
    if named is None:
        raise RefusedError("invalid request: model is required.")
    if not isinstance(named, str):
        raise RefusedError(f"invalid type: parameter 'model' is not of type string. {_PAGE}", 422)
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        base, script = named, scenario.Script()
    return Asked(request, body, key, named, base, script, headers)


def _refused(refused: RefusedError, headers: Headers) -> Answer:
    start, body = whole(refused.status, JSON, refused.body, headers)
    return Answer(refused.status, joined(start, body), "refused")
