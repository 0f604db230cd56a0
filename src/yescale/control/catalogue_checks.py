"""What makes a catalogue wrong, told by the model's name: no price, a price in two ways, no limits, no source."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from yescale.control.catalogue_entries import Entry, as_rules
from yescale.domain.price import CONTEXT_TOKENS
from yescale.domain.usage import Meter
from yescale.pricing.book import USUAL_FACTS, Facts, PriceBook, Unpriced, find_conflict

_NAME_LENGTH: Final = 128
_TALKS: Final = frozenset({"chat", "complete"})
_VAST: Final = 2**53
_CASES: Final[tuple[Facts, ...]] = ({**USUAL_FACTS, CONTEXT_TOKENS: 0}, {**USUAL_FACTS, CONTEXT_TOKENS: _VAST})
_PLACE: Final = re.compile(r"\$\[(\d+)\](?:\.models\[(\d+)\])?")
_MOST_SAID: Final = 20


class Refused(Exception):
    """A catalogue that is not taken, with everything that is wrong with it."""

    def __init__(self, wrong: Sequence[str]) -> None:
        more = f"; and {len(wrong) - _MOST_SAID} more" if len(wrong) > _MOST_SAID else ""
        super().__init__("; ".join(wrong[:_MOST_SAID]) + more)
        self.wrong = tuple(wrong)


def find_faults(entries: Iterable[Entry], elsewhere: Iterable[str] = ()) -> Iterator[str]:
    """A sentence for each thing that is wrong. `elsewhere`: priced models that are not among them."""
    known = list(entries)
    priced = {entry.name for entry in known if entry.prices} | set(elsewhere)
    seen: set[str] = set()
    for entry in known:
        faults = list(_find_faults(entry, priced))
        if entry.name in seen:
            faults.append("it stands there twice")
        seen.add(entry.name)
        yield from (f"{entry.name}: {fault}" for fault in faults)


def _find_faults(entry: Entry, priced: set[str]) -> Iterator[str]:
    if not entry.name.strip() or len(entry.name) > _NAME_LENGTH or not entry.name.isprintable():
        yield f"a name has 1 to {_NAME_LENGTH} printable characters"
    if not entry.source.startswith("https://") or not entry.read:
        yield "say its `source`, a page's https address, and the day when it was `read`"
    if _TALKS.intersection(entry.operations) and not (entry.context_window > 0 and entry.max_output > 0):
        yield "say its `context` window and `output` maximum in tokens"
    if entry.context_window < 0 or entry.max_output < 0:
        yield "a number of tokens is below 0"
    if entry.priced_as and entry.prices:
        yield "it has prices and is priced as another model: choose one"
    elif entry.priced_as:
        if entry.priced_as not in priced:
            yield f"it is priced as {entry.priced_as}, which has no price"
    else:
        yield from _find_gaps(entry)


def _find_gaps(entry: Entry) -> Iterator[str]:
    """What calls could use that no price covers: it would be given away."""
    if not entry.prices:
        yield "it has no price; a model that is free says so: {requests: '0'}"
        return
    rules = as_rules(entry.name, entry.prices)
    conflict = find_conflict(rules)
    if conflict is not None:
        a, b = (" & ".join(map(str, rule.when)) or "without condition" for rule in conflict)
        yield f"two prices for {conflict[0].meter} hold at the same time: {a}, and {b}"
    if not _TALKS.intersection(entry.operations):
        return
    book = PriceBook(rules)
    for meter in (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS):
        try:
            for facts in _CASES:
                book.find(entry.name, meter, facts)
        except Unpriced:
            yield f"no price for {meter} holds in every case"


def locate(message: str, text: bytes) -> str:
    """An error of the file's form, with the name of the model where it stands."""
    place = _PLACE.search(message)
    if place is None:
        return message
    try:
        family = msgspec.yaml.decode(text)[int(place[1])]
        name = family["provider"] if place[2] is None else _name_of(family["models"][int(place[2])])
    except (LookupError, TypeError, ValueError):
        return message
    return f"{name}: {message}"


def _name_of(model: object) -> str:
    return str(cast("Mapping[str, Any]", model)["name"])
