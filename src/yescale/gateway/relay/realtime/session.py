"""A session while both its ends stand: messages both ways, money before each response, and exactly one ending."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.journal import Outcome
from yescale.domain.link import KeyRecord, Refused
from yescale.gateway import admission, limit_words
from yescale.gateway.admission import Credentials
from yescale.gateway.keys import Unavailable
from yescale.gateway.limiter import LIMIT_CODES
from yescale.gateway.relay.endings import NOTHING, Ending
from yescale.gateway.relay.passage import DEFECT
from yescale.gateway.relay.realtime.book import Book, Times
from yescale.gateway.relay.realtime.dials import Dials
from yescale.gateway.relay.realtime.ears import ClientEar, UpstreamEar
from yescale.gateway.relay.realtime.turns import Turns
from yescale.protocols.openai_chat import realtime
from yescale.protocols.openai_chat.realtime import ClientEvent, ServerEvent
from yescale.protocols.passthrough import scrub
from yescale.wire import websocket
from yescale.wire.timers import Timer
from yescale.wire.tunnel import Tunnel

LOG: Final = logging.getLogger("yescale.relay")
_WATCH_S: Final = 1.0
_MOST_DRAIN_S: Final = 10.0  # for the usage of responses that the end of a session cancels
_UPSTREAM_FAILED: Final = 1011
_LATER: Final = 1013
_EXPIRED: Final = faults.UPSTREAM_TIMEOUT.saying("The session has reached its longest duration; open another.")
_RESTART: Final = faults.UNAVAILABLE.saying("The gateway is being restarted; open the session again.")
_UNREADABLE: Final = faults.MALFORMED.saying("The message is no JSON object with a 'type'.")
_OTHER_MODEL: Final = faults.MALFORMED.saying(
    "A session keeps its model; open another to use a different one.", param="session.model"
)
_TRANSCRIPTION: Final = faults.MALFORMED.saying(
    "Transcription by a second model is not offered in sessions; send the audio to /v1/audio/transcriptions.",
    param="session.audio.input.transcription",
)
_TOO_MANY: Final = faults.MALFORMED.saying("Too many responses are under way; wait until one has ended.")


class Session:
    """`_leaving`: the client is gone or told off, and only the usage of cancelled responses is waited for."""

    __slots__ = (
        "_asking", "_book", "_client", "_credentials", "_draining", "_ended", "_ending", "_held", "_leaving", "_names",
        "_relay", "_slow", "_timer", "_tries", "_turns", "_upstream", "_watch",
    )  # fmt: skip

    _client: Tunnel
    _upstream: Tunnel

    def __init__(self, book: Book, tries: Dials, turns: Turns, credentials: Credentials) -> None:
        self._book = book
        self._relay = book.relay
        self._tries = tries
        self._turns = turns
        self._credentials = credentials
        self._held: deque[tuple[bytes, bool]] = deque()  # of the client, behind one that waits for money
        self._asking = False
        self._slow: set[int] = set()  # the tunnels that are held back, since the other side is slow
        self._draining = False
        self._leaving = False
        self._ended = False
        self._ending = Ending(outcome="ok", status=101)
        self._timer: Timer | None = None
        self._watch: Timer | None = None
        candidate = tries.candidate
        model = book.order.peek.model
        self._names = (model, model if candidate is None else candidate.upstream_model)

    def start(self, client: Tunnel, upstream: Tunnel) -> None:
        """Hear both sides."""
        self._client, self._upstream = client, upstream
        self._relay.calls.add(self)
        self._watch = self._relay.timers.start(_WATCH_S, self._look)
        client.listen(ClientEar(self, upstream))
        upstream.listen(UpstreamEar(self, client))

    # --- from the client

    def asked(self, data: bytes, *, text: bool) -> None:
        """A message of the client."""
        self._held.append((data, text))
        self._guard(self._advance)

    def _advance(self) -> None:
        """Pass on what the client said, as far as it is paid for."""
        while self._held and not self._asking and not self._leaving and not self._ended:
            data, text = self._held[0]
            event = realtime.read_client(data)
            fault = self._find_fault(event)
            if event is None or fault is not None:
                self._held.popleft()
                self._complain(fault or _UNREADABLE, event)
            elif event.triggers and not self._turns.covers(event):
                self._asking = True
                self._client.pause()
                self._turns.cover(event, self._covered)
            else:
                self._held.popleft()
                self._pass_up(data, event, text=text)

    def _find_fault(self, event: ClientEvent | None) -> Fault | None:
        """Why an event must not go up."""
        if event is None:
            return _UNREADABLE
        if event.model is not None and event.model != self._names[0]:
            return _OTHER_MODEL
        if event.transcribes:
            return _TRANSCRIPTION
        return _TOO_MANY if event.type == "response.create" and self._turns.full else None

    def _pass_up(self, data: bytes, event: ClientEvent, *, text: bool) -> None:
        name, upstream_name = self._names
        if event.model is not None and name != upstream_name:
            data = realtime.rename(data, name, upstream_name)
        self._turns.sent(event)
        self._upstream.send(data, text=text)

    def _covered(self, refused: Refused | None) -> None:
        self._asking = False
        if self._ended or self._leaving:
            return
        if refused is not None and refused.code in LIMIT_CODES:
            data, _ = self._held.popleft()
            self._complain(limit_words.explain(refused, self._book.limits), realtime.read_client(data))
        elif refused is not None:
            status = self._book.order.table.snapshot.insufficient_funds_status
            fault = admission.explain_refusal(refused, self._turns.needed, status)
            code = _LATER if fault is faults.UNAVAILABLE else websocket.REFUSED
            self._guard(partial(self._cut, fault, "ok", code))
            return
        self._guard(self._advance)
        self._let_go(self._client)

    def _complain(self, fault: Fault, event: ClientEvent | None) -> None:
        """Answer an event with an error; the session goes on."""
        asked = None if event is None else event.id
        self._client.send(realtime.render_error(fault, f"event_{self._relay.ids.mint()}", asked), text=True)

    # --- from the upstream

    def answered(self, data: bytes, *, text: bool) -> None:
        """A message of the upstream."""
        self._guard(partial(self._hear, data, text=text))

    def _hear(self, data: bytes, *, text: bool) -> None:
        event = realtime.read_server(data)
        written = True if event is None else self._take(event)
        if event is not None:
            data = self._in_our_words(data, event)
        if written:
            self._tell(data, text=text)
        else:
            self._upstream.pause()
            self._relay.journal.when_written(partial(self._tell_late, data, text=text))

    def _in_our_words(self, data: bytes, event: ServerEvent) -> bytes:
        """The same without what only the upstream calls so, or nobody may see."""
        name, upstream_name = self._names
        if event.type == "error":
            return scrub(data, self._tries.secrets)
        if name != upstream_name and event.type.startswith("session."):
            return realtime.rename(data, upstream_name, name)
        return data

    def _take(self, event: ServerEvent) -> bool:
        """What an event means for the money. False: it must wait until the journal is written."""
        turns = self._turns
        match event.type:
            case "response.created":
                turns.begin(event.response)
                if self._leaving:
                    self._upstream.send(realtime.cancel(event.response), text=True)
                elif turns.uncovered:
                    self._cut(faults.INSUFFICIENT_BALANCE, "ok")
            case "response.done":
                written = turns.end(event)
                self._after_turn()
                return written
            case "error":
                turns.refused()
            case "session.created" | "session.updated":
                turns.settled(event)
            case _:
                turns.hear(event)
        return True

    def _after_turn(self) -> None:
        if not self._turns.idle:
            return
        if self._leaving:
            self._finish()
        elif self._draining:
            self._relay.timers.start(0, partial(self._guard, self._leave))  # once the client has the end

    def _tell(self, data: bytes, *, text: bool) -> None:
        if not self._leaving and not self._ended:
            self._client.send(data, text=text)

    def _tell_late(self, data: bytes, *, text: bool) -> None:
        self._tell(data, text=text)
        if not self._ended:
            self._let_go(self._upstream)

    # --- back-pressure

    def hold_back(self, tunnel: Tunnel, *, slow: bool) -> None:
        """The other side of a tunnel takes less than it brings, or has caught up."""
        if slow:
            self._slow.add(id(tunnel))
            tunnel.pause()
        else:
            self._slow.discard(id(tunnel))
            self._let_go(tunnel)

    def _let_go(self, tunnel: Tunnel) -> None:
        if id(tunnel) not in self._slow and not (tunnel is self._client and self._asking):
            tunnel.resume()

    # --- ends

    def client_left(self, code: int, reason: str) -> None:
        """The client closed, or is gone."""
        outcome: Outcome = "ok" if self._turns.idle and code != websocket.LOST else "client_gone"
        note = f"closed by the client with {code}" if code != websocket.LOST else reason
        self._guard(partial(self._part, Ending(outcome=outcome, status=101, note=note)))

    def upstream_left(self, code: int, reason: str) -> None:
        """The upstream closed, or is gone."""
        lost = not websocket.sendable(code)
        if lost and not self._leaving:
            self._tries.blame()
        if not self._leaving:
            outcome: Outcome = "ok" if self._turns.idle and not lost else "upstream_cut"
            note = f"closed by the upstream with {code}"
            self._ending = Ending(outcome=outcome, status=101, note=note)
            said = scrub(reason.encode(), self._tries.secrets).decode(errors="replace")
            self._client.close(_UPSTREAM_FAILED if lost else code, "the provider is gone" if lost else said)
        self._guard(self._finish)

    def leave(self) -> None:
        """The server drains: end as soon as no response is under way."""
        self._draining = True
        if self._turns.idle:
            self._guard(self._leave)

    def _leave(self) -> None:
        self._client.close(websocket.GOING_AWAY, "the gateway is being restarted")
        self._part(Ending(outcome="drained", status=101))

    def stop(self, *, everything: bool) -> None:
        """A shutdown: wait no longer for the usage of a session that is left, and let others end as soon as they can;
        with `everything`, end any.
        """
        if everything and not self._leaving:
            self._guard(partial(self._cut, _RESTART, "drained", websocket.GOING_AWAY))
        if everything or self._leaving:
            self._guard(self._finish)
        else:
            self.leave()

    def _look(self) -> None:
        """Once a second: is the key still good, and is there time left?"""
        self._watch = self._relay.timers.start(_WATCH_S, self._look)
        if self._leaving or self._ended:
            return
        if self._relay.now() - self._book.exchange.started > self._relay.settings.total_s:
            self._guard(partial(self._cut, _EXPIRED, "deadline", websocket.GOING_AWAY))
        else:
            self._relay.keys.find(self._credentials.key, self._key_found)

    def _key_found(self, found: KeyRecord | Unavailable | None) -> None:
        if self._leaving or self._ended or isinstance(found, Unavailable):
            return
        fault = faults.INVALID_KEY if found is None else self._judge(found)
        if fault is not None:
            self._guard(partial(self._cut, fault, "ok"))
        elif found is not None:
            self._book.key = found

    def _judge(self, key: KeyRecord) -> Fault | None:
        now_s = self._relay.clock.wall_ms() // 1_000
        fault = admission.check_key(key, self._credentials, self._book.exchange.peer, now_s)
        if fault is None and not admission.may_use(key, self._names[0]):
            return faults.MODEL_NOT_ALLOWED
        return fault

    def _cut(self, fault: Fault, outcome: Outcome, code: int = websocket.REFUSED) -> None:
        """Tell the client why, and end."""
        self._complain(fault, None)
        self._client.close(code, fault.code)
        self._part(Ending(outcome=outcome, status=101, code=fault.code))

    def _part(self, ending: Ending) -> None:
        """The client is gone: cancel what is under way, and hear what it used."""
        if self._leaving or self._ended:
            return
        self._leaving = True
        self._ending = ending
        self._held.clear()
        candidate = self._tries.candidate
        wait_s = 0.0 if candidate is None else min(candidate.channel.drain_s, _MOST_DRAIN_S)
        if self._turns.idle or wait_s <= 0:
            self._finish()
            return
        for response in self._turns.active:
            self._upstream.send(realtime.cancel(response), text=True)
        self._slow.clear()
        self._upstream.resume()
        self._timer = self._relay.timers.start(wait_s, partial(self._guard, self._finish))

    def _finish(self) -> None:
        """Settle everything, once."""
        if self._ended:
            return
        self._ended = True
        self._relay.calls.discard(self)
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()
        self._turns.close(self._ending)
        self._tries.close(101, "")
        book = self._book
        book.attempts = self._tries.notes
        book.close(book.id, self._ending, NOTHING, None, Times(began=book.exchange.started))
        self._upstream.close(websocket.NORMAL)
        self._client.close(self._close_code())

    def _close_code(self) -> int:
        return websocket.NORMAL if self._ending.outcome == "ok" else _UPSTREAM_FAILED

    def _guard(self, act: Callable[[], object]) -> None:
        """Do something that must not leave a reservation behind, whatever happens (promise 12)."""
        try:
            act()
        except Exception:
            LOG.exception(DEFECT, self._book.id)
            self._crash()

    def _crash(self) -> None:
        self._ending = Ending(outcome="upstream_error", status=101, code=faults.INTERNAL.code, note="defect")
        self._finish()
