"""Seals on what the fake model wrote and wants back unchanged: thinking, redacted thinking, results of a search.

Anthropic's signatures are opaque and hold across its own API and the clouds that serve its models:
https://platform.claude.com/docs/en/build-with-claude/extended-thinking. The secret is the sandbox's, and no secret.
"""

import base64
import hashlib
import hmac

_SECRET = b"the sandbox signs what it wrote"


def sign(kind: str, text: str) -> str:
    """The seal of a text."""
    digest = hmac.digest(_SECRET, f"{kind}\n{text}".encode(), hashlib.sha512)
    return base64.b64encode(b"\x12\x40" + digest).decode()


def is_signed(kind: str, text: str, seal: str) -> bool:
    """Whether the seal is that of this text."""
    return hmac.compare_digest(sign(kind, text).encode(), seal.encode())


def closed(kind: str, text: str) -> str:
    """A text with its seal, as one opaque string."""
    return base64.b64encode(f"{sign(kind, text)}\n{text}".encode()).decode()


def is_closed(kind: str, box: str) -> bool:
    """Whether an opaque string comes from `closed`."""
    try:
        seal, separator, text = base64.b64decode(box, validate=True).decode().partition("\n")
    except ValueError:
        return False
    return bool(separator) and is_signed(kind, text, seal)
