"""Names of end users, for formats that bound their length."""

import hashlib
from typing import Final

# OpenAI takes 64 characters, and advises a hash: https://platform.openai.com/docs/guides/safety-best-practices
_MOST_CHARS: Final = 64


def short_name(user: str) -> str:
    """The name, or 64 hex digits that stand for a longer one: the same person is the same to the provider."""
    return user if len(user) <= _MOST_CHARS else hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
