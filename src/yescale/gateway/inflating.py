"""Request bodies that came compressed: made whole, and never larger than a body may be."""

import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain import faults
from yescale.domain.faults import Fault

_GZIP: Final = 16 + zlib.MAX_WBITS
# RFC 9110, 8.4.1: `deflate` is the zlib format; what is anything else is refused with 415.
_WINDOWS: Final[Mapping[bytes, int]] = MappingProxyType({b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS})
_MOST_RATIO: Final = 100  # beyond it a body is made to cost us more than whoever sent it
_FREE: Final = 1024 * 1024  # bytes that any body may grow to
_IDENTITY: Final = b"identity"


def find_coding(value: bytes | None) -> int | Fault:
    """What a Content-Encoding header means for `inflate`; 0 = the body is as it is."""
    if value is None or (coding := value.strip().lower()) == _IDENTITY:
        return 0
    return _WINDOWS.get(coding, faults.UNSUPPORTED_ENCODING)


def inflate(body: bytes, coding: int, limit: int) -> bytes | Fault:
    """The body as it was before it was compressed; a Fault where it is broken or longer than `limit` bytes."""
    limit = min(limit, _FREE + _MOST_RATIO * len(body))
    stream = zlib.decompressobj(coding)
    try:
        whole = stream.decompress(body, limit + 1)
    except zlib.error:
        return faults.MALFORMED.saying("The body is not what its Content-Encoding says.")
    if len(whole) > limit:
        return faults.TOO_LARGE
    if not stream.eof or stream.unused_data:
        return faults.MALFORMED.saying("The compressed body is cut off, or something follows it.")
    return whole
