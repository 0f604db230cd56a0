"""What a channel changes in the top-level fields of a body on its way up. Every value that stays is the same bytes."""

from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.snapshot import Overrides
from yescale.protocols.reading import BROKEN

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_JSON: Final = msgspec.json.Encoder()


def override(body: bytes, wanted: Overrides) -> bytes:
    """The body with its fields removed, set, and given where it does not say them. What is no JSON object stays."""
    try:
        said = _FIELDS.decode(body)
    except BROKEN:
        return body
    fields = {name: bytes(value) for name, value in said.items() if name not in wanted.remove}
    fields |= {name: _JSON.encode(value) for name, value in wanted.default.items() if name not in fields}
    fields |= {name: _JSON.encode(value) for name, value in wanted.set.items()}
    return b"{" + b",".join(_JSON.encode(name) + b":" + value for name, value in fields.items()) + b"}"
