"""Requests that may leave the model to their path or to a default: read as if they named it, and sent so."""

from typing import Final

import msgspec
from msgspec.structs import replace

from yescale.domain.faults import Fault
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.openai_chat import requests
from yescale.protocols.passthrough import Change, Peek

_STRING: Final = msgspec.json.Encoder()
_MODEL: Final = frozenset({"model"})


def peek_embeddings(body: bytes, words: PathWords = NO_WORDS) -> Peek | Fault:
    """As `requests.peek_embeddings`; where the body names no model, the path of /v1/engines/{model}/embeddings does."""
    found = requests.peek_embeddings(body, words)
    if isinstance(found, Peek) or not words.model or found.param != "model":
        return found
    added = _naming(words.model)
    found = requests.peek_embeddings(fields.splice(body, [], added), words)
    if isinstance(found, Fault) or found.long == fields.NOWHERE:
        return found
    return replace(found, long=(found.long[0] - len(added), found.long[1] - len(added)))


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """As `requests.rewrite`, for a body that may not name its model: then it is put in front."""
    if b'"model"' in fields.omit(body, peek.long):
        try:
            fields.place(body, peek.long, "model", _MODEL)
        except KeyError:
            pass
        else:
            return requests.rewrite(body, peek, change)
    return fields.splice(body, [], _naming(change.model))


def _naming(model: str) -> bytes:
    return b'"model":%b,' % _STRING.encode(model)
