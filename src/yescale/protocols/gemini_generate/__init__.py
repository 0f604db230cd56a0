"""Google's Gemini: generateContent in both stream forms, embeddings, and the count of tokens.

Sources: https://ai.google.dev/api/generate-content and the google-genai SDK. Model and stream stand in the path.
"""

from typing import Final

from yescale.domain.ids import ProtocolId
from yescale.protocols.codec import Codec
from yescale.protocols.embedding import EmbedCodec
from yescale.protocols.gemini_generate import chunks, counting, embeddings, errors, peeking, stream, taps
from yescale.protocols.gemini_generate.requests import decode_request
from yescale.protocols.gemini_generate.responses import decode_response, encode_response
from yescale.protocols.gemini_generate.seals import ORIGIN
from yescale.protocols.gemini_generate.upstream import encode_request
from yescale.protocols.passthrough import Format

CODEC: Final = Codec(
    id=ORIGIN,
    decode_request=decode_request,
    encode_request=encode_request,
    decode_response=decode_response,
    encode_response=encode_response,
    stream_decoder=stream.SseDecoder,
    stream_encoder=chunks.SseEncoder,
)
ARRAY_CODEC: Final = Codec(
    id=ProtocolId("gemini.generate.array"),
    decode_request=decode_request,
    encode_request=encode_request,
    decode_response=decode_response,
    encode_response=encode_response,
    stream_decoder=stream.ArrayDecoder,
    stream_encoder=chunks.ArrayEncoder,
)
GENERATE: Final = Format(
    id=CODEC.id,
    peek=peeking.peek_generate,
    rewrite=peeking.rewrite,
    tap=taps.SseTap,
    read_answer=taps.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=CODEC,
)
GENERATE_ARRAY: Final = Format(
    id=ARRAY_CODEC.id,
    peek=peeking.peek_generate,
    rewrite=peeking.rewrite,
    tap=taps.ArrayTap,
    read_answer=taps.read_answer,
    render=errors.render,
    render_event=errors.render_element,
    read_error=errors.read_error,
    codec=ARRAY_CODEC,
    stream_kind=b"application/json",
    keepalive=b"",  # between the elements of an array nothing may stand that an element might not follow
)
EMBED_CODEC: Final = EmbedCodec(
    id=embeddings.ONE,
    decode_request=embeddings.decode_request,
    encode_request=embeddings.encode_request,
    decode_response=embeddings.decode_response,
    encode_response=embeddings.encode_one,
)
BATCH_EMBED_CODEC: Final = EmbedCodec(
    id=embeddings.BATCH,
    decode_request=embeddings.decode_request,
    encode_request=embeddings.encode_request,
    decode_response=embeddings.decode_response,
    encode_response=embeddings.encode_batch,
)
EMBED: Final = Format(
    id=embeddings.ONE,
    peek=embeddings.peek,
    rewrite=embeddings.rewrite,
    tap=taps.SseTap,
    read_answer=embeddings.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=EMBED_CODEC,
)
BATCH_EMBED: Final = Format(
    id=embeddings.BATCH,
    peek=embeddings.peek,
    rewrite=embeddings.rewrite,
    tap=taps.SseTap,
    read_answer=embeddings.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=BATCH_EMBED_CODEC,
)
COUNT: Final = Format(
    id=ProtocolId("gemini.count"),
    peek=counting.peek,
    rewrite=embeddings.rewrite,
    tap=taps.SseTap,
    read_answer=counting.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)

answer_estimate: Final = counting.answer_estimate
