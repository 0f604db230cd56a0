"""Thought signatures: the sandbox signs its own and knows them again, as Google does with what it encrypts.

https://ai.google.dev/gemini-api/docs/thought-signatures
"""

import base64
import binascii
import hashlib
import hmac

from yescale_sandbox.gemini.proto import decoded

MARK = b"\x12sandbox"
PROOF_BYTES = 16
# What the page offers to those who bring calls of another model.
PLACEHOLDERS = frozenset({"context_engineering_is_the_way_to_go", "skip_thought_signature_validator"})
_SECRET = b"the sandbox signs thoughts with this, and nothing else"


def seal(subject: str) -> str:
    """A signature for a thought; equal subjects have equal ones."""
    thought = MARK + hashlib.sha256(subject.encode()).digest()
    return base64.b64encode(thought + _proof(thought)).decode()


def fault(signature: str) -> str | None:
    """What is wrong with a signature; None if nothing is.

    The words: https://docs.apiyi.com/en/faq/gemini-thought-signature-missing
    """
    try:
        raw = decoded(signature)
    except (binascii.Error, ValueError):
        return "Invalid thought signature."
    if signature in PLACEHOLDERS or raw.decode("ascii", "replace") in PLACEHOLDERS:
        return None
    if not raw.startswith(MARK):
        return "Invalid thought signature."
    thought, proof = raw[:-PROOF_BYTES], raw[-PROOF_BYTES:]
    return None if hmac.compare_digest(proof, _proof(thought)) else "Corrupted thought signature."


def _proof(thought: bytes) -> bytes:
    return hmac.digest(_SECRET, thought, "sha256")[:PROOF_BYTES]
