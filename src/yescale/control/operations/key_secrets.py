"""Secrets of keys: another one for a key that is in use, and those that clients have from elsewhere."""

import csv
import re
from collections.abc import Iterator
from io import StringIO
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.context import Context
from yescale.control.operations.key_terms import Terms
from yescale.control.operations.keys import find_one, read_quota, store_key
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import find_user
from yescale.control.secrets import KEY_PREFIX, hash_api_key, mask_api_key, new_api_key
from yescale.domain.ids import AccountId, KeyId
from yescale.store import changes
from yescale.store.database import database_ms
from yescale.store.keys import owner_of, replace_secret

OVERLAP_S: Final = 86_400
MOST_OVERLAP_S: Final = 90 * 86_400
_MOST_BYTES: Final = 8 * 1024 * 1024  # of a file
_MOST_LINES: Final = 10_000
_SECRET: Final = re.compile(r"[0-9A-Za-z]{20,128}")
_COLUMNS: Final = ("key", "name", "group", "quota", "expires_at", "models", "allow_ips")
_INNER: Final = re.compile(r"[;,\s]+")


class RotateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`overlap_s`: how long the old secret works beside the new one; 0 = no longer."""

    id: KeyId
    overlap_s: Annotated[int, Meta(ge=0, le=MOST_OVERLAP_S)] = OVERLAP_S


class ImportKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`text`: one key a line, or CSV whose first line names its columns; `group` where a line says none."""

    username: str
    text: str
    group: str = "default"

    def __repr__(self) -> str:  # the keys themselves must not reach a log
        return f"ImportKeys(username={self.username!r})"


class Line(Struct, frozen=True):
    """One key to be taken over."""

    number: int
    secret: str
    terms: Terms

    def __repr__(self) -> str:
        return f"Line({self.number})"


async def rotate_key(context: Context, asked: RotateKey) -> dict[str, Any]:
    """Give a key another secret, shown this once; both work until the overlap ends. One older still stops at once."""
    secret = new_api_key()
    async with context.database.writing() as connection:
        await find_one(connection, asked.id)
        now_ms = await database_ms(connection)
        until_ms = now_ms + asked.overlap_s * 1_000 if asked.overlap_s else None
        hashed, masked = hash_api_key(context.vault.pepper, secret), mask_api_key(secret)
        for touched in await replace_secret(connection, asked.id, hashed, masked, until_ms):
            await changes.note(connection, "key", key_hash=touched, at_ms=now_ms)
    await context.announce()
    until = now_ms // 1_000 if until_ms is None else until_ms // 1_000
    return {"id": asked.id, "key": secret, "old_until": until}


async def import_keys(context: Context, asked: ImportKeys) -> object:
    """Take over keys that clients have: all of them, or none. Those that the account has already stay as they are."""
    lines = list(read_lines(asked.text, asked.group))
    async with context.database.writing() as connection:
        account = (await find_user(connection, asked.username)).id
        made = [await _take_over(context, connection, account, line) for line in lines]
    await context.announce()
    return made


async def _take_over(context: Context, connection: AsyncConnection, account: AccountId, line: Line) -> dict[str, Any]:
    shown = {"key": mask_api_key(line.secret), "name": line.terms.name}
    known = await owner_of(connection, hash_api_key(context.vault.pepper, line.secret))
    if known is not None:
        key, owner, deleted = known
        if deleted or owner != account:
            why = "was deleted" if deleted else "belongs to another account"
            raise OperationRefused(f"line {line.number}: this key {why}; leave it out.")
        return {"id": key, **shown, "new": False}
    try:
        key = await store_key(connection, context.vault, account, line.terms, line.secret)
    except OperationRefused as refusal:
        raise OperationRefused(f"line {line.number}: {refusal}") from refusal
    return {"id": key, **shown, "new": True}


def read_lines(text: str, group: str) -> Iterator[Line]:
    """The keys of a file. Raises OperationRefused, which names the line and never what stands in it."""
    if len(text) > _MOST_BYTES:
        raise OperationRefused(f"text: a file of at most {_MOST_BYTES} characters.")
    try:
        rows = list(csv.reader(StringIO(text)))
    except csv.Error as error:
        raise OperationRefused("text: this is no CSV, and not one key a line.") from error
    if len(rows) > _MOST_LINES:
        raise OperationRefused(f"text: at most {_MOST_LINES} lines at a time.")
    columns = ("key",)
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if "key" in cells:
            columns = _read_columns(cells)
            continue
        line = _read_line(number, dict(zip(columns, cells, strict=False)), group)
        if line.secret not in seen:
            seen.add(line.secret)
            yield line


def _read_columns(cells: list[str]) -> tuple[str, ...]:
    unknown = [cell for cell in cells if cell not in _COLUMNS]
    if unknown or len(set(cells)) < len(cells):
        raise OperationRefused(f"text: its columns may be {', '.join(_COLUMNS)}, each once.")
    return tuple(cells)


def _read_line(number: int, cells: dict[str, str], group: str) -> Line:
    secret = cells.get("key", "").removeprefix(KEY_PREFIX)
    if not _SECRET.fullmatch(secret):
        raise OperationRefused(f"line {number}: a key is sk- and 20 to 128 letters and digits.")
    try:
        quota = int(cells["quota"]) if cells.get("quota") else None
        expires_at = int(cells.get("expires_at") or -1)
    except ValueError:
        raise OperationRefused(f"line {number}: quota and expires_at are whole numbers, or empty.") from None
    try:
        remaining = None if quota is None else read_quota(quota)
    except OperationRefused as refusal:
        raise OperationRefused(f"line {number}: {refusal}") from refusal
    terms = Terms(
        name=cells.get("name") or f"imported {number}",
        group=cells.get("group") or group,
        remaining=remaining,
        expires_at=expires_at,
        models=_words(cells.get("models", "")) or None,
        allow_ips=_words(cells.get("allow_ips", "")),
    )
    return Line(number, KEY_PREFIX + secret, terms)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _INNER.split(text) if word)
