"""What a request asks of the gateway itself: which providers and models may answer, and to be told the cost."""

from collections.abc import Callable

from msgspec import Struct

from yescale.domain.ids import ModelName
from yescale.domain.money import Nano
from yescale.protocols.tapping import Tap


class Preferences(Struct, frozen=True, kw_only=True, gc=False):
    """Providers by id or title, in lower case. `fallbacks`: others may be tried where the preferred ones fail."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()  # empty = any
    ignore: tuple[str, ...] = ()
    fallbacks: bool = True


class Costing(Struct, frozen=True):
    """How what a call costs is written into its answer."""

    hold: Callable[[Tap], Tap]  # keeps the end of a stream back until the cost is known
    events: Callable[[bytes, Nano], bytes]  # the end of a stream with the cost
    whole: Callable[[bytes, Nano], bytes]  # a whole answer with the cost


class Wishes(Struct, frozen=True, kw_only=True):
    """Of one request. `body`: what goes on of it."""

    body: bytes
    preferences: Preferences | None = None
    models: tuple[ModelName, ...] = ()  # others that may answer, in this order
    costing: Costing | None = None  # None = the client did not ask
