"""The proof that the books are right: the invariants of the money protocol, each by one query, with figures.

What is summed up elsewhere (counters of purses, refunds of calls, redeemed codes) is checked against its rows here too.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, and_, bindparam, case, cast, func, literal_column, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import Incarnation
from yescale.domain.money import Nano
from yescale.store.bulk import Query
from yescale.store.database import database_ms
from yescale.store.tables import (
    calls,
    codes,
    entries,
    holds,
    journals,
    keys,
    leases,
    limits,
    postings,
    purses,
    quarantine,
    rollups,
)

_SHOWN: Final = 20  # problems of one kind that are spelled out


class Ends(Struct, frozen=True):
    """What a journal file itself says up to its settled offset: end lines, and the sum of their amounts."""

    count: int
    amount: Nano


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether all holds, the figures, and one sentence per violation (number of the invariant first)."""

    ok: bool
    figures: Mapping[str, int]
    problems: tuple[str, ...]


_OUTSTANDING: Final = leases.c.granted - leases.c.settled - leases.c.returned
_LEASED: Final = (
    select(leases.c.purse_id, func.sum(case((_OUTSTANDING > 0, _OUTSTANDING), else_=0)).label("amount"))
    .group_by(leases.c.purse_id)
    .subquery()
)
_TASKS: Final = select(holds.c.purse_id, func.sum(holds.c.amount).label("amount")).group_by(holds.c.purse_id).subquery()
_POSTED: Final = (
    select(postings.c.account_id, func.sum(postings.c.amount).label("amount"))
    .where(postings.c.book == "account")
    .group_by(postings.c.account_id)
    .subquery()
)
_LOGGED: Final = (
    select(calls.c.journal_id, func.count().label("ends"), func.sum(calls.c.amount).label("amount"))
    .group_by(calls.c.journal_id)
    .subquery()
)
_BILLED: Final = (
    select(calls.c.entry_id, func.sum(calls.c.amount).label("amount"), func.sum(calls.c.paid).label("paid"))
    .where(calls.c.entry_id.is_not(None))
    .group_by(calls.c.entry_id)
    .subquery()
)
_BOOKED: Final = (
    select(
        postings.c.entry_id,
        func.sum(case((postings.c.book == "revenue", postings.c.amount), else_=0)).label("amount"),
        func.sum(case((postings.c.book == "account", -postings.c.amount), else_=0)).label("paid"),
    )
    .group_by(postings.c.entry_id)
    .subquery()
)
_USED: Final = (func.count().label("calls"), func.sum(calls.c.amount - calls.c.refunded).label("amount"))
_BY_ACCOUNT: Final = select(calls.c.account_id, *_USED).group_by(calls.c.account_id).subquery()
_BY_KEY: Final = (
    select(keys.c.purse_id, *_USED).join(calls, calls.c.key_id == keys.c.id).group_by(keys.c.purse_id).subquery()
)
_REFUNDS: Final = (
    select(entries.c.call_id, func.sum(postings.c.amount).label("amount"))
    .join(postings, and_(postings.c.entry_id == entries.c.id, postings.c.book == "account"))
    .where(entries.c.kind == "refund")
    .group_by(entries.c.call_id)
    .subquery()
)
_REDEMPTIONS: Final = (
    select(cast(entries.c.outside_id, BigInteger).label("code_id"), entries.c.account_id, postings.c.amount)
    .join(postings, and_(postings.c.entry_id == entries.c.id, postings.c.book == "account"))
    .where(entries.c.kind == "redemption", entries.c.source == "code")
    .subquery()
)

_DIFFERENCES: Final = union_all(
    select(
        calls.c.account_id,
        literal_column("1", BigInteger).label("calls"),
        calls.c.amount,
        calls.c.paid,
        calls.c.refunded,
    ),
    select(
        rollups.c.account_id,
        -rollups.c.calls,
        -rollups.c.amount,
        -rollups.c.paid,
        -rollups.c.refunded,
    ),
).subquery()
_DIFFER: Final = tuple(func.sum(_DIFFERENCES.c[name]) for name in ("calls", "amount", "paid", "refunded"))


def _zero(column: Any) -> Any:
    return func.coalesce(column, 0)


