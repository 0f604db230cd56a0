"""The catalogue of a database as a file: what `catalogue_file` reads back to the same models and prices."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

from yescale.control.catalogue import format_conditions, format_usd, unit_of
from yescale.domain.ids import ModelName
from yescale.domain.money import Nano
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import GOING, GONE
from yescale.domain.usage import Meter
from yescale.store.catalogue import CatalogueEntry

_HEAD: Final = (
    "# US dollars as text: per million tokens or characters, per 60 seconds, per request, image, page or search.\n"
)
_FAMILY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "provider": "provider_name",
        "owner": "owner",
        "group": "group",
        "category": "category",
        "endpoint": "endpoint",
        "operations": "operations",
        "source": "source",
        "read": "read_on",
    }
)
_OFFICIAL: Final = (
    ("official_request", "list_request", Meter.REQUESTS),
    ("official_input", "list_input", Meter.INPUT_TOKENS),
    ("official_output", "list_output", Meter.OUTPUT_TOKENS),
)


def write_catalogue(entries: Iterable[CatalogueEntry], rules: Iterable[PriceRule]) -> str:
    """All models but those with a wildcard, which let scenarios through and have no prices of their own."""
    prices: dict[ModelName, list[PriceRule]] = {}
    for rule in rules:
        prices.setdefault(rule.model, []).append(rule)
    shown = sorted((entry for entry in entries if not entry.name.endswith("*")), key=_place)
    parts: list[str] = [_HEAD]
    for _, family in groupby(shown, key=_family):
        parts.extend(_write_family(tuple(family), prices))
    return "".join(parts)


def _place(entry: CatalogueEntry) -> tuple[object, ...]:
    return (*_family(entry), entry.name)


def _family(entry: CatalogueEntry) -> tuple[object, ...]:
    return tuple(getattr(entry, name) for name in _FAMILY.values())


def _write_family(family: Sequence[CatalogueEntry], prices: Mapping[ModelName, list[PriceRule]]) -> Iterator[str]:
    mark = "- "
    for name, field in _FAMILY.items():
        value = getattr(family[0], field)
        if value or name not in ("source", "read"):
            yield f"{mark}{name}: {_write(value, plain=name == 'read')}\n"
            mark = "  "
    yield "  models:\n"
    for entry in family:
        yield f"    - {{{_write_fields(_fields(entry))}"
        if not entry.priced_as or entry.priced_as == entry.name:
            yield from _write_prices(entry, prices.get(entry.name, ()))
        yield "}\n"


def _fields(entry: CatalogueEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": entry.name,
        "priced_as": "" if entry.priced_as == entry.name else entry.priced_as,
        "context": entry.context_window,
        "output": entry.max_output,
        "inputs": entry.input_modalities,
        "outputs": entry.output_modalities,
        "cutoff": entry.knowledge_cutoff,
        "hot": entry.is_hot,
        "image": entry.is_image,
        "deprecated": entry.is_deprecation == GOING,
        "gone": entry.is_deprecation == GONE,
        "alternative": entry.alternative_info,
    }
    usual = {"inputs": ("text",), "outputs": ("text",)}
    said = {name: value for name, value in fields.items() if value and value != usual.get(name)}
    return said | ({"released": entry.release_date} if entry.release_date else {})


def _write_fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_write(value, plain=name == 'released')}" for name, value in fields.items())


def _write(value: Any, *, plain: bool = False) -> str:
    """A scalar or a list as JSON, which YAML reads as it is; a date plain."""
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _write_prices(entry: CatalogueEntry, rules: Sequence[PriceRule]) -> Iterator[str]:
    by_condition: dict[str, dict[Meter, str]] = {}
    for rule in rules:
        by_condition.setdefault(format_conditions(rule.when), {})[rule.meter] = usd_of(rule)
    plain = by_condition.pop("", None)
    if plain:
        yield f",\n       price: {_write_dollars(plain)}"
    official = _official(entry)
    if official is None:
        yield ",\n       official: null"
    elif official:
        yield f",\n       official: {_write_dollars(official)}"
    if by_condition:
        cases = (f"{_write(when)}: {_write_dollars(price)}" for when, price in by_condition.items())
        yield f",\n       when: {{{(',' + chr(10) + ' ' * 14).join(cases)}}}"


def _official(entry: CatalogueEntry) -> dict[Meter, str] | None:
    """The provider's own prices where they differ; None = it has none, though we have."""
    known = [(meter, getattr(entry, own), getattr(entry, ours)) for own, ours, meter in _OFFICIAL]
    if all(own is None for _, own, _ in known) and any(ours is not None for *_, ours in known):
        return None
    return {meter: format_usd(own) for meter, own, ours in known if own is not None and own != ours}


def _write_dollars(price: Mapping[Meter, str]) -> str:
    return "{" + ", ".join(f"{meter}: {json.dumps(usd)}" for meter, usd in price.items()) + "}"


def usd_of(rule: PriceRule) -> str:
    """A rule's price for the unit that its meter is quoted in."""
    return format_usd(_per_unit(rule.price, rule.per, unit_of(rule.meter)))


def _per_unit(price: Nano, per: int, unit: int) -> Nano:
    return price if per == unit else price * unit // per
