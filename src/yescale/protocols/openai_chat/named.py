"""Requests that may leave the model to their path or to a default: read as if they named it, and sent so."""

from typing import Final

import msgspec
from msgspec.structs import replace

from yescale.domain.faults import Fault
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.openai_chat import requests
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import wrong

_STRING: Final = msgspec.json.Encoder()


def peek_embeddings(body: bytes, words: PathWords = NO_WORDS) -> Peek | Fault:
    """As `requests.peek_embeddings`; where the body names no model, the path of /v1/engines/{model}/embeddings does."""
    found = requests.peek_embeddings(body, words)
    if isinstance(found, Peek) or not words.model or found.param != "model":
        return found
    added = _naming(words.model)
    found = requests.peek_embeddings(fields.splice(body, [], added), words)
    if isinstance(found, Fault):
        return found
    if found.long != fields.NOWHERE:
        found = replace(found, long=(found.long[0] - len(added), found.long[1] - len(added)))
    try:
        _names_model(body, found)
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return found


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """As `requests.rewrite`, for a body that may not name its model: then it is put in front."""
    try:
        named = _names_model(body, peek)
    except fields.TooManyMarks:
        named = True  # else it was refused before
    return requests.rewrite(body, peek, change) if named else fields.splice(body, [], _naming(change.model))


def _names_model(body: bytes, peek: Peek) -> bool:
    """Whether `model` is a field at the top. Raises TooManyMarks."""
    around = fields.omit(body, peek.long)
    return (b'"model"' in around or b"\\u" in around) and "model" in fields.members(around)


def _naming(model: str) -> bytes:
    return b'"model":%b,' % _STRING.encode(model)
