"""The key cache: which API key is presented. Answers at once where it can, asks control where it must, follows changes.

Expiry, status, models and addresses of a key are the admission's to check, not this cache's.
"""

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from yescale.domain.ids import AccountId, KeyId
from yescale.domain.link import AskKey, Changed, FromControl, FromWorker, KeyAnswer, KeyRecord, Welcome
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock, Timer, Timers
from yescale.tuning import MoneySettings

M = TypeVar("M", bound=FromControl)

_LOG: Final = logging.getLogger(__name__)


class Unavailable:
    """Nobody can say now which key this is: 503, never 401."""

    __slots__ = ()


UNAVAILABLE: Final = Unavailable()

Found = KeyRecord | None | Unavailable
Then = Callable[[Found], None]


class KeyBounds(Struct, frozen=True, kw_only=True):
    """Sizes and times of the cache."""

    known: int = 100_000  # keys, the least recently used leave first
    unknown: int = 10_000  # presented keys that do not exist
    unknown_s: float = 1.0  # and how long that is believed
    asked: int = 1_000  # questions to control at a time
    waiting: int = 10_000  # calls that wait for an answer
    answer_s: float = 3.0  # an answer takes this long at most
    presented_bytes: int = 512  # longer ones do not exist


class Source(Protocol):
    """What the cache needs of the link."""

    up: bool
    alive_at: float
    welcome: Welcome | None

    def on(self, kind: type[M], callback: Callable[[M], object]) -> None: ...
    def on_down(self, callback: Callable[[], object]) -> None: ...
    def send(self, message: FromWorker) -> bool: ...


class _Known:
    """A cached key. It was true until the link of its `era` broke."""

    __slots__ = ("era", "hash", "key")

    def __init__(self, key: KeyRecord, key_hash: bytes, era: int) -> None:
        self.key = key
        self.hash = key_hash
        self.era = era


class _Asked:
    """A question that control has not answered."""

    __slots__ = ("changed", "hash", "presented", "rounds", "thens", "timer")

    def __init__(self, presented: bytes, key_hash: bytes) -> None:
        self.presented = presented
        self.hash = key_hash
        self.thens: list[Then] = []
        self.changed = False  # the answer on its way may be older than a change
        self.rounds = 1
        self.timer: Timer | None = None


_MAX_ROUNDS: Final = 4  # of asking again since the key changed meanwhile; then the answer is used once, not kept


