"""Embeddings by `predict`: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api."""

from collections.abc import Sequence

import msgspec

from yescale_sandbox.gemini.catalogue import EmbeddingModel
from yescale_sandbox.gemini.embedding import values_of
from yescale_sandbox.gemini.message import TASK
from yescale_sandbox.gemini.prompt import Wire
from yescale_sandbox.gemini.proto import read
from yescale_sandbox.gemini.refusal import RefusedError
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.speech import cut_text, text_tokens
from yescale_sandbox.vertex.message import TABLES

MOST_INSTANCES = {"gemini-embedding-001": 1}
USUAL_INSTANCES = 250


class Instance(Wire, frozen=True):
    content: str = ""
    task_type: str | None = None
    title: str | None = None


class Parameters(Wire, frozen=True):
    auto_truncate: bool = True
    output_dimensionality: int | None = None


class Prediction(Wire, frozen=True):
    instances: tuple[Instance, ...] = ()
    parameters: Parameters = Parameters()


def checked(body: JsonObject, model: EmbeddingModel) -> Prediction:
    """Raises: RefusedError."""
    request = msgspec.convert(read(TABLES, "PredictRequest", body), Prediction)
    most = MOST_INSTANCES.get(model.name, USUAL_INSTANCES)
    if not request.instances:
        raise RefusedError("The PredictRequest's instances are empty: instances is not specified.")
    if len(request.instances) > most:
        raise RefusedError(
            f"{len(request.instances)} instance(s) is not allowed for prediction: instances, at most {most}."
        )
    _check_instances(request.instances)
    dimensions = request.parameters.output_dimensionality
    if dimensions is not None and not 1 <= dimensions <= model.dimensions:
        raise RefusedError(f"output_dimensionality must be in the range [1, {model.dimensions}].")
    if not request.parameters.auto_truncate:
        for one in request.instances:
            if text_tokens(one.content) > model.most_tokens:
                raise RefusedError(
                    f"The input token count is {text_tokens(one.content)} but the model supports up to "
                    f"{model.most_tokens} and auto_truncate is false."
                )
    return request


def answered(request: Prediction, model: EmbeddingModel) -> tuple[bytes, int]:
    """The answer, and the tokens that went in."""
    rows: list[Json] = []
    total = 0
    for one in request.instances:
        text = cut_text(one.content, model.most_tokens)
        tokens = text_tokens(text)
        total += tokens
        values: list[Json] = [*values_of(text, model, request.parameters.output_dimensionality)]
        statistics: JsonObject = {"truncated": text != one.content, "token_count": tokens}
        rows.append({"embeddings": {"statistics": statistics, "values": values}})
    characters = sum(len(one.content) for one in request.instances)
    return msgspec.json.encode({"predictions": rows, "metadata": {"billableCharacterCount": characters}}), total


def _check_instances(instances: Sequence[Instance]) -> None:
    for index, one in enumerate(instances):
        if not one.content:
            raise RefusedError(f"The text content of instances[{index}] is empty: content is not specified.")
        if one.task_type is not None and one.task_type not in TASK.values:
            raise RefusedError(f"Unsupported task_type {one.task_type[:60]} in instances[{index}].")
        if one.title is not None and one.task_type != "RETRIEVAL_DOCUMENT":
            raise RefusedError(f"A title in instances[{index}] needs the task_type RETRIEVAL_DOCUMENT.")
