"""OpenAI's legacy completions, carried unchanged: what price and route read of a request.

Source: https://platform.openai.com/docs/api-reference/completions.
"""

import re
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.tags import NO_TAGS
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.inline import BYTES_PER_TOKEN
from yescale.protocols.openai_chat import requests
from yescale.protocols.openai_chat.schema import NOTHING, WireOptions
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import read, wrong
from yescale.protocols.tagging import body_tags


class WireCompletion(Struct, frozen=True, gc=False):
    """A request to /completions. Absent and null differ where a rewrite would have to know."""

    model: str
    prompt: Raw
    stream: bool | None = None
    stream_options: WireOptions | UnsetType | None = UNSET
    max_tokens: int | UnsetType | None = UNSET
    n: int | None = None
    best_of: int | None = None
    user: Raw = NOTHING


_REQUEST: Final = msgspec.json.Decoder(WireCompletion)
_PROMPTS: Final = msgspec.json.Decoder(list[Raw])
_SINGLE: Final = frozenset({*WireCompletion.__struct_fields__, "include_usage"} - {"user"})
_PRICED: Final = re.compile(rb'"(?:model|stream|stream_options|max_tokens|n|best_of)"')
_MOST_TOKENS: Final = 2**30
_MOST_CHOICES: Final = 128
_MOST_PROMPTS: Final = 2_048
_STRINGS_OR_LISTS: Final = b'"['


def peek(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read a request's model, limits and stream flags; a Fault names the field at fault."""
    wire = read(_REQUEST, body)
    if isinstance(wire, Fault):
        return wire
    raw = bytes(wire.prompt)
    prompts = _count_prompts(raw)
    if isinstance(prompts, Fault):
        return prompts
    long = fields.find_long(body, b"prompt", raw)
    options = wire.stream_options
    wants_usage = isinstance(options, WireOptions) and options.include_usage is True
    found = Peek(
        model=ModelName(wire.model),
        prompt_tokens=len(body) // BYTES_PER_TOKEN + 1,
        stream=wire.stream is True,
        wants_usage=wants_usage,
        declared=wire.max_tokens if isinstance(wire.max_tokens, int) else None,
        limit_field="max_tokens" if wire.max_tokens is None else "",
        options_said=not isinstance(options, UnsetType),
        n=prompts * max(wire.n or 1, wire.best_of or 1),
        long=long,
        tags=NO_TAGS if wire.user is NOTHING else body_tags(wire.user),
    )
    return _check(wire) or _check_reading(body, found) or found


def _count_prompts(raw: bytes) -> int | Fault:
    """A string and a list of tokens are one prompt; a list of those is many."""
    if raw[:1] == b'"':
        return wrong("prompt", "'prompt' must not be empty.") if raw == b'""' else 1
    if raw[:1] != b"[":
        return wrong("prompt", "'prompt' must be a string, an array of strings, or an array of tokens.")
    prompts = _PROMPTS.decode(raw)
    if not prompts:
        return wrong("prompt", "'prompt' must not be empty.")
    several = bytes(memoryview(prompts[0])[:1]) in _STRINGS_OR_LISTS
    if several and len(prompts) > _MOST_PROMPTS:
        return wrong("prompt", f"'prompt' may hold at most {_MOST_PROMPTS} prompts.")
    return len(prompts) if several else 1


def _check(wire: WireCompletion) -> Fault | None:
    if not wire.model:
        return wrong("model", "'model' must not be empty.")
    if isinstance(wire.max_tokens, int) and not 0 <= wire.max_tokens <= _MOST_TOKENS:
        return wrong("max_tokens", f"'max_tokens' must be between 0 and {_MOST_TOKENS}.")
    for name, count in (("n", wire.n), ("best_of", wire.best_of)):
        if count is not None and not 0 < count <= _MOST_CHOICES:
            return wrong(name, f"'{name}' must be between 1 and {_MOST_CHOICES}.")
    return None


def _check_reading(body: bytes, found: Peek) -> Fault | None:
    """No field that price or route read may be said twice, and the rewrite must find its way."""
    around = fields.omit(body, found.long)
    try:
        if fields.may_repeat(around, _PRICED):
            fields.members(around, _SINGLE)
        requests.rewrite(body, found, Change(model=found.model))
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return None
