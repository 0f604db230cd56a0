"""OpenAI's chat completions, legacy completions, embeddings and moderations, and the rerank that goes with them.

Sources: https://platform.openai.com/docs/api-reference/chat and .../embeddings, and the openai/openai-openapi document.
"""

from typing import Final

from yescale.domain.ids import ProtocolId
from yescale.protocols.codec import Codec
from yescale.protocols.openai_chat import (
    answers,
    completions,
    completions_codec,
    decoding,
    embedding,
    encoding,
    errors,
    moderations,
    named,
    realtime,
    requests,
    rerank,
    responses,
    stream,
    stream_decoder,
    stream_encoder,
)
from yescale.protocols.openai_chat.words import ID
from yescale.protocols.passthrough import Format

CHAT_CODEC: Final = Codec(
    id=ID,
    decode_request=decoding.decode_request,
    encode_request=encoding.encode_request,
    decode_response=answers.decode_response,
    encode_response=answers.encode_response,
    stream_decoder=stream_decoder.ChatDecoder,
    stream_encoder=stream_encoder.ChatEncoder,
)
CHAT: Final = Format(
    id=ID,
    peek=requests.peek_chat,
    rewrite=requests.rewrite,
    tap=stream.ChatTap,
    read_answer=responses.read_chat,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=CHAT_CODEC,
)
EMBEDDINGS: Final = Format(
    id=ProtocolId("openai.embeddings"),
    peek=named.peek_embeddings,
    rewrite=named.rewrite,
    tap=stream.ChatTap,
    read_answer=responses.read_embeddings,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=embedding.CODEC,
)
COMPLETIONS: Final = Format(
    id=completions_codec.ID,
    peek=completions.peek,
    rewrite=requests.rewrite,
    tap=stream.ChatTap,
    read_answer=responses.read_chat,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=completions_codec.CODEC,
)
MODERATIONS: Final = Format(
    id=ProtocolId("openai.moderations"),
    peek=moderations.peek,
    rewrite=named.rewrite,
    tap=stream.ChatTap,
    read_answer=moderations.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)
REALTIME: Final = Format(
    id=realtime.ID,
    peek=realtime.peek,
    rewrite=realtime.keep,
    tap=stream.ChatTap,
    read_answer=responses.read_chat,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)
RERANK: Final = Format(
    id=ProtocolId("rerank"),
    peek=rerank.peek,
    rewrite=requests.rewrite,
    tap=stream.ChatTap,
    read_answer=rerank.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)
