"""The money of a session: what each response may cost is set aside before it may begin, what it used is charged.

A response is covered by the reservation that stood when the client asked for it, or, where the upstream begins one by
itself, by the one that stood for its audio. Everything that a client sends can become prompt, and so can every answer.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain.ids import CallId
from yescale.domain.limits import TOKENS
from yescale.domain.link import Refused
from yescale.domain.money import Nano
from yescale.domain.usage import Usage
from yescale.gateway.admission import UNSTATED_CONTEXT
from yescale.gateway.demand import Demand
from yescale.gateway.leases import Reservation, Waiting
from yescale.gateway.limiter import Pending
from yescale.gateway.relay.endings import NOT_REPORTED, NOTHING, Bill, Ending, Served, believable, bill
from yescale.gateway.relay.realtime.book import Book, Times
from yescale.pricing.ceiling import Ask
from yescale.protocols.openai_chat.realtime import OPENING_TOKENS, ClientEvent, ServerEvent, estimate

_AHEAD_TOKENS: Final = 1_000  # of prompt beyond what is needed: audio comes in many small pieces
_MOST: Final = 64  # responses under way, and asked for
_WELL: Final = frozenset({"completed", "incomplete", "cancelled"})


class Turn(Struct, kw_only=True, eq=False):
    """A response under way."""

    call: CallId
    reservation: Reservation | None
    began: float
    prompt_tokens: int  # about
    first: float = 0.0
    text_bytes: int = 0
    audio_tokens: int = 0


class Turns:
    """The responses of one session. `uncovered`: one began for which nothing was set aside; `needed`: what was asked
    for last.
    """

    __slots__ = (
        "_active",
        "_book",
        "_limit",
        "_now",
        "_past",
        "_promised",
        "_prompt",
        "_spare",
        "_standing",
        "_updates",
        "_waiting",
        "needed",
        "uncovered",
    )  # fmt: skip

    def __init__(self, book: Book, reservation: Reservation) -> None:
        self._book = book
        self._limit: int | None = None  # of output tokens, of the session
        self._prompt = OPENING_TOKENS  # what the last responses used and made, all of which the next may read
        self._past = 0  # tokens at most of what the client sent before the last response ended, and
        self._now = 0  # since: audio that waits in a buffer is not in its usage
        self._standing: Reservation | None = reservation
        self._promised: deque[Reservation] = deque()
        self._active: dict[str, Turn] = {}
        self._waiting: Waiting | Pending | None = None
        self._updates = 0  # of the session, not yet confirmed
        self._spare: Reservation | None = None  # of nothing: what an uncovered response is charged through
        self.uncovered = False
        self.needed: Nano = 0
        book.relay.purses.admit(book.key, 0, 0, self._keep_spare)

    @property
    def active(self) -> tuple[str, ...]:
        """The ids of the responses under way."""
        return tuple(self._active)

    @property
    def idle(self) -> bool:
        """Whether no response is under way or asked for."""
        return not self._active and not self._promised

    # --- before a response

    def covers(self, event: ClientEvent) -> bool:
        """Whether enough is set aside for what may come of an event."""
        standing = self._standing
        if standing is None:
            return False
        worst = self._worst(event, 0)
        enough = standing.amount >= worst.most
        return enough and (not self._book.limits or standing.sums[TOKENS] >= worst.most_tokens)

    def cover(self, event: ClientEvent, then: Callable[[Refused | None], None]) -> None:
        """Set aside what may come of an event; `then` hears whether that was refused, perhaps at once."""
        if self._standing is not None:
            self._book.release(self._standing)
            self._standing = None

        def told(outcome: Reservation | Refused) -> None:
            self._waiting = None
            if isinstance(outcome, Refused):
                then(outcome)
                return
            self._standing = outcome
            then(None)

        least, most = self._worst(event, 0), self._worst(event, _AHEAD_TOKENS)
        self.needed = least.most
        demand = replace(most, least=least.most, least_tokens=least.most_tokens)
        waiting = self._book.admit(demand, told)
        if waiting is not None:  # else it was answered, and what came next may wait by now
            self._waiting = waiting

    def sent(self, event: ClientEvent) -> None:
        """An event goes up."""
        self._now = min(self._now + event.tokens, UNSTATED_CONTEXT)
        if event.type == "session.update":
            self._updates += 1
            self._limit = None
        if event.type == "response.create" and self._standing is not None:
            self._promised.append(self._standing)
            self._standing = None

    @property
    def full(self) -> bool:
        """Whether no more responses may be asked for before one ends."""
        return len(self._promised) + len(self._active) >= _MOST

    def refused(self) -> None:
        """The upstream reports an error: a response that was asked for may not come. What was set aside for it goes
        on to the next; should it come nevertheless, it is that one.
        """
        if not self._promised:
            return
        reservation = self._promised.popleft()
        if self._standing is None:
            self._standing = reservation
        else:
            self._book.release(reservation)

    def settled(self, event: ServerEvent) -> None:
        """The session is as the upstream says; its limit counts once no change of it is on its way."""
        if event.type == "session.updated":
            self._updates -= 1
        if self._updates == 0:
            self._limit = event.limit

    def _keep_spare(self, outcome: Reservation | Refused) -> None:
        if isinstance(outcome, Reservation):
            self._spare = outcome

    def _worst(self, event: ClientEvent, ahead: int) -> Demand:
        order = self._book.order
        tariff = order.offer.tariff
        if tariff is None:
            return Demand(0, 0)
        said = None if event.type == "session.update" else self._limit
        output = min(event.limit or said or tariff.max_output, tariff.max_output)
        tokens = self._prompt + self._past + self._now + event.tokens + ahead
        prompt = min(tokens, order.offer.model.context_window or UNSTATED_CONTEXT)
        most = max(tariff.bound(Ask(prompt, output), 0).most, order.table.snapshot.minimum_balance)
        tokens = prompt + output
        return Demand(most, most, least_tokens=tokens, most_tokens=tokens, prompt=prompt)

    # --- a response

    def begin(self, response: str) -> None:
        """The upstream began one."""
        if response in self._active:
            return
        if len(self._active) >= _MOST:
            raise RuntimeError("the upstream begins responses without end")
        reservation = self._promised.popleft() if self._promised else self._standing
        if reservation is self._standing:
            self._standing = None
        self.uncovered = self.uncovered or reservation is None
        book = self._book
        turn = Turn(
            call=book.number(),
            reservation=reservation,
            began=book.relay.now(),
            prompt_tokens=self._prompt + (self._past + self._now) // 2,
        )
        self._active[response] = turn
        book.open(turn.call, 0 if reservation is None else reservation.amount)

    def hear(self, event: ServerEvent) -> None:
        """A piece of an answer."""
        turn = self._active.get(event.response)
        if turn is not None:
            turn.first = turn.first or self._book.relay.now()
            turn.text_bytes += event.text_bytes
            turn.audio_tokens += event.audio_tokens

    def end(self, event: ServerEvent) -> bool:
        """The upstream ended one and says what it used. False: the event must wait for `journal.when_written`."""
        turn = self._active.pop(event.response, None)
        if turn is None:
            return True
        self._past, self._now = self._now, 0
        well = event.status in _WELL
        ending = Ending(
            outcome="ok" if well else "upstream_error",
            status=200 if well else 502,
            code="" if well else event.code or "response_failed",
            note="" if event.status in ("completed", "failed") else event.status,
        )
        charged = self._bill(turn, event.usage, well=well)
        used = sum(count for meter, count in charged.usage.items() if meter.endswith("_tokens"))
        self._prompt = max(self._prompt, used)
        return self._close(turn, ending, charged)

    def _bill(self, turn: Turn, usage: Usage | None, *, well: bool) -> Bill:
        order = self._book.order
        if usage is not None and believable(order, usage):
            return bill(order, Served(usage, 0, believed=True))
        if not well and not turn.first and usage is None:
            return NOTHING
        model = order.offer.model
        prompt = min(turn.prompt_tokens, model.context_window or UNSTATED_CONTEXT)
        guess = bill(order, Served(estimate(prompt, turn.text_bytes, turn.audio_tokens), 0, believed=True))
        return replace(guess, estimated=True, note="; ".join(filter(None, (NOT_REPORTED, guess.note))))

    def _close(self, turn: Turn, ending: Ending, charged: Bill) -> bool:
        times = Times(began=turn.began, first=turn.first)
        if turn.reservation is None:
            turn.reservation, self._spare = self._spare, None
        return self._book.close(turn.call, ending, charged, turn.reservation, times)

    # --- the end

    def close(self, ending: Ending) -> None:
        """The session is over: what is under way is estimated, what was set aside goes back."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        while self._active:
            _, turn = self._active.popitem()
            self._close(turn, replace(ending, status=200), self._bill(turn, None, well=True))
        while self._promised:
            self._book.release(self._promised.popleft())
        for reservation in (self._standing, self._spare):
            if reservation is not None:
                self._book.release(reservation)
        self._standing = self._spare = None
