"""`:embedContent` and `:batchEmbedContents`: https://ai.google.dev/api/embeddings

Google may report no usage with embeddings; then it is estimated from the text that was sent.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.embedding import NO_EXTRAS, EmbedRequest, EmbedResponse
from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName, ProtocolId
from yescale.domain.usage import Meter, Usage
from yescale.protocols.codec import Encoded, Garbled, Malformed, PathWords
from yescale.protocols.gemini_generate.losses import Losses
from yescale.protocols.gemini_generate.members import STRING, Members, expect, is_null, refuse
from yescale.protocols.gemini_generate.peeking import name_model
from yescale.protocols.gemini_generate.prompt import bound_prompt
from yescale.protocols.gemini_generate.schema import NOTHING
from yescale.protocols.gemini_generate.usage import WireUsage
from yescale.protocols.gemini_generate.writing import BROKEN, ENCODER, Wire
from yescale.protocols.passthrough import Answer, Change, Peek

ONE: Final = ProtocolId("gemini.embed")
BATCH: Final = ProtocolId("gemini.batch_embed")
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])


class WireVector(Struct, frozen=True, gc=False):
    """`embedding`."""

    values: list[float]


class WireVectors(Struct, frozen=True, gc=False, rename="camel"):
    """The answer of either method."""

    embedding: WireVector | None = None
    embeddings: list[WireVector] | None = None
    usage_metadata: Raw = NOTHING


_VECTORS: Final = msgspec.json.Decoder(WireVectors)
_USAGE: Final = msgspec.json.Decoder(WireUsage)


def peek(body: bytes, words: PathWords) -> Peek | Fault:
    """What price and route need of either method's request."""
    try:
        members = Members(body)
        if not open_all(members, "requests") and not members.has("content"):
            raise refuse("content", "'content' or 'requests' must hold what is to be embedded.")
    except Malformed as error:
        return error.fault
    return Peek(model=ModelName(words.model), prompt_tokens=bound_prompt(body), wants_usage=True, outputs=False)


def open_all(members: Members, name: str) -> Sequence[Members]:
    """The objects of one field, opened: a rewrite will do so again. Raises Malformed."""
    return [Members(raw, f"{name}[{number}]") for number, raw in enumerate(members.take_all(name))]


def rewrite(body: bytes, peeked: Peek, change: Change) -> bytes:
    """The body with another model's name wherever it says one; its other values keep their bytes."""
    if change.model == peeked.model:
        return body
    members = _OBJECT.decode(body)
    for name in ("requests", "generateContentRequest", "generate_content_request"):
        if name in members:
            members[name] = _rename_within(members[name], change.model)
    return ENCODER.encode(_rename(members, change.model))


def _rename_within(raw: Raw, model: str) -> Raw:
    if bytes(raw)[:1] == b"[":
        return Raw(ENCODER.encode([_rename_within(one, model) for one in _LIST.decode(raw)]))
    return Raw(ENCODER.encode(_rename(_OBJECT.decode(raw), model))) if bytes(raw)[:1] == b"{" else raw


def _rename(members: dict[str, Raw], model: str) -> Mapping[str, Raw]:
    if "model" in members and not is_null(members["model"]):
        members["model"] = Raw(name_model(bytes(members["model"]), model))
    return members


def read_answer(body: bytes) -> Answer | None:
    """The answer of either method, or None if this is none."""
    try:
        wire = _VECTORS.decode(body)
    except BROKEN:
        return None
    return None if wire.embedding is None and not wire.embeddings else Answer(_usage(wire), _no_text)


def _no_text(_: bytes) -> int:
    """Vectors are no text."""
    return 0


def _usage(wire: WireVectors) -> Usage | None:
    try:
        tokens = _USAGE.decode(wire.usage_metadata).prompt_token_count
    except BROKEN:
        return None
    return None if tokens is None or tokens < 0 else {Meter.INPUT_TOKENS: tokens}


def decode_request(body: bytes, words: PathWords) -> EmbedRequest:
    """A request of either method. Raises Malformed."""
    members = Members(expect(body))
    requests: Sequence[Raw] = members.take_all("requests")
    if members.has("content"):
        return _join([_decode_one(Members(body), words.model)])
    if not requests:
        raise refuse("requests", "'requests' must hold at least one request.")
    return _join([_decode_one(Members(raw, f"requests[{n}]"), words.model) for n, raw in enumerate(requests)])


