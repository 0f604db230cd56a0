"""A request for embeddings and its answer in canonical form."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Raw, Struct

from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Usage

NO_EXTRAS: Final[Mapping[ProtocolId, Mapping[str, Raw]]] = MappingProxyType({})


class EmbedRequest(Struct, frozen=True, kw_only=True):
    """Texts to embed; an input of numbers is text that OpenAI's tokenizer has cut."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    encoding: Literal["float", "base64"] | None = None  # of the answer; base64: little-endian float32
    task: str = ""  # what the vectors are for, in Google's words
    title: str = ""  # of the document that the only input is
    user: str = ""
    extras: Mapping[ProtocolId, Mapping[str, Raw]] = NO_EXTRAS


class EmbedResponse(Struct, frozen=True, kw_only=True):
    """One vector per input, in their order; `usage` None = not reported."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None
