"""One HTTP exchange as values: the request as it arrived, and the answer as steps that a connection plays."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

Headers: TypeAlias = tuple[tuple[str, str], ...]

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"
BLOCK_BYTES = 65_536


class Request(Struct, frozen=True):
    """A whole request. `headers` have lower-case names; a repeated name is joined with a comma."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Tokens(Struct, frozen=True):
    """Counts of one call, as OpenAI nests them: `cached` (read from a cache), `cache_write` and `heard` (audio) are
    parts of `prompt`, `cache_write_1h` of `cache_write`, `reasoning` and `spoken` of `completion`. `web_searches` are
    counted beside them.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    web_searches: int = 0
    heard: int = 0
    spoken: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


class Send(Struct, frozen=True):
    """Bytes for one write; `events` counts the server-sent events in them, `usage` says that they report usage.

    Where one connection has several answers, `tokens` are those of the one that ends here, `reported` what it claims.
    """

    data: bytes
    events: int = 0
    usage: bool = False
    tokens: Tokens | None = None
    reported: Tokens | None = None


class Pause(Struct, frozen=True):
    """Silence for a while."""

    seconds: float


class Hang(Struct, frozen=True):
    """Silence until the client leaves or the connection's patience ends."""


class Cut(Struct, frozen=True):
    """Close the connection, whatever was promised."""


class Reset(Struct, frozen=True):
    """Close the connection with a TCP reset."""


class Talk(Protocol):
    """The server's side of a conversation over WebSocket: each message is answered with steps."""

    def received(self, message: bytes) -> "Iterator[Step]": ...


class Switch(Struct, frozen=True):
    """From here on the connection speaks WebSocket, and this talk answers."""

    talk: Talk


Step: TypeAlias = Send | Pause | Hang | Cut | Reset | Switch


class Answer(Struct, frozen=True):
    """What the sandbox does with a request.

    `outcome` is what is recorded if the steps are played to their end. `counted` is the usage of the whole answer by
    the sandbox's rule; `reported` is what the answer says about it, if it says anything.
    """

    status: int
    steps: Iterator[Step]
    outcome: str = "served"
    model: str = ""
    scenario: str = ""
    counted: Tokens | None = None
    reported: Tokens | None = None


def head(status: int, headers: Headers) -> bytes:
    """The status line and the headers, as sent."""
    lines = [f"HTTP/1.1 {status} {_reason(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def whole(status: int, content_type: str, body: bytes, headers: Headers = ()) -> tuple[bytes, Iterator[Send]]:
    """An answer of known length: its head, and the sends of its body, in blocks so that a slow reader is waited for."""
    lines = (("content-type", content_type), ("content-length", str(len(body))), *headers)
    blocks = (Send(body[start : start + BLOCK_BYTES]) for start in range(0, len(body), BLOCK_BYTES))
    return head(status, lines), blocks


def joined(start: bytes, sends: Iterator[Send]) -> Iterator[Step]:
    """The head in one write with what follows it first."""
    first = next(sends, Send(b""))
    yield Send(start + first.data, first.events, first.usage)
    yield from sends


def framed(payload: bytes) -> bytes:
    """One chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


LAST_CHUNK = b"0\r\n\r\n"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
