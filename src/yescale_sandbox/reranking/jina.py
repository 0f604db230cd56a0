"""Jina's reranking (https://api.jina.ai/docs, `RankAPIInput`, `RankingOutput`); faults in pydantic's words."""

import msgspec
from msgspec import Struct

from yescale_sandbox import playback, scenario
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Count, Stage, good
from yescale_sandbox.outage import Failure, Failures
from yescale_sandbox.reranking import ranking
from yescale_sandbox.speech import claimed

PREFIX = "/jina/v1"
MODELS = frozenset({"jina-reranker-v2-base-multilingual", "jina-reranker-v3", "jina-reranker-m0", "jina-colbert-v2"})
FIELDS = frozenset({"model", "query", "documents", "top_n", "return_documents", "truncation"})
MOST_DOCUMENTS = 2_048


class RefusedError(Exception):
    """The request is at fault."""

    def __init__(self, detail: Json, status: int = 422) -> None:
        super().__init__(str(detail))
        self.status = status
        self.body = msgspec.json.encode({"detail": detail})


def error_body(message: str) -> bytes:
    return msgspec.json.encode({"detail": message})


def fault(place: str, kind: str, words: str) -> RefusedError:
    """One fault of one field."""
    row: JsonObject = {"type": kind, "loc": ["body", place], "msg": words}
    return RefusedError([row])


_RETRY: Headers = (("retry-after", "1"),)
_NO_KEY = "Invalid API key, please get a new one from https://jina.ai."
_EMPTY = "Account balance not enough to run this query, please recharge."
FAILURES = Failures(
    {
        "400": Failure(400, error_body("This model answers every call so.")),
        "401": Failure(401, error_body(_NO_KEY)),
        "402": Failure(402, error_body(_EMPTY)),
        "403": Failure(403, error_body("Forbidden")),
        "404": Failure(404, error_body("Not Found")),
        "429": Failure(429, error_body("Rate limit exceeded."), _RETRY),
        "quota": Failure(402, error_body(_EMPTY)),
        "500": Failure(500, error_body("Internal Server Error")),
        "502": Failure(502, error_body("Bad Gateway")),
        "503": Failure(503, error_body("Service Unavailable")),
        "529": Failure(503, error_body("Service Unavailable")),
        "redirect": Failure(307, b"", (("location", "/jina/v1/elsewhere"),)),
    },
    error_body,
)


class TextDocument(Struct, frozen=True):
    text: str


class RerankRequest(Struct, frozen=True):
    """A request by its types."""

    model: str
    query: str
    documents: list[str | TextDocument]
    top_n: int | None = None
    return_documents: bool = True
    truncation: bool | None = None

    def texts(self) -> list[str]:
        return [one if isinstance(one, str) else one.text for one in self.documents]


class Jina:
    """The fake provider."""

    def __init__(self, count: Count) -> None:
        self._stage = Stage(count, FAILURES)

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers: Headers = (("x-request-id", call_id), ("server", "uvicorn"))
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return _refused(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.startswith("sk-sandbox-"):
            raise RefusedError(_NO_KEY, 401)
        if (request.method, request.path) != ("POST", f"{PREFIX}/rerank"):
            raise RefusedError("Not Found", 404)
        asked = _asked(request, key, headers)
        try:
            answered = self._rerank(asked)
        except RefusedError as refused:
            answered = _refused(refused, headers)
        return msgspec.structs.replace(answered, model=asked.base, scenario=asked.script.suffix)

    def _rerank(self, asked: Asked) -> Answer:
        request = checked(asked.body)
        if asked.base not in MODELS:
            raise fault("model", "enum", f"Input should be one of {', '.join(sorted(MODELS))}")
        stopped = self._stage.stopped(asked, asked.digest())
        if stopped is not None:
            return stopped
        texts = request.texts()
        results: list[Json] = []
        for row in ranking.ranked(request.query, texts)[: request.top_n]:
            document: JsonObject = {"document": {"text": texts[row.index]}} if request.return_documents else {}
            results.append({"index": row.index, "relevance_score": row.score, **document})
        usage = Tokens(prompt=ranking.tokens(request.query, texts))
        reported = claimed(usage, asked.script)
        answer: JsonObject = {"model": asked.base, "object": "list", "results": results}
        if reported is not None:
            answer["usage"] = {"total_tokens": reported.prompt}
        played = playback.body_steps(msgspec.json.encode(answer), asked.script, asked.headers)
        return good(asked.script, played, usage, reported)


def checked(body: JsonObject) -> RerankRequest:
    """Raises: RefusedError."""
    for name in ("query", "documents"):
        if name not in body:
            raise fault(name, "missing", "Field required")
    for name in body:
        if name not in FIELDS:
            raise fault(name[:80], "extra_forbidden", "Extra inputs are not permitted")
    try:
        request = msgspec.convert(body, RerankRequest)
    except msgspec.ValidationError as error:
        raise fault("input", "type_error", str(error)) from None
    if not request.query:
        raise fault("query", "string_too_short", "String should have at least 1 character")
    if not 1 <= len(request.documents) <= MOST_DOCUMENTS:
        raise fault("documents", "length", f"List should have 1 to {MOST_DOCUMENTS} items")
    if request.top_n is not None and request.top_n < 1:
        raise fault("top_n", "greater_than_equal", "Input should be greater than or equal to 1")
    return request


def _asked(request: Request, key: str, headers: Headers) -> Asked:
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise fault("body", "json_invalid", "JSON decode error") from None
    if not isinstance(body, dict):
        raise fault("body", "model_attributes_type", "Input should be a valid dictionary")
    named = body.get("model")
    if not isinstance(named, str):
        kind = "missing" if "model" not in body else "string_type"
        raise fault("model", kind, "Field required" if kind == "missing" else "Input should be a valid string")
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        base, script = named, scenario.Script()
    return Asked(request, body, key, named, base, script, headers)


def _refused(refused: RefusedError, headers: Headers) -> Answer:
    start, body = whole(refused.status, JSON, refused.body, headers)
    return Answer(refused.status, joined(start, body), "refused")
