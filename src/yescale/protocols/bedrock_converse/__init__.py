"""Converse, Bedrock's format for all its models. It is spoken to providers only: no client is offered it.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from typing import Final

from yescale.protocols import eventstream
from yescale.protocols.bedrock_converse import errors, requests, responses, stream
from yescale.protocols.bedrock_converse.words import ID
from yescale.protocols.codec import UpstreamCodec
from yescale.protocols.passthrough import UpstreamFormat

CODEC: Final = UpstreamCodec(
    id=ID,
    encode_request=requests.encode_request,
    decode_response=responses.decode_response,
    stream_decoder=stream.ConverseDecoder,
)
CONVERSE: Final = UpstreamFormat(id=ID, read_error=errors.read_error, codec=CODEC, stream_kind=eventstream.KIND)
