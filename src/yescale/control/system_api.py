"""The System API (contract, sections 4 and 5; decisions, System API): account, keys, tasks, logs, catalogue, summaries.

Every route takes the account's access key and shows and changes what is that account's alone.
"""

import time
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from yescale.control.access import Desk, present_account
from yescale.control.answers import Refusal
from yescale.control.catalogue import format_usd
from yescale.control.limits import MOST_QUOTA, nano_of_limit
from yescale.control.operations.key_terms import Terms
from yescale.control.operations.keys import open_key
from yescale.control.operations.refusals import OperationRefused
from yescale.control.quoting import AskQuote, QuoteRefused, find_quote
from yescale.control.show import key_fields, show_key, show_log, show_model, show_task, show_usage, show_user
from yescale.control.usage import HOUR_S, MONTH_S, UnknownTag, read_tag, sum_up
from yescale.control.views import (
    Answer,
    Done,
    KeyView,
    LogPage,
    ModelView,
    NewKeyView,
    QuoteView,
    TaskView,
    Text,
    UsageView,
    UserView,
)
from yescale.domain.ids import KeyId
from yescale.domain.money import RATIO_ONE, quota_of
from yescale.domain.tags import MOST_WRITTEN, NAMES, parse_tag
from yescale.ledger.purses import NoSuchKey, delete_key, set_key_limit
from yescale.store.accounts import AccountRow, find_account
from yescale.store.catalogue import list_models
from yescale.store.channels import list_channels
from yescale.store.groups import list_groups
from yescale.store.keys import KeyRow, find_key, list_keys
from yescale.store.logs import LogFilter, find_logs
from yescale.store.tasks import TaskFilter, list_tasks
from yescale.store.usage import HEADINGS, TAG_HEADINGS, UsageFilter

router: Final = APIRouter(prefix="/yescale", tags=["system"])

MOST_ROWS: Final = 10_000
_MOST_SECONDS: Final = 10**15  # in milliseconds it still fits 64 bits
_MOST_PAGES: Final = 10**9
_MOST_ID: Final = 2**63 - 1
_MOST_COUNT: Final = 10**12

Caller = Annotated[AccountRow, Depends(present_account)]
KeyNumber = Annotated[int, Path(ge=1, le=_MOST_ID)]
Seconds = Annotated[int, Query(ge=0, le=_MOST_SECONDS)]
Word = Annotated[Text, Query()]


class Body(BaseModel):
    """A request's body; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EditQuota(BaseModel):
    """What a key may still spend: absolute. Other fields of a key row may stand beside it and change nothing."""

    remain_quota: StrictInt = Field(ge=0, le=MOST_QUOTA)


class CreateKey(Body):
    """A new key. Without `remain_quota` it is unlimited: it may spend what the account has."""

    name: Text
    group: Text = "default"
    remain_quota: StrictInt | None = Field(None, ge=0, le=MOST_QUOTA)
    unlimited_quota: StrictBool | None = None
    expired_time: StrictInt = Field(-1, ge=-1, le=_MOST_SECONDS)
    model_limits: list[Text] = Field([], max_length=1_000)
    allow_ips: list[Text] = Field([], max_length=1_000)
    groups: list[Text] = Field([], max_length=1_000)
    operations: list[Text] = Field([], max_length=1_000)
    max_output: StrictInt = Field(0, ge=0, le=_MOST_COUNT)
    tags: dict[Text, Text] = Field({}, max_length=20)


class AskTasks(BaseModel):
    """Which tasks; without `page_size`, all of the range."""

    start_timestamp: int = Field(ge=0, le=_MOST_SECONDS)
    end_timestamp: int = Field(ge=0, le=_MOST_SECONDS)
    p: int = Field(1, le=_MOST_PAGES)
    page_size: int = Field(0, ge=0, le=MOST_ROWS)
    platform: Text = ""
    task_id: Text = ""
    status: Text = ""
    action: Text = ""
    model: Text = ""


@router.get("/user")
async def read_user(caller: Caller, desk: Desk) -> Answer[UserView]:
    """The account of the access key."""
    await desk.catch_up()
    async with desk.database.reading() as connection:
        account = await find_account(connection, caller.id)
    return Answer(data=show_user(account or caller))


@router.get("/apikeylist")
async def read_keys(caller: Caller, desk: Desk, keyword: Word = "", token: Word = "") -> Answer[list[KeyView]]:
    """The account's keys, newest first; `keyword` is part of a name, `token` part of a key as it is shown."""
    await desk.catch_up()
    async with desk.database.reading() as connection:
        rows = await list_keys(connection, caller.id, keyword=keyword)
    part = token.strip().removeprefix("sk-").strip("-")
    return Answer(data=[show_key(row) for row in rows if _matches(row, part)])


