"""What a provider says it served, read from its exports: one line per request, or per model and time. Pure.

A row per known form says where its figures stand; a file is recognised by a field that no other form has.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from yescale.domain.journal import MOST
from yescale.domain.money import NANO_PER_USD, Nano

MOST_LINES: Final = 400_000
_DAY_MS: Final = 86_400_000
_DIGITS: Final = re.compile(r"-?\d{1,20}")


class UnreadableStatement(ValueError):
    """The file is none of the known exports, or damaged."""


class Served(Struct, frozen=True, kw_only=True):
    """One request, or (without an id) the sum of many between two moments. `cost`: as the provider charges it."""

    id: str = ""
    model: str
    requests: int = 1
    prompt: int  # all tokens read, cached ones among them
    completion: int
    cost: Nano | None = None
    start_ms: int = 0
    end_ms: int = 0


class Form(Struct, frozen=True, kw_only=True):
    """Where an export has its figures; a dot leads into a field. `mark`: what only this one has."""

    name: str
    mark: str
    model: str = "model"
    prompt: tuple[str, ...]
    completion: tuple[str, ...]
    start: str
    end: str = ""
    span_ms: int = 0  # where there is no end
    id: str = ""
    requests: str = ""
    cost: str = ""


FORMS: Final = (
    # GET /__sandbox/requests
    Form(
        name="sandbox",
        mark="raw_sha256",
        id="headers.x-client-request-id",
        prompt=("usage.prompt_tokens",),
        completion=("usage.completion_tokens",),
        start="at",
    ),
    # https://platform.openai.com/docs/api-reference/usage/completions_object, and the export of its dashboard
    Form(
        name="openai",
        mark="num_model_requests",
        prompt=("input_tokens",),
        completion=("output_tokens",),
        requests="num_model_requests",
        start="start_time",
        end="end_time",
    ),
    # https://docs.claude.com/en/api/admin-api/usage-cost/get-messages-usage-report
    Form(
        name="anthropic",
        mark="uncached_input_tokens",
        prompt=(
            "uncached_input_tokens",
            "cache_read_input_tokens",
            "cache_creation.ephemeral_5m_input_tokens",
            "cache_creation.ephemeral_1h_input_tokens",
        ),
        completion=("output_tokens",),
        start="starting_at",
        end="ending_at",
    ),
    # the export of its console: https://support.claude.com/en/articles/9534590-cost-and-usage-reporting-in-the-claude-console
    Form(
        name="anthropic console",
        mark="usage_input_tokens_no_cache",
        model="model_version",
        prompt=(
            "usage_input_tokens_no_cache",
            "usage_input_tokens_cache_read",
            "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h",
        ),
        completion=("usage_output_tokens",),
        start="usage_date_utc",
        span_ms=_DAY_MS,
    ),
    # ours, for all who have a record by request
    Form(
        name="by request",
        mark="request_id",
        id="request_id",
        prompt=("prompt_tokens",),
        completion=("completion_tokens",),
        cost="cost_usd",
        start="at",
    ),
)


def read_statement(text: str) -> list[Served]:
    """The lines of an export (JSON, JSON lines or CSV); those that served nothing are left out.

    Raises UnreadableStatement.
    """
    rows = _rows(text)
    if not rows:
        return []
    form = next((form for form in FORMS if form.mark in rows[0]), None)
    if form is None:
        known = ", ".join(f"{form.name} ({form.mark})" for form in FORMS)
        raise UnreadableStatement(f"no export that is known; what is looked for is one of these fields: {known}")
    if len(rows) > MOST_LINES:
        raise UnreadableStatement(f"it has {len(rows)} lines; split it into files of {MOST_LINES}")
    return [line for number, row in enumerate(rows, 1) if (line := _line(form, row, number)) is not None]


def _rows(text: str) -> list[Mapping[str, Any]]:
    start = text.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[")):
        return cast("list[Mapping[str, Any]]", list(csv.DictReader(start.splitlines())))
    try:
        found: list[Any] = [msgspec.json.decode(start)]
    except msgspec.DecodeError:
        try:
            found = [msgspec.json.decode(line) for line in start.splitlines() if line.strip()]
        except msgspec.DecodeError as error:
            raise UnreadableStatement(f"it is neither JSON, JSON lines nor CSV: {error}") from error
    return list(_unfolded(found))


def _unfolded(found: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """The rows inside lists and pages; of a bucket's results each has the bucket's times as well."""
    for each in found:
        if isinstance(each, list):
            yield from _unfolded(cast("list[Any]", each))
            continue
        if not isinstance(each, dict):
            raise UnreadableStatement("a line of it is no object")
        row = cast("dict[str, Any]", each)
        page = row.get("data", row.get("requests"))
        if isinstance(page, list):
            yield from _unfolded(cast("list[Any]", page))
        elif isinstance(row.get("results"), list):
            times = {name: value for name, value in row.items() if name != "results"}
            yield from ({**times, **result} for result in _unfolded(row["results"]))
        else:
            yield row


def _line(form: Form, row: Mapping[str, Any], number: int) -> Served | None:
    try:
        prompt, completion = (sum(_count(_at(row, path)) for path in paths) for paths in (form.prompt, form.completion))
        if not prompt and not completion:
            return None
        start_ms = _moment(_at(row, form.start))
        return Served(
            id=str(_at(row, form.id) or "") if form.id else "",
            model=str(_at(row, form.model) or ""),
            requests=_count(_at(row, form.requests)) if form.requests else 1,
            prompt=prompt,
            completion=completion,
            cost=_usd(_at(row, form.cost)) if form.cost else None,
            start_ms=start_ms,
            end_ms=_moment(_at(row, form.end)) if form.end else start_ms + form.span_ms,
        )
    except ValueError as error:
        raise UnreadableStatement(f"line {number}: {error}") from error


def _at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return value


def _count(value: object) -> int:
    if value in (None, ""):
        return 0
    if isinstance(value, bool) or not _DIGITS.fullmatch(str(value)) or not 0 <= int(str(value)) <= MOST:
        raise ValueError(f"{value!r} is no count")
    return int(str(value))


def _moment(value: object) -> int:
    """Unix milliseconds of unix seconds or of a date; 0 where there is none."""
    if value in (None, ""):
        return 0
    if isinstance(value, int | float) or _DIGITS.fullmatch(str(value)):
        return int(float(str(value)) * 1000)
    moment = datetime.fromisoformat(str(value).strip())
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _usd(value: object) -> Nano | None:
    if value in (None, ""):
        return None
    try:
        return int(Decimal(str(value)) * NANO_PER_USD)
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"{value!r} is no amount") from error
