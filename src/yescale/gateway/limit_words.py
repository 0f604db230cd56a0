"""What a caller is told of limits: the header lines of limited calls, and the words of a refusal.

OpenAI's names: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
Anthropic's: https://docs.claude.com/en/api/rate-limits#response-headers
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import ceil
from types import MappingProxyType
from typing import Final

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.limits import MONEY, UNITS, Limit, Limits
from yescale.domain.link import Refused
from yescale.gateway.rates import Meter
from yescale.protocols import anthropic_messages
from yescale.protocols.passthrough import Format

_TOLD: Final = ("requests", "tokens")
_WHOM: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "This account",
        "key": "This API key",
        "group": "The group of this API key",
        "model": "The model",
        "channel": "Every channel for this model",
    }
)
_WINDOWS: Final[Mapping[str, str]] = MappingProxyType({"total": "in all"})
_ANTHROPIC: Final = frozenset({anthropic_messages.MESSAGES.id, anthropic_messages.COUNT_TOKENS.id})
_MS: Final = 1_000
_MINUTE_S: Final = 60


def lines(meters: Iterable[Meter], form: Format, now: float, wall_ms: int) -> bytes:
    """The header lines: of requests and of tokens, whichever limit leaves the least."""
    nearest: dict[str, tuple[int, Meter]] = {}
    for meter in meters:
        if meter.what in _TOLD and not meter.at_once and meter.shown:
            left = meter.remaining(now)
            known = nearest.get(meter.what)
            if known is None or left < known[0]:
                nearest[meter.what] = (left, meter)
    say = _say_anthropic if form.id in _ANTHROPIC else _say_openai
    return b"".join(
        [say(what, meter.amount, left, meter.reset_s(now), wall_ms) for what, (left, meter) in nearest.items()]
    )


def explain(refused: Refused, limits: Limits) -> Fault:
    """Which limit refused, and when to come again."""
    fault = faults.BUDGET_EXCEEDED if refused.code == faults.BUDGET_EXCEEDED.code else faults.RATE_LIMITED
    limit = next((each for each in limits if each.id == refused.limit), None)
    wait_s = None if refused.valid_s is None else max(1, ceil(refused.valid_s))
    message = fault.message if limit is None else _words(limit)
    if wait_s is not None:
        message = f"{message} Try again in {wait_s} s."
    return fault.saying(message, retry_after_s=wait_s)


def _words(limit: Limit) -> str:
    whom = _WHOM[limit.scope]
    if limit.scope == "channel":
        return f"{whom} is at its limit."
    if limit.window == "":
        return f"{whom} may make {limit.amount} calls at once."
    many = f"${limit.amount / 1e9:.2f}" if limit.unit == MONEY else f"{limit.amount} {UNITS[limit.unit]}s"
    return (
        f"{whom} may use {many} {_WINDOWS.get(limit.window) or f'per {limit.window}'}, which does not cover this call."
    )


def _say_openai(what: str, amount: int, left: int, reset_s: float, _wall_ms: int) -> bytes:
    return (
        f"x-ratelimit-limit-{what}: {amount}\r\nx-ratelimit-remaining-{what}: {left}\r\n"
        f"x-ratelimit-reset-{what}: {duration(reset_s)}\r\n"
    ).encode()


def _say_anthropic(what: str, amount: int, left: int, reset_s: float, wall_ms: int) -> bytes:
    at = datetime.fromtimestamp(wall_ms // _MS + ceil(reset_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"anthropic-ratelimit-{what}-limit: {amount}\r\nanthropic-ratelimit-{what}-remaining: {left}\r\n"
        f"anthropic-ratelimit-{what}-reset: {at}\r\n"
    ).encode()


def duration(seconds: float) -> str:
    """As OpenAI writes one: `120ms`, `7.66s`, `6m0s`."""
    ms = ceil(seconds * _MS)
    if ms < _MS:
        return f"{ms}ms"
    minutes, rest_ms = divmod(ms, _MINUTE_S * _MS)
    rest = f"{rest_ms / _MS:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
