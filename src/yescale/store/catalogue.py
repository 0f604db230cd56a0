"""The catalogue: what models are offered, as routing and the public list need them. Prices are elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import ModelName
from yescale.domain.money import Nano
from yescale.domain.snapshot import Model
from yescale.store.bulk import either
from yescale.store.tables import models


class CatalogueEntry(Struct, frozen=True, kw_only=True):
    """A model and all that the public list says of it. Amounts are nano: per request, or per million tokens."""

    name: ModelName
    priced_as: str = ""  # "" = its own name
    owner: str = ""
    created_at: int = 0
    enabled: bool = True
    context_window: int = 0
    max_output: int = 0
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    operations: tuple[str, ...] = ("chat",)
    provider_name: str = ""
    provider_logo: str = ""
    category: str = ""
    endpoint: str = ""
    docs: str = ""
    billing_type: str = "pay-per-token"
    group: str = ""
    official_request: Nano | None = None
    official_input: Nano | None = None
    official_output: Nano | None = None
    list_request: Nano | None = None
    list_input: Nano | None = None
    list_output: Nano | None = None
    uptime: int = 1
    is_deprecation: int = 0
    is_hot: bool = False
    is_image: bool = False
    is_web_access: bool = False
    max_input: int | None = None
    knowledge_cutoff: str | None = None
    release_date: str | None = None
    alternative_info: str | None = None
    notes: str = ""
    source: str = ""  # where its facts and prices were read
    read_on: str = ""  # and on which day
    fallbacks: tuple[ModelName, ...] = ()
    alias_of: str = ""

    @property
    def model(self) -> Model:
        """As calls need it."""
        return Model(
            name=self.name,
            priced_as=ModelName(self.priced_as or self.name),
            owner=self.owner,
            created=self.created_at,
            context_window=self.context_window,
            max_output=self.max_output,
            input_modalities=self.input_modalities,
            output_modalities=self.output_modalities,
            operations=self.operations,
            deprecation=self.is_deprecation,
            alternative=self.alternative_info or "",
            alias_of=ModelName(self.alias_of),
            fallbacks=self.fallbacks,
        )


class CatalogueRow(CatalogueEntry, frozen=True, kw_only=True):
    """A stored entry."""

    id: int
    created_ms: int
    updated_ms: int


_JSON: Final = frozenset({"input_modalities", "output_modalities", "operations", "fallbacks"})
_SELECT: Final = select(*[models.c[name] for name in CatalogueRow.__struct_fields__]).order_by(models.c.name)
_BY_NAME: Final = _SELECT.where(models.c.name == bindparam("model"))
_SET: Final = either(
    lambda insert: (made := insert(models)).on_conflict_do_update(
        index_elements=["name"],
        set_={
            name: made.excluded[name] for name in (*CatalogueEntry.__struct_fields__, "updated_ms") if name != "name"
        },
    )
)


async def set_model(connection: AsyncConnection, entry: CatalogueEntry, *, now_ms: int) -> None:
    """Store an entry, or replace the one of its name. Note a snapshot change in the same transaction."""
    await set_models(connection, (entry,), now_ms=now_ms)


async def set_models(connection: AsyncConnection, entries: Iterable[CatalogueEntry], *, now_ms: int) -> None:
    """The same of many at once."""
    rows = [
        _columns({name: getattr(entry, name) for name in CatalogueEntry.__struct_fields__})
        | {"created_ms": now_ms, "updated_ms": now_ms}
        for entry in entries
    ]
    if rows:
        await connection.execute(_SET[connection.dialect.name], rows)


async def update_model(connection: AsyncConnection, name: ModelName, *, now_ms: int, **fields: Any) -> bool:
    """Set fields of an entry; False if there is none."""
    values = _columns(fields) | {"updated_ms": now_ms}
    return (await connection.execute(models.update().where(models.c.name == name).values(values))).rowcount > 0


async def find_model(connection: AsyncConnection, name: ModelName) -> CatalogueRow | None:
    """The entry of a name."""
    row = (await connection.execute(_BY_NAME, {"model": name})).mappings().first()
    return None if row is None else _row(row)


async def list_models(connection: AsyncConnection, *, enabled_only: bool = True) -> tuple[CatalogueRow, ...]:
    """The entries, by name."""
    query = _SELECT.where(models.c.enabled) if enabled_only else _SELECT
    return tuple(_row(row) for row in (await connection.execute(query)).mappings())


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: msgspec.json.encode(value).decode() if name in _JSON else value for name, value in fields.items()}


def _row(row: RowMapping) -> CatalogueRow:
    values: dict[str, Any] = {
        name: tuple(msgspec.json.decode(value)) if name in _JSON else value for name, value in row.items()
    }
    return CatalogueRow(**values)
