"""A call in the words of the public log: ratios instead of prices, `other` as JSON text (contract, 5.2).

A model ratio of 1 is $2 per million input tokens; the completion ratio is output over input price.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from yescale.domain.money import NANO_PER_USD, RATIO_ONE
from yescale.domain.price import Line
from yescale.domain.usage import Meter, Usage

_NANO_OF_RATIO_ONE: Final = 2 * NANO_PER_USD  # per million tokens
_MILLION: Final = 1_000_000
_NOT_STREAMED: Final = -1000
_INPUTS: Final = (Meter.INPUT_TOKENS, Meter.CHARACTERS, Meter.CACHE_READ_TOKENS, Meter.AUDIO_INPUT_TOKENS)
_OUTPUTS: Final = (Meter.OUTPUT_TOKENS, Meter.REASONING_TOKENS)
_PER_PIECE: Final = (Meter.REQUESTS, Meter.IMAGES, Meter.SECONDS, Meter.PAGES)


class Priced(msgspec.Struct, frozen=True):
    """What one call's lines say in ratios; None = the call has no such line."""

    model_ratio: Decimal | None
    completion_ratio: Decimal | None
    model_price: Decimal | None  # US dollars of one piece, where the model has a price per piece
    group_ratio: Decimal | None


def read_lines(lines: Sequence[Line]) -> Priced:
    """The ratios behind the lines of a call."""
    by_meter = {line.meter: line for line in lines}
    entry = _first(by_meter, _INPUTS)
    out = _first(by_meter, _OUTPUTS)
    piece = _first(by_meter, _PER_PIECE)
    return Priced(
        model_ratio=None if entry is None else _per_million(entry) / _NANO_OF_RATIO_ONE,
        completion_ratio=None if out is None or entry is None or not entry.price else _over(out, entry),
        model_price=None if piece is None or entry is not None else Decimal(piece.price) / NANO_PER_USD / piece.per,
        group_ratio=Decimal(lines[0].ratio) / RATIO_ONE if lines else None,
    )


def describe(priced: Priced, model: str) -> str:
    """The `content` of a log row: the model and what its price is made of, ratios with two decimals."""
    group = f"group ratio {priced.group_ratio or 0:.2f}"
    if priced.model_price is not None:
        return f"{model}: fixed price ${float(priced.model_price):g}, {group}"
    if priced.model_ratio is None:
        return f"{model}: nothing was used"
    completion = f", completion ratio {priced.completion_ratio:.2f}" if priced.completion_ratio is not None else ""
    return f"{model}: model ratio {priced.model_ratio:.2f}{completion}, {group}"


def other_of(priced: Priced, lines: Sequence[Line], usage: Usage, first_ms: int | None) -> dict[str, object]:
    """The keys of `other` that follow from a call's price and usage; `first_ms` is None where nothing was streamed."""
    other: dict[str, object] = {
        "model_ratio": float(priced.model_ratio or 0),
        "group_ratio": float(priced.group_ratio or 0),
        "completion_ratio": float(priced.completion_ratio or 0),
        "model_price": -1 if priced.model_price is None else float(priced.model_price),
        "cache_tokens": usage.get(Meter.CACHE_READ_TOKENS, 0),
        "cache_ratio": _ratio_to_input(lines, Meter.CACHE_READ_TOKENS),
        "frt": _NOT_STREAMED if first_ms is None else first_ms,
    }
    writes = usage.get(Meter.CACHE_WRITE_TOKENS, 0) + usage.get(Meter.CACHE_WRITE_1H_TOKENS, 0)
    if writes:
        ratio = _ratio_to_input(lines, Meter.CACHE_WRITE_TOKENS)
        other |= {"cache_creation_tokens": writes, "cache_creation_ratio": ratio}
    if usage.get(Meter.AUDIO_INPUT_TOKENS, 0) or usage.get(Meter.AUDIO_OUTPUT_TOKENS, 0):
        other |= _audio(lines, usage)
    return other


def _audio(lines: Sequence[Line], usage: Usage) -> dict[str, object]:
    by_meter = {line.meter: line for line in lines}
    heard, spoken = by_meter.get(Meter.AUDIO_INPUT_TOKENS), by_meter.get(Meter.AUDIO_OUTPUT_TOKENS)
    return {
        "audio": True,
        "audio_input": usage.get(Meter.AUDIO_INPUT_TOKENS, 0),
        "audio_output": usage.get(Meter.AUDIO_OUTPUT_TOKENS, 0),
        "text_input": usage.get(Meter.INPUT_TOKENS, 0),
        "text_output": usage.get(Meter.OUTPUT_TOKENS, 0),
        "audio_ratio": _ratio_to_input(lines, Meter.AUDIO_INPUT_TOKENS),
        "audio_completion_ratio": float(_over(spoken, heard)) if spoken and heard and heard.price else 0,
    }


def _ratio_to_input(lines: Sequence[Line], meter: Meter) -> float:
    by_meter = {line.meter: line for line in lines}
    line, entry = by_meter.get(meter), by_meter.get(Meter.INPUT_TOKENS)
    return float(_over(line, entry)) if line and entry and entry.price else 0.0


def _first(by_meter: Mapping[Meter, Line], meters: Sequence[Meter]) -> Line | None:
    return next((by_meter[meter] for meter in meters if meter in by_meter), None)


def _per_million(line: Line) -> Decimal:
    return Decimal(line.price) * _MILLION / line.per


def _over(a: Line, b: Line) -> Decimal:
    return _per_million(a) / _per_million(b)
