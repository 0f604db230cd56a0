"""Scenarios that never reach the model: statuses, broken bodies, broken connections."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import TypeAlias

from msgspec import Struct

from yescale_sandbox.exchange import JSON, Answer, Cut, Hang, Headers, Reset, Send, Step, head, joined, whole
from yescale_sandbox.openai.refusal import error_body
from yescale_sandbox.scenario import Script


class Call(Struct, frozen=True):
    """What a failure may mention: model and key as sent, how often this prompt came before, common headers."""

    model: str
    key: str
    script: Script
    earlier: int
    headers: Headers


class Failure(Struct, frozen=True):
    """A status with its body."""

    status: int
    body: bytes
    headers: Headers = ()


GARBAGE = b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n\x00\xff\xfe"
HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body></body></html>"

_SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
)
_QUOTA_LINK = "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
_RATE = (
    "Rate limit reached for gpt-4o in organization org-sandbox on tokens per min (TPM): Limit 30000, Used 29500, "
    "Requested 1000. Please try again in 1s. Visit https://platform.openai.com/account/rate-limits to learn more."
)
_RETRY: Headers = (("retry-after", "1"), ("retry-after-ms", "1000"))

FAILURES: Mapping[str, Failure] = {
    "400": Failure(400, error_body("Invalid request: this model answers every call so.")),
    "401": Failure(
        401,
        error_body(
            "Incorrect API key provided: sk-sandb************************dbox. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
        ),
    ),
    "402": Failure(
        402,
        error_body(
            "You have no credits remaining. Add credits to continue using the API.",
            type_="insufficient_quota",
            code="credit_balance_exhausted",
        ),
    ),
    "403": Failure(
        403,
        error_body(
            "Country, region, or territory not supported",
            type_="request_forbidden",
            code="unsupported_country_region_territory",
        ),
    ),
    "404": Failure(
        404, error_body("The model does not exist or you do not have access to it.", code="model_not_found")
    ),
    "429": Failure(429, error_body(_RATE, type_="tokens", code="rate_limit_exceeded"), _RETRY),
    "quota": Failure(429, error_body(_QUOTA + _QUOTA_LINK, type_="insufficient_quota", code="insufficient_quota")),
    "500": Failure(500, error_body(_SERVER_ERROR, type_="server_error")),
    "502": Failure(502, error_body("Bad gateway.", type_="cf_bad_gateway", code=502)),
    "503": Failure(503, error_body("The engine is currently overloaded, please try again later", type_="server_error")),
    "529": Failure(529, error_body("Overloaded", type_="overloaded_error")),
    "redirect": Failure(307, b"", (("location", "/openai/v1/elsewhere"),)),
}


def instead(call: Call) -> Answer | None:
    """The answer of the first scenario that keeps the call from the model; None if none does."""
    for name in call.script.chosen:
        if name in FAILURES:
            return refusal(FAILURES[name], call)
        wire = _ON_THE_WIRE.get(name)
        if wire is not None:
            return wire(call)
    if call.earlier < call.script.number("flaky"):
        return refusal(FAILURES["500"], call)
    return None


def refusal(failure: Failure, call: Call) -> Answer:
    start, body = whole(failure.status, JSON, failure.body, (*failure.headers, *call.headers))
    return Answer(failure.status, joined(start, body), "failed")


def _echo_secret(call: Call) -> Answer:
    body = error_body(f"This request was made with the key {call.key} and is refused.")
    return refusal(Failure(400, body), call)


def _stall_head(_: Call) -> Answer:
    return Answer(0, iter([Hang()]), "cut")


def _reset(_: Call) -> Answer:
    return Answer(0, iter([Reset()]), "cut")


def _garbage(_: Call) -> Answer:
    return Answer(0, iter([Send(GARBAGE), Cut()]), "failed")


def _html(call: Call) -> Answer:
    start, body = whole(HTTPStatus.OK, "text/html; charset=UTF-8", HTML, call.headers)
    return Answer(HTTPStatus.OK, joined(start, body), "failed")


_Play: TypeAlias = Callable[[Call], Answer]
_ON_THE_WIRE: Mapping[str, _Play] = {
    "echo-secret": _echo_secret,
    "stall-head": _stall_head,
    "reset": _reset,
    "garbage": _garbage,
    "html": _html,
}


def spoiled(body: bytes, script: Script, headers: Headers) -> tuple[str, Iterator[Step]]:
    """A whole body played with the scenarios that break it: outcome and steps."""
    if "badjson" in script:
        start, sends = whole(HTTPStatus.OK, JSON, body[: len(body) // 2], headers)
        return "failed", joined(start, sends)
    half = Send(body[: len(body) // 2])
    lines = (("content-type", JSON), ("content-length", str(len(body))), *headers)
    start = head(HTTPStatus.OK, lines)
    if "stall" in script:
        return "cut", iter([*joined(start, iter([half])), Hang()])
    return "cut", iter([*joined(start, iter([half])), Cut()])
