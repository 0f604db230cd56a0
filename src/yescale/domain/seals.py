"""Seals in foreign hands: how a provider's opaque proof survives a round trip through a client of another format."""

from typing import Final

from yescale.domain.ids import ProtocolId

_MARK: Final = "ys1."


def wrap_seal(seal: str, origin: ProtocolId) -> str:
    """The seal as a client of a foreign format carries it: `ys1.<origin>.<seal>`, where <origin> spells `.` as `-`."""
    return f"{_MARK}{origin.replace('.', '-')}.{seal}"


def unwrap_seal(carried: str, own: ProtocolId) -> tuple[str, ProtocolId]:
    """The seal and who issued it; what carries no mark was issued by the format that it stands in."""
    if not carried.startswith(_MARK):
        return carried, own
    origin, dot, seal = carried[len(_MARK) :].partition(".")
    return (seal, ProtocolId(origin.replace("-", "."))) if dot else (carried, own)