def _matches(row: KeyRow, part: str) -> bool:
    """Whether a key, of which only the ends are known, may contain or be `part`."""
    head, _, tail = row.masked.removeprefix("sk-").partition("*" * 10)
    whole = len(part) > len(head) + len(tail)
    if whole:
        return part.startswith(head) and part.endswith(tail)
    return not part or part in head or part in tail


@router.delete("/deletekey/{key_id}")
async def remove_key(caller: Caller, desk: Desk, key_id: KeyNumber) -> Done:
    """Delete a key; it stops at once, calls in flight end and are charged."""
    try:
        async with desk.database.writing() as connection:
            _own(await find_key(connection, KeyId(key_id)), caller)
            await delete_key(connection, KeyId(key_id))
    except NoSuchKey:
        raise _unknown() from None
    await desk.announce()
    return Done()


@router.put("/editquota/{key_id}")
async def edit_quota(caller: Caller, desk: Desk, key_id: KeyNumber, body: EditQuota) -> Answer[KeyView]:
    """Set what a key may still spend; an exhausted key works again."""
    await desk.catch_up()
    try:
        async with desk.database.writing() as connection:
            _own(await find_key(connection, KeyId(key_id)), caller)
            limited = await set_key_limit(connection, KeyId(key_id), remaining=nano_of_limit(body.remain_quota))
            row = await find_key(connection, KeyId(key_id))
    except NoSuchKey:
        raise _unknown() from None
    if limited.recall:
        desk.recall(limited.purse)
    await desk.announce()
    return Answer(data=show_key(_own(row, caller)))


def _own(row: KeyRow | None, caller: AccountRow) -> KeyRow:
    """The row, if it is the caller's: someone else's key is as unknown as none."""
    if row is None or row.account_id != caller.id:
        raise _unknown()
    return row


def _unknown() -> Refusal:
    return Refusal(404, "There is no such API key; GET /yescale/apikeylist shows yours.")


@router.post("/createkey")
async def make_key(caller: Caller, desk: Desk, body: CreateKey) -> Answer[NewKeyView]:
    """Make a key. `full_key` holds it whole, this once."""
    unlimited = body.remain_quota is None if body.unlimited_quota is None else body.unlimited_quota
    if not unlimited and body.remain_quota is None:
        raise Refusal(400, "remain_quota: say how much a limited key may spend.")
    terms = Terms(
        name=body.name,
        group=body.group,
        remaining=None if unlimited or body.remain_quota is None else nano_of_limit(body.remain_quota),
        expires_at=body.expired_time,
        models=tuple(body.model_limits) or None,
        allow_ips=tuple(body.allow_ips),
        groups=tuple(body.groups) or None,
        operations=tuple(body.operations) or None,
        max_output=body.max_output,
        tags=body.tags,
    )
    try:
        async with desk.database.writing() as connection:
            key, secret = await open_key(connection, desk.vault, caller.id, terms)
            row = await find_key(connection, key)
    except OperationRefused as refusal:
        raise Refusal(400, str(refusal)) from refusal
    await desk.announce()
    return Answer(data=NewKeyView(**key_fields(_own(row, caller)), full_key=secret))


@router.get("/task")
async def read_tasks(caller: Caller, desk: Desk, asked: Annotated[AskTasks, Query()]) -> Answer[list[TaskView]]:
    """The account's media tasks that were submitted in the range, both ends included, newest first."""
    wanted = TaskFilter(
        account=caller.id,
        start_ms=asked.start_timestamp * 1000,
        end_ms=asked.end_timestamp * 1000 + 999,
        platform=asked.platform,
        task_id=asked.task_id,
        status=asked.status,
        action=asked.action,
        model=asked.model,
        page=max(1, asked.p),
        page_size=asked.page_size,
    )
    async with desk.database.reading() as connection:
        rows = await list_tasks(connection, wanted)
    return Answer(data=[show_task(row) for row in rows])


