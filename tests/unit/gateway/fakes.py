"""Stand-ins for what surrounds the worker's money: time that tests drive, and a small bank that keeps its own books."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

from yescale.domain.ids import AccountId, Incarnation, KeyId, PurseId
from yescale.domain.journal import AttemptNote, EndLine
from yescale.domain.link import Draw, Drawn, Granted, KeyRecord, Refused, Want, Welcome
from yescale.domain.price import Line
from yescale.domain.usage import Meter


class Due:
    """A booked call."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class Time:
    """A clock and its timers; nothing happens but in pass_()."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._booked: list[tuple[float, int, Due]] = []
        self._order = count()

    def boot(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return int(self.now * 1_000)

    def start(self, seconds: float, call: Callable[[], object]) -> Due:
        due = Due(call)
        heapq.heappush(self._booked, (self.now + seconds, next(self._order), due))
        return due

    def pass_(self, seconds: float) -> None:
        until = self.now + seconds
        while self._booked and self._booked[0][0] <= until:
            at, _, due = heapq.heappop(self._booked)
            self.now = max(self.now, at)
            call, due.call = due.call, None
            if call is not None:
                call()
        self.now = until


class FakeLink:
    """The worker's link without a connection: what is sent is listed, what control says is put in by hand."""

    def __init__(self, time: Time) -> None:
        self.up = True
        self.alive_at = time.now
        self.welcome: Welcome | None = None
        self.sent: list[Any] = []
        self._callbacks: dict[type, list[Callable[[Any], object]]] = {}
        self._downs: list[Callable[[], object]] = []

    def on(self, kind: type, callback: Callable[[Any], object]) -> None:
        self._callbacks.setdefault(kind, []).append(callback)

    def on_down(self, callback: Callable[[], object]) -> None:
        self._downs.append(callback)

    def send(self, message: Any) -> bool:
        if self.up:
            self.sent.append(message)
        return self.up

    def say(self, message: Any) -> None:
        for callback in self._callbacks.get(type(message), ()):
            callback(message)

    def part(self) -> None:
        self.up = False
        self.sent.clear()
        for callback in self._downs:
            callback()

    def take(self, kind: type) -> list[Any]:
        taken = [message for message in self.sent if isinstance(message, kind)]
        self.sent = [message for message in self.sent if not isinstance(message, kind)]
        return taken


class FakeRecord:
    """The journal's half that the book sees."""

    def __init__(self) -> None:
        self.writable = True
        self.stuck = False
        self.last = 0
        self.lines: list[tuple[tuple[tuple[PurseId, int], ...], tuple[tuple[PurseId, int], ...]]] = []
        self.thens: list[Callable[[], object]] = []

    def back(self, purses: tuple[tuple[PurseId, int], ...]) -> int:
        return self.end((), purses)

    def end(self, charges: tuple[tuple[PurseId, int], ...], backs: tuple[tuple[PurseId, int], ...] = ()) -> int:
        self.lines.append((charges, backs))
        self.last += 1
        return self.last

    def when_written(self, then: Callable[[], object]) -> None:
        if self.stuck:
            self.thens.append(then)
        else:
            then()


class Bank:
    """Control's side of the money, small: draws and settlement over purses with a balance, several incarnations."""

    def __init__(self, balances: dict[int, int]) -> None:
        self.balance = dict(balances)
        self.shortfall = 0
        self.leases: dict[tuple[int, int], list[int]] = {}  # granted, settled, returned
        self.closed: set[int] = set()

    def outstanding(self, lease: list[int]) -> int:
        return max(0, lease[0] - lease[1] - lease[2])

    def held(self, purse: int) -> int:
        return sum(self.outstanding(lease) for (_, of), lease in self.leases.items() if of == purse)

    def available(self, purse: int) -> int:
        return self.balance[purse] - self.held(purse)

    def draw(self, worker: int, draw: Draw) -> Drawn:
        wants = sorted(draw.wants, key=lambda want: want.purse)
        for want in wants:
            if want.purse not in self.balance or want.purse in self.closed:
                return Drawn(id=draw.id, refused=Refused(purse=want.purse, code="invalid_api_key"))
            lease = self._lease(worker, want.purse)
            lease[0] = max(lease[0], want.have)
        for want in wants:
            if self._need(worker, want) > self.available(want.purse):
                refused = Refused(
                    purse=want.purse,
                    code="insufficient_balance",
                    balance=self.balance[want.purse],
                    held=self.held(want.purse),
                )
                return Drawn(id=draw.id, refused=refused)
        return Drawn(id=draw.id, granted=tuple(self._grant(worker, want) for want in wants))

    def settle(
        self, worker: int, charges: tuple[tuple[PurseId, int], ...], backs: tuple[tuple[PurseId, int], ...]
    ) -> None:
        for purse, amount in charges:
            self._lease(worker, purse)[1] += amount
            paid = min(amount, self.balance.get(purse, 0))
            self.balance[purse] = self.balance.get(purse, 0) - paid
            self.shortfall += amount - paid
        for purse, total in backs:
            lease = self._lease(worker, purse)
            lease[2] = max(lease[2], total)

    def _lease(self, worker: int, purse: int) -> list[int]:
        return self.leases.setdefault((worker, purse), [0, 0, 0])

    def _rise(self, lease: list[int], total: int) -> int:
        return max(0, max(lease[0], total) - lease[1] - lease[2]) - self.outstanding(lease)

    def _need(self, worker: int, want: Want) -> int:
        return self._rise(self._lease(worker, want.purse), want.least)

    def _grant(self, worker: int, want: Want) -> Granted:
        lease = self._lease(worker, want.purse)
        available = self.available(want.purse)
        need = self._need(worker, want)
        rise = max(need, min(self._rise(lease, want.want), available // 8))
        if rise > 0:
            lease[0] = lease[1] + lease[2] + self.outstanding(lease) + rise
        return Granted(purse=want.purse, total=lease[0])


def record(key: int = 1, **fields: Any) -> KeyRecord:
    """A key; its account's purse is 10 and its own 11, as a rule without a limit."""
    whole: dict[str, Any] = {
        "id": KeyId(key),
        "name": "first",
        "account": AccountId(1),
        "username": "ada",
        "group": "default",
        "status": 1,
        "account_status": 1,
        "role": 1,
        "expires_at": -1,
        "models": None,
        "allow_ips": (),
        "account_purse": PurseId(10),
        "key_purse": PurseId(10 + key),
        "limited": False,
    } | fields
    return KeyRecord(**whole)


def end_line(call: str = "c1", **fields: Any) -> EndLine:
    """The end of an ordinary call."""
    line = Line(rule=1, meter=Meter.INPUT_TOKENS, quantity=100, per=1_000_000, price=10**9, ratio=10**6, amount=100)  # type: ignore[arg-type]
    whole: dict[str, Any] = {
        "n": 0,
        "id": call,
        "at_ms": 1,
        "key": 1,
        "account": 1,
        "username": "ada",
        "key_name": "first",
        "group": "default",
        "model": "gpt-4o",
        "upstream_model": "gpt-4o",
        "channel": 1,
        "outcome": "ok",
        "status": 200,
        "stream": False,
        "usage": {Meter.INPUT_TOKENS: 100},
        "estimated": False,
        "lines": (line,),
        "amount": 100,
        "charges": ((10, 100), (11, 100)),
        "attempts": (AttemptNote(channel=1, status=200, ms=5),),  # type: ignore[arg-type]
        "first_ms": 5,
        "total_ms": 6,
        "snapshot": 1,
    } | fields
    return EndLine(**whole)


INCARNATION = Incarnation("0123456789abcdef" * 2)
