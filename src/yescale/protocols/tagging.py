"""The end user whom a request's body names, as tags of its call."""

from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.tags import SAFETY, USER, Tags, storable
from yescale.protocols.reading import BROKEN

_TEXT: Final = msgspec.json.Decoder(str)


def body_tags(user: Raw, safety: Raw | None = None) -> Tags:
    """Of the two fields as they stand in the body. One that is no text is the provider's to refuse."""
    said = ((USER, _read(user)), (SAFETY, "" if safety is None else _read(safety)))
    return tuple((name, value) for name, value in said if value)


def _read(raw: Raw) -> str:
    try:
        return storable(_TEXT.decode(raw))
    except BROKEN:
        return ""
