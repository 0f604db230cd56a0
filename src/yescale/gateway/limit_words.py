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
from yescale.domain.limits import MINUTE_S, MONEY, REQUESTS, TOKENS, UNITS, Limit
from yescale.domain.link import Refused
from yescale.domain.money import write_dollars
from yescale.gateway.rates import Meter
from yescale.protocols import anthropic_messages
from yescale.protocols.passthrough import Format

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
_MINUTE_MS: Final = MINUTE_S * _MS
_MUCH: Final = 1 << 62
_OPENAI: Final = b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n"
_CLAUDE: Final = (
    b"anthropic-ratelimit-%b-limit: %d\r\nanthropic-ratelimit-%b-remaining: %d\r\nanthropic-ratelimit-%b-reset: %b\r\n"
)


def lines(meters: Iterable[Meter], form: Format, now: float, wall_ms: int) -> bytes:
    """The header lines: of requests and of tokens, whichever limit leaves the least."""
    requests = tokens = _MUCH
    of_requests: Meter | None = None
    of_tokens: Meter | None = None
    for meter in meters:
        if not meter.shown:
            continue
        left = meter.remaining(now)
        if meter.unit == TOKENS and left < tokens:
            tokens, of_tokens = left, meter
        elif meter.unit == REQUESTS and left < requests:
            requests, of_requests = left, meter
    say = _say_anthropic if form.id in _ANTHROPIC else _say_openai
    told = b"" if of_requests is None else say(b"requests", of_requests.amount, requests, wall_ms)
    return told if of_tokens is None else told + say(b"tokens", of_tokens.amount, tokens, wall_ms)


def explain(refused: Refused, limits: Iterable[Limit]) -> Fault:
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
    many = write_dollars(limit.amount) if limit.unit == MONEY else f"{limit.amount} {UNITS[limit.unit]}s"
    return (
        f"{whom} may use {many} {_WINDOWS.get(limit.window) or f'per {limit.window}'}, which does not cover this call."
    )


def _say_openai(what: bytes, amount: int, left: int, _wall_ms: int) -> bytes:
    ms = -(-(amount - left) * _MINUTE_MS // amount) if amount else _MINUTE_MS
    return _OPENAI % (what, amount, what, left, what, b"%dms" % ms if ms < _MS else duration(ms))


def _say_anthropic(what: bytes, amount: int, left: int, wall_ms: int) -> bytes:
    ms = -(-(amount - left) * _MINUTE_MS // amount) if amount else _MINUTE_MS
    at = datetime.fromtimestamp(-(-(wall_ms + ms) // _MS), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _CLAUDE % (what, amount, what, left, what, at.encode())


def duration(ms: int) -> bytes:
    """As OpenAI writes one: `120ms`, `7.66s`, `6m0s`."""
    if ms < _MS:
        return b"%dms" % ms
    minutes, rest_ms = divmod(ms, _MINUTE_MS)
    seconds, rest_ms = divmod(rest_ms, _MS)
    rest = (b".%03d" % rest_ms).rstrip(b"0") if rest_ms else b""
    return b"%dm%d%bs" % (minutes, seconds, rest) if minutes else b"%d%bs" % (seconds, rest)
