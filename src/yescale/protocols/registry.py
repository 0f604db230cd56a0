"""All wire formats, by their ids: what the relay carries, and what it translates. A new format is a row here."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from yescale.domain.ids import ProtocolId
from yescale.protocols import (
    anthropic_messages,
    bedrock_converse,
    gemini_generate,
    ollama_chat,
    openai_chat,
    openai_responses,
)
from yescale.protocols.anthropic_messages import clouds
from yescale.protocols.codec import Codec
from yescale.protocols.passthrough import Format, UpstreamFormat


class _Named(Protocol):
    @property
    def id(self) -> ProtocolId: ...


N = TypeVar("N", bound=_Named)


def index(rows: Iterable[N]) -> Mapping[ProtocolId, N]:
    """The rows by id. Raises ValueError where two have the same."""
    found: dict[ProtocolId, N] = {}
    for row in rows:
        if row.id in found:
            raise ValueError(f"two rows are called {row.id}")
        found[row.id] = row
    return MappingProxyType(found)


FORMATS: Final[Mapping[ProtocolId, Format]] = index(
    (
        openai_chat.CHAT,
        openai_chat.COMPLETIONS,
        openai_chat.EMBEDDINGS,
        openai_chat.MODERATIONS,
        openai_chat.RERANK,
        openai_chat.REALTIME,
        openai_responses.RESPONSES,
        anthropic_messages.MESSAGES,
        anthropic_messages.COUNT_TOKENS,
        gemini_generate.GENERATE,
        gemini_generate.GENERATE_ARRAY,
        gemini_generate.EMBED,
        gemini_generate.BATCH_EMBED,
        gemini_generate.COUNT,
    )
)
CODECS: Final[Mapping[ProtocolId, Codec]] = index(
    format_.codec for format_ in FORMATS.values() if isinstance(format_.codec, Codec)
)
# Those that no client speaks.
UPSTREAM_FORMATS: Final[Mapping[ProtocolId, UpstreamFormat]] = index(
    (bedrock_converse.CONVERSE, clouds.BEDROCK, clouds.VERTEX, ollama_chat.CHAT)
)