def _decode_one(members: Members, model: str) -> EmbedRequest:
    members.take_raw("model")  # the path's counts
    raw = members.take_raw("content")
    where = members.path("content")
    if raw is None:
        raise refuse(where, f"'{where}' is required.")
    content = Members(raw, where)
    texts: list[str] = []
    for number, part in enumerate(content.take_all("parts")):
        text = Members(part, f"{where}.parts[{number}]").take("text", STRING)
        if text is None:
            raise refuse(f"{where}.parts[{number}]", f"'{where}.parts[{number}]' must be text.")
        texts.append(text)
    task, title = members.take("taskType", STRING) or "", members.take("title", STRING) or ""
    dimensions = members.take_int("outputDimensionality")
    rest = members.rest()
    return EmbedRequest(
        model=model,
        inputs=("\n".join(texts),),
        dimensions=dimensions,
        task=task,
        title=title,
        extras={BATCH: rest} if rest else NO_EXTRAS,
    )


def _join(requests: Sequence[EmbedRequest]) -> EmbedRequest:
    """One request for several texts. What is said of them must be the same: other formats say it once."""
    first = requests[0]
    for number, request in enumerate(requests):
        if (request.dimensions, request.task) != (first.dimensions, first.task):
            where = f"requests[{number}]"
            raise refuse(where, f"'{where}' must have the taskType and outputDimensionality of the first request.")
    titles = {request.title for request in requests}
    return EmbedRequest(
        model=first.model,
        inputs=tuple(text for request in requests for text in request.inputs),
        dimensions=first.dimensions,
        task=first.task,
        title=first.title if len(titles) == 1 else "",
        extras=first.extras,
    )


def encode_request(request: EmbedRequest, model: str) -> Encoded:
    """A request to `:batchEmbedContents`, however many texts there are."""
    losses = Losses()
    said: Wire = {}
    if request.dimensions is not None:
        said["outputDimensionality"] = request.dimensions
    if request.task:
        said["taskType"] = request.task
    if request.title:
        said["title"] = request.title
    if any(not isinstance(one, str) for one in request.inputs):
        losses.add("inputs.tokens", "Gemini takes text, not another vocabulary's tokens", "content")
    if request.user:
        losses.add("user", "Gemini is not told who asks", "hint")
    said.update(request.extras.get(BATCH, {}))
    for origin, fields in request.extras.items():
        for name in fields if origin != BATCH else ():
            losses.add(f"extras.{name}", f"only {origin} knows it", "setting")
    requests: list[Wire] = [
        {"model": f"models/{model}", "content": {"parts": [{"text": text}]}} | said
        for text in request.inputs
        if isinstance(text, str)
    ]
    return Encoded(ENCODER.encode({"requests": requests}), losses.all())


def decode_response(body: bytes) -> EmbedResponse:
    """The answer of either method. Raises Garbled."""
    try:
        wire = _VECTORS.decode(body)
    except BROKEN as error:
        raise Garbled("the answer holds no embeddings") from error
    found = wire.embeddings or ([] if wire.embedding is None else [wire.embedding])
    if not found:
        raise Garbled("the answer holds no embeddings")
    return EmbedResponse(model="", vectors=tuple(tuple(one.values) for one in found), usage=_usage(wire))


def encode_one(response: EmbedResponse, _: EmbedRequest) -> bytes:
    """The answer of `:embedContent`."""
    vector = response.vectors[0] if response.vectors else ()
    return ENCODER.encode({"embedding": {"values": vector}} | _write_usage(response))


def encode_batch(response: EmbedResponse, _: EmbedRequest) -> bytes:
    """The answer of `:batchEmbedContents`."""
    embeddings = [{"values": vector} for vector in response.vectors]
    return ENCODER.encode({"embeddings": embeddings} | _write_usage(response))


def _write_usage(response: EmbedResponse) -> Wire:
    if response.usage is None:
        return {}
    return {"usageMetadata": {"promptTokenCount": response.usage.get(Meter.INPUT_TOKENS, 0)}}
