"""OpenRouter's conventions beside OpenAI's fields: `provider` says which ones may answer, `models` what is tried where
the model cannot, `usage` asks for the cost.

Sources: https://openrouter.ai/docs/features/provider-routing, https://openrouter.ai/docs/features/model-routing and
https://openrouter.ai/docs/use-cases/usage-accounting
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.protocols import fields
from yescale.protocols.openai_chat import costs
from yescale.protocols.openai_chat.schema import WireChat
from yescale.protocols.reading import read, wrong
from yescale.protocols.wishes import Costing, Preferences, Wishes

NAMES: Final = frozenset({"provider", "usage", "models"})
_COSTING: Final = Costing(hold=costs.Withholding, events=costs.price_events, whole=costs.price_answer)
_MODEL: Final = frozenset({"model"})
_Models = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...], Meta(max_length=8)]
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
_MODELS: Final = msgspec.json.Decoder(_Models | None)
_STRING: Final = msgspec.json.Encoder()


def read_wishes(body: bytes, wire: WireChat) -> Wishes | Fault:
    """The wishes of a body, and the body without their fields. Where it says no `model`, `models` begins with it."""
    wanted, told = read(_PROVIDER, bytes(wire.provider), "provider"), read(_USAGE, bytes(wire.usage), "usage")
    models: tuple[str, ...] | Fault | None = read(_MODELS, bytes(wire.models), "models")
    if isinstance(wanted, Fault):
        known = ", ".join(WireProvider.__struct_fields__)
        return wrong(wanted.param or "provider", f"{wanted.message} Here 'provider' may hold {known}.")
    if isinstance(told, Fault):
        return told
    if isinstance(models, Fault):
        return models
    others = tuple(map(ModelName, models or ()))
    try:
        body = _cut_all(body)
        if others and not wire.model:
            body = fields.cut(body, "model", _MODEL)
            body, others = fields.splice(body, [], b'"model":%b,' % _STRING.encode(others[0])), others[1:]
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    asked = told is not None and told.include is True
    return Wishes(
        body=body,
        preferences=None if wanted is None else _preferences(wanted),
        models=others,
        costing=_COSTING if asked else None,
    )


def _cut_all(body: bytes) -> bytes:
    for name in NAMES:
        body = fields.cut(body, name, NAMES)
    return body


def _preferences(wire: WireProvider) -> Preferences:
    return Preferences(
        order=_lower(wire.order),
        only=_lower(wire.only),
        ignore=_lower(wire.ignore),
        fallbacks=wire.allow_fallbacks is not False,
    )


def _lower(names: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in names or ())
