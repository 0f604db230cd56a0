"""Embeddings in OpenAI's form, both ways: https://platform.openai.com/docs/api-reference/embeddings"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from yescale.domain.embedding import NO_EXTRAS, EmbedRequest, EmbedResponse
from yescale.domain.faults import Fault
from yescale.domain.ids import ProtocolId
from yescale.domain.loss import Loss
from yescale.domain.usage import Meter
from yescale.protocols.codec import Encoded, Garbled, Malformed, PathWords
from yescale.protocols.embedding import EmbedCodec, pack, unpack
from yescale.protocols.openai_chat.responses import meters
from yescale.protocols.openai_chat.schema import NOTHING
from yescale.protocols.reading import read_text, wrong

_ID: Final = ProtocolId("openai.embeddings")
_ENCODER: Final = msgspec.json.Encoder()
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_MOST_INPUTS: Final = 2_048  # "must be 2048 dimensions or less"


class WireRequest(Struct, frozen=True, gc=False):
    """A request."""

    model: str
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class WireVector(Struct, frozen=True, gc=False):
    """One of `data`."""

    embedding: str | list[float]
    index: int = 0


class WireVectors(Struct, frozen=True, gc=False):
    """An answer."""

    vectors: list[WireVector] = msgspec.field(name="data")
    model: str = ""
    usage: Raw = NOTHING


_REQUEST: Final = msgspec.json.Decoder(WireRequest)
_VECTORS: Final = msgspec.json.Decoder(WireVectors)


def decode_request(body: bytes, _: PathWords) -> EmbedRequest:
    """A request. Raises Malformed."""
    wire = read_text(_REQUEST, body)
    if isinstance(wire, Fault):
        raise Malformed(wire)
    known = WireRequest.__struct_fields__
    extras = {name: value for name, value in _OBJECT.decode(body).items() if name not in known}
    return EmbedRequest(
        model=wire.model,
        inputs=_decode_inputs(wire.input),
        dimensions=wire.dimensions,
        encoding=wire.encoding_format,
        user=wire.user or "",
        extras={_ID: extras} if extras else NO_EXTRAS,
    )


def _decode_inputs(said: str | Sequence[str | int | list[int]]) -> tuple[str | tuple[int, ...], ...]:
    """Texts or lists of tokens; a list of numbers alone is one text."""
    if isinstance(said, str):
        return (said,)
    tokens = tuple(one for one in said if isinstance(one, int))
    if tokens and len(tokens) == len(said):
        return (tokens,)
    if tokens or not said or len(said) > _MOST_INPUTS:
        message = f"'input' must be a string, up to {_MOST_INPUTS} strings, or arrays of tokens."
        raise Malformed(wrong("input", message))
    return tuple(tuple(one) if isinstance(one, list) else str(one) for one in said)


def encode_request(request: EmbedRequest, model: str) -> Encoded:
    """A request for an upstream; nothing is added that the client did not say (promise 30)."""
    wire: dict[str, object] = {"model": model, "input": request.inputs}
    said = {"dimensions": request.dimensions, "encoding_format": request.encoding, "user": request.user or None}
    wire.update({name: value for name, value in said.items() if value is not None})
    losses = [
        Loss(name, "OpenAI's embeddings serve every purpose alike", "setting")
        for name, value in (("task", request.task), ("title", request.title))
        if value
    ]
    for origin, fields in request.extras.items():
        if origin == _ID:
            wire.update(fields)
        else:
            losses += [Loss(f"extras.{name}", f"only {origin} knows it", "setting") for name in fields]
    return Encoded(_ENCODER.encode(wire), tuple(losses))


def decode_response(body: bytes) -> EmbedResponse:
    """An answer; its vectors in the order of their index. Raises Garbled."""
    try:
        wire = _VECTORS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled("the answer holds no embeddings") from error
    ordered = sorted(wire.vectors, key=lambda vector: vector.index)
    if not ordered:
        raise Garbled("the answer holds no embeddings")
    vectors = (unpack(one.embedding) if isinstance(one.embedding, str) else one.embedding for one in ordered)
    return EmbedResponse(model=wire.model, vectors=tuple(map(tuple, vectors)), usage=meters(wire.usage))


def encode_response(response: EmbedResponse, request: EmbedRequest) -> bytes:
    """An answer for a client, in the encoding that it asked for."""
    base64 = request.encoding == "base64"
    vectors = [
        {"object": "embedding", "index": index, "embedding": pack(vector) if base64 else vector}
        for index, vector in enumerate(response.vectors)
    ]
    tokens = 0 if response.usage is None else response.usage.get(Meter.INPUT_TOKENS, 0)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _ENCODER.encode({"object": "list", "data": vectors, "model": request.model, "usage": usage})


CODEC: Final = EmbedCodec(
    id=_ID,
    decode_request=decode_request,
    encode_request=encode_request,
    decode_response=decode_response,
    encode_response=encode_response,
)
