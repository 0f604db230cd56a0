"""The list of models, a page at a time (https://platform.claude.com/docs/en/api/models-list)."""

from urllib.parse import parse_qs

from yescale_sandbox.anthropic.catalogue import MODELS, Model, find
from yescale_sandbox.anthropic.refusal import RefusedError, shortened
from yescale_sandbox.anthropic.shapes import Whole, wrong
from yescale_sandbox.jsontype import Json, JsonObject

USUAL_LIMIT = 20
MOST_LIMIT = 1000


def one(name: str) -> JsonObject:
    """Raises: RefusedError."""
    model = find(name)
    if model is None:
        raise RefusedError(f"model: {shortened(name)}", status=404)
    return _described(model)


def page(query: str) -> JsonObject:
    """The models after or before an id.

    Raises: RefusedError.
    """
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    limit = _limit(asked.get("limit", str(USUAL_LIMIT)))
    names = [model.dated for model in MODELS]
    start = _place(names, asked["after_id"], "after_id") + 1 if "after_id" in asked else 0
    end = len(names)
    if "before_id" in asked:
        end = _place(names, asked["before_id"], "before_id")
        start = max(start, end - limit)
    shown = MODELS[start:end][:limit]
    rows: list[Json] = [_described(model) for model in shown]
    return {
        "data": rows,
        "has_more": start + len(shown) < end if "before_id" not in asked else start > 0,
        "first_id": shown[0].dated if shown else None,
        "last_id": shown[-1].dated if shown else None,
    }


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise wrong("limit", "Input should be a valid integer, unable to parse string as an integer")
    limit = int(text[:9])
    Whole(least=1, most=MOST_LIMIT).check(limit, "limit")
    return limit


def _place(names: list[str], name: str, path: str) -> int:
    if name not in names:
        raise wrong(path, "no such model")
    return names.index(name)


def _described(model: Model) -> JsonObject:
    return {
        "type": "model",
        "id": model.dated,
        "display_name": model.title,
        "created_at": model.created,
        "lifecycle": "active",
        "max_input_tokens": model.context,
        "max_tokens": model.most_output,
    }
