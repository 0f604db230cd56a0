"""The body of a request while it comes: reads are kept as they are and joined once, when all are there. Great ones are
joined as they come: their reads, freed one by one, would not go back to the system.
"""

from __future__ import annotations

from typing import Final

_GREAT: Final = 1024 * 1024
_SMALL: Final = 4096  # below, packing costs less than the room that a read of its own takes


class Body:
    """Bytes so far. Small reads are packed together, so that bytes sent one by one do not take fifty times their size.

    Once dropped it keeps nothing more.
    """

    __slots__ = ("_kept", "_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._kept = True
        self.size = 0  # dropped ones included

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if not self._kept:
            return
        pieces = self._pieces
        if not pieces or (len(data) >= _SMALL and self.size <= _GREAT):
            pieces.append(data)
            return
        last = pieces[-1]
        if self.size > _GREAT:
            if len(pieces) > 1 or not isinstance(last, bytearray):
                last = bytearray().join(pieces)
                pieces[:] = (last,)
            last += data
            return
        if len(last) >= _SMALL:
            pieces.append(data)
        elif isinstance(last, bytearray):
            last += data
        else:
            pieces[-1] = bytearray(last + data)

    def drop(self) -> None:
        """Forget what came, and keep nothing of what still comes."""
        self._pieces.clear()
        self._kept = False

    def take(self) -> bytes:
        """Everything, joined."""
        pieces = self._pieces
        self._pieces = []
        only = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return only if isinstance(only, bytes) else bytes(only)
