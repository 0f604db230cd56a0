"""Models, prices and groups. Price and ratio rows are superseded, never edited: calls in flight keep theirs."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import asdict, replace
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import format_ratio, format_usd, parse_ratio, price_row, unit_of
from yescale.control.catalogue_entries import as_rules, read_list_prices
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.domain.ids import ModelName
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import GOING, GONE
from yescale.domain.usage import Meter
from yescale.pricing.book import find_conflict
from yescale.store import changes
from yescale.store.catalogue import CatalogueEntry, CatalogueRow, find_model, list_models, set_model, update_model
from yescale.store.database import database_ms
from yescale.store.groups import list_groups, set_group
from yescale.store.prices import NewPrice, current_prices, set_prices

_PIECES: Final = frozenset({Meter.REQUESTS, Meter.IMAGES})
_NAME_LENGTH: Final = 128
_MOST_FALLBACKS: Final = 8


class AddModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A catalogue entry. `priced_as`: the model whose prices apply, if not its own."""

    name: ModelName
    priced_as: str = ""
    owner: str = ""
    group: str = ""
    context_window: int = 0
    max_output: int = 0
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    operations: tuple[str, ...] = ("chat",)
    provider_name: str = ""
    category: str = ""
    endpoint: str = "/v1/chat/completions"
    notes: str = ""
    fallbacks: tuple[ModelName, ...] = ()
    alias_of: str = ""


class EditModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: ModelName
    fallbacks: tuple[ModelName, ...] | UnsetType = UNSET
    alias_of: str | UnsetType = UNSET


class OneModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model by its name."""

    name: ModelName


class DeprecateModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a model is on its way out. `stage`: 0 active, 1 it will go, 2 it answers no more."""

    name: ModelName
    stage: int = 1
    alternative: str = ""


