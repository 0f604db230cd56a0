"""An admitted session on its way: attempts until an upstream agrees, then both handshakes stand; or an error."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.journal import Outcome
from yescale.gateway import answers
from yescale.gateway.admission import Credentials
from yescale.gateway.leases import Reservation
from yescale.gateway.relay import verdicts
from yescale.gateway.relay.endings import NOTHING, Ending
from yescale.gateway.relay.passage import DEFECT
from yescale.gateway.relay.realtime.book import Book, Times
from yescale.gateway.relay.realtime.dials import Dials, offered
from yescale.gateway.relay.realtime.session import Session
from yescale.gateway.relay.realtime.turns import Turns
from yescale.gateway.surfaces import Surface
from yescale.protocols.passthrough import scrub
from yescale.routing.table import Candidate
from yescale.wire.client import Attempt, Failure
from yescale.wire.timers import Timer
from yescale.wire.tunnel import Tunnel

LOG: Final = logging.getLogger("yescale.relay")
_OK: Final = range(200, 300)
_MAX_ERROR_BYTES: Final = 256 * 1024
_PROTOCOL: Final = b"realtime"

T = TypeVar("T")


def _say_nothing() -> None:
    """Nobody is there to hear the end."""


class Opening:
    """Hears the client (wire's Listener) and the upstream (wire's Dialer) until the client's handshake is answered."""

    __slots__ = (
        "_book", "_credentials", "_ended", "_error", "_exchange", "_relay", "_reservation", "_surface", "_timer",
        "_tries",
    )  # fmt: skip

    def __init__(self, book: Book, surface: Surface, reservation: Reservation, credentials: Credentials) -> None:
        self._book = book
        self._relay = book.relay
        self._exchange = book.exchange
        self._surface = surface
        self._reservation = reservation
        self._credentials = credentials
        self._tries = Dials(book.relay, surface, book.order, reservation)
        self._tries.dialer = self
        self._timer: Timer | None = None
        self._error = b""
        self._ended = False

    def start(self, first: Candidate | None) -> None:
        """Begin with the first candidate, or choose it now."""
        self._exchange.listener = self
        self._relay.calls.add(self)
        self._tries.start(self._book.id, b"", self._exchange)
        if first is None:
            self._guard(self._try_next, verdicts.FIRST)
        else:
            self._guard(self._send, first)

    # --- attempts

    def _try_next(self, verdict: verdicts.Verdict) -> None:
        """Another candidate, or the same once more, or the end. `verdict`: of the attempt before."""
        while True:
            step = self._tries.pick(verdict)
            if step is None:
                self._give_up(verdict.fault)
                return
            if not isinstance(step, Candidate):
                self._timer = self._relay.timers.start(step, self._again)
                return
            refused = self._tries.send(step, self)
            if refused is None:
                return
            verdict = refused

    def _again(self) -> None:
        self._timer = None
        if self._tries.candidate is not None and not self._ended:
            self._guard(self._send, self._tries.candidate)

    def _send(self, candidate: Candidate) -> None:
        refused = self._tries.send(candidate, self)
        if refused is not None:
            self._try_next(refused)

    def _fail(self, verdict: verdicts.Verdict, status: int = 0, failure: str = "") -> None:
        self._tries.close(status, failure)
        if verdict.counts:
            self._tries.blame()
        self._error = b""
        self._try_next(verdict)

    # --- the upstream (Dialer)

    def opened(self, attempt: Attempt, tunnel: Tunnel) -> None:
        """An upstream agreed: answer the client's handshake."""
        if attempt is not self._tries.current:
            tunnel.drop()
            return
        self._guard(self._join, tunnel)

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """A piece of an answer that is no WebSocket."""
        if attempt is not self._tries.current:
            return
        self._error += data
        if attempt.status in _OK or len(self._error) > _MAX_ERROR_BYTES:
            attempt.cancel()
            self._guard(lambda what: self._fail(verdicts.GARBAGE, attempt.status, what), "garbage")
        elif done:
            self._guard(self._hear_error, attempt)

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        """The attempt ended without an answer."""
        if attempt is self._tries.current:
            name = failure.name.lower()
            self._guard(lambda why: self._fail(verdicts.judge_failure(why), attempt.status, name), failure)

    def _hear_error(self, attempt: Attempt) -> None:
        verdict, error = self._tries.judge(attempt, self._error)
        if not verdict.own:
            self._fail(verdict, attempt.status)
            return
        self._tries.praise()
        fault = verdicts.own_fault(attempt.status, error)
        told = scrub(self._surface.format.render(fault, self._book.id), self._tries.secrets)
        head = answers.head(self._book.id.encode())
        ending = Ending(outcome="upstream_error", status=fault.status, code=fault.code)
        self._settle(ending, lambda: self._exchange.respond(fault.status, head, told))

    def _join(self, tunnel: Tunnel) -> None:
        self._tries.praise()
        self._ended = True
        self._relay.calls.discard(self)
        book, exchange = self._book, self._exchange
        book.candidate = self._tries.candidate
        head = answers.head(book.id.encode()) + self._tries.head_lines()
        if _PROTOCOL in offered(exchange.fields.get(b"sec-websocket-protocol")):
            head += b"sec-websocket-protocol: %b\r\n" % _PROTOCOL
        session = Session(book, self._tries, Turns(book, self._reservation), self._credentials)
        session.start(exchange.switch(head, self._relay.settings.tunnels), tunnel)

    # --- the client (Listener)

    def client_gone(self) -> None:
        """The client left before it was answered."""
        self._tries.cancel()
        self._settle(Ending(outcome="client_gone", status=101, note="left before the session began"))

    def client_paused(self) -> None:
        """Nothing is being written yet."""

    def client_resumed(self) -> None:
        """Nothing is being written yet."""

    def stop(self, *, everything: bool) -> None:
        """A shutdown: with `everything`, end."""
        if everything:
            fault = faults.UNAVAILABLE.saying("The gateway is being restarted; try again.")
            self._tries.cancel()
            self._settle(Ending(outcome="drained", status=fault.status, code=fault.code), lambda: self._refuse(fault))

    # --- endings

    def _give_up(self, fault: Fault) -> None:
        """No candidate is left."""
        outcome: Outcome = "deadline" if fault is faults.UPSTREAM_TIMEOUT else "upstream_error"
        outcome = outcome if self._tries.notes else "refused"
        self._settle(Ending(outcome=outcome, status=fault.status, code=fault.code), lambda: self._refuse(fault))

    def _refuse(self, fault: Fault) -> None:
        answers.refuse(self._exchange, fault, self._surface.format, self._book.id)

    def _guard(self, act: Callable[[T], object], what: T) -> None:
        """Do something that must not leave a reservation behind, whatever happens (promise 12)."""
        try:
            act(what)
        except Exception:
            LOG.exception(DEFECT, self._book.id)
            self._tries.cancel()
            fault = faults.INTERNAL
            ending = Ending(outcome="upstream_error", status=fault.status, code=fault.code, note="defect")
            self._settle(ending, lambda: self._refuse(fault))

    def _settle(self, ending: Ending, send: Callable[[], object] = _say_nothing) -> None:
        if self._ended:
            return
        self._ended = True
        self._relay.calls.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._tries.current is not None:
            self._tries.close(self._tries.current.status, "")
        self._book.candidate, self._book.attempts = self._tries.candidate, self._tries.notes
        times = Times(began=self._exchange.started)
        if self._book.close(self._book.id, ending, NOTHING, self._reservation, times):
            send()
        else:
            self._relay.journal.when_written(send)
