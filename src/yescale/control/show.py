"""Rows as the System API shows them (contract, sections 4 and 5): quota instead of nano-dollars, seconds, masks."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from yescale.control.billing_words import describe, other_of, read_lines
from yescale.control.figures import Figures
from yescale.control.limits import remaining_quota, used_quota
from yescale.control.market import Market, compare, price_text
from yescale.control.usage import Line
from yescale.control.views import KeyView, LogView, ModelView, TaskView, UsageView, UserView
from yescale.domain.money import NANO_PER_USD, RATIO_ONE, Nano, Ratio, quota_balance, quota_of
from yescale.store.accounts import AccountRow
from yescale.store.calls import CallDetails
from yescale.store.catalogue import CatalogueRow
from yescale.store.keys import KeyRow
from yescale.store.logs import LogRow
from yescale.store.tasks import TaskRow

_EXPIRED: Final = 3
_EXHAUSTED: Final = 4
_ENABLED: Final = 1
_NORMAL: Final = 1  # not under maintenance
_ROW_IDS: Final = 1024  # users see row ids modulo this: how many rows the installation has is not theirs to know
_DETAILS: Final = msgspec.json.Decoder(CallDetails)


def show_user(row: AccountRow) -> UserView:
    """An account for its owner. `quota` and `used_quota` make up what was ever granted."""
    quota = quota_balance(row.balance)
    return UserView(
        access_token=row.access_masked,
        display_name=row.display_name,
        email=row.email,
        quota=quota,
        used_quota=quota_balance(row.granted) - quota,
        request_count=row.request_count,
        role=row.role,
        telegram_id=row.telegram_id,
        username=row.username,
    )


def show_key(row: KeyRow) -> KeyView:
    """A key for its owner."""
    return KeyView(**key_fields(row))


def key_fields(row: KeyRow) -> dict[str, Any]:
    """The documented fields of a key row."""
    return {
        "id": row.id,
        "user_id": row.account_id,
        "key": row.masked,
        "name": row.name,
        "status": _status(row),
        "group": row.group,
        "remain_quota": remaining_quota(row),
        "used_quota": used_quota(row),
        "unlimited_quota": not row.limited,
        "expired_time": row.expires_at,
        "created_time": row.created_at,
        "accessed_time": row.used_ms // 1000 or row.created_at,
        "model_limits_enabled": row.models is not None,
        "model_limits": ",".join(row.models or ()),
        "allow_ips": "\n".join(row.allow_ips),
        "DeletedAt": None,
    }


def _status(row: KeyRow) -> int:
    if row.status != _ENABLED:
        return row.status
    if 0 <= row.expires_at <= time.time():
        return _EXPIRED
    return _EXHAUSTED if row.limited and row.balance <= 0 else _ENABLED


def show_log(row: LogRow) -> LogView:
    """A log row for the account that it belongs to: no channel, no secrets of the operator."""
    content, other = (row.content, _other_of_event(row)) if row.source == "log" else _words_of_call(row)
    return LogView(
        id=row.id % _ROW_IDS,
        user_id=row.account_id,
        created_at=row.at_ms // 1000,
        type=row.type,
        content=content,
        username=row.username,
        token_name=row.key_name,
        token_id=row.key_id,
        model_name=row.model,
        quota=quota_of(row.amount),
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        use_time=max(0, row.total_ms) // 1000,
        is_stream=row.stream,
        channel=0,
        channel_name="",
        group=row.group,
        ip=row.ip,
        request_id=row.request_id,
        other=msgspec.json.encode(other).decode(),
    )


def _words_of_call(row: LogRow) -> tuple[str, dict[str, object]]:
    details = _DETAILS.decode(row.details)
    priced = read_lines(details.lines)
    other = other_of(priced, details.lines, details.usage, row.first_ms if row.stream else None)
    other |= {"outcome": row.outcome, "status": row.status, "amount_nano": row.amount, "estimated": row.estimated}
    if row.upstream_model and row.upstream_model != row.model:
        other |= {"is_model_mapped": True, "upstream_model_name": row.upstream_model}
    for name, value in (
        ("error", row.error),
        ("note", details.note),
        ("losses", list(details.losses)),
        ("tags", details.tags),
    ):
        if value:
            other[name] = value
    return describe(priced, row.model), other


def _other_of_event(row: LogRow) -> dict[str, object]:
    return {"amount_nano": row.amount} if row.amount else {}


def show_task(row: TaskRow) -> TaskView:
    """A media task for its owner."""
    return TaskView(
        id=row.id,
        created_at=row.created_ms // 1000,
        updated_at=row.updated_ms // 1000,
        task_id=row.task_id,
        platform=row.platform,
        user_id=row.account_id,
        channel_id=0,
        quota=quota_of(row.amount),
        action=row.action,
        status=row.status,
        fail_reason=row.fail_reason,
        submit_time=row.submit_ms // 1000,
        start_time=row.start_ms // 1000,
        finish_time=row.finish_ms // 1000,
        progress=f"{row.progress}%",
        properties=msgspec.json.decode(row.properties),
        data=msgspec.json.decode(row.data),
        group=row.group,
        result_url=row.result_url,
        username=row.username,
    )


def show_model(row: CatalogueRow, ratio: Ratio, market: Market, figures: Figures, *, up: bool) -> ModelView:
    """A catalogue row with what it costs here and at its provider, and how its last calls went. `up`: a channel that
    is well serves it.
    """
    per_request = row.list_request is not None and row.billing_type == "pay-per-request"
    listed = row.list_request if per_request else row.list_input
    official = row.official_request if per_request else row.official_input
    saving = None if listed is None else compare(market, official or 0, listed, ratio)
    unit = "" if per_request else " per million input tokens"
    return ModelView(
        id=row.id,
        model_name=row.name,
        provider_name=row.provider_name,
        provider_logo=row.provider_logo,
        category=row.category,
        endpoint=row.endpoint,
        docs=row.docs,
        billing_type=row.billing_type,
        price_per_request=price_text(market, listed, ratio) if per_request and listed is not None else None,
        input_price=_usd(row.list_input),
        output_price=_usd(row.list_output),
        group_name=row.group,
        group_ratio=float(Decimal(ratio) / RATIO_ONE),
        saving=0.0 if saving is None else float(saving.percent),
        saving_details="" if saving is None else saving.explain(unit),
        uptime=int(up and row.uptime == _NORMAL),
        is_deprecation=row.is_deprecation,
        is_hot=int(row.is_hot),
        is_image=int(row.is_image),
        is_web_access=int(row.is_web_access),
        quality_api=figures.quality,
        avg_time_low=figures.low,
        avg_time_normal=figures.normal,
        avg_time_high=figures.high,
        throughput=figures.throughput,
        max_input=row.max_input,
        max_output=row.max_output or None,
        knowledge_cutoff=row.knowledge_cutoff,
        release_date=row.release_date,
        updated_at=_iso(row.updated_ms),
        alternative_info=row.alternative_info,
        notes=row.notes,
        created_at=_iso(row.created_ms),
    )


def show_usage(line: Line, group_by: str) -> UsageView:
    """One line of a summary; days are written as dates (UTC), keys by their names."""
    row, headings = line.row, line.headings
    return UsageView(
        group=str(headings["key_name"] if group_by == "key" else headings[group_by]),
        id=headings.get("key"),
        quota=quota_of(row.amount),
        requests=row.calls,
        failed=row.failed,
        amount_nano=row.amount,
        refunded_nano=row.refunded,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
    )


def _usd(amount: Nano | None) -> float | None:
    return None if amount is None else float(Decimal(amount) / NANO_PER_USD)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="microseconds")
