"""OpenAI's Responses.

Sources: https://platform.openai.com/docs/api-reference/responses, the openai/openai-openapi document, the types of the
openai SDK, and what the Codex CLI sends and reads (openai/codex).
"""

from typing import Final

from yescale.protocols.codec import Codec
from yescale.protocols.openai_responses import (
    bodies,
    decoder,
    encoder,
    errors,
    peeking,
    requests,
    responses,
    tap,
)
from yescale.protocols.openai_responses.schema import OWN
from yescale.protocols.passthrough import Format

CODEC: Final = Codec(
    id=OWN,
    decode_request=requests.decode_request,
    encode_request=bodies.encode_request,
    decode_response=responses.decode_response,
    encode_response=encoder.encode_response,
    stream_decoder=decoder.ResponsesDecoder,
    stream_encoder=encoder.ResponsesEncoder,
)
RESPONSES: Final = Format(
    id=OWN,
    peek=peeking.peek,
    rewrite=peeking.rewrite,
    tap=tap.ResponsesTap,
    read_answer=tap.read_answer,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
    codec=CODEC,
)
