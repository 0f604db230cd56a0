"""Encrypted reasoning: text that only the sandbox can have written, in the form of OpenAI's tokens."""

import base64
import binascii
import hashlib
import hmac

from yescale_sandbox.openai.refusal import RefusedError

_SECRET = b"known to the sandbox alone"
_OPENING = b"\x80" + bytes(8)
_DIGEST_BYTES = 32
_SHOWN = 4


def sealed(thought: str) -> str:
    """A token that opens again; like OpenAI's, it starts with `gAAA`."""
    payload = _OPENING + thought.encode()
    return base64.urlsafe_b64encode(payload + _signature(payload)).decode()


def check_sealed(token: str) -> None:
    """Raises: RefusedError, if the sandbox did not seal it so (words: github.com/openai/codex/issues/8145)."""
    try:
        held = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        held = b""
    payload, signature = held[:-_DIGEST_BYTES], held[-_DIGEST_BYTES:]
    if not payload.startswith(_OPENING) or not hmac.compare_digest(_signature(payload), signature):
        raise RefusedError(
            f"The encrypted content {token[:_SHOWN]}...{token[-_SHOWN:]} could not be verified. "
            "Reason: Encrypted content could not be decrypted or parsed.",
            code="invalid_encrypted_content",
        )


def _signature(payload: bytes) -> bytes:
    return hmac.new(_SECRET, payload, hashlib.sha256).digest()
