"""What one attempt's end means: whether another candidate may be tried, who is to blame, what the client is told."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.faults import Fault, FaultType
from yescale.protocols.passthrough import UpstreamError, scrub
from yescale.providers.provider import Blame
from yescale.tuning import RelaySettings
from yescale.wire.client import Attempt, Deadlines, Failure


class Verdict(Struct, frozen=True, kw_only=True):
    """The meaning of a failed attempt."""

    fault: Fault  # for the client, when no candidate is left
    retry: bool = False
    again: bool = False  # the same channel may be tried once more when no other is left
    counts: bool = False  # against the channel
    rest_secret: bool = False
    spares: bool = False  # the channel: its fault is one secret's alone, and another may be tried
    own: bool = False  # the client's own mistake: it gets the upstream's status and body


_BROKEN: Final = Verdict(fault=faults.UPSTREAM_ERROR, retry=True, again=True, counts=True)
_SLOW: Final = Verdict(fault=faults.UPSTREAM_TIMEOUT, retry=True, counts=True)
_TOO_LATE: Final = Verdict(fault=faults.UPSTREAM_TIMEOUT, counts=True)  # it may be working on it: not asked twice
_OUR_ACCOUNT: Final = Verdict(fault=faults.UPSTREAM_ERROR, retry=True, rest_secret=True, spares=True)
_BUSY: Final = Verdict(fault=faults.UPSTREAM_BUSY, retry=True, spares=True)
_OWN: Final = Verdict(fault=faults.MALFORMED, own=True)
GARBAGE: Final = Verdict(
    fault=faults.UPSTREAM_ERROR.saying("The provider's answer could not be read; try again."), retry=True, counts=True
)

FIRST: Final = Verdict(fault=faults.NO_CHANNEL, retry=True)  # before any attempt
FULL: Final = Verdict(  # the channel's limit is used up, or not known yet
    fault=faults.RATE_LIMITED.saying("Every channel for this model is at its limit.", retry_after_s=1),
    retry=True,
    again=True,
)
UNUSABLE: Final = Verdict(fault=faults.NO_CHANNEL, retry=True)  # the channel's own settings are wrong
TIMEOUTS: Final = frozenset(
    {Failure.SEND_TIMEOUT, Failure.FIRST_BYTE_TIMEOUT, Failure.IDLE_TIMEOUT, Failure.TOTAL_TIMEOUT}
)

_STATUSES: Final[Mapping[int, Verdict]] = MappingProxyType(
    {
        401: _OUR_ACCOUNT,
        402: _OUR_ACCOUNT,
        403: _OUR_ACCOUNT,
        407: _BROKEN,
        408: _SLOW,
        421: _BROKEN,
        425: _BROKEN,
        429: _BUSY,
        504: _SLOW,
        522: _SLOW,
        524: _SLOW,
    }
)
_BLAMED: Final[Mapping[str, Verdict]] = MappingProxyType(
    {"account": _OUR_ACCOUNT, "busy": _BUSY, "caller": _OWN, "provider": _BROKEN}
)
_FAILURES: Final[Mapping[Failure, Verdict]] = MappingProxyType(
    {
        Failure.CONNECT_TIMEOUT: _SLOW,
        Failure.SEND_TIMEOUT: _SLOW,
        Failure.FIRST_BYTE_TIMEOUT: _TOO_LATE,
        Failure.IDLE_TIMEOUT: _TOO_LATE,
        Failure.TOTAL_TIMEOUT: _TOO_LATE,
        Failure.EXHAUSTED: Verdict(fault=faults.NO_CHANNEL, retry=True),
        Failure.GARBAGE: GARBAGE,
    }
)
NEGLIGIBLE_S: Final = 1.0  # a first attempt takes the deadlines as they are
_SUCCESSES: Final = range(200, 300)
_CLIENT_ERRORS: Final = range(400, 500)

# What a client's own mistake is called, where its body cannot be passed on.
_TYPES: Final[Mapping[int, FaultType]] = MappingProxyType({404: "not_found_error"})


def judge_failure(failure: Failure) -> Verdict:
    """An attempt that got no whole answer."""
    return _FAILURES.get(failure, _BROKEN)


def cut_fault(failure: Failure) -> Fault:
    """What a client is told whose answer was broken off."""
    return faults.UPSTREAM_TIMEOUT if failure in TIMEOUTS else faults.UPSTREAM_CUT


def event_fault(error: UpstreamError, secrets: tuple[str, ...]) -> Fault:
    """An error that came as an event, in our words around the upstream's."""
    message = scrub(error.message.encode(), secrets).decode(errors="replace")
    return faults.UPSTREAM_CUT.saying(message) if message else faults.UPSTREAM_CUT


def broken(fault: Fault) -> Verdict:
    """A stream that ended badly before any content went out."""
    return replace(_BROKEN, fault=fault)


def with_wait(verdict: Verdict, wait: int | None) -> Verdict:
    """The same, with the time that a busy upstream asked for."""
    if verdict.fault is not faults.UPSTREAM_BUSY:
        return verdict
    return replace(verdict, fault=faults.UPSTREAM_BUSY.saying(verdict.fault.message, retry_after_s=wait or 1))


def deadlines(settings: RelaySettings, spent_s: float, most_s: float = 0.0) -> Deadlines:
    """Of one attempt: all attempts of a call together take `total_s` at most, this one `most_s` where that is said."""
    left = settings.total_s - spent_s
    if most_s and most_s < min(left, settings.deadlines.total_s):
        return replace(settings.deadlines, total_s=most_s)
    if spent_s < NEGLIGIBLE_S or left >= settings.deadlines.total_s:
        return settings.deadlines
    return replace(settings.deadlines, total_s=max(1.0, left))


def is_stream(attempt: Attempt, expected: bytes) -> bool:
    """Whether an answer is a stream of this content type that can be read as it passes."""
    kind = attempt.header(b"content-type")
    if kind is None or kind[: len(expected)].lower() != expected:
        return False
    return attempt.header(b"content-encoding") in (None, b"identity")


def judge_answer(status: int, error: UpstreamError, blame: tuple[Blame, ...] = ()) -> Verdict:
    """An attempt that was answered with an error, some with a status of success. `blame`: what the provider means by
    its errors. OpenAI says 429 `insufficient_quota` where our account is empty:
    https://platform.openai.com/docs/guides/error-codes
    """
    who = next((row.who for row in blame if row.fits(status, error)), None)
    if who is not None:
        return _BLAMED[who]
    if status in _SUCCESSES:
        return GARBAGE
    if status == faults.UPSTREAM_BUSY.status and "insufficient_quota" in (error.code, error.type):
        return _OUR_ACCOUNT
    known = _STATUSES.get(status)
    if known is not None:
        return known
    if status in _CLIENT_ERRORS:
        return _OWN
    return _BROKEN


def own_fault(status: int, error: UpstreamError) -> Fault:
    """A client's mistake that the upstream found, in our words around its own."""
    return Fault(
        status=status,
        type=_TYPES.get(status, "invalid_request_error"),
        code=error.code or "invalid_request",
        message=error.message or f"The provider refused this request with status {status}.",
        blame="caller",
        param=error.param,
    )


def retry_after(value: bytes | None) -> int | None:
    """The seconds of a Retry-After header; dates are not read."""
    if value is None:
        return None
    text = value.strip()
    whole = text.partition(b".")[0]
    return int(whole) + (whole != text) if whole.isdigit() and len(whole) <= len("999999") else None
