"""The rows of what the gateway answers itself: method, canonical path, operation and format. All else is control's."""

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from yescale.gateway import catalogues
from yescale.gateway.catalogues import Shape
from yescale.protocols import openai_chat
from yescale.protocols.passthrough import Format


class Kind(Enum):
    """Who answers a surface."""

    RELAY = "relay"
    MODELS = "models"
    HEALTH = "health"


class Surface(Struct, frozen=True, kw_only=True):
    """A format offered to clients at a path. A `*` in a path stands for one part of it, as a rule a model's name."""

    method: bytes
    path: bytes
    kind: Kind
    operation: str = ""
    format: Format = openai_chat.CHAT  # errors are rendered in it, too
    key_headers: tuple[bytes, ...] = (b"authorization",)  # where the contract lets the API key stand
    key_query: bytes = b""  # and the name of a query parameter
    stream: bool = False  # the path itself asks for a stream
    listing: Shape = catalogues.OPENAI  # of models
    by_query: tuple[bytes, "Surface"] | None = None  # what answers instead where the query has this parameter


_GOOGLE_KEYS: Final = (b"authorization", b"x-goog-api-key")

SURFACES: Final = (
    Surface(method=b"POST", path=b"/v1/chat/completions", kind=Kind.RELAY, operation="chat"),
    Surface(
        method=b"POST",
        path=b"/v1/embeddings",
        kind=Kind.RELAY,
        operation="embed",
        format=openai_chat.EMBEDDINGS,
    ),
    Surface(method=b"GET", path=b"/v1/models", kind=Kind.MODELS, key_headers=(b"authorization", b"x-api-key")),
    Surface(method=b"GET", path=b"/v1/models/*", kind=Kind.MODELS, key_headers=(b"authorization", b"x-api-key")),
    Surface(
        method=b"GET",
        path=b"/v1beta/models",
        kind=Kind.MODELS,
        listing=catalogues.GEMINI,
        key_headers=_GOOGLE_KEYS,
        key_query=b"key",
    ),
    Surface(
        method=b"GET",
        path=b"/v1beta/models/*",
        kind=Kind.MODELS,
        listing=catalogues.GEMINI,
        key_headers=_GOOGLE_KEYS,
        key_query=b"key",
    ),
    Surface(method=b"GET", path=b"/healthz", kind=Kind.HEALTH),
)

Methods = Mapping[bytes, Surface]


class Place(Struct, frozen=True):
    """A path that the gateway knows, what each method does there, and the part that a `*` stood for."""

    methods: Methods
    rest: bytes = b""

    @property
    def allow(self) -> bytes:
        """The value of an `Allow` header."""
        more = [b"HEAD"] if b"GET" in self.methods else []
        return b", ".join([*self.methods, *more, b"OPTIONS"])


class _Pattern(Struct, frozen=True):
    """A path with a `*`: what stands before and behind it."""

    stem: bytes
    tail: bytes
    place: Place

    def match(self, path: bytes) -> Place | None:
        rest = path[len(self.stem) : len(path) - len(self.tail)]
        fits = path.startswith(self.stem) and path.endswith(self.tail) and len(path) > len(self.stem) + len(self.tail)
        return Place(self.place.methods, rest) if fits else None


def _pattern(path: bytes, place: Place) -> _Pattern:
    stem, _, tail = path.partition(b"*")
    return _Pattern(stem, tail, place)


def _index(surfaces: tuple[Surface, ...]) -> Mapping[bytes, Place]:
    found: dict[bytes, dict[bytes, Surface]] = {}
    for surface in surfaces:
        methods = found.setdefault(surface.path, {})
        if surface.method in methods:
            raise ValueError(f"two surfaces answer {surface.method!r} {surface.path!r}")
        methods[surface.method] = surface
    return MappingProxyType({path: Place(MappingProxyType(methods)) for path, methods in found.items()})


_PLACES: Final = _index(SURFACES)
# Those with a tail first: a model's name may hold anything, so a path that ends in a tail is meant by it.
_PATTERNS: Final = tuple(
    sorted(
        (_pattern(path, place) for path, place in _PLACES.items() if b"*" in path),
        key=lambda pattern: (-len(pattern.tail), -len(pattern.stem)),
    )
)
_SLASHES: Final = re.compile(rb"//+")
_VERSIONS: Final = re.compile(rb"^(?:/v1)+(?=/v1(?:beta)?/)")
_LONGEST: Final = 1_024
_TWICE: Final = re.compile(rb"(/chat/completions|/completions|/embeddings|/models|/messages|/responses)\1$")


def find(path: bytes) -> Place | None:
    """The place of a raw request path, or None where it is control's. Nothing is percent-decoded.

    Clients append different tails to different base URLs; each of these means /v1/chat/completions:
    /chat/completions, //v1/chat/completions/, /v1/v1/chat/completions, /v1/chat/completions/chat/completions.
    """
    place = _PLACES.get(path)
    if place is not None and b"*" not in path:
        return place
    if len(path) > _LONGEST:
        return None
    path = _VERSIONS.sub(b"", _SLASHES.sub(b"/", path))
    return _look_up(path) or _look_up(b"/v1" + path)


def _look_up(path: bytes) -> Place | None:
    for pattern in _PATTERNS:
        place = pattern.match(path)
        if place is not None:
            return place
    path = _TWICE.sub(rb"\1", path.rstrip(b"/"))
    return None if b"*" in path else _PLACES.get(path)


def choose(surface: Surface, query: bytes) -> Surface:
    """The surface that answers a query: the one that the path names, or what one of its parameters asks for."""
    if surface.by_query is not None and query and surface.by_query[0] in query.split(b"&"):
        return surface.by_query[1]
    return surface
