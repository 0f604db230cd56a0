"""What the ledger's entries look like to those who may see them, and the faults of those that cannot be made."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import Field

from yescale.control.answers import FaultRaised
from yescale.control.catalogue import format_usd
from yescale.control.operations.refusals import OperationRefused
from yescale.control.views import View
from yescale.domain.faults import MALFORMED, Fault
from yescale.ledger.entries import NoSuchAccount, NoSuchCall, NotCovered, ReusedId
from yescale.store.entries import EntryRow

MOST_LISTED: Final = 100
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many at most.")]
After = Annotated[int | None, Query(ge=1, description="The id of the last one seen; older ones follow.")]
Usd = Annotated[str, Field(max_length=32, description="US dollars, in decimals.")]
OutsideId = Annotated[str, Field(max_length=128, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]

NOT_COVERED: Final = Fault(
    status=400, type="invalid_request_error", code="not_covered", message="There is not so much.", blame="caller"
)
ID_REUSED: Final = Fault(
    status=409,
    type="invalid_request_error",
    code="outside_id_reused",
    message="The outside id stands for another entry.",
    blame="caller",
)
CALL_NOT_FOUND: Final = Fault(
    status=404, type="not_found_error", code="call_not_found", message="There is no such call.", blame="caller"
)


class EntryView(View):
    """An entry of the ledger. `amount_nano`: what the account gained, in nano-dollars. `actor`: the operator."""

    object: Literal["entry"] = "entry"
    id: int
    kind: str
    username: str
    amount_nano: int
    amount_usd: str
    outside_id: str
    request_id: str | None
    note: str
    actor: str | None
    created_at: int


class EntryPage(View):
    """Entries, newest first."""

    object: Literal["list"] = "list"
    data: list[EntryView]
    has_more: bool


class BookedView(View):
    """An entry that was just made, or had been made before (`repeated`), and the balance now."""

    object: Literal["entry"] = "entry"
    id: int
    kind: str
    username: str
    amount_nano: int
    balance_nano: int
    repeated: bool


def show_entry(row: EntryRow) -> EntryView:
    """An entry's row."""
    return EntryView(
        id=row.id,
        kind=row.kind,
        username=row.username,
        amount_nano=row.amount,
        amount_usd=("-" if row.amount < 0 else "") + format_usd(abs(row.amount)),
        outside_id=row.outside_id,
        request_id=row.call_id,
        note=row.note,
        actor=row.actor,
        created_at=row.at_ms // 1000,
    )


@contextmanager
def told() -> Generator[None]:
    """What the ledger refuses, as faults that say it."""
    try:
        yield
    except (OperationRefused, NoSuchAccount) as error:
        raise FaultRaised(MALFORMED.saying(str(error))) from error
    except NotCovered as error:
        raise FaultRaised(NOT_COVERED.saying(str(error))) from error
    except ReusedId as error:
        raise FaultRaised(ID_REUSED.saying(str(error))) from error
    except NoSuchCall as error:
        raise FaultRaised(CALL_NOT_FOUND.saying(str(error))) from error
