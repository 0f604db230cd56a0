"""Embeddings: checks in OpenAI's words, and unit vectors that the input decides (openapi.json, `CreateEmbedding*`)."""

import base64
import struct
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.exchange import Answer, Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Stage, good
from yescale_sandbox.openai.catalogue import EMBEDDING_MODELS, EmbeddingModel, chat_model
from yescale_sandbox.openai.refusal import RefusedError, no_such_model
from yescale_sandbox.openai.shapes import Choice, Text, Whole
from yescale_sandbox.speech import claimed, text_tokens
from yescale_sandbox.vector import vector

KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
MOST_ITEMS = 2048
MOST_TOKENS = 8192
MOST_TOKENS_IN_ALL = 300_000


class EmbeddingRequest(Struct, frozen=True):
    """A checked request: items as text or tokens, and how to answer."""

    items: tuple[str | tuple[int, ...], ...]
    dimensions: int
    as_base64: bool
    tokens: int


class Embeddings(Struct, frozen=True):
    """Answers requests for embeddings."""

    stage: Stage

    def __call__(self, asked: Asked) -> Answer:
        model = EMBEDDING_MODELS.get(asked.base)
        if model is None:
            raise _not_for_embeddings(asked)
        request = checked(asked.body, model)
        stopped = self.stage.stopped(asked, asked.digest())
        if stopped is not None:
            return stopped
        usage = Tokens(prompt=request.tokens)
        reported = claimed(usage, asked.script)
        body = body_of(request, model, reported)
        return good(asked.script, playback.body_steps(body, asked.script, asked.headers), usage, reported)


def _not_for_embeddings(asked: Asked) -> RefusedError:
    if chat_model(asked.base) is not None:
        return RefusedError("You are not allowed to generate embeddings from this model", status=403)
    return no_such_model(asked.named)


def checked(body: JsonObject, model: EmbeddingModel) -> EmbeddingRequest:
    """Raises: RefusedError."""
    for name in body:
        if name not in KNOWN:
            raise RefusedError(f"Unrecognized request argument supplied: {name}")
    if body.get("input") is None:
        raise RefusedError("Please submit an `input`.")
    if "user" in body:
        Text().check(body["user"], "user")
    form = body.get("encoding_format", "float")
    Choice(("float", "base64")).check(form, "encoding_format")
    items = _items(body["input"])
    counts = [text_tokens(item) if isinstance(item, str) else len(item) for item in items]
    _check_counts(counts)
    return EmbeddingRequest(items, _dimensions(body, model), form == "base64", sum(counts))


def body_of(request: EmbeddingRequest, model: EmbeddingModel, usage: Tokens | None) -> bytes:
    """The answer: openapi.json, `CreateEmbeddingResponse`."""
    rows: list[Json] = []
    for index, item in enumerate(request.items):
        values = vector(item, request.dimensions, model.name)
        packed: Json = (
            base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode() if request.as_base64 else [*values]
        )
        rows.append({"object": "embedding", "index": index, "embedding": packed})
    answer: JsonObject = {"object": "list", "data": rows, "model": model.dated}
    if usage is not None:
        answer["usage"] = {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt}
    return msgspec.json.encode(answer)


def _items(given: Json) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(given, str):
        return (_text(given),)
    if not isinstance(given, list):
        raise _invalid()
    if not given:
        raise RefusedError("Invalid 'input': input cannot be an empty array.")
    if len(given) > MOST_ITEMS:
        raise RefusedError(f"Invalid 'input': array length must be {MOST_ITEMS} or less.")
    if isinstance(given[0], int):
        return (_token_array(given),)
    if isinstance(given[0], list):
        return tuple(_token_array(one) for one in given)
    return tuple(_text(one) for one in given)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise _invalid()
    if not value:
        raise RefusedError("Invalid 'input': input cannot be an empty string.")
    return value


def _token_array(value: Json) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise _invalid()
    tokens = tuple(one for one in value if isinstance(one, int) and not isinstance(one, bool) and one >= 0)
    if len(tokens) != len(value):
        raise _invalid()
    return tokens


# https://github.com/embeddings-benchmark/mteb/issues/1200
def _invalid() -> RefusedError:
    return RefusedError(
        "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
    )


def _check_counts(counts: Sequence[int]) -> None:
    if max(counts) > MOST_TOKENS:
        # https://github.com/neo4j-labs/agent-memory/issues/104
        raise RefusedError(f"Invalid 'input': maximum context length is {MOST_TOKENS} tokens.")
    if sum(counts) > MOST_TOKENS_IN_ALL:
        raise RefusedError(
            f"Requested {sum(counts)} tokens, max {MOST_TOKENS_IN_ALL} tokens per request",
            code="max_tokens_per_request",
        )


def _dimensions(body: JsonObject, model: EmbeddingModel) -> int:
    asked = body.get("dimensions")
    if asked is None:
        return model.dimensions
    Whole(least=1).check(asked, "dimensions")
    if not model.shortens:
        raise RefusedError("This model does not support specifying dimensions.")
    if not isinstance(asked, int) or asked > model.dimensions:
        raise RefusedError(
            f"Invalid value for 'dimensions' = {asked}. Must be less than or equal to {model.dimensions}."
        )
    return asked
