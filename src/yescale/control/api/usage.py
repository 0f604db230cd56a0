"""`GET /api/v1/usage`: what was used and what it cost, by hour, day, key, model, group or tag; for operators by account
and channel too.
"""

import time
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from yescale.control.access import Desk
from yescale.control.answers import FaultRaised
from yescale.control.api.access import NOT_AN_OPERATOR, Caller, is_operator
from yescale.control.usage import HOUR_S, MONTH_S, Line, UnknownTag, read_tag, sum_up
from yescale.control.views import Text, View
from yescale.domain.faults import MALFORMED
from yescale.domain.ids import AccountId
from yescale.domain.money import quota_of
from yescale.domain.tags import MOST_WRITTEN
from yescale.domain.usage import Meter
from yescale.store.accounts import AccountRow
from yescale.store.usage import HEADINGS, TAG_HEADINGS, UsageFilter

router: Final = APIRouter(prefix="/api/v1", tags=["usage"])
_MOST_SECONDS: Final = 10**12
_MOST_ID: Final = 2**63 - 1
_MOST_HEADINGS: Final = 4
_OF_OPERATORS: Final = frozenset({"account", "channel"})


class AskUsage(BaseModel):
    """Whole hours from `from` to `to`, both included, in unix seconds; the last 30 days unless said.

    `group_by`: headings, separated by commas. `tag`: a name, for all of its values, or a name, a colon and a value.
    `account`: for operators, 0 = all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    group_by: str = Field("day", max_length=100)
    start: int | None = Field(None, alias="from", ge=0, le=_MOST_SECONDS)
    end: int | None = Field(None, alias="to", ge=0, le=_MOST_SECONDS)
    account: int | None = Field(None, ge=0, le=_MOST_ID)
    key: int = Field(0, ge=0, le=_MOST_ID)
    model: Text = ""
    group: Text = ""
    channel: int = Field(0, ge=0, le=_MOST_ID)
    tag: str = Field("", max_length=MOST_WRITTEN, pattern=r"^[^\x00]*$")
    page: int = Field(1, ge=1, le=10**6)
    limit: int = Field(1_000, ge=1, le=10_000)


class UsageLine(View):
    """What was used under one combination of the headings asked for; the other headings are null. Money in nano-dollars
    and, as `quota`, in 1/500,000 of a US dollar; `paid_nano` is what of `amount_nano` the account could pay.
    """

    object: Literal["usage"] = "usage"
    hour: str | None = None
    day: str | None = None
    account: int | None = None
    username: str | None = None
    key: int | None = None
    key_name: str | None = None
    model: str | None = None
    group: str | None = None
    channel: int | None = None
    tag: str | None = None
    calls: int
    failed: int
    amount_nano: int
    paid_nano: int
    refunded_nano: int
    quota: int
    prompt_tokens: int
    completion_tokens: int
    usage: dict[Meter, int]


class UsageList(View):
    """The rows, in the order of their headings."""

    object: Literal["list"] = "list"
    data: list[UsageLine]
    has_more: bool


@router.get("/usage")
async def read_usage(caller: Caller, desk: Desk, asked: Annotated[AskUsage, Query()]) -> UsageList:
    """What the account used; an operator may ask for another account, or all. Roll-ups are sums of the call rows."""
    lines, more = await sum_up(desk, _filter(asked, caller))
    return UsageList(data=[_show(line) for line in lines], has_more=more)


def _filter(asked: AskUsage, caller: AccountRow) -> UsageFilter:
    try:
        name, value = read_tag(asked.tag)
    except UnknownTag as error:
        raise _wrong("tag", str(error)) from error
    by = _headings(asked, bool(name))
    account = caller.id if asked.account is None else AccountId(asked.account)
    others = account != caller.id or asked.channel or not _OF_OPERATORS.isdisjoint(by)
    if others and not is_operator(caller):
        raise FaultRaised(NOT_AN_OPERATOR)
    end = int(time.time()) if asked.end is None else asked.end
    start = max(0, end - MONTH_S) if asked.start is None else asked.start
    return UsageFilter(
        by=by,
        first_hour=start // HOUR_S,
        last_hour=end // HOUR_S,
        account=account or None,
        key=asked.key,
        model=asked.model,
        group=asked.group,
        channel=asked.channel,
        tag_name=name,
        tag_value=value,
        limit=asked.limit,
        skip=(asked.page - 1) * asked.limit,
    )


def _headings(asked: AskUsage, tagged: bool) -> tuple[str, ...]:
    known = TAG_HEADINGS if tagged else HEADINGS
    by = tuple(dict.fromkeys(word.strip() for word in asked.group_by.split(",") if word.strip()))
    strange = [word for word in by if word not in known]
    if "tag" in strange:
        raise _wrong("tag", "say which: tag=NAME beside group_by=tag")
    if strange or not 1 <= len(by) <= _MOST_HEADINGS:
        what = "with a tag, by " if tagged else "by "
        raise _wrong("group_by", f"{what}one to {_MOST_HEADINGS} of {', '.join(known)}, separated by commas")
    if tagged and (asked.key or asked.model or asked.group or asked.channel):
        raise _wrong("tag", "usage by tag is not kept by key, model, group or channel; leave these out")
    return by


def _wrong(field: str, words: str) -> FaultRaised:
    return FaultRaised(MALFORMED.saying(f"{field}: {words}.", param=field))


def _show(line: Line) -> UsageLine:
    row = line.row
    return UsageLine(
        **line.headings,
        calls=row.calls,
        failed=row.failed,
        amount_nano=row.amount,
        paid_nano=row.paid,
        refunded_nano=row.refunded,
        quota=quota_of(row.amount),
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        usage=row.usage,
    )
