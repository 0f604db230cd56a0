"""OpenRouter's conventions beside OpenAI's fields: `provider` says which ones may answer, `usage` asks for the cost.

Sources: https://openrouter.ai/docs/features/provider-routing and https://openrouter.ai/docs/use-cases/usage-accounting
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from yescale.domain.faults import Fault
from yescale.protocols import fields
from yescale.protocols.openai_chat import costs
from yescale.protocols.reading import read, wrong
from yescale.protocols.wishes import Costing, Preferences, Wishes

NAMES: Final = frozenset({"provider", "usage"})
_COSTING: Final = Costing(hold=costs.Withholding, events=costs.price_events, whole=costs.price_answer)
_Names = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=64)]


class WireProvider(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`provider`. What else OpenRouter lets a client demand is no promise of ours, and refused."""

    order: _Names | None = None
    only: _Names | None = None
    ignore: _Names | None = None
    allow_fallbacks: bool | None = None


class WireUsage(Struct, frozen=True, gc=False):
    """`usage` of a request."""

    include: bool | None = None


_PROVIDER: Final = msgspec.json.Decoder(WireProvider | None)
_USAGE: Final = msgspec.json.Decoder(WireUsage | None)


def read_wishes(body: bytes, provider: Raw, usage: Raw) -> Wishes | Fault:
    """The wishes of a body, and the body without their fields."""
    wanted, told = read(_PROVIDER, bytes(provider), "provider"), read(_USAGE, bytes(usage), "usage")
    if isinstance(wanted, Fault):
        known = ", ".join(WireProvider.__struct_fields__)
        return wrong(wanted.param or "provider", f"{wanted.message} Here 'provider' may hold {known}.")
    if isinstance(told, Fault):
        return told
    try:
        for name in NAMES:
            body = fields.cut(body, name, NAMES)
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    asked = told is not None and told.include is True
    return Wishes(
        body=body,
        preferences=None if wanted is None else _preferences(wanted),
        costing=_COSTING if asked else None,
    )


def _preferences(wire: WireProvider) -> Preferences:
    return Preferences(
        order=_lower(wire.order),
        only=_lower(wire.only),
        ignore=_lower(wire.ignore),
        fallbacks=wire.allow_fallbacks is not False,
    )


def _lower(names: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in names or ())
