"""The client's headers that go on with a request: as headers again, or as members of its body."""

from typing import Final, Protocol

import msgspec
from msgspec import Struct

from yescale.providers.provider import Passed

_JSON: Final = msgspec.json.Encoder()


class Asked(Protocol):
    """A request with headers."""

    def header(self, name: bytes) -> bytes | None:
        """The value of the one of this name."""
        ...


class Going(Struct, frozen=True):
    """What goes on: header lines, members for the front of a body's object, and the names of what was left out."""

    head: bytes = b""
    members: bytes = b""
    losses: tuple[str, ...] = ()


def pass_on(asked: Asked | None, passes: tuple[Passed, ...], wanted: tuple[bytes, ...] = ()) -> Going:
    """What passes of a request's headers. Those `wanted` are missed where no row lets them pass."""
    if asked is None or not (passes or wanted):
        return Going()
    head = members = b""
    losses: list[str] = []
    for passed in (*passes, *(Passed(name, ()) for name in wanted if all(one.name != name for one in passes))):
        value = asked.header(passed.name)
        said = [word.strip() for word in (value or b"").split(b",") if word.strip()]
        kept = passed.choose(said)
        if len(kept) < len(set(said)):
            losses.append(f"header.{passed.name.decode()}")
        if kept and passed.member:
            words = [word.decode("latin-1") for word in kept]
            members += b'"%b":%b,' % (passed.member.encode(), _JSON.encode(words))
        elif kept:
            head += passed.name + b": " + b",".join(kept) + b"\r\n"
    return Going(head, members, tuple(losses))
