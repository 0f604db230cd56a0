"""The catalogue as one reviewed file: written out, compared, taken over whole or not at all (promise 40)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue_checks import Refused
from yescale.control.catalogue_diff import Change, find_changes, show_changes
from yescale.control.catalogue_entries import Entry
from yescale.control.catalogue_file import read_file
from yescale.control.catalogue_text import write_catalogue
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.seeding import store_entries
from yescale.domain.ids import ModelName
from yescale.domain.price import PriceRule
from yescale.store import changes
from yescale.store.catalogue import CatalogueRow, list_models
from yescale.store.database import database_ms
from yescale.store.groups import list_groups
from yescale.store.prices import current_prices


class ExportCatalogue(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""


class CompareCatalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`text`: what the file holds."""

    text: str


class ImportCatalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`dry_run`: only say what would change."""

    text: str
    dry_run: bool = False


class _Plan(Struct, frozen=True):
    """What the file would change of the catalogue as it is, and what it leaves alone."""

    changes: tuple[Change, ...]
    rows: Mapping[ModelName, CatalogueRow]
    kept: tuple[str, ...]

    def shown(self, *, imported: bool = False) -> object:
        """For the operator."""
        return {
            "text": show_changes(self.changes, self.kept),
            "changed": [change.entry.name for change in self.changes],
            "imported": imported,
        }


async def export_catalogue(context: Context, _asked: ExportCatalogue) -> object:
    """The catalogue as a file that may be reviewed, changed and imported."""
    async with context.database.reading() as connection:
        rows = await list_models(connection, enabled_only=False)
        rules = await current_prices(connection)
    return {"text": write_catalogue(rows, rules)}


async def compare_catalogue(context: Context, asked: CompareCatalogue) -> object:
    """What an import of the file would change."""
    async with context.database.reading() as connection:
        return (await _plan(connection, asked.text)).shown()


async def import_catalogue(context: Context, asked: ImportCatalogue) -> object:
    """Make the catalogue as the file says, in one transaction and one version of the snapshot.

    Models that the file does not hold stay as they are. Prices are superseded: calls in flight keep theirs.
    """
    if asked.dry_run:
        return await compare_catalogue(context, CompareCatalogue(text=asked.text))
    async with context.database.writing() as connection:
        plan = await _plan(connection, asked.text)
        if plan.changes:
            now_ms = await database_ms(connection)
            await store_entries(connection, [change.entry for change in plan.changes], plan.rows, now_ms=now_ms)
            await changes.note(connection, "snapshot", at_ms=now_ms)
    await context.announce()
    return plan.shown(imported=True)


async def _plan(connection: AsyncConnection, text: str) -> _Plan:
    rows = {row.name: row for row in await list_models(connection, enabled_only=False)}
    rules: dict[ModelName, list[PriceRule]] = {}
    for rule in await current_prices(connection):
        rules.setdefault(rule.model, []).append(rule)
    groups = {group.name for group in await list_groups(connection)}
    try:
        entries = read_file(text, rules)
        _check_groups(entries, groups)
    except Refused as refused:
        raise OperationRefused(f"Nothing was changed. {refused}.") from refused
    named = {entry.name for entry in entries}
    kept = tuple(name for name in rows if name not in named and not name.endswith("*"))
    return _Plan(find_changes(entries, rows, rules), rows, kept)


def _check_groups(entries: Sequence[Entry], groups: set[str]) -> None:
    wrong = [f"{entry.name}: there is no group {entry.group!r}" for entry in entries if entry.group not in groups]
    if wrong:
        raise Refused(wrong)
