"""Seed entries as rows of the catalogue."""

from yescale.control.catalogue import Entry
from yescale.control.operations.catalogue import read_list_prices
from yescale.store.catalogue import CatalogueEntry


def catalogue_entry(entry: Entry) -> CatalogueEntry:
    """The row that a seed entry becomes."""
    official, listed = read_list_prices(entry.official), read_list_prices(entry.prices)
    return CatalogueEntry(
        name=entry.name,
        owner=entry.owner,
        created_at=entry.created,
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
        is_deprecation=int(entry.deprecated),
        is_hot=entry.hot,
        is_image=entry.image,
        knowledge_cutoff=entry.knowledge_cutoff or None,
        release_date=entry.released,
    )
