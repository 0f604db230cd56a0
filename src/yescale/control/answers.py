"""What every HTTP answer of control has in common: request ids, the error envelopes, and refusals as values.

`/yescale/*` speaks {"success", "message", "data"}; every other path speaks OpenAI's {"error": {...}}.
"""

import logging
import re
import secrets
import string
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yescale.domain.faults import INTERNAL, MALFORMED, NOT_IMPLEMENTED, UNAVAILABLE, UNKNOWN_PATH, WRONG_METHOD, Fault
from yescale.store.database import DatabaseAway

_LOG: Final = logging.getLogger(__name__)
_SYSTEM: Final = "/yescale/"
_REQUEST_ID: Final = re.compile(r"\d{23}[0-9A-Za-z]{8}")
# OpenAI's paths that no provider is asked at: that they are known, but not here, is another answer than a wrong path.
_NOT_HERE: Final = re.compile(r"/v1/(?:images/variations|(?:files|batches|fine_tuning|fine-tunes)(?:/.*)?)")
_LETTERS: Final = string.ascii_letters + string.digits
_HEADERS: Final = (b"x-request-id", b"x-oneapi-request-id")


class Refusal(Exception):
    """A request of the System API is refused: the status and the sentence that the client sees."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after_s = status, message, retry_after_s


class FaultRaised(Exception):
    """A request of an OpenAI-shaped path is refused."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def mint_request_id(now: datetime) -> str:
    """23 digits of local time and 8 letters and digits."""
    digits = now.strftime("%Y%m%d%H%M%S%f").ljust(23, "0")
    return digits + "".join(secrets.choice(_LETTERS) for _ in range(8))


class RequestIds:
    """Gives every request its id: the worker's, which came first, or a new one; and says it in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else mint_request_id(datetime.now().astimezone())
        scope.setdefault("state", {})["request_id"] = request_id
        value = request_id.encode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in _HEADERS]
                message["headers"] = [*kept, *((name, value) for name in _HEADERS)]
            await send(message)

        await self._app(scope, receive, send_with_id)


def fault_answer(request: Request, fault: Fault, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A fault in the shape of OpenAI's API."""
    message = f"{fault.message} (request id: {request.state.request_id})"
    error = {"message": message, "type": fault.type, "param": fault.param, "code": fault.code, **fault.details}
    return JSONResponse({"error": error}, fault.status, {**_retry(fault.retry_after_s), **(headers or {})})


def refusal_answer(status: int, message: str, retry_after_s: int | None = None) -> JSONResponse:
    """A refusal in the shape of the System API."""
    return JSONResponse({"success": False, "message": message}, status, _retry(retry_after_s))


def _retry(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _is_system(request: Request) -> bool:
    # The raw path of the request, never `request.url`: that one is made from the Host header, which the client writes.
    path: str = request.scope["path"]
    return path.startswith(_SYSTEM)


async def answer_refusal(_request: Request, refusal: Refusal) -> JSONResponse:
    """Refusal → the System API's envelope."""
    return refusal_answer(refusal.status, refusal.message, refusal.retry_after_s)


async def answer_fault(request: Request, raised: FaultRaised) -> JSONResponse:
    """FaultRaised → OpenAI's envelope."""
    return fault_answer(request, raised.fault)


async def answer_away(request: Request, error: DatabaseAway) -> JSONResponse:
    """The database is away: 503 with Retry-After, never 401 and never 404."""
    _LOG.warning("%s %s waits for the database: %s", request.method, request.scope["path"], error)
    if _is_system(request):
        return refusal_answer(UNAVAILABLE.status, UNAVAILABLE.message, UNAVAILABLE.retry_after_s)
    return fault_answer(request, UNAVAILABLE)


async def answer_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """A parameter that does not fit: 400, naming it."""
    first: dict[str, Any] = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "body"
    message = f"{place}: {first['msg']}"
    if _is_system(request):
        return refusal_answer(400, message)
    return fault_answer(request, MALFORMED.saying(message, param=place))


async def answer_http(request: Request, error: HTTPException) -> JSONResponse:
    """Unknown paths, known ones that are not served, and wrong methods."""
    if error.status_code == UNKNOWN_PATH.status:
        path: str = request.scope["path"]
        if _NOT_HERE.fullmatch(path):
            return fault_answer(request, NOT_IMPLEMENTED)
        return fault_answer(request, UNKNOWN_PATH.saying(f"Invalid URL ({request.method} {path})"))
    if error.status_code == WRONG_METHOD.status:
        return fault_answer(request, WRONG_METHOD, error.headers)
    return fault_answer(request, MALFORMED.saying(error.detail or MALFORMED.message))


async def answer_failure(request: Request, error: Exception) -> JSONResponse:
    """What no one foresaw: the sentence says nothing of the inside, the log says all."""
    _LOG.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    if _is_system(request):
        return refusal_answer(INTERNAL.status, INTERNAL.message)
    return fault_answer(request, INTERNAL)


ANSWERS: Final[dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    Refusal: answer_refusal,
    FaultRaised: answer_fault,
    DatabaseAway: answer_away,
    RequestValidationError: answer_invalid,
    HTTPException: answer_http,
    Exception: answer_failure,
}