_CHECKS: Final[Mapping[str, Query]] = {
    "1: entry {0} does not sum to zero but to {1}": select(postings.c.entry_id, func.sum(postings.c.amount))
    .group_by(postings.c.entry_id)
    .having(func.sum(postings.c.amount) != 0),
    "2: account {0} has balance {1}, its postings say {2}": select(
        purses.c.account_id, purses.c.balance, _zero(_POSTED.c.amount)
    )
    .outerjoin(_POSTED, _POSTED.c.account_id == purses.c.account_id)
    .where(purses.c.scope == "account", purses.c.balance != _zero(_POSTED.c.amount)),
    "2: purse {0} has granted - spent = {1}, balance - over = {2}": select(
        purses.c.id, purses.c.granted - purses.c.spent, purses.c.balance - purses.c.over
    ).where(purses.c.granted - purses.c.spent != purses.c.balance - purses.c.over),
    "2: purse {0} has balance {1}": select(purses.c.id, purses.c.balance).where(purses.c.balance < 0),
    "2: account {0} counts {1} calls and {2} spent; its rows say {3} and {4}": select(
        purses.c.account_id, purses.c.calls, purses.c.spent, _zero(_BY_ACCOUNT.c.calls), _zero(_BY_ACCOUNT.c.amount)
    )
    .outerjoin(_BY_ACCOUNT, _BY_ACCOUNT.c.account_id == purses.c.account_id)
    .where(
        purses.c.scope == "account",
        or_(purses.c.calls != _zero(_BY_ACCOUNT.c.calls), purses.c.spent != _zero(_BY_ACCOUNT.c.amount)),
    ),
    "2: the key of purse {0} counts {1} calls and {2} spent; its rows say {3} and {4}": select(
        purses.c.id, purses.c.calls, purses.c.spent, _zero(_BY_KEY.c.calls), _zero(_BY_KEY.c.amount)
    )
    .outerjoin(_BY_KEY, _BY_KEY.c.purse_id == purses.c.id)
    .where(
        purses.c.scope == "key",
        or_(purses.c.calls != _zero(_BY_KEY.c.calls), purses.c.spent != _zero(_BY_KEY.c.amount)),
    ),
    "3: purse {0} holds {1}; leases and tasks hold {2} + {3}": select(
        purses.c.id, purses.c.held, _zero(_LEASED.c.amount), _zero(_TASKS.c.amount)
    )
    .outerjoin(_LEASED, _LEASED.c.purse_id == purses.c.id)
    .outerjoin(_TASKS, _TASKS.c.purse_id == purses.c.id)
    .where(purses.c.held != _zero(_LEASED.c.amount) + _zero(_TASKS.c.amount)),
    "4: purse {0} holds {1} of a balance of {2}, without a reason": select(
        purses.c.id, purses.c.held, purses.c.balance
    ).where(purses.c.held > purses.c.balance, purses.c.strained_ms == 0, purses.c.limited),
    "5: journal {0}/{1} counts {2} ends of {3}; its call rows are {4} of {5}": select(
        journals.c.incarnation,
        journals.c.file,
        journals.c.ends,
        journals.c.amount,
        _zero(_LOGGED.c.ends),
        _zero(_LOGGED.c.amount),
    )
    .outerjoin(_LOGGED, _LOGGED.c.journal_id == journals.c.id)
    .where(or_(journals.c.ends != _zero(_LOGGED.c.ends), journals.c.amount != _zero(_LOGGED.c.amount))),
    "6: entry {0} books {1}, of which {2} paid; its call rows say {3}, {4} paid": select(
        entries.c.id, _zero(_BOOKED.c.amount), _zero(_BOOKED.c.paid), _zero(_BILLED.c.amount), _zero(_BILLED.c.paid)
    )
    .outerjoin(_BOOKED, _BOOKED.c.entry_id == entries.c.id)
    .outerjoin(_BILLED, _BILLED.c.entry_id == entries.c.id)
    .where(
        entries.c.kind == "calls",
        or_(_zero(_BOOKED.c.amount) != _zero(_BILLED.c.amount), _zero(_BOOKED.c.paid) != _zero(_BILLED.c.paid)),
    ),
    "6: call {0} has {1} refunded; its refunds are {2}": select(
        calls.c.call_id, calls.c.refunded, _zero(_REFUNDS.c.amount)
    )
    .outerjoin(_REFUNDS, _REFUNDS.c.call_id == calls.c.call_id)
    .where(calls.c.refunded != _zero(_REFUNDS.c.amount)),
    "6: code {0} gave account {1} {2}; its entry says account {3} and {4}": select(
        codes.c.id, codes.c.account_id, codes.c.amount, _REDEMPTIONS.c.account_id, _REDEMPTIONS.c.amount
    )
    .outerjoin(_REDEMPTIONS, _REDEMPTIONS.c.code_id == codes.c.id)
    .where(
        codes.c.redeemed_ms.is_not(None),
        or_(_zero(_REDEMPTIONS.c.account_id) != codes.c.account_id, _zero(_REDEMPTIONS.c.amount) != codes.c.amount),
    ),
    "9: account {0} has {1} calls more than its roll-ups say, {2} more in amount, {3} paid, {4} refunded": select(
        _DIFFERENCES.c.account_id, *_DIFFER
    )
    .group_by(_DIFFERENCES.c.account_id)
    .having(or_(*[each != 0 for each in _DIFFER])),
}
_FIGURES: Final[Mapping[str, Query]] = {
    "postings": select(_zero(func.sum(postings.c.amount))),
    "revenue": select(_zero(func.sum(postings.c.amount))).where(postings.c.book == "revenue"),
    "shortfall": select(_zero(-func.sum(postings.c.amount))).where(postings.c.book == "shortfall"),
    "over": select(_zero(func.sum(purses.c.over))).where(purses.c.scope == "account"),
    "balance": select(_zero(func.sum(purses.c.balance))).where(purses.c.scope == "account"),
    "held": select(_zero(func.sum(purses.c.held))),
    "outstanding": select(_zero(func.sum(case((_OUTSTANDING > 0, _OUTSTANDING), else_=0)))),
    "task_holds": select(_zero(func.sum(holds.c.amount))),
    "calls": select(func.count()).select_from(calls),
    "interrupted": select(func.count()).select_from(calls).where(calls.c.outcome == "interrupted"),
    "charged": select(_zero(func.sum(calls.c.amount))),
    "refunded": select(_zero(func.sum(calls.c.refunded))),
    "quarantined": select(func.count()).select_from(quarantine).where(quarantine.c.resolved_ms.is_(None)),
    "strained": select(func.count()).select_from(purses).where(and_(purses.c.strained_ms > 0)),
}
_BUDGETS: Final = (
    select(purses.c.id, limits.c.id, purses.c.granted, limits.c.amount)
    .join(limits, limits.c.id == purses.c.limit_id)
    .where(
        limits.c.deleted_ms.is_(None),
        or_(purses.c.until_ms.is_(None), purses.c.until_ms > bindparam("now")),
        or_(purses.c.granted != limits.c.amount, purses.c.limited.is_(False)),
    )
)
_JOURNALS: Final = (
    select(
        journals.c.incarnation,
        journals.c.file,
        journals.c.amount + _zero(func.sum(quarantine.c.amount)),
    )
    .outerjoin(
        quarantine, and_(quarantine.c.incarnation == journals.c.incarnation, quarantine.c.file == journals.c.file)
    )
    .group_by(journals.c.id, journals.c.incarnation, journals.c.file, journals.c.amount)
)


