"""The list of models: https://ai.google.dev/api/models."""

from collections.abc import Mapping

from yescale_sandbox.gemini.catalogue import EMBEDDING_MODELS, EMBEDS, GENERATES, MODELS
from yescale_sandbox.gemini.refusal import VALUE_SHOWN, RefusedError
from yescale_sandbox.jsontype import Json, JsonObject

USUAL_PAGE = 50
MOST_PAGE = 1_000


def page(query: Mapping[str, list[str]]) -> JsonObject:
    """One page; `nextPageToken` is there if there are more.

    Raises: RefusedError.
    """
    names = [*MODELS, *EMBEDDING_MODELS]
    size = min(_whole(query, "pageSize", USUAL_PAGE) or USUAL_PAGE, MOST_PAGE)
    start = _whole(query, "pageToken", 0)
    rows: list[Json] = [_object(name) for name in names[start : start + size]]
    made: JsonObject = {"models": rows}
    if start + size < len(names):
        made["nextPageToken"] = str(start + size)
    return made


def model(name: str, version: str) -> JsonObject:
    """Raises: RefusedError."""
    if name not in MODELS and name not in EMBEDDING_MODELS:
        raise RefusedError(
            f"Model is not found: models/{name[:VALUE_SHOWN]} for api version {version}, or is not supported.", code=404
        )
    return _object(name)


def _object(name: str) -> JsonObject:
    if name in EMBEDDING_MODELS:
        found = EMBEDDING_MODELS[name]
        return _row(name, found.title, (found.most_tokens, 1), EMBEDS)
    known = MODELS[name]
    made = _row(name, known.title, (known.context, known.most_output), GENERATES)
    made |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
    if known.thinking is not None:
        made["thinking"] = True
    return made


def _row(name: str, title: str, limits: tuple[int, int], methods: tuple[str, ...]) -> JsonObject:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": title,
        "description": f"{title}, faked by the sandbox",
        "inputTokenLimit": limits[0],
        "outputTokenLimit": limits[1],
        "supportedGenerationMethods": [*methods],
    }


def _whole(query: Mapping[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdigit()):
        of = "TYPE_INT32" if name == "pageSize" else "TYPE_STRING"
        raise RefusedError(f"Invalid value at '{name}' ({of}), \"{text[:VALUE_SHOWN]}\"")
    return int(text[:9])
