"""An estimate of what count_tokens would say, for models whose provider cannot count."""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

_ASCII_PER_TOKEN: Final = 4
_OTHERS_PER_TOKEN: Final = 1.2  # characters of other scripts, emoji included
_TURN: Final = 4
_TOOLS: Final = 346  # https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview (pricing)
_PICTURE: Final = 1_600  # a large one: about width * height / 750
_BYTES_PER_PAGE_TOKEN: Final = 40  # base64 of a PDF
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Counted(Struct, frozen=True):
    messages: list[Any]
    system: Any = None
    tools: list[Any] | None = None


_COUNTED: Final = msgspec.json.Decoder(_Counted)


def estimate_tokens(body: bytes) -> int:
    """About how many tokens the prompt of a request has, never 0.

    From its characters alone, without any model's vocabulary: expect it within 30 % for prose and code, and within
    50 % for other scripts, long numbers, pictures and PDF. A body that is no request counts by its bytes.
    """
    try:
        wire = _COUNTED.decode(body)
    except _BROKEN:
        return len(body) // _ASCII_PER_TOKEN + 1
    fixed = _TURN * len(wire.messages) + (_TOOLS if wire.tools else 0)
    return max(1, round(sum(_weigh([wire.messages, wire.system, wire.tools])) + fixed))


def _weigh(whole: list[Any]) -> Iterator[float]:
    """The tokens of each string within, names of fields included; a picture or a document is one value."""
    left = whole
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield _weigh_text(value)
        elif isinstance(value, list):
            left += cast("list[Any]", value)
        elif isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            if fields.get("type") == "base64" and isinstance(fields.get("data"), str):
                yield _weigh_source(fields)
                continue
            yield sum(map(len, fields)) / _ASCII_PER_TOKEN
            left += fields.values()
        elif value is not None:
            yield 1


def _weigh_text(text: str) -> float:
    plain = len(text.encode("ascii", "ignore"))
    return plain / _ASCII_PER_TOKEN + (len(text) - plain) / _OTHERS_PER_TOKEN


def _weigh_source(fields: dict[str, Any]) -> float:
    pdf = fields.get("media_type") == "application/pdf"
    return len(fields["data"]) / _BYTES_PER_PAGE_TOKEN if pdf else _PICTURE
