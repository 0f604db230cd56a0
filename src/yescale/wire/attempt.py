"""One attempt to get an answer from an upstream, and what its owner hears of it."""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from yescale.wire.limits import Deadlines

_LOGGER: Final = logging.getLogger("yescale.wire")


class Failure(enum.Enum):
    """Why there is no whole answer."""

    REFUSED = "refused"  # no connection: nobody listens, or the network said no
    UNRESOLVED = "unresolved"  # the name has no address
    TLS = "tls"  # the handshake or the certificate failed
    CONNECT_TIMEOUT = "connect_timeout"
    SEND_TIMEOUT = "send_timeout"  # the upstream did not take the whole request in time
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"  # no complete head in time
    IDLE_TIMEOUT = "idle_timeout"  # silence inside the answer
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"  # the connection ended before the head of the answer
    CUT = "cut"  # the connection ended inside the answer
    GARBAGE = "garbage"  # not HTTP, or over a limit
    PROXY = "proxy"  # it gave no tunnel
    EXHAUSTED = "exhausted"  # too many connections to this origin


class Sink(Protocol):
    """Who hears of an attempt. It must not raise; one that does is cut off and hears CUT."""

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """Bytes of the body, once per read; with the first call `status` and `headers` are set.

        `data` is empty for a head alone or an end alone. `done` comes true once, at the clean end.
        """
        ...

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        """There will be no more, and no clean end. Comes once, and never inside `Client.send`."""
        ...


class Carrier(Protocol):
    """What an attempt rides on: a connection, or the opening of one."""

    def pause(self, attempt: Attempt) -> None: ...
    def resume(self, attempt: Attempt) -> None: ...
    def drop(self) -> None: ...


class Attempt:
    """A request under way. Read the facts, `pause` and `resume` the answer, or `cancel`; the rest is the wire's own.

    Times are of the loop's clock. `sent`: bytes were handed to a connection, so False proves that the upstream saw
    nothing. `answered`: a byte of an answer came. `first_byte_at` is 0 until then; `connect_s` is 0 on a reused one.
    """

    __slots__ = (
        "answered",
        "bare",
        "body",
        "carrier",
        "connect_s",
        "deadlines",
        "fields",
        "first_byte_at",
        "head",
        "headers",
        "over",
        "paused",
        "replayable",
        "reused",
        "sent",
        "sink",
        "started",
        "status",
        "total_at",
    )

    def __init__(self, head: bytes, body: bytes, sink: Sink, deadlines: Deadlines, started: float) -> None:
        self.head = head
        self.body = body
        self.sink = sink
        self.deadlines = deadlines
        self.started = started
        self.total_at = started + deadlines.total_s
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.fields: dict[bytes, bytes] = {}  # the first value of each header of the answer
        self.sent = False
        self.answered = False
        self.reused = False
        self.connect_s = 0.0
        self.first_byte_at = 0.0
        self.paused = False
        self.replayable = False
        self.bare = False  # the answer to HEAD has no body, whatever its headers say
        self.over = False
        self.carrier: Carrier | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header of the answer; the name in lower case."""
        return self.fields.get(name)

    def pause(self) -> None:
        """Read no more of the answer; what was read before may still come. The idle deadline waits meanwhile."""
        if not self.paused and not self.over:
            self.paused = True
            if self.carrier is not None:
                self.carrier.pause(self)

    def resume(self) -> None:
        if self.paused and not self.over:
            self.paused = False
            if self.carrier is not None:
                self.carrier.resume(self)

    def cancel(self) -> None:
        """Close the connection at once; the sink hears nothing more."""
        if not self.over:
            self.over = True
            carrier = self.carrier
            self.carrier = None
            if carrier is not None:
                carrier.drop()

    def fail(self, failure: Failure) -> None:
        """Wire's own: tell the sink, unless it has heard the end."""
        if self.over:
            return
        self.over = True
        self.carrier = None
        try:
            self.sink.failed(self, failure)
        except Exception:
            _LOGGER.exception("a sink raised in failed")

    def deliver(self, data: bytes, *, done: bool) -> bool:
        """Wire's own: hand over what one read brought. False if the connection must be cut."""
        self.over = done
        try:
            self.sink.received(self, data, done)
        except Exception:
            _LOGGER.exception("a sink raised in received: its connection is cut")
            self.fail(Failure.CUT)
            return False
        return True
