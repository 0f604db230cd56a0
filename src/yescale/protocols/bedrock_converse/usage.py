"""Usage as disjoint meters.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
"""

from yescale.domain.usage import Meter, Usage
from yescale.protocols.bedrock_converse.schema import WireUsage


def meters(wire: WireUsage | None) -> Usage | None:
    """The meters; None = nothing that can be believed was reported. An explicit zero stays zero."""
    if wire is None or (wire.input_tokens is None and wire.output_tokens is None):
        return None
    written = wire.cache_write_input_tokens or 0
    for_hour = sum(detail.input_tokens for detail in wire.cache_details or () if detail.ttl == "1h")
    usage = {Meter.INPUT_TOKENS: wire.input_tokens or 0, Meter.OUTPUT_TOKENS: wire.output_tokens or 0}
    counts = {
        Meter.CACHE_READ_TOKENS: wire.cache_read_input_tokens or 0,
        Meter.CACHE_WRITE_TOKENS: written - for_hour,
        Meter.CACHE_WRITE_1H_TOKENS: for_hour,
    }
    usage.update({meter: count for meter, count in counts.items() if count})
    return None if min(usage.values()) < 0 else usage