class AskLogs(BaseModel):
    """Which log rows. `model_name` is exact, or holds `*` for any characters; `tag` is a name, a colon and a value."""

    p: int = Field(1, le=_MOST_PAGES)
    page_size: int = Field(MOST_ROWS, ge=1, le=MOST_ROWS)
    type: int = Field(0, ge=0, le=6)
    token_name: Text = ""
    model_name: Text = ""
    username: Text = ""
    group: Text = ""
    request_id: Text = ""
    tag: str = Field("", max_length=MOST_WRITTEN, pattern=r"^[^\x00]*$")
    start_timestamp: int = Field(0, ge=0, le=_MOST_SECONDS)
    end_timestamp: int = Field(0, ge=0, le=_MOST_SECONDS)


@router.get("/logs")
async def read_logs(caller: Caller, desk: Desk, asked: Annotated[AskLogs, Query()]) -> Answer[LogPage]:
    """The account's log, newest first."""
    tag = parse_tag(asked.tag) if asked.tag else None
    if asked.tag and tag is None:
        raise Refusal(400, f"tag: say NAME:VALUE, where NAME is one of {', '.join(NAMES)}.")
    await desk.catch_up()
    wanted = LogFilter(
        account=caller.id,
        type=asked.type,
        key_name=asked.token_name,
        model=asked.model_name,
        username=asked.username,
        group=asked.group,
        request_id=asked.request_id,
        tag=tag,
        start_ms=asked.start_timestamp * 1000,
        end_ms=asked.end_timestamp * 1000 + 999 if asked.end_timestamp else 0,
        page=max(1, asked.p),
        page_size=asked.page_size,
    )
    async with desk.database.reading() as connection:
        rows, total = await find_logs(connection, wanted)
    page = LogPage(items=[show_log(row) for row in rows], total=total, page=wanted.page, page_size=wanted.page_size)
    return Answer(data=page)


@router.get("/models")
@router.get("/models/list", include_in_schema=False)
async def read_models(_caller: Caller, desk: Desk) -> Answer[list[ModelView]]:
    """The catalogue: what is offered, at which price."""
    async with desk.database.reading() as connection:
        rows = await list_models(connection)
        ratios = {group.name: group.ratio for group in await list_groups(connection)}
        channels = await list_channels(connection, enabled_only=True)
    up = {name for channel in channels if not desk.rests(channel.id) for name in channel.models}
    shown = (row for row in rows if not row.name.endswith("*"))
    return Answer(
        data=[
            show_model(row, ratios.get(row.group, RATIO_ONE), desk.market, desk.figures(row.name), up=row.name in up)
            for row in shown
        ]
    )


@router.get("/usage")
async def read_usage(
    caller: Caller,
    desk: Desk,
    group_by: Annotated[Literal["hour", "day", "model", "key", "group", "tag"], Query()] = "day",
    tag: Annotated[str, Query(max_length=MOST_WRITTEN, pattern=r"^[^\x00]*$")] = "",
    start_timestamp: Seconds | None = None,
    end_timestamp: Seconds | None = None,
) -> Answer[list[UsageView]]:
    """What the account used by whole hours, of UTC; the last 30 days unless the range is said. `tag` is a name, for all
    of its values, or a name, a colon and a value: calls with that tag, by hour, day or tag.
    """
    try:
        name, value = read_tag(tag)
    except UnknownTag as error:
        raise Refusal(400, f"tag: {error}.") from error
    if group_by not in (TAG_HEADINGS if name else HEADINGS):
        raise Refusal(400, "group_by: with a tag by hour, day or tag, and by tag only with one: tag=NAME.")
    end = int(time.time()) if end_timestamp is None else end_timestamp
    start = max(0, end - MONTH_S) if start_timestamp is None else start_timestamp
    wanted = UsageFilter(
        by=(group_by,),
        first_hour=start // HOUR_S,
        last_hour=end // HOUR_S,
        account=caller.id,
        tag_name=name,
        tag_value=value,
        limit=MOST_ROWS,
    )
    lines, _ = await sum_up(desk, wanted)
    return Answer(data=[show_usage(line, group_by) for line in lines])


@router.post("/quote")
async def quote(_caller: Caller, desk: Desk, body: AskQuote) -> Answer[QuoteView]:
    """What a usage would cost now, or a call at most, line by line: the same arithmetic as a call's."""
    try:
        async with desk.database.reading() as connection:
            quoted = await find_quote(connection, body)
    except QuoteRefused as refused:
        raise Refusal(404 if refused.unknown else 400, str(refused)) from refused
    return Answer(
        data=QuoteView(
            model=quoted.model,
            group=quoted.group,
            exact=quoted.exact,
            quota=quota_of(quoted.quote.total),
            amount_nano=quoted.quote.total,
            amount_usd=format_usd(quoted.quote.total),
            lines=list(quoted.lines),
        )
    )
