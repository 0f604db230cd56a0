"""The catalogue as one reviewed file: its form, and all that is checked before anything of it may count.

YAML, a list of families; the seed of a first start is such files, one a provider (docs/prices.md).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from yescale.control.catalogue import fact_of, parse_conditions, price_row
from yescale.control.catalogue_checks import Refused, find_faults, locate
from yescale.control.catalogue_entries import Entry
from yescale.domain.ids import ModelName
from yescale.domain.price import Condition
from yescale.domain.snapshot import GOING, GONE
from yescale.domain.usage import Meter
from yescale.store.prices import NewPrice

Dollars = Mapping[Meter, str]  # per million, per minute or per piece, as decimal text
_BEGINNING: Final = date(2024, 1, 1)  # of models whose day of release is not stated
_SEED: Final = "seed"
MOST_BYTES: Final = 16 * 1024 * 1024


class Matrix(Struct, frozen=True, forbid_unknown_fields=True):
    """A meter's prices by the values of facts: one mapping within another, in the order of `by`."""

    meter: Meter
    by: tuple[str, ...]
    price: Mapping[str | int, Any]


class FileModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the file; what is empty is taken from its family.

    `when`: other prices where conditions hold, as `context_tokens > 200000` or several joined by ` & `. `official`: the
    provider's own price where it differs; null = it has none. `priced_as`: the model whose prices apply.
    """

    name: ModelName
    price: Dollars = msgspec.field(default_factory=dict[Meter, str])
    when: Mapping[str, Dollars] = msgspec.field(default_factory=dict[str, Dollars])
    matrix: tuple[Matrix, ...] = ()
    official: Dollars | None = msgspec.field(default_factory=dict[Meter, str])
    priced_as: str = ""
    context: int = 0
    output: int = 0
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    category: str = ""
    endpoint: str = ""
    released: date | None = None
    cutoff: str = ""
    hot: bool = False
    image: bool = False
    deprecated: bool = False
    gone: bool = False
    alternative: str = ""
    source: str = ""
    read: date | None = None


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models of one provider that share a group, a path and operations, and where their facts were read and when."""

    provider: str
    owner: str
    group: str
    category: str
    endpoint: str
    operations: tuple[str, ...]
    models: tuple[FileModel, ...]
    inputs: tuple[str, ...] = ("text",)
    outputs: tuple[str, ...] = ("text",)
    context: int = 0
    image: bool = False
    source: str = ""
    read: date | None = None


def read_seed() -> tuple[Entry, ...]:
    """The models that a first start knows."""
    folder = files(__package__ or __name__).joinpath(_SEED)
    parts = sorted((part for part in folder.iterdir() if part.name.endswith(".yaml")), key=lambda part: part.name)
    return tuple(_complete_all(_decode(b"\n".join(part.read_bytes() for part in parts))))


def read_file(text: str, elsewhere: Iterable[str] = ()) -> tuple[Entry, ...]:
    """The models of a file that is right as a whole. `elsewhere`: priced models that it need not hold.

    Raises Refused with everything that is wrong.
    """
    if len(text) > MOST_BYTES:
        raise Refused([f"the file has more than {MOST_BYTES} characters"])
    families = _decode(text.encode())
    wrong: list[str] = []
    entries: list[Entry] = []
    for family in families:
        for model in family.models:
            try:
                entries.append(_complete(family, model))
            except ValueError as error:
                wrong.append(f"{model.name}: {error}")
    wrong += find_faults(entries, elsewhere)
    if wrong:
        raise Refused(wrong)
    return tuple(entries)


def _decode(text: bytes) -> Sequence[Family]:
    try:
        return msgspec.yaml.decode(text, type=tuple[Family, ...])
    except msgspec.ValidationError as error:
        raise Refused([locate(str(error), text)]) from error
    except msgspec.DecodeError as error:
        raise Refused([f"the file is no YAML: {error}"]) from error


def _complete_all(families: Sequence[Family]) -> Iterator[Entry]:
    return (_complete(family, model) for family in families for model in family.models)


def _complete(family: Family, model: FileModel) -> Entry:
    """Raises ValueError."""
    released = model.released or _BEGINNING
    read = model.read or family.read
    official = {} if model.official is None else {**model.price, **model.official}
    return Entry(
        name=model.name,
        priced_as="" if model.priced_as == model.name else model.priced_as,
        provider=family.provider,
        owner=family.owner,
        group=family.group,
        category=model.category or family.category,
        endpoint=model.endpoint or family.endpoint,
        operations=model.operations or family.operations,
        inputs=model.inputs or family.inputs,
        outputs=model.outputs or family.outputs,
        context_window=model.context or family.context,
        max_output=model.output,
        released=model.released.isoformat() if model.released else "",
        created=int(datetime(released.year, released.month, released.day, tzinfo=UTC).timestamp()),
        knowledge_cutoff=model.cutoff,
        hot=model.hot,
        image=model.image or family.image,
        stage=GONE if model.gone else GOING if model.deprecated else 0,
        alternative=model.alternative,
        source=model.source or family.source,
        read=read.isoformat() if read else "",
        prices=(
            *_rows(model.price),
            *(row for text, price in model.when.items() for row in _rows(price, parse_conditions(text))),
            *(row for matrix in model.matrix for row in _expand(matrix)),
        ),
        official=tuple(_rows(official)),
    )


def _rows(price: Dollars, when: tuple[Condition, ...] = ()) -> Iterator[NewPrice]:
    return (price_row(meter, text, when) for meter, text in price.items())


def _expand(matrix: Matrix, place: Mapping[str | int, Any] | None = None, depth: int = 0) -> Iterator[NewPrice]:
    """A row for each cell. Raises ValueError."""
    if len(matrix.by) <= depth:
        raise ValueError("a matrix says by which facts its prices differ, and is as deep as these are many")
    for value, inner in (matrix.price if place is None else place).items():
        condition = Condition(matrix.by[depth], "=", fact_of(value))
        if isinstance(inner, str) and depth == len(matrix.by) - 1:
            yield price_row(matrix.meter, inner, (condition,))
        elif isinstance(inner, dict):
            cells = cast("dict[str | int, Any]", inner)
            for row in _expand(matrix, cells, depth + 1):
                yield NewPrice(meter=row.meter, per=row.per, price=row.price, when=(condition, *row.when))
        else:
            raise ValueError(f"the price of {matrix.by[depth]} {value} is {inner!r}; write it as text, such as '0.04'")
