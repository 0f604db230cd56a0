"""OpenAI's moderations, carried unchanged. They cost nothing at OpenAI, so a call counts as one request.

Source: https://platform.openai.com/docs/api-reference/moderations.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.usage import Meter
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.inline import BYTES_PER_TOKEN
from yescale.protocols.passthrough import Answer, Peek
from yescale.protocols.reading import read, wrong

_DEFAULT: Final = "text-moderation-latest"


class WireModeration(Struct, frozen=True, gc=False):
    """A request to /moderations."""

    input: Raw
    model: str | None = None


class WireVerdicts(Struct, frozen=True, gc=False):
    """Its answer."""

    results: list[Raw]


_REQUEST: Final = msgspec.json.Decoder(WireModeration)
_ANSWER: Final = msgspec.json.Decoder(WireVerdicts)
_SINGLE: Final = frozenset({"model", "input"})


def peek(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read a request's model, which has a default; a Fault names the field at fault."""
    wire = read(_REQUEST, body)
    if isinstance(wire, Fault):
        return wire
    raw = bytes(wire.input)
    if raw[:1] not in b'["':
        return wrong("input", "'input' must be a string, an array of strings, or an array of parts.")
    if wire.model is not None and not wire.model:
        return wrong("model", "'model' must not be empty.")
    try:
        said = fields.members(body, _SINGLE)
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    if wire.model is None and "model" in said:
        return wrong("model", "'model' must be a string; leave it out for the default.")
    model = ModelName(wire.model or _DEFAULT)
    return Peek(model=model, prompt_tokens=len(body) // BYTES_PER_TOKEN + 1, outputs=False)


def read_answer(body: bytes) -> Answer | None:
    """A list of verdicts, or None if this is none."""
    try:
        _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return Answer({Meter.INPUT_TOKENS: 0, Meter.REQUESTS: 1}, _no_text)


def _no_text(_: bytes) -> int:
    return 0
