"""Anthropic's Messages, and the counting of their tokens.

Sources: https://platform.claude.com/docs/en/api/messages and the types of the `anthropic` SDK, version 2.13.
"""

from typing import Final

from yescale.domain.ids import ProtocolId
from yescale.protocols.anthropic_messages import (
    errors,
    estimate,
    passing,
    request_reading,
    request_writing,
    responses,
    stream_reading,
    stream_writing,
    tap,
)
from yescale.protocols.anthropic_messages.words import ID
from yescale.protocols.codec import Codec
from yescale.protocols.passthrough import Format

CODEC: Final = Codec(
    id=ID,
    decode_request=request_reading.decode_request,
    encode_request=request_writing.encode_request,
    decode_response=responses.decode_response,
    encode_response=responses.encode_response,
    stream_decoder=stream_reading.MessageDecoder,
    stream_encoder=stream_writing.MessageEncoder,
)
MESSAGES: Final = Format(
    id=ID,
    peek=passing.peek_messages,
    rewrite=passing.rewrite,
    tap=tap.MessageTap,
    read_answer=responses.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=CODEC,
    keepalive=b'event: ping\ndata: {"type": "ping"}\n\n',
    headers=(b"anthropic-beta",),
)
COUNT_TOKENS: Final = Format(
    id=ProtocolId("anthropic.count_tokens"),
    peek=passing.peek_count,
    rewrite=passing.rewrite,
    tap=tap.MessageTap,
    read_answer=responses.read_count,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)

answer_estimate: Final = estimate.answer_estimate
