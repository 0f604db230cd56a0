"""Entries of a catalogue file as rows of the database."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue_entries import Entry, read_list_prices
from yescale.domain.ids import ModelName
from yescale.store.catalogue import CatalogueEntry, set_models
from yescale.store.prices import replace_prices


def catalogue_entry(entry: Entry, known: CatalogueEntry | None = None) -> CatalogueEntry:
    """The row that an entry becomes. `known`: the one there, of which stays what no file says."""
    official, listed = read_list_prices(entry.official), read_list_prices(entry.prices)
    row = known or CatalogueEntry(name=entry.name, created_at=entry.created)
    return replace(
        row,
        priced_as=entry.priced_as,
        owner=entry.owner,
        context_window=entry.context_window,
        max_output=entry.max_output,
        max_input=entry.context_window or None,
        input_modalities=entry.inputs,
        output_modalities=entry.outputs,
        operations=entry.operations,
        provider_name=entry.provider,
        category=entry.category,
        endpoint=entry.endpoint,
        group=entry.group,
        billing_type=listed.billing_type,
        official_request=official.request,
        official_input=official.input,
        official_output=official.output,
        list_request=listed.request,
        list_input=listed.input,
        list_output=listed.output,
        is_deprecation=entry.stage,
        alternative_info=entry.alternative or None,
        is_hot=entry.hot,
        is_image=entry.image,
        knowledge_cutoff=entry.knowledge_cutoff or None,
        release_date=entry.released or None,
        source=entry.source,
        read_on=entry.read,
    )


async def store_entries(
    connection: AsyncConnection, entries: Iterable[Entry], known: Mapping[ModelName, CatalogueEntry], *, now_ms: int
) -> None:
    """Store models and supersede their prices, in a few statements. Note a snapshot change in the same transaction."""
    chosen = tuple(entries)
    rows = [catalogue_entry(entry, known.get(entry.name)) for entry in chosen]
    await set_models(connection, rows, now_ms=now_ms)
    await replace_prices(connection, {entry.name: entry.prices for entry in chosen}, now_ms=now_ms)
