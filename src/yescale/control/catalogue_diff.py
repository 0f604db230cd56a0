"""What a catalogue file would change: model by model, field by field, price by price."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from msgspec import Struct

from yescale.control.catalogue import format_conditions, format_usd, name_unit, unit_of
from yescale.control.catalogue_entries import Entry, as_rules
from yescale.control.catalogue_text import usd_of
from yescale.control.seeding import catalogue_entry
from yescale.domain.ids import ModelName
from yescale.domain.money import Nano
from yescale.domain.price import PriceRule
from yescale.domain.usage import Meter
from yescale.store.catalogue import CatalogueEntry

_UNSHOWN: Final = frozenset(
    {"created_at", "max_input", "billing_type", "list_request", "list_input", "list_output"}  # they follow from others
)


class Change(Struct, frozen=True):
    """A model that would be new or other than it is, with a line for each difference."""

    entry: Entry
    new: bool
    differences: tuple[str, ...]

    def lines(self) -> str:
        """For people: + for what is made, ~ for what is changed."""
        mark = "+" if self.new else "~"
        return "".join([f"{mark} {self.entry.name}\n", *(f"    {each}\n" for each in self.differences)])


def find_changes(
    entries: Iterable[Entry], known: Mapping[ModelName, CatalogueEntry], rules: Mapping[ModelName, Sequence[PriceRule]]
) -> tuple[Change, ...]:
    """The models that are not as the file says."""
    found: list[Change] = []
    for entry in entries:
        row = known.get(entry.name)
        fields = () if row is None else _compare_fields(row, catalogue_entry(entry, row))
        prices = _compare_prices(rules.get(entry.name, ()), as_rules(entry.name, entry.prices))
        differences = (*fields, *prices)
        if row is None or differences:
            found.append(Change(entry, row is None, differences))
    return tuple(found)


def show_changes(changes: Sequence[Change], kept: Sequence[str]) -> str:
    """All of them, and the models that the file leaves alone."""
    lines = [change.lines() for change in changes]
    if kept:
        lines.append(f"{len(kept)} not in the file, which stay as they are: {', '.join(kept)}\n")
    return "".join(lines) + (f"{len(changes)} to change\n" if changes else "The catalogue is as the file says.\n")


def _compare_fields(now: CatalogueEntry, then: CatalogueEntry) -> Iterator[str]:
    for name in CatalogueEntry.__struct_fields__:
        before, after = getattr(now, name), getattr(then, name)
        if before != after and name not in _UNSHOWN:
            say = _say_usd if name.startswith("official_") else _say
            yield f"{name}: {say(before)} -> {say(after)}"


def _compare_prices(now: Iterable[PriceRule], then: Iterable[PriceRule]) -> Iterator[str]:
    before, after = _by_place(now), _by_place(then)
    for place in {**before, **after}:
        old, new = before.get(place), after.get(place)
        if old != new:
            meter, when = place
            case = f" where {when}" if when else ""
            yield f"{old or 'none'} -> {new or 'none'} USD for {name_unit(meter, unit_of(meter))}{case}"


def _by_place(rules: Iterable[PriceRule]) -> dict[tuple[Meter, str], str]:
    return {(rule.meter, format_conditions(rule.when)): usd_of(rule) for rule in rules}


def _say_usd(amount: Nano | None) -> str:
    return "none" if amount is None else f"{format_usd(amount)} USD"


def _say(value: Any) -> str:
    match value:
        case None | "" | ():
            return "none"
        case tuple():
            return ", ".join(str(each) for each in cast("tuple[object, ...]", value))
        case _:
            return str(value)
