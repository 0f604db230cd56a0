"""An admitted call on its way: attempts until one answers, the answer carried to the client, and exactly one ending."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import CallId
from yescale.domain.journal import Outcome
from yescale.domain.money import Nano
from yescale.gateway import answers
from yescale.gateway.admission import Order
from yescale.gateway.callbacks import say_nothing
from yescale.gateway.leases import Reservation
from yescale.gateway.relay import endings, verdicts
from yescale.gateway.relay.attempts import Attempts
from yescale.gateway.relay.conversation import Turn
from yescale.gateway.relay.endings import NOTHING, Ending, Served
from yescale.gateway.relay.relay import Relay
from yescale.gateway.surfaces import Surface
from yescale.protocols.passthrough import Tap, UpstreamError, scrub
from yescale.protocols.sse import TooLong
from yescale.protocols.wishes import Costing
from yescale.routing.table import Candidate
from yescale.wire.client import Attempt, Failure
from yescale.wire.server import Exchange
from yescale.wire.timers import Deadline, Timer

LOG: Final = logging.getLogger("yescale.relay")
DEFECT: Final = "call %s failed inside the gateway: a defect"
_OK: Final = range(200, 300)
_MAX_ERROR_BYTES: Final = 256 * 1024
_WELL: Final = Ending(outcome="ok", status=200)

T = TypeVar("T")


class Passage:
    """Hears the client (wire's Listener) and the upstream (wire's Sink).

    `_committed`: content has gone to the client, so that no other candidate may be tried (the commit point).
    """

    __slots__ = (
        "_amount", "_committed", "_drain_bytes", "_ended", "_exchange", "_first_at", "_flowing", "_gone_at", "_id",
        "_order", "_parts", "_pipe", "_quiet", "_relay", "_reservation", "_size", "_surface", "_tap", "_timer",
        "_tries", "_wrote_at", "turn",
    )  # fmt: skip

    def __init__(
        self, relay: Relay, exchange: Exchange, surface: Surface, order: Order, reservation: Reservation
    ) -> None:
        self._relay = relay
        self._exchange = exchange
        self._surface = surface
        self._order = order
        self._reservation = reservation
        self._id = CallId("")
        self._tries = Attempts(relay, surface, order, reservation)
        self._pipe: Callable[[Attempt, bytes, bool], None] | None = None
        self._tap: Tap | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._timer: Timer | None = None
        self._quiet: Deadline | None = None
        self._first_at = 0.0
        self._flowing = False  # events go to the client as they come
        self._wrote_at = 0.0  # when the last of them went
        self._gone_at = 0.0
        self._drain_bytes = 0
        self._amount: Nano = 0
        self._committed = False
        self._ended = False
        self.turn: Turn | None = None  # of a call whose answer is kept

    def start(self, call: CallId, body: bytes, first: Candidate | None) -> None:
        """Begin with the first candidate, or choose it now."""
        self._id = call
        self._exchange.listener = self
        self._relay.calls.add(self)
        self._tries.start(call, body, self._exchange)
        if self._order.peek.stream:
            self._quiet = Deadline(self._relay.timers, self._keep_alive)
            self._wrote_at = self._relay.now()
            self._quiet.set(self._wrote_at + self._relay.settings.keepalive_s)
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
        """The attempt came to nothing and no content has gone out: try on, or tell the client."""
        self._tries.close(status, failure)
        if verdict.counts:
            self._tries.blame()
        tap = self._tap
        if tap is not None and not tap.partial:
            self._tries.owe(tap.usage)
        self._pipe, self._tap, self._size = None, None, 0
        self._parts.clear()
        if self._gone_at:
            self._settle(Ending(outcome="client_gone", status=verdict.fault.status, code=verdict.fault.code), None)
        else:
            self._try_next(verdict)

    # --- the upstream (Sink)

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """Bytes of the answer."""
        if attempt is not self._tries.current:
            return  # what follows the end of a call
        try:
            (self._pipe or self._open_pipe(attempt))(attempt, data, done)
        except Exception:
            LOG.exception(DEFECT, self._id)
            self._crash()

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        """The attempt ended without a whole answer."""
        if attempt is not self._tries.current:
            return
        name = failure.name.lower()
        try:
            if self._begun:
                self._break_off(attempt, verdicts.cut_fault(failure), name)
            else:
                self._fail(verdicts.judge_failure(failure), attempt.status, name)
        except Exception:
            LOG.exception(DEFECT, self._id)
            self._crash()

    def _open_pipe(self, attempt: Attempt) -> Callable[[Attempt, bytes, bool], None]:
        """How this answer is carried: as a stream of events, or whole."""
        if not self._first_at:
            self._first_at = self._relay.now()
        peek = self._order.peek
        if peek.stream and attempt.status in _OK and verdicts.is_stream(attempt, self._tries.carrier.stream_kind):
            costing = self._costing
            asked = peek.wants_usage or costing is not None
            tap = self._tries.carrier.tap(asked, self._relay.settings.max_event_bytes)
            tap = tap if costing is None else costing.hold(tap)
            self._tap = tap if self.turn is None else self.turn.listen(tap, self._relay.settings.max_event_bytes)
            self._pipe = self._flow
        else:
            self._pipe = self._gather
        return self._pipe

    def _flow(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """A piece of a stream."""
        tap = self._tap
        if tap is None:
            return
        try:
            out = tap.feed(data)
        except TooLong:
            self._go_wrong(attempt, faults.UPSTREAM_CUT, "event too long")
            return
        if out and self._flowing and not tap.done and not done and tap.error is None:
            self._exchange.write(out)
            self._wrote_at = self._relay.now()
            return
        if done and not tap.done:
            out += tap.finish()
        if tap.done:
            self._finish_stream(tap, out)
        elif tap.error is not None or done:
            if out:
                self._forward(out)
            fault = faults.UPSTREAM_CUT if tap.error is None else verdicts.event_fault(tap.error, self._tries.secrets)
            self._go_wrong(attempt, fault, "no end" if tap.error is None else "error event")
        elif out:
            self._forward(out)

    def _forward(self, out: bytes) -> None:
        """Whole events to the client; into nothing where it left."""
        if self._gone_at:
            if self._tap is not None and self._tap.text_bytes > self._drain_bytes:
                self._stop_drain("cost limit of the drain reached")
            return
        exchange = self._exchange
        if not self._committed:
            self._commit()
        if exchange.begun:
            exchange.write(out)
        else:
            exchange.begin(200, self._stream_head(), out)
        self._wrote_at = self._relay.now()
        self._flowing = True

    def _commit(self) -> None:
        self._committed = True
        self._tries.praise()
        self._tries.forget_body()
        self._exchange.body = b""  # it may be large, and the answer may take long

    def _finish_stream(self, tap: Tap, out: bytes) -> None:
        """The end mark has come: settle, then send it. The upstream's connection ends on its own."""
        if not self._committed:
            self._commit()
        self._settle(self._well(200), self._served, partial(self._send_last, out))

    def _send_last(self, out: bytes) -> None:
        if self._costing is not None:
            out = self._costing.events(out, self._amount)
        if self._exchange.begun:
            self._exchange.end(out)
        else:
            self._exchange.respond(200, self._stream_head(), out)
        if self.turn is not None:
            self.turn.keep()

    def _go_wrong(self, attempt: Attempt, fault: Fault, failure: str) -> None:
        """A stream went wrong while its connection may still be up."""
        if attempt is self._tries.current:  # else the call ended while the last events went out
            attempt.cancel()
            if self._begun:
                self._break_off(attempt, fault, failure)
            else:
                self._fail(verdicts.broken(fault), attempt.status, failure)

    def _break_off(self, attempt: Attempt, fault: Fault, failure: str) -> None:
        """The answer is incomplete, and must not look complete (promise 28)."""
        self._tries.close(attempt.status, failure)
        self._tries.blame()
        outcome: Outcome = "deadline" if fault is faults.UPSTREAM_TIMEOUT else "upstream_cut"
        ending = Ending(outcome="client_gone" if self._gone_at else outcome, status=200, code=fault.code, note=failure)
        said = self._surface.format.render_event(fault, self._id)
        self._settle(ending, self._served, partial(self._exchange.cut, said))

    @property
    def _served(self) -> Served | None:
        """What a stream brought so far."""
        return None if self._tap is None else endings.heard(self._tap)

    @property
    def _begun(self) -> bool:
        """Whether a stream has begun for good: its client has some of it, or would have, had it stayed."""
        tap = self._tap
        spoken = tap is not None and (tap.text_bytes > 0 or tap.usage is not None)
        return self._committed or (self._gone_at > 0 and spoken)

    # --- whole answers

    def _gather(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """A piece of an answer that is needed whole."""
        self._size += len(data)
        limit = self._relay.settings.max_answer_bytes if attempt.status in _OK else _MAX_ERROR_BYTES
        if self._size > limit:
            attempt.cancel()
            self._fail(verdicts.GARBAGE, attempt.status, "answer too long")
        elif not done:
            self._parts.append(data)
        else:
            body = b"".join((*self._parts, data)) if self._parts else data
            if attempt.status in _OK:
                self._weigh(attempt, body)
            else:
                self._hear_error(attempt, body)

    def _weigh(self, attempt: Attempt, body: bytes) -> None:
        answer = None if self._order.peek.stream else self._tries.carrier.read_answer(body)
        if answer is None:
            self._hear_error(attempt, body)
            return
        if self.turn is not None:
            answer = self.turn.hear(answer, body)
        self._committed = True
        self._tries.praise()
        kind = attempt.fields.get(b"content-type", b"")
        kind = kind if kind.startswith(answers.JSON) else answers.JSON  # some say text/plain of what is JSON
        served = endings.measure(self._tries.order, answer, body)
        ending = self._well(200) if self._gone_at else _WELL
        self._settle(ending, served, partial(self._send_whole, kind, answer.translated or body))

    @property
    def _costing(self) -> Costing | None:
        """How the answer tells its cost, where the client asked for it."""
        wishes = self._order.peek.wishes
        return None if wishes is None else wishes.costing

    def _send_whole(self, kind: bytes, body: bytes) -> None:
        if self._costing is not None:
            body = self._costing.whole(body, self._amount)
        head = answers.whole_head(self._id.encode(), kind, self._amount)
        self._exchange.respond(200, head + self._tries.head_lines(), body)
        if self.turn is not None:
            self.turn.keep()

    def _hear_error(self, attempt: Attempt, body: bytes) -> None:
        """A whole answer that is an error: the client's mistake, or a reason to try elsewhere."""
        verdict, error = self._tries.judge(attempt, body)
        if verdict.own and attempt.status in _OK:
            self._pass_on(400, b"", error)  # its body is an error's in no format
        elif verdict.own:
            self._pass_on(attempt.status, body, error)
        else:
            self._fail(verdict, attempt.status, "garbage" if verdict is verdicts.GARBAGE else "")

    def _pass_on(self, status: int, body: bytes, error: UpstreamError) -> None:
        """The client's own mistake, found by the upstream: its status, and its body without our secrets."""
        self._tries.praise()
        fault = verdicts.own_fault(status, error)
        form = self._surface.format
        as_said = body != b"" and error.message != "" and self._tries.carrier is form
        told = scrub(body, self._tries.secrets) if as_said else form.render(fault, self._id)
        ending = Ending(outcome="upstream_error", status=status, code=fault.code)
        if self._exchange.begun:
            self._settle(ending, None, partial(self._exchange.cut, form.render_event(fault, self._id)))
        else:
            self._settle(ending, None, partial(self._send_error, status, told))

    def _send_error(self, status: int, body: bytes) -> None:
        self._exchange.respond(status, self._head(answers.JSON), body)

    # --- the client (Listener)

    def client_paused(self) -> None:
        """The client reads slower than the upstream writes."""
        if self._tries.current is not None:
            self._tries.current.pause()

    def client_resumed(self) -> None:
        """The client has caught up."""
        if self._tries.current is not None:
            self._tries.current.resume()

    def client_gone(self) -> None:
        """The client left: read on for the real usage as far as the channel allows, else estimate it."""
        if not self._ended and not self._gone_at:
            self._gone_at = self._relay.now()
            self._flowing = False
            self._guard(self._drain, self._tries.current)

    def _drain(self, attempt: Attempt | None) -> None:
        if self._quiet is not None:
            self._quiet.close()
        candidate = self._tries.candidate
        if attempt is None or candidate is None or not attempt.sent:
            self._tries.cancel()
            self._settle(Ending(outcome="client_gone", status=200, note="nothing was sent upstream"), None)
            return
        heard = self._tap.text_bytes if self._tap is not None else 0
        self._drain_bytes = heard + endings.affordable_bytes(self._tries.order, candidate.channel.drain_cost)
        attempt.resume()
        if candidate.channel.drain_s > 0:
            self._timer = self._relay.timers.start(candidate.channel.drain_s, self._drain_over)
        else:
            self._stop_drain("not drained")

    def _drain_over(self) -> None:
        self._timer = None
        self._guard(self._stop_drain, "time limit of the drain reached")

    def _stop_drain(self, why: str) -> None:
        """Cancel the upstream and charge what it said, or an estimate of what it did."""
        if self._ended:
            return
        attempt = self._tries.current
        self._tries.cancel()
        served = self._served or Served(None, 0)
        refused = attempt is not None and attempt.status != 0 and attempt.status not in _OK
        self._settle(Ending(outcome="client_gone", status=200, note=why), None if refused else served)

    def _keep_alive(self) -> None:
        """The upstream is silent: a comment keeps the connection to the client open, also before the first event."""
        exchange, quiet = self._exchange, self._quiet
        if self._ended or self._gone_at or quiet is None:
            return
        relay = self._relay
        silent_s = relay.now() - self._wrote_at
        if silent_s < relay.settings.keepalive_s:
            quiet.set(self._wrote_at + relay.settings.keepalive_s)
            return
        sign = self._surface.format.keepalive
        if sign and not exchange.begun:
            exchange.begin(200, self._stream_head(), sign)
        elif sign and not exchange.paused:
            exchange.write(sign)
        self._wrote_at = relay.now()
        quiet.set(self._wrote_at + relay.settings.keepalive_s)

    def stop(self, *, everything: bool) -> None:
        """A shutdown: stop draining; with `everything`, end the call whatever its state."""
        if self._gone_at:
            self._guard(self._stop_drain, "drain cut short by a shutdown")
        elif everything:
            self._guard(self._shut, faults.UNAVAILABLE.saying("The gateway is being restarted; try again."))

    def _shut(self, fault: Fault) -> None:
        if self._ended:
            return
        self._tries.cancel()
        served = self._served if self._committed else None
        status = 200 if self._exchange.begun else fault.status
        self._settle(Ending(outcome="drained", status=status, code=fault.code), served, partial(self._tell, fault))

    # --- endings

    def _well(self, status: int) -> Ending:
        if not self._gone_at:
            return Ending(outcome="ok", status=status)
        waited = self._relay.now() - self._gone_at
        return Ending(outcome="client_gone", status=status, note=f"drained {waited:.1f} s after the client left")

    def _give_up(self, fault: Fault) -> None:
        """No candidate is left."""
        outcome: Outcome = "deadline" if fault is faults.UPSTREAM_TIMEOUT else "upstream_error"
        if not self._tries.notes:
            outcome = "refused"
        status = 200 if self._exchange.begun else fault.status
        self._settle(Ending(outcome=outcome, status=status, code=fault.code), None, partial(self._tell, fault))

    def _tell(self, fault: Fault) -> None:
        if self._exchange.begun:
            self._exchange.cut(self._surface.format.render_event(fault, self._id))
        else:
            answers.refuse(self._exchange, fault, self._surface.format, self._id)

    def _guard(self, act: Callable[[T], object], what: T) -> None:
        """Do something that must not leave a reservation behind, whatever happens (promise 12)."""
        try:
            act(what)
        except Exception:
            LOG.exception(DEFECT, self._id)
            self._crash()

    def _crash(self) -> None:
        self._tries.cancel()
        if self._ended:
            self._exchange.cut()
            return
        served = self._served if self._committed else None
        status = 200 if self._exchange.begun else faults.INTERNAL.status
        ending = Ending(outcome="upstream_error", status=status, code=faults.INTERNAL.code, note="defect")
        self._settle(ending, served, partial(self._tell, faults.INTERNAL))

    def _settle(self, ending: Ending, served: Served | None, send: Callable[[], object] = say_nothing) -> None:
        """The one ending: charge, write the line, and only then send the last bytes."""
        if self._ended:
            return
        self._ended = True
        self._pipe = None  # a bound method of ours: the call must not wait for the garbage collector
        relay = self._relay
        relay.calls.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._quiet is not None:
            self._quiet.close()
            self._quiet = None
        if self._tries.current is not None:
            self._tries.close(self._tries.current.status, "")
        bill = NOTHING if served is None else endings.bill(self._tries.order, served)
        if self._tries.owed:
            bill = endings.add_failures(bill, self._tries.owed)
        self._amount = bill.amount
        tokens = endings.tokens_used(bill, self._reservation)
        backs = relay.purses.settle(self._reservation, bill.amount, tokens)
        if relay.journal.end(self._tries.line(ending, bill, backs, self._first_at)):
            send()
        else:
            relay.journal.when_written(send)

    def _head(self, kind: bytes) -> bytes:
        """The header lines of an answer that came from an upstream."""
        return answers.head(self._id.encode(), kind) + self._tries.head_lines()

    def _stream_head(self) -> bytes:
        """The same of a stream."""
        kind = self._surface.format.stream_kind
        return answers.stream_head(self._id.encode(), kind) + self._tries.head_lines()