class ListModels(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them."""


class SetPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars in decimals: per million tokens, or per request. `meters`: any further meter by its name."""

    model: ModelName
    input: str | None = None
    output: str | None = None
    cache_read: str | None = None
    cache_write: str | None = None
    request: str | None = None
    meters: Mapping[Meter, str] = field(default_factory=dict[Meter, str])


class AskPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one model, or of all."""

    model: ModelName | None = None


class SetGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group and its multiplier in decimals."""

    name: str
    ratio: str
    description: str = ""


class ListGroups(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them."""


async def add_model(context: Context, asked: AddModel) -> object:
    """Store a catalogue entry, or replace the one of its name; its prices stay."""
    _check_name(asked.name)
    async with context.database.writing() as connection:
        await _check_others(connection, asked.name, asked.fallbacks, asked.alias_of)
        now_ms = await database_ms(connection)
        known = await find_model(connection, asked.name)
        entry = CatalogueEntry(created_at=known.created_at if known else now_ms // 1000, **asdict(asked))
        entry = replace(entry, priced_as=asked.priced_as or asked.alias_of)
        entry = entry if known is None else _keep_told(entry, known)
        await set_model(connection, entry, now_ms=now_ms)
        await changes.note(connection, "snapshot", at_ms=now_ms)
        row = await find_model(connection, asked.name)
    await context.announce()
    return None if row is None else _view_model(row)


async def edit_model(context: Context, asked: EditModel) -> object:
    """Change what is named of an entry."""
    fields = {name: value for name, value in asdict(asked).items() if value is not UNSET and name != "name"}
    async with context.database.writing() as connection:
        await _check_others(connection, asked.name, fields.get("fallbacks", ()), fields.get("alias_of", ""))
        priced_as = {"priced_as": asked.alias_of} if asked.alias_of else {}
        await _update(connection, asked.name, **fields, **priced_as)
        row = await find_model(connection, asked.name)
    await context.announce()
    return None if row is None else _view_model(row)


async def list_all_models(context: Context, _asked: ListModels) -> object:
    """Every model, the disabled ones too."""
    async with context.database.reading() as connection:
        return [_view_model(row) for row in await list_models(connection, enabled_only=False)]


async def enable_model(context: Context, asked: OneModel) -> object:
    """Offer it again."""
    return await _set_enabled(context, asked.name, enabled=True)


async def disable_model(context: Context, asked: OneModel) -> object:
    """Offer it no more."""
    return await _set_enabled(context, asked.name, enabled=False)


async def pause_model(context: Context, asked: OneModel) -> object:
    """Show it as under maintenance; calls go on."""
    return await _set_uptime(context, asked.name, 0)


async def resume_model(context: Context, asked: OneModel) -> object:
    """Show it as usual again."""
    return await _set_uptime(context, asked.name, 1)


async def deprecate_model(context: Context, asked: DeprecateModel) -> object:
    """Tell callers that it will go, or refuse it, naming what to use instead."""
    if asked.stage not in (0, GOING, GONE):
        raise OperationRefused("stage is 0 (active), 1 (it will go) or 2 (it answers no more).")
    if len(asked.alternative) > _NAME_LENGTH or not asked.alternative.isprintable():
        raise OperationRefused(f"alternative has up to {_NAME_LENGTH} printable characters.")
    told = {"is_deprecation": asked.stage, "alternative_info": asked.alternative or None}
    async with context.database.writing() as connection:
        await _update(connection, asked.name, **told)
    await context.announce()
    return {"name": asked.name, **told}


async def set_price(context: Context, asked: SetPrice) -> object:
    """Supersede the prices that are named; others of the model stay, but those of the other kind (request, token)."""
    named = _read_prices(asked)
    async with context.database.writing() as connection:
        row = await find_model(connection, asked.model)
        if row is None:
            raise OperationRefused(f"There is no model {asked.model!r}; make it with `model add` first.")
        kept = [_new(rule) for rule in await current_prices(connection, asked.model) if _stays(rule, named)]
        rules = [*kept, *named.values()]
        _check_conflicts(asked.model, rules)
        now_ms = await database_ms(connection)
        stored = await set_prices(connection, asked.model, rules, now_ms=now_ms)
        listed = read_list_prices(rules)
        await update_model(
            connection,
            asked.model,
            now_ms=now_ms,
            billing_type=listed.billing_type,
            list_request=listed.request,
            list_input=listed.input,
            list_output=listed.output,
        )
        await changes.note(connection, "snapshot", at_ms=now_ms)
    await context.announce()
    return [_view_price(rule) for rule in stored]


async def list_all_prices(context: Context, asked: AskPrices) -> object:
    """The prices that hold now."""
    async with context.database.reading() as connection:
        return [_view_price(rule) for rule in await current_prices(connection, asked.model)]


async def set_group_ratio(context: Context, asked: SetGroup) -> object:
    """Make a group, or supersede its ratio."""
    _check_name(asked.name)
    try:
        ratio = parse_ratio(asked.ratio)
    except ValueError as error:
        raise OperationRefused(f"{error}.") from error
    async with context.database.writing() as connection:
        now_ms = await database_ms(connection)
        group = await set_group(connection, asked.name, ratio, now_ms=now_ms, description=asked.description)
        await changes.note(connection, "snapshot", at_ms=now_ms)
    await context.announce()
    return {"name": group.name, "ratio": format_ratio(group.ratio)}


async def list_all_groups(context: Context, _asked: ListGroups) -> object:
    """Every group with its ratio."""
    async with context.database.reading() as connection:
        return [{"name": group.name, "ratio": format_ratio(group.ratio)} for group in await list_groups(connection)]


def _read_prices(asked: SetPrice) -> dict[Meter, NewPrice]:
    texts = {
        Meter.INPUT_TOKENS: asked.input,
        Meter.OUTPUT_TOKENS: asked.output,
        Meter.CACHE_READ_TOKENS: asked.cache_read,
        Meter.CACHE_WRITE_TOKENS: asked.cache_write,
        Meter.REQUESTS: asked.request,
        **asked.meters,
    }
    try:
        named = {meter: price_row(meter, text) for meter, text in texts.items() if text is not None}
    except ValueError as error:
        raise OperationRefused(f"{error}.") from error
    if not named:
        raise OperationRefused("Say a price: input and output in US dollars per million tokens, or request.")
    return named


def _stays(rule: PriceRule, named: Mapping[Meter, NewPrice]) -> bool:
    if rule.meter in named:
        return bool(rule.when)
    return (rule.meter in _PIECES) == all(meter in _PIECES for meter in named)


def _check_conflicts(model: ModelName, rules: list[NewPrice]) -> None:
    if (conflict := find_conflict(as_rules(model, rules))) is not None:
        raise OperationRefused(f"Two prices of {model} for {conflict[0].meter} hold at the same time.")


def _keep_told(entry: CatalogueEntry, known: CatalogueRow) -> CatalogueEntry:
    return replace(
        entry,
        billing_type=known.billing_type,
        list_request=known.list_request,
        list_input=known.list_input,
        list_output=known.list_output,
        official_request=known.official_request,
        official_input=known.official_input,
        official_output=known.official_output,
        uptime=known.uptime,
        is_deprecation=known.is_deprecation,
        alternative_info=known.alternative_info,
    )


async def _set_enabled(context: Context, name: ModelName, *, enabled: bool) -> object:
    async with context.database.writing() as connection:
        await _update(connection, name, enabled=enabled)
    await context.announce()
    return {"name": name, "enabled": enabled}


async def _set_uptime(context: Context, name: ModelName, uptime: int) -> object:
    async with context.database.writing() as connection:
        await _update(connection, name, uptime=uptime)
    return {"name": name, "uptime": uptime}


async def _update(connection: AsyncConnection, name: ModelName, **fields: object) -> None:
    now_ms = await database_ms(connection)
    if not await update_model(connection, name, now_ms=now_ms, **fields):
        raise OperationRefused(f"There is no model {name!r}; `model list` shows them.")
    await changes.note(connection, "snapshot", at_ms=now_ms)


async def _check_others(connection: AsyncConnection, name: str, fallbacks: Sequence[ModelName], alias_of: str) -> None:
    """Other models that an entry names exist; an alias names one that is none."""
    if len(fallbacks) > _MOST_FALLBACKS:
        raise OperationRefused(f"A model has {_MOST_FALLBACKS} fallbacks at most.")
    for other in (*fallbacks, *([ModelName(alias_of)] if alias_of else [])):
        row = await find_model(connection, other)
        if row is None or other == name or other.endswith("*"):
            raise OperationRefused(f"There is no other model {other!r}; `model list` shows them.")
        if alias_of and row.alias_of:
            raise OperationRefused(f"{other!r} is an alias itself; name {row.alias_of!r}.")


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
        raise OperationRefused(f"{name!r} is not a name: 1 to {_NAME_LENGTH} printable characters.")


def _new(rule: PriceRule) -> NewPrice:
    return NewPrice(meter=rule.meter, per=rule.per, price=rule.price, when=rule.when)


def _view_price(rule: PriceRule) -> dict[str, object]:
    return {
        "id": rule.id,
        "model": rule.model,
        "meter": str(rule.meter),
        "usd": format_usd(rule.price * unit_of(rule.meter) // rule.per),
        "per": unit_of(rule.meter),
        "when": [f"{condition.attribute} {condition.op} {condition.value}" for condition in rule.when],
    }


def _view_model(row: CatalogueRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "priced_as": row.priced_as or row.name,
        "owner": row.owner,
        "group": row.group,
        "enabled": row.enabled,
        "context_window": row.context_window,
        "max_output": row.max_output,
        "operations": list(row.operations),
        "fallbacks": list(row.fallbacks),
        "alias_of": row.alias_of,
        "deprecation": row.is_deprecation,
        "alternative": row.alternative_info or "",
    }
