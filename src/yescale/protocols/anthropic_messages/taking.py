"""Values of a body decoded under the place at which they stand, so that what is wrong with one names its field."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw

from yescale.domain.faults import Fault
from yescale.protocols.anthropic_messages.schema import WireKind
from yescale.protocols.codec import Malformed
from yescale.protocols.reading import read, read_text, wrong

T = TypeVar("T")

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_KIND: Final = msgspec.json.Decoder(WireKind)


def take(decoder: msgspec.json.Decoder[T], raw: bytes | Raw, place: str = "") -> T:
    """The value, or Malformed naming the field by its whole path."""
    found = read(decoder, bytes(raw))
    if not isinstance(found, Fault):
        return found
    if not place:
        raise Malformed(found)
    if found.param is None:
        raise Malformed(wrong(place, f"'{place}' is not of the right form."))
    path = f"{place}.{found.param}"
    raise Malformed(wrong(path, found.message.replace(f"'{found.param}'", f"'{path}'")))


def take_text(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """A whole body, or an event, of which something is written on as it was. Raises Malformed."""
    found = read_text(decoder, body)
    if isinstance(found, Fault):
        raise Malformed(found)
    return found


def fields_of(raw: bytes | Raw, place: str = "") -> Mapping[str, Raw]:
    """The fields of an object, unread."""
    return take(_FIELDS, raw, place)


def kind_of(raw: Raw, place: str = "") -> str:
    """The `type` of an object; empty where it says none."""
    return take(_KIND, raw, place).type or ""


def said(raw: Raw) -> bool:
    """Whether a value is there and not null."""
    return bytes(raw) != b"null"


def says_more(raw: Raw, known: tuple[str, ...], place: str) -> bool:
    """Whether an object has fields beside the known ones."""
    return any(name not in known and said(value) for name, value in fields_of(raw, place).items())


def refuse(place: str, reason: str) -> Malformed:
    """The caller's mistake at a place, to be raised."""
    return Malformed(wrong(place, f"'{place}' {reason}."))


def object_text(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        _FIELDS.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def any_value(raw: Raw) -> Any:
    """A small value whatever its shape; None where it is none."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
