"""`X-YEScale-Metadata`: the tags that a caller gives a call beside its body."""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple

from yescale.domain.faults import Fault
from yescale.domain.tags import MOST_CHARACTERS, TOLD, Tags
from yescale.protocols.reading import BROKEN, wrong

HEADER: Final = b"x-yescale-metadata"
_NAME: Final = "X-YEScale-Metadata"
_Value = Annotated[str, Meta(max_length=MOST_CHARACTERS)]


class _Metadata(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of `domain.tags.TOLD`, in its order."""

    end_user_id: _Value = ""
    tenant_id: _Value = ""
    feature: _Value = ""
    plan: _Value = ""
    session_id: _Value = ""


_DECODE: Final = msgspec.json.Decoder(_Metadata).decode
REFUSED: Final = wrong(
    _NAME,
    f"The header '{_NAME}' must be a JSON object with at most {', '.join(TOLD)}, "
    f"each a text of up to {MOST_CHARACTERS} printable characters.",
)


def read_metadata(headers: Iterable[tuple[bytes, bytes]]) -> Tags | Fault:
    """The tags of a request that has the header. An empty value says nothing."""
    values = [value for name, value in headers if name == HEADER]
    if len(values) > 1:
        return REFUSED
    try:
        said = _DECODE(values[0])
    except BROKEN:
        return REFUSED
    tags = tuple((name, value) for name, value in zip(TOLD, astuple(said), strict=True) if value)
    return tags if all(value.isprintable() for _, value in tags) else REFUSED