class Keys:
    """Keys by what a client presents."""

    def __init__(
        self, link: Source, settings: MoneySettings, timers: Timers, clock: Clock, bounds: KeyBounds | None = None
    ) -> None:
        self.unknown = 0  # answers "no such key" since the start
        self._link = link
        self._stale_for = settings.stale_for_s
        self._restart = settings.restart_s
        self._timers = timers
        self._clock = clock
        self._bounds = bounds or KeyBounds()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._presented: dict[bytes, bytes] = {}  # by hash
        self._of_account: dict[AccountId, set[bytes]] = {}
        self._of_key: dict[KeyId, list[bytes]] = {}  # presented, with each of its secrets, the newest last
        self._unknown: dict[bytes, float] = {}  # until when
        self._asked: dict[bytes, _Asked] = {}  # by hash
        self._waiting = 0
        self._era = 0  # one more with each Welcome
        self._ended: dict[int, float] = {}  # when the link of an era broke
        self._pepper = link.welcome.key_pepper if link.welcome is not None else b""
        link.on(Welcome, self._welcomed)
        link.on(KeyAnswer, self._answered)
        link.on(Changed, self._changed)
        link.on_down(self._parted)

    def recall(self, presented: bytes) -> KeyRecord | None:
        """The record of a key that is cached and true; None says nothing about it: ask `find`."""
        known = self._known.get(presented)
        if known is None or known.era != self._era or not self._link.up:
            return None
        self._known.move_to_end(presented)
        return known.key

    def find(self, presented: bytes, then: Then) -> None:
        """The record of a presented key: None = there is none, UNAVAILABLE = it cannot be known now.

        Calls `then` at once where the cache knows; else when control answers, or when its time is over.
        """
        key = self.recall(presented)
        if key is not None:
            then(key)
        elif presented not in self._known and self._refuted(presented):
            self.unknown += 1
            then(None)
        else:
            self._ask(presented, then)

    def again(self, key: KeyRecord, then: Then) -> None:
        """Forget a key and ask for it anew: what was known of it proved wrong."""
        ways = self._of_key.get(key.id)
        if not ways:
            then(UNAVAILABLE)
            return
        presented = ways[-1]
        if self._link.up:
            self._forget(presented)
        self._ask(presented, then)

    def _refuted(self, presented: bytes) -> bool:
        if len(presented) > self._bounds.presented_bytes:
            return True
        until = self._unknown.get(presented)
        if until is None:
            return False
        if self._clock.boot() < until:
            return True
        del self._unknown[presented]
        return False

    def _ask(self, presented: bytes, then: Then) -> None:
        if not self._link.up:
            stale = self._stale(presented)
            if not isinstance(stale, Unavailable) or self._clock.boot() - self._link.alive_at > self._restart:
                then(stale)
                return
        if not self._pepper:
            then(UNAVAILABLE)
            return
        key_hash = hmac.digest(self._pepper, presented, "sha256")
        asked = self._asked.get(key_hash)
        if self._waiting >= self._bounds.waiting or (asked is None and len(self._asked) >= self._bounds.asked):
            then(self._stale(presented))
            return
        if asked is None:
            asked = self._asked[key_hash] = _Asked(presented, key_hash)
            asked.timer = self._timers.start(self._bounds.answer_s, lambda: self._give_up(asked))
            self._link.send(AskKey(hash=key_hash))
        asked.thens.append(then)
        self._waiting += 1

    def _stale(self, presented: bytes) -> KeyRecord | Unavailable:
        """What was known when the link broke, while that may still be used."""
        known = self._known.get(presented)
        if known is None:
            return UNAVAILABLE
        true_until = self._ended.get(known.era)
        if true_until is None:
            # Its link stands (a question went unanswered), or it broke so long ago that the date was dropped.
            return known.key if known.era == self._era else UNAVAILABLE
        return known.key if self._clock.boot() - true_until <= self._stale_for else UNAVAILABLE

    def _give_up(self, asked: _Asked) -> None:
        if self._asked.get(asked.hash) is asked:
            _LOG.warning("control did not say in time which key was presented")
            self._deliver(asked, self._stale(asked.presented))

    def _answered(self, answer: KeyAnswer) -> None:
        asked = self._asked.get(answer.hash)
        if asked is None:
            return
        if answer.unavailable:
            self._deliver(asked, self._stale(asked.presented))
            return
        if asked.changed and asked.rounds < _MAX_ROUNDS:
            asked.changed = False
            asked.rounds += 1
            self._link.send(AskKey(hash=asked.hash))
            return
        self._forget(asked.presented)
        if answer.key is None:
            self.unknown += len(asked.thens)
            self._refute(asked.presented)
        elif not asked.changed:
            self._keep(asked, answer.key)
        self._deliver(asked, answer.key)

    def _deliver(self, asked: _Asked, found: Found) -> None:
        del self._asked[asked.hash]
        self._waiting -= len(asked.thens)
        if asked.timer is not None:
            asked.timer.cancel()
        for then in asked.thens:
            run(then, found)

    def _keep(self, asked: _Asked, key: KeyRecord) -> None:
        self._unknown.pop(asked.presented, None)
        self._known[asked.presented] = _Known(key, asked.hash, self._era)
        self._presented[asked.hash] = asked.presented
        self._of_account.setdefault(key.account, set()).add(asked.presented)
        self._of_key.setdefault(key.id, []).append(asked.presented)
        if len(self._known) > self._bounds.known:
            self._forget(next(iter(self._known)))

    def _refute(self, presented: bytes) -> None:
        now = self._clock.boot()
        self._unknown.pop(presented, None)  # dictionaries keep their order: the oldest comes first
        self._unknown[presented] = now + self._bounds.unknown_s
        if len(self._unknown) > self._bounds.unknown:
            del self._unknown[next(iter(self._unknown))]

    def _forget(self, presented: bytes) -> None:
        known = self._known.pop(presented, None)
        if known is None:
            return
        del self._presented[known.hash]
        ways = self._of_key[known.key.id]
        ways.remove(presented)
        if not ways:
            del self._of_key[known.key.id]
        of_account = self._of_account[known.key.account]
        of_account.discard(presented)
        if not of_account:
            del self._of_account[known.key.account]

    def _changed(self, changed: Changed) -> None:
        self._unknown.clear()
        for key_hash in changed.hashes:
            presented = self._presented.get(key_hash)
            if presented is not None:
                self._forget(presented)
            if key_hash in self._asked:
                self._asked[key_hash].changed = True
        for account in changed.accounts:
            for presented in tuple(self._of_account.get(account, ())):
                self._forget(presented)
        if changed.accounts:
            # Whose the keys on their way are is not known yet.
            for asked in self._asked.values():
                asked.changed = True

    def _welcomed(self, welcome: Welcome) -> None:
        """Changes were missed while the link was down: every known key is asked for again at its next use."""
        self._era += 1
        if welcome.key_pepper != self._pepper:
            self._pepper = welcome.key_pepper
            for presented in tuple(self._known):
                self._forget(presented)
            for asked in tuple(self._asked.values()):
                self._deliver(asked, UNAVAILABLE)
        for asked in self._asked.values():
            asked.changed = False
            self._link.send(AskKey(hash=asked.hash))

    def _parted(self) -> None:
        now = self._clock.boot()
        self._ended[self._era] = now
        for era in [era for era, ended in self._ended.items() if now - ended > self._stale_for]:
            del self._ended[era]