async def verify(connection: AsyncConnection, files: Mapping[tuple[Incarnation, int], Ends] | None = None) -> Verdict:
    """Check the books. `files`: what the journal files that still exist say (`ends_until`), compared as well.

    Run it on one connection of `reading`; on PostgreSQL while nothing settles, or in a repeatable read.
    """
    problems: list[str] = []
    for sentence, query in _CHECKS.items():
        rows = (await connection.execute(query.limit(_SHOWN))).all()
        problems += [sentence.format(*row) for row in rows]
    for row in (await connection.execute(_BUDGETS.limit(_SHOWN), {"now": await database_ms(connection)})).all():
        problems.append("9: purse {} of limit {} has {}, the limit says {}".format(*row))
    figures = {name: int((await connection.execute(query)).scalar_one()) for name, query in _FIGURES.items()}
    if figures["shortfall"] != figures["over"]:
        problems.append(f"8: the shortfall is {figures['shortfall']}, overruns are {figures['over']}")
    if files:
        for incarnation, file, amount in await connection.execute(_JOURNALS):
            said = files.get((incarnation, file))
            if said is not None and said.amount != amount:
                problems.append(f"5: journal {incarnation}/{file} says {said.amount}; {amount} is settled")
    return Verdict(ok=not problems, figures=figures, problems=tuple(problems))
