"""Price rules: immutable rows, superseded and never edited, since settled calls name them by id."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import Nano
from yescale.domain.price import Condition, PriceRule
from yescale.domain.usage import Meter
from yescale.store.tables import prices


class NewPrice(Struct, frozen=True, kw_only=True):
    """A price rule without its id."""

    meter: Meter
    per: int
    price: Nano
    when: tuple[Condition, ...] = ()


_decode: Final = msgspec.json.Decoder(tuple[Condition, ...]).decode
_COLUMNS: Final = (prices.c.id, prices.c.model, prices.c.meter, prices.c.per, prices.c.price, prices.c.conditions)
_CURRENT: Final = select(*_COLUMNS).where(prices.c.superseded_ms.is_(None)).order_by(prices.c.model, prices.c.id)
_SUPERSEDE: Final = (
    prices.update()
    .where(prices.c.model == bindparam("of"), prices.c.superseded_ms.is_(None))
    .values(superseded_ms=bindparam("now"))
)


async def current_prices(connection: AsyncConnection, model: ModelName | None = None) -> tuple[PriceRule, ...]:
    """The rules that hold now, of one model or of all."""
    query = _CURRENT if model is None else _CURRENT.where(prices.c.model == model)
    return tuple(_rule(*row) for row in await connection.execute(query))


async def find_prices(connection: AsyncConnection, ids: Iterable[PriceId]) -> tuple[PriceRule, ...]:
    """These rules, superseded or not: what a settled call was charged by."""
    return tuple(_rule(*row) for row in await connection.execute(select(*_COLUMNS).where(prices.c.id.in_(list(ids)))))


async def set_prices(
    connection: AsyncConnection, model: ModelName, rules: Sequence[NewPrice], *, now_ms: int
) -> tuple[PriceRule, ...]:
    """Supersede all rules of a model by these. Note a snapshot change in the same transaction."""
    await replace_prices(connection, {model: rules}, now_ms=now_ms)
    return await current_prices(connection, model)


async def replace_prices(
    connection: AsyncConnection, rules: Mapping[ModelName, Sequence[NewPrice]], *, now_ms: int
) -> None:
    """The same of many models at once."""
    if rules:
        await connection.execute(_SUPERSEDE, [{"of": model, "now": now_ms} for model in rules])
    rows = [
        {
            "model": model,
            "meter": str(rule.meter),
            "per": rule.per,
            "price": rule.price,
            "conditions": msgspec.json.encode(rule.when).decode(),
            "created_ms": now_ms,
        }
        for model, chosen in rules.items()
        for rule in chosen
    ]
    if rows:
        await connection.execute(prices.insert(), rows)


def _rule(row_id: int, model: str, meter: str, per: int, price: int, conditions: str) -> PriceRule:
    return PriceRule(
        id=PriceId(row_id), model=ModelName(model), meter=Meter(meter), per=per, price=price, when=_decode(conditions)
    )
