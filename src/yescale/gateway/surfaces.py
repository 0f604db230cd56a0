"""The rows of what the gateway answers itself: method, canonical path, operation and format. All else is control's."""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from yescale.gateway import catalogues
from yescale.gateway.catalogues import Shape
from yescale.protocols import anthropic_messages, gemini_generate, openai_chat, openai_responses
from yescale.protocols.passthrough import Format


class Kind(Enum):
    """Who answers a surface."""

    RELAY = "relay"
    REALTIME = "realtime"
    MODELS = "models"
    HEALTH = "health"


class Surface(Struct, frozen=True, kw_only=True):
    """A format offered to clients at a path. A `*` in a path stands for one part of it, as a rule a model's name."""

    method: bytes
    path: bytes
    kind: Kind
    operation: str = ""
    needs: str = ""  # the operation that a model must do for this; "" = the same
    instead: str = ""  # another operation that is done in its place where a model does only that
    free: bool = False
    keeps: bool = False  # answers are kept, and calls may go on from them
    estimate: Callable[[bytes], bytes] | None = None  # our own answer, where no channel can give one
    format: Format = openai_chat.CHAT  # errors are rendered in it, too
    key_headers: tuple[bytes, ...] = (b"authorization",)  # where the contract lets the API key stand
    key_query: bytes = b""  # and the name of a query parameter
    key_protocol: bytes = b""  # and how a subprotocol begins that carries it
    whole: bool = False  # money must cover the model's whole output: no lower limit can be put into what goes up
    stream: bool = False  # the path itself asks for a stream
    listing: Shape = catalogues.OPENAI  # of models
    by_query: tuple[bytes, "Surface"] | None = None  # what answers instead where the query has this parameter


_ANTHROPIC_KEYS: Final = (b"authorization", b"x-api-key")
_GOOGLE_KEYS: Final = (b"authorization", b"x-goog-api-key")


def _post(path: bytes, form: Format, operation: str, **more: Any) -> Surface:
    return Surface(method=b"POST", path=path, kind=Kind.RELAY, operation=operation, format=form, **more)


def _google(verb: bytes, form: Format, operation: str, **more: Any) -> Surface:
    """A method of a model of Google's."""
    return _post(b"/v1beta/models/*:" + verb, form, operation, key_headers=_GOOGLE_KEYS, key_query=b"key", **more)


def _models(path: bytes, keys: tuple[bytes, ...], **more: Any) -> Surface:
    return Surface(method=b"GET", path=path, kind=Kind.MODELS, key_headers=keys, **more)


def _google_models(path: bytes) -> Surface:
    form = gemini_generate.GENERATE
    return _models(path, _GOOGLE_KEYS, listing=catalogues.GEMINI, format=form, key_query=b"key")


SURFACES: Final = (
    _post(b"/v1/chat/completions", openai_chat.CHAT, "chat"),
    _post(b"/v1/responses", openai_responses.RESPONSES, "chat", keeps=True),
    _post(b"/v1/completions", openai_chat.COMPLETIONS, "complete", instead="chat"),
    _post(b"/v1/embeddings", openai_chat.EMBEDDINGS, "embed"),
    _post(b"/v1/engines/*/embeddings", openai_chat.EMBEDDINGS, "embed"),
    _post(b"/v1/moderations", openai_chat.MODERATIONS, "moderate"),
    Surface(
        method=b"GET",
        path=b"/v1/realtime",
        kind=Kind.REALTIME,
        operation="realtime",
        format=openai_chat.REALTIME,
        key_headers=(b"authorization", b"sec-websocket-protocol"),
        key_protocol=b"openai-insecure-api-key.",
        whole=True,
    ),
    _post(b"/v1/rerank", openai_chat.RERANK, "rerank"),
    _post(b"/v1/messages", anthropic_messages.MESSAGES, "chat", key_headers=_ANTHROPIC_KEYS),
    _post(
        b"/v1/messages/count_tokens",
        anthropic_messages.COUNT_TOKENS,
        "count",
        needs="chat",
        free=True,
        estimate=anthropic_messages.answer_estimate,
        key_headers=_ANTHROPIC_KEYS,
    ),
    _google(b"generateContent", gemini_generate.GENERATE, "chat"),
    _google(
        b"streamGenerateContent",
        gemini_generate.GENERATE_ARRAY,
        "chat",
        stream=True,
        by_query=(b"alt=sse", _google(b"streamGenerateContent", gemini_generate.GENERATE, "chat", stream=True)),
    ),
    _google(
        b"countTokens",
        gemini_generate.COUNT,
        "count",
        needs="chat",
        free=True,
        estimate=gemini_generate.answer_estimate,
    ),
    _google(b"embedContent", gemini_generate.EMBED, "embed"),
    _google(b"batchEmbedContents", gemini_generate.BATCH_EMBED, "embed"),
    _models(b"/v1/models", _ANTHROPIC_KEYS),
    _models(b"/v1/models/*", _ANTHROPIC_KEYS),
    _google_models(b"/v1beta/models"),
    _google_models(b"/v1beta/models/*"),
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


# Whose words answer below a path that nobody has.
_FAMILIES: Final = ((b"/v1beta/", gemini_generate.GENERATE), (b"/v1/messages/", anthropic_messages.MESSAGES))


def find_family(path: bytes) -> Format | None:
    """The format of a path's family, all of whose paths are the gateway's; None = what is unknown here is control's."""
    return next((form for stem, form in _FAMILIES if path.startswith(stem)), None)


def choose(surface: Surface, query: bytes) -> Surface:
    """The surface that answers a query: the one that the path names, or what one of its parameters asks for."""
    if surface.by_query is not None and query and surface.by_query[0] in query.split(b"&"):
        return surface.by_query[1]
    return surface
