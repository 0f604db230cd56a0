"""What a batch of journal lines does to purses and leases, in memory and pure: settlement reads, tallies, writes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from yescale.domain.ids import AccountId, KeyId, PurseId
from yescale.domain.journal import MOST, BackLine, EndLine, NoLine
from yescale.domain.money import Nano
from yescale.ledger.journal_file import Record
from yescale.ledger.rows import Lease, Purse

_NO_PURSE: Final = PurseId(0)


class Book(Struct, frozen=True, kw_only=True):
    """The locked rows that a batch touches."""

    purses: dict[PurseId, Purse]
    leases: dict[PurseId, Lease]
    account_purses: Mapping[AccountId, PurseId]
    key_purses: Mapping[KeyId, PurseId]  # of calls that name no purse


class Named(Struct, frozen=True):
    """The rows that lines name. `keys`: of calls that name no purse."""

    accounts: set[AccountId]
    keys: set[KeyId]
    purses: set[PurseId]


class Charge(Struct, frozen=True, gc=False):
    """A call that is settled, and how much of it the account could pay."""

    end: EndLine
    paid: Nano


class Reject(Struct, frozen=True):
    """A line for the quarantine. `amount`: what it would have charged, where that could be read."""

    record: Record
    reason: str
    amount: Nano = 0


class Bill(Struct):
    """What one account owes for a batch."""

    paid: Nano = 0
    rest: Nano = 0


class Tally:
    """Takes lines one by one and changes the rows of its book; `close` brings `held` up to date."""

    def __init__(self, book: Book, n: int) -> None:
        self.n = n  # of the last line
        self.charges: list[Charge] = []
        self.bills: dict[AccountId, Bill] = {}
        self.rejects: list[Reject] = []
        self.refusals: list[NoLine] = []
        self.alarms: list[str] = []
        self._book = book
        self._purses = book.purses
        self._leases = book.leases
        self._account_purses = book.account_purses
        self._before = {purse_id: lease.outstanding for purse_id, lease in book.leases.items()}
        self._rich = {purse_id for purse_id, purse in book.purses.items() if purse.balance > 0}
        self._leased: set[PurseId] = set()

    def take(self, record: Record) -> None:
        """Apply one line, or reject it."""
        line = record.line
        if line is None:
            self.rejects.append(Reject(record, record.reason))
            return
        if line.n != self.n + 1:
            self.alarms.append(f"line {line.n} follows line {self.n}: lines are lost")
        self.n = max(self.n, line.n)
        if isinstance(line, EndLine):
            self._end(record, line)
        elif isinstance(line, BackLine):
            self._back(line.purses)
        elif isinstance(line, NoLine):
            self.refusals.append(line)

    def close(self) -> tuple[list[Purse], list[Purse]]:
        """Bring `held` up to date. Returns the purses that an overrun strains, and the key purses that ran empty."""
        strained: list[Purse] = []
        for purse_id in self._leased:
            lease, purse = self._leases[purse_id], self._purses[purse_id]
            purse.held = max(0, purse.held + lease.outstanding - self._before[purse_id])
            if purse.held > purse.balance and lease.settled + lease.returned > lease.granted:
                strained.append(purse)
        emptied = [
            purse
            for purse in self._purses.values()
            if purse.limited and purse.balance == 0 and purse.scope == "key" and purse.id in self._rich
        ]
        return strained, emptied

    @property
    def leased(self) -> list[Lease]:
        """The leases that moved."""
        return [self._leases[purse_id] for purse_id in sorted(self._leased)]

    def _end(self, record: Record, end: EndLine) -> None:
        amount = end.amount
        account = self._purses.get(self._account_purses.get(end.account, _NO_PURSE))
        if account is None:
            self.rejects.append(Reject(record, f"account {end.account} does not exist", amount))
            return
        for purse_id, charged in end.charges:
            if purse_id == account.id and charged != amount:
                self.rejects.append(Reject(record, "the account's charge is not the amount of the call", amount))
                return
        paid = self._pay(account, amount, end.at_ms)
        for purse_id, charged in end.charges:
            if purse_id != account.id:
                self._pay_beside(purse_id, charged, end)
        if not end.charges and (key := self._purses.get(self._book.key_purses.get(end.key, _NO_PURSE))):
            self._pay(key, 0, end.at_ms)
        if end.backs:
            self._back(end.backs)
        if amount:
            bill = self.bills.get(end.account)
            if bill is None:
                bill = self.bills[end.account] = Bill()
            bill.paid += paid
            bill.rest += amount - paid
        self.charges.append(Charge(end, paid))

    def _pay(self, purse: Purse, amount: Nano, at_ms: int) -> Nano:
        purse.calls += 1
        purse.used_ms = max(purse.used_ms, at_ms)
        if not amount:
            return 0
        self._leases[purse.id].settled += amount
        self._leased.add(purse.id)
        return purse.pay(amount)

    def _pay_beside(self, purse_id: PurseId, amount: Nano, end: EndLine) -> None:
        purse = self._purses.get(purse_id)
        if purse is None or (purse.account_id != end.account and purse.scope in {"account", "key"}):
            self.alarms.append(f"call {end.id} charges purse {purse_id}, which its account does not have")
        else:
            self._pay(purse, amount, end.at_ms)

    def _back(self, totals: Iterable[tuple[PurseId, Nano]]) -> None:
        for purse_id, returned in totals:
            if purse_id not in self._purses:
                self.alarms.append(f"money of purse {purse_id} is given back, which does not exist")
                continue
            lease = self._leases[purse_id]
            lease.returned = max(lease.returned, returned)
            self._leased.add(purse_id)


def named(records: Sequence[Record]) -> Named:
    """What must be read to apply the lines."""
    accounts: set[AccountId] = set()
    keys: set[KeyId] = set()
    purses: set[PurseId] = set()
    for record in records:
        line = record.line
        if isinstance(line, EndLine):
            accounts.add(line.account)
            if line.charges:
                purses.update([purse_id for purse_id, _ in line.charges])
            else:
                keys.add(line.key)
            if line.backs:
                purses.update([purse_id for purse_id, _ in line.backs])
        elif isinstance(line, NoLine):
            accounts.add(line.account)
        elif isinstance(line, BackLine):
            purses.update([purse_id for purse_id, _ in line.purses])
    return Named(accounts, keys, {purse_id for purse_id in purses if 0 < purse_id <= MOST})
