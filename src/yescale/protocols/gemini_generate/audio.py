"""Base64 that came in pieces, each with its own padding, as one that continues."""

import base64
import binascii
from typing import Final

from yescale.protocols.codec import Garbled

_GROUP: Final = 3  # bytes that make four letters without padding
_LETTERS: Final = 4


class Joiner:
    """Pieces of base64 in, base64 out whose letters can be put one behind the other."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def add(self, piece: str) -> str:
        """What is whole by now. Raises Garbled."""
        try:
            data = self._held + base64.b64decode(piece, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Garbled("audio is not base64") from error
        whole = len(data) - len(data) % _GROUP
        self._held = data[whole:]
        return base64.b64encode(data[:whole]).decode()

    def end(self) -> str:
        """The rest, padded."""
        rest, self._held = self._held, b""
        return base64.b64encode(rest).decode()


class Splitter:
    """Base64 whose letters continue in, pieces out that can be decoded one by one."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def add(self, letters: str) -> str:
        """What is whole by now."""
        held = self._held + letters
        whole = len(held) - len(held) % _LETTERS
        self._held = held[whole:]
        return held[:whole]

    def end(self) -> str:
        """The rest."""
        rest, self._held = self._held, ""
        return rest
