"""Embeddings: https://ai.google.dev/api/embeddings. The text decides the vector; a shorter one is not of length one."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox.gemini.catalogue import EmbeddingModel
from yescale_sandbox.gemini.dialect import Dialect
from yescale_sandbox.gemini.prompt import Content, Wire
from yescale_sandbox.gemini.proto import read
from yescale_sandbox.gemini.refusal import RefusedError
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.speech import text_tokens
from yescale_sandbox.vector import vector

MOST_REQUESTS = 100


class EmbedRequest(Wire, frozen=True):
    content: Content = Content()
    model: str | None = None
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None


class BatchRequest(Wire, frozen=True):
    requests: tuple[EmbedRequest, ...] = ()


class Embedded(Struct, frozen=True):
    """The vectors of one call, and the tokens that went in."""

    vectors: list[list[float]]
    tokens: int

    def one(self) -> bytes:
        return msgspec.json.encode({"embedding": {"values": self.vectors[0]}})

    def all(self) -> bytes:
        rows: list[Json] = [{"values": [*values]} for values in self.vectors]
        return msgspec.json.encode({"embeddings": rows})


def single(body: JsonObject, model: EmbeddingModel, dialect: Dialect) -> Embedded:
    """Raises: RefusedError."""
    request = msgspec.convert(read(dialect.tables, "EmbedContentRequest", body), EmbedRequest)
    return _embedded([request], model, "EmbedContentRequest")


def batch(body: JsonObject, model: EmbeddingModel, dialect: Dialect) -> Embedded:
    """Raises: RefusedError."""
    found = msgspec.convert(read(dialect.tables, "BatchEmbedContentsRequest", body), BatchRequest)
    if not found.requests:
        raise RefusedError("* BatchEmbedContentsRequest.requests: requests must not be empty\n")
    if len(found.requests) > MOST_REQUESTS:
        raise RefusedError("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n")
    for index, one in enumerate(found.requests):
        if one.model != f"models/{model.name}":
            place = f"BatchEmbedContentsRequest.requests[{index}].model"
            raise RefusedError(f"* {place}: model must be models/{model.name}, as in the URL\n")
    return _embedded(found.requests, model, "BatchEmbedContentsRequest")


def values_of(text: str, model: EmbeddingModel, dimensions: int | None) -> list[float]:
    """The start of the full vector; only a full one is normalised (docs/embeddings, "Ensuring quality")."""
    whole = vector(text, model.dimensions, model.name)
    return whole if dimensions is None else whole[:dimensions]


def _embedded(requests: Sequence[EmbedRequest], model: EmbeddingModel, message: str) -> Embedded:
    tokens = 0
    vectors: list[list[float]] = []
    for request in requests:
        _check(request, model, message)
        text = request.content.text()
        tokens += text_tokens(text)
        vectors.append(values_of(text, model, request.output_dimensionality))
    return Embedded(vectors, tokens)


def _check(request: EmbedRequest, model: EmbeddingModel, message: str) -> None:
    if request.model is not None and request.model != f"models/{model.name}":
        raise RefusedError(f"* {message}.model: model must be models/{model.name}, as in the URL\n")
    if not request.content.parts or any(part.text is None for part in request.content.parts):
        raise RefusedError(f"* {message}.content: contents is not specified\n")
    if not request.content.text():
        raise RefusedError(f"* {message}.content: content is empty\n")
    if request.title is not None and request.task_type != "RETRIEVAL_DOCUMENT":
        raise RefusedError(f"* {message}.title: only allowed when task_type is RETRIEVAL_DOCUMENT\n")
    if request.output_dimensionality is not None and not 1 <= request.output_dimensionality <= model.dimensions:
        raise RefusedError(f"* {message}.output_dimensionality: must be in the range [1, {model.dimensions}]\n")
