"""Ollama's own chat, spoken to providers only: no client is offered it.

Sources: https://docs.ollama.com/api/chat, .../capabilities/thinking, and the types of the `ollama` package.
"""

from typing import Final

from yescale.protocols.codec import UpstreamCodec
from yescale.protocols.ollama_chat import errors, requests, responses, stream
from yescale.protocols.ollama_chat.words import ID
from yescale.protocols.passthrough import UpstreamFormat

CODEC: Final = UpstreamCodec(
    id=ID,
    encode_request=requests.encode_request,
    decode_response=responses.decode_response,
    stream_decoder=stream.LineDecoder,
)
CHAT: Final = UpstreamFormat(id=ID, read_error=errors.read_error, codec=CODEC, stream_kind=b"application/x-ndjson")
