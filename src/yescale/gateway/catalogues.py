"""The list of models in the shapes that clients know: OpenAI's with some fields more, Anthropic's, Google's."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import ChannelId
from yescale.domain.money import NANO_PER_USD, RATIO_ONE
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Model
from yescale.routing.table import Table

GroupOf = Callable[[str], str]  # which group a model would be charged at
_MOST: Final = 1_000  # of a page
_MOST_FIELDS: Final = 20
_GENERATES: Final = ("generateContent", "streamGenerateContent", "countTokens")
_EMBEDS: Final = ("embedContent", "batchEmbedContents")


class Page(Struct, frozen=True, kw_only=True, gc=False):
    """Which part of a list is asked for: how many, after or before which one. 0 = all."""

    size: int = 0
    after: str = ""
    before: str = ""


class Stand(Struct, frozen=True, kw_only=True):
    """From where the models are seen: a key's groups in a table, and which channels rest right now."""

    table: Table
    group_of: GroupOf
    rests: Callable[[ChannelId], bool]

    def up(self, model: Model) -> bool:
        """Whether a channel that does not rest serves a model."""
        tiers = self.table.tiers(self.group_of(model.name), model.name)
        return any(not self.rests(candidate.channel.id) for tier in tiers for candidate in tier.candidates)


class Shape(Struct, frozen=True):
    """A list, and one model of it."""

    all: Callable[[Sequence[Model], Stand, Page], object]
    one: Callable[[Model, Stand], object]


def read_page(query: bytes) -> Page | Fault:
    """Anthropic's `limit`, `after_id`, `before_id`, Google's `pageSize` and `pageToken`; OpenAI has no pages."""
    try:
        said = dict(parse_qsl(query.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return faults.MALFORMED.saying("The query cannot be read.")
    size = said.get("limit") or said.get("pageSize") or "0"
    if not (size.isdigit() and int(size) <= _MOST):
        name = "limit" if "limit" in said else "pageSize"
        return faults.MALFORMED.saying(f"'{name}' must be a number between 1 and {_MOST}.", param=name)
    after = said.get("after_id") or said.get("pageToken") or ""
    return Page(size=int(size), after=after, before=said.get("before_id", ""))


def _cut(models: Sequence[Model], page: Page) -> tuple[Sequence[Model], bool]:
    """The models of a page, and whether there are more in its direction."""
    names: list[str] = [model.name for model in models]
    if page.before in names:
        models = models[: names.index(page.before)]
        start = max(0, len(models) - page.size) if page.size else 0
        return models[start:], start > 0
    if page.after in names:
        models = models[names.index(page.after) + 1 :]
    return (models[: page.size], len(models) > page.size) if page.size else (models, False)


# --- OpenAI: https://platform.openai.com/docs/api-reference/models/list


def _list_openai(models: Sequence[Model], stand: Stand, _: Page) -> object:
    return {"object": "list", "success": True, "data": [_describe(model, stand) for model in models]}


def _describe(model: Model, stand: Stand) -> dict[str, object]:
    """One entry: OpenAI's four fields, and what else a client would ask for. Prices are before the group's ratio."""
    known = stand.table.group(stand.group_of(model.name))
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owner,
        "context_length": model.context_window or None,
        "max_output_tokens": model.max_output or None,
        "input_modalities": model.input_modalities,
        "output_modalities": model.output_modalities,
        "operations": model.operations,
        "prices": _prices(stand.table.book.rules(model.priced_as)),
        "group_ratio": _decimal(RATIO_ONE if known is None else known.ratio, RATIO_ONE),
        "uptime": int(stand.up(model)),
        "is_deprecation": model.deprecation,
        "alternative_info": model.alternative or None,
    }


def _prices(rules: Iterable[PriceRule]) -> list[dict[str, object]]:
    return [
        {
            "meter": rule.meter,
            "per": rule.per,
            "usd": _decimal(rule.price, NANO_PER_USD),
            "when": [{"attribute": c.attribute, "op": c.op, "value": c.value} for c in rule.when],
        }
        for rule in rules
    ]


def _decimal(value: int, unit: int) -> str:
    """An exact decimal fraction, since money is never a float."""
    digits = len(str(unit)) - 1
    fraction = f"{value % unit:0{digits}d}".rstrip("0")
    return f"{value // unit}.{fraction}" if fraction else str(value // unit)


# --- Anthropic: https://docs.anthropic.com/en/api/models-list


def _list_anthropic(models: Sequence[Model], stand: Stand, page: Page) -> object:
    shown, more = _cut(models, page)
    data = [_name_anthropic(model, stand) for model in shown]
    ends = {"first_id": shown[0].name, "last_id": shown[-1].name} if shown else {"first_id": None, "last_id": None}
    return {"data": data, "has_more": more, **ends}


def _name_anthropic(model: Model, _: Stand) -> dict[str, object]:
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": model.name, "display_name": model.name, "created_at": created}


# --- Google: https://ai.google.dev/api/models


def _list_gemini(models: Sequence[Model], stand: Stand, page: Page) -> object:
    shown, more = _cut(models, page)
    entries = [_name_gemini(model, stand) for model in shown]
    return {"models": entries, "nextPageToken": shown[-1].name if more else None}


def _name_gemini(model: Model, _: Stand) -> dict[str, object]:
    methods = (*(_GENERATES if "chat" in model.operations else ()), *(_EMBEDS if "embed" in model.operations else ()))
    return {
        "name": f"models/{model.name}",
        "version": model.name,
        "displayName": model.name,
        "inputTokenLimit": model.context_window or None,
        "outputTokenLimit": model.max_output or None,
        "supportedGenerationMethods": methods,
    }


OPENAI: Final = Shape(_list_openai, _describe)
ANTHROPIC: Final = Shape(_list_anthropic, _name_anthropic)
GEMINI: Final = Shape(_list_gemini, _name_gemini)
