"""`thoughtSignature`: Gemini's seals as they come, foreign ones in an envelope that Google's clients can carry.

The field is of type bytes, so a carried seal must be base64: clients decode it and encode it again, in either alphabet.
"""

import base64
import binascii
from typing import Final

from yescale.domain.ids import ProtocolId
from yescale.domain.seals import unwrap_seal, wrap_seal

ORIGIN: Final = ProtocolId("gemini.generate")
_BEGIN: Final = "eXMxL"  # base64 of the envelope's first letters
_URL_SAFE: Final = str.maketrans("-_", "+/")


def carry(seal: str, origin: ProtocolId | None) -> str:
    """The seal as a `thoughtSignature` for a client."""
    if not seal or origin is None or origin == ORIGIN:
        return seal
    return base64.b64encode(wrap_seal(seal, origin).encode()).decode()


def uncarry(signature: str) -> tuple[str, ProtocolId | None]:
    """The seal in a client's `thoughtSignature`, and who issued it."""
    if not signature:
        return "", None
    if not signature.startswith(_BEGIN):
        return signature, ORIGIN
    padded = signature.translate(_URL_SAFE).rstrip("=")
    try:
        carried = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return signature, ORIGIN
    seal, origin = unwrap_seal(carried, ORIGIN)
    return (signature, ORIGIN) if origin == ORIGIN else (seal, origin)
