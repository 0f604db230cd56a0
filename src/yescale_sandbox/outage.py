"""Scenarios that never reach the model: statuses, broken bodies, broken connections."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import TypeAlias

from msgspec import Struct

from yescale_sandbox.exchange import JSON, Answer, Cut, Hang, Headers, Reset, Send, Step, head, joined, whole
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


class Failures(Struct, frozen=True):
    """A provider's way to fail: its answer to each scenario, and its error body around any words."""

    by_name: Mapping[str, Failure]
    worded: Callable[[str], bytes]


GARBAGE = b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n\x00\xff\xfe"
HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body></body></html>"


def instead(call: Call, failures: Failures) -> Answer | None:
    """The answer of the first scenario that keeps the call from the model; None if none does."""
    for name in call.script.chosen:
        if name in failures.by_name:
            return refusal(failures.by_name[name], call)
        if name == "echo-secret":
            return refusal(_echo_secret(call, failures), call)
        wire = _ON_THE_WIRE.get(name)
        if wire is not None:
            return wire(call)
    if call.earlier < call.script.number("flaky"):
        return refusal(failures.by_name["500"], call)
    return None


def refusal(failure: Failure, call: Call) -> Answer:
    start, body = whole(failure.status, JSON, failure.body, (*failure.headers, *call.headers))
    return Answer(failure.status, joined(start, body), "failed")


def _echo_secret(call: Call, failures: Failures) -> Failure:
    return Failure(400, failures.worded(f"This request was made with the key {call.key} and is refused."))


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
