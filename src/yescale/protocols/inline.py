"""Sizes of what a prompt carries in base64, so that it is not counted as text."""

import re
from typing import Final

BYTES_PER_TOKEN: Final = 2  # no usual text has more tokens than this
IMAGE_TOKENS: Final = 3_000  # at most, of one picture, whatever its bytes
BYTES_PER_SOUND_TOKEN: Final = 100  # base64 of compressed speech is far above this

_SHORTEST: Final = 1_024  # bytes of base64 worth leaving out
_MOST: Final = 4_096  # pictures looked for
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]{64}")


def count_inline(parts: bytes, begins: re.Pattern[bytes]) -> int:
    """Bytes of base64 in the strings that begin where the pattern ends. What is counted holds neither a quote nor a
    backslash, so the string that holds it ends where it seems to.
    """
    count = at = 0
    for _ in range(_MOST):
        mark = begins.search(parts, at)
        if mark is None:
            break
        begin = mark.end()
        at = parts.find(b'"', begin)
        if at - begin >= _SHORTEST and parts.find(b"\\", begin, at) < 0 and _BASE64.match(parts, begin):
            count += at - begin
    return count
