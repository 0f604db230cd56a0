"""The price book: the price rules of one snapshot, indexed by model and meter."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import combinations
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from yescale.domain.ids import ModelName
from yescale.domain.price import CONTEXT_TOKENS, SERVICE_TIER, USUAL_TIER, Condition, PriceRule
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter

Facts = Mapping[str, str | int]
NO_FACTS: Final[Facts] = MappingProxyType({})
USUAL_FACTS: Final[Facts] = MappingProxyType({SERVICE_TIER: USUAL_TIER})
Flat = Mapping[Meter, PriceRule | None]

# A meter without a row of its own is priced as the meter that contains it.
CONTAINER: Final[Mapping[Meter, Meter]] = MappingProxyType(
    {
        Meter.CACHE_READ_TOKENS: Meter.INPUT_TOKENS,
        Meter.CACHE_WRITE_TOKENS: Meter.INPUT_TOKENS,
        Meter.CACHE_WRITE_1H_TOKENS: Meter.CACHE_WRITE_TOKENS,
        Meter.AUDIO_INPUT_TOKENS: Meter.INPUT_TOKENS,
        Meter.IMAGE_INPUT_TOKENS: Meter.INPUT_TOKENS,
        Meter.REASONING_TOKENS: Meter.OUTPUT_TOKENS,
        Meter.AUDIO_OUTPUT_TOKENS: Meter.OUTPUT_TOKENS,
        Meter.IMAGE_OUTPUT_TOKENS: Meter.OUTPUT_TOKENS,
    }
)


class Unpriced(LookupError):
    """No rule prices this meter of this model: refuse the call rather than give it away."""

    def __init__(self, model: ModelName, meter: Meter) -> None:
        super().__init__(f"{model} has no price for {meter}; add a price row")
        self.model, self.meter = model, meter


class Dearest(Struct, frozen=True):
    """The highest price of a model in each direction, whatever the meter or tier; None = no such row."""

    input: PriceRule | None
    output: PriceRule | None
    request: PriceRule | None


class PriceBook:
    """Immutable once built: build a new one for a new snapshot."""

    __slots__ = ("_dearest", "_flat", "_rules")

    def __init__(self, rules: Iterable[PriceRule] = ()) -> None:
        by_meter: dict[ModelName, dict[Meter, list[PriceRule]]] = {}
        for rule in rules:
            by_meter.setdefault(rule.model, {}).setdefault(rule.meter, []).append(rule)
        # The most specific rule first: the first whose conditions hold prices the meter.
        self._rules = {
            model: {meter: tuple(sorted(rows, key=lambda r: -len(r.when))) for meter, rows in meters.items()}
            for model, meters in by_meter.items()
        }
        self._dearest = {model: _find_dearest(meters) for model, meters in self._rules.items()}
        self._flat: dict[ModelName, Flat] = {}  # made at first use

    def priced(self, model: ModelName) -> bool:
        """Whether a call of the model can be charged: per token on its input, or per request or other unit."""
        dearest = self._dearest.get(model)
        if dearest is None:
            return False
        return dearest.input is not None or dearest.output is None

    def dearest(self, model: ModelName) -> Dearest:
        """The prices a worst case is made of. Raises Unpriced."""
        dearest = self._dearest.get(model)
        if dearest is None:
            raise Unpriced(model, Meter.INPUT_TOKENS)
        return dearest

    def find(self, model: ModelName, meter: Meter, facts: Facts = NO_FACTS) -> PriceRule | None:
        """The rule that prices a meter under these facts, or None where a per-request price covers it.

        Raises Unpriced, also where the meter has rules of which none holds: nothing else covers it then.
        """
        meters = self._rules.get(model)
        if meters is None:
            raise Unpriced(model, meter)
        place: Meter | None = meter
        ruled = False
        while place is not None:
            rules = meters.get(place, ())
            ruled = ruled or bool(rules)
            for rule in rules:
                if not rule.when or all(holds(condition, facts) for condition in rule.when):
                    return rule
            place = CONTAINER.get(place)
        if not ruled and (meter is Meter.REQUESTS or Meter.REQUESTS in meters):
            return None
        raise Unpriced(model, meter)

    def flat(self, model: ModelName) -> Flat:
        """The answers of `find` for a call that was served as usual and of which no more is known; empty for a model
        that asks for the size of the prompt, which is always known.
        """
        found = self._flat.get(model)
        if found is None:
            meters = self._rules.get(model, {})
            table: dict[Meter, PriceRule | None] = {}
            asked = {condition.attribute for rows in meters.values() for rule in rows for condition in rule.when}
            if CONTEXT_TOKENS not in asked:
                for meter in Meter:
                    with suppress(Unpriced):
                        table[meter] = self.find(model, meter, USUAL_FACTS)
            found = table
            if meters:
                self._flat[model] = found
        return found

    def rules(self, model: ModelName) -> Iterator[PriceRule]:
        """All rules of a model, for display."""
        for rows in self._rules.get(model, {}).values():
            yield from rows


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether a condition is true of these facts; a fact that is not known makes it false."""
    actual = facts.get(condition.attribute)
    if condition.op == "=":
        return actual == condition.value
    if not isinstance(actual, int) or not isinstance(condition.value, int):
        return False
    return actual > condition.value if condition.op == ">" else actual <= condition.value


def find_conflict(rules: Iterable[PriceRule]) -> tuple[PriceRule, PriceRule] | None:
    """Two rules that would both price the same use with equal right, or None: checked when a price is saved.

    Where both hold, a third that has all their conditions may decide.
    """
    places: dict[tuple[ModelName, Meter], list[PriceRule]] = {}
    for rule in rules:
        places.setdefault((rule.model, rule.meter), []).append(rule)
    for rows in places.values():
        for a, b in combinations(rows, 2):
            if len(a.when) == len(b.when) and _meet(a, b) and not _decided(a, b, rows):
                return a, b
    return None


def _meet(a: PriceRule, b: PriceRule) -> bool:
    return not any(_exclude(x, y) for x in a.when for y in b.when)


def _decided(a: PriceRule, b: PriceRule, rows: Iterable[PriceRule]) -> bool:
    both = {*a.when, *b.when}
    return any(len(rule.when) > len(a.when) and both.issuperset(rule.when) for rule in rows)


def _exclude(x: Condition, y: Condition) -> bool:
    if x.attribute != y.attribute:
        return False
    if x.op == "=" and y.op == "=":
        return x.value != y.value
    if x.op == "=":
        return not holds(y, {y.attribute: x.value})
    if y.op == "=":
        return not holds(x, {x.attribute: y.value})
    if x.op == y.op or not isinstance(x.value, int) or not isinstance(y.value, int):
        return False
    above, below = (x.value, y.value) if x.op == ">" else (y.value, x.value)
    return below <= above


def _find_dearest(meters: Mapping[Meter, tuple[PriceRule, ...]]) -> Dearest:
    def top(wanted: frozenset[Meter]) -> PriceRule | None:
        rows = [rule for meter, rules in meters.items() if meter in wanted for rule in rules]
        return max(rows, key=lambda r: r.price / r.per, default=None)

    return Dearest(top(INPUT_METERS), top(OUTPUT_METERS), top(frozenset({Meter.REQUESTS})))
