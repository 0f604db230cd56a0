"""What the lease book needs of its surroundings: of the link, of the journal, of the key cache."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from yescale.domain.ids import PurseId
from yescale.domain.link import FromControl, FromWorker, KeyRecord
from yescale.domain.money import Nano
from yescale.gateway.keys import Found

M = TypeVar("M", bound=FromControl)
Backs = tuple[tuple[PurseId, Nano], ...]


class Bank(Protocol):
    """What the book needs of the link."""

    up: bool
    alive_at: float

    def on(self, kind: type[M], callback: Callable[[M], object]) -> None: ...
    def send(self, message: FromWorker) -> bool: ...


class Record(Protocol):
    """What the book needs of the journal."""

    writable: bool
    stuck: bool
    last: int

    def back(self, purses: Backs) -> int: ...
    def when_written(self, then: Callable[[], object]) -> None: ...


class Refetch(Protocol):
    """What the book needs of the key cache."""

    def again(self, key: KeyRecord, then: Callable[[Found], None]) -> None: ...
