"""Cross-origin requests: model routes answer pages of every origin, since a key is the only right that they have."""

from typing import Final

# Every answer of a model route. No cookies are read there, so `*` gives nothing away.
EXPOSE: Final = b"access-control-allow-origin: *\r\naccess-control-expose-headers: *\r\n"


def preflight(allow: bytes) -> bytes:
    """The header lines that answer OPTIONS. `Authorization` must be named: `*` does not cover it (Fetch, 4.9)."""
    return (
        b"access-control-allow-origin: *\r\naccess-control-allow-methods: %b\r\n"
        b"access-control-allow-headers: authorization, x-api-key, *\r\naccess-control-max-age: 86400\r\nallow: %b\r\n"
    ) % (allow, allow)
