"""The door of Realtime: the handshake, the key, the model."""

import hashlib
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs

import msgspec

from yescale_sandbox import scenario, websocket
from yescale_sandbox.exchange import Answer, Cut, Headers, Request, Send, Step, Switch, head
from yescale_sandbox.openai.call import Asked, Stage, delayed
from yescale_sandbox.openai.realtime.dialect import BETA, GENERAL, encoded
from yescale_sandbox.openai.realtime.session import Session
from yescale_sandbox.openai.refusal import RefusedError

KEY_PROTOCOL = "openai-insecure-api-key."
NO_MODEL = 4000
# https://platform.openai.com/docs/models
MODELS: Mapping[str, str] = {
    "gpt-realtime": "gpt-realtime-2025-08-28",
    "gpt-realtime-mini": "gpt-realtime-mini-2025-10-06",
    "gpt-4o-realtime-preview": "gpt-4o-realtime-preview-2025-06-03",
    "gpt-4o-mini-realtime-preview": "gpt-4o-mini-realtime-preview-2024-12-17",
}


def protocols(request: Request) -> list[str]:
    """The subprotocols that a client offers."""
    return [name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",") if name.strip()]


def with_key(request: Request) -> Request:
    """The request with the key in its header, where a browser put it among the subprotocols."""
    keys = [name.removeprefix(KEY_PROTOCOL) for name in protocols(request) if name.startswith(KEY_PROTOCOL)]
    if not keys or "authorization" in request.headers:
        return request
    return msgspec.structs.replace(request, headers={**request.headers, "authorization": f"Bearer {keys[0]}"})


def answer(request: Request, key: str, headers: Headers, stage: Stage) -> Answer:
    """Open a session.

    Raises: RefusedError.
    """
    token = websocket.accepted(request.headers)
    if token is None:
        lines: Headers = (("upgrade", "websocket"), ("sec-websocket-version", "13"))
        raise RefusedError("This path speaks WebSocket alone.", status=426, headers=lines)
    named = parse_qs(request.query.replace("+", "%2B")).get("model", [""])[-1]
    chosen: Headers = (("sec-websocket-protocol", "realtime"),) if "realtime" in protocols(request) else ()
    lines = (("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", token), *chosen, *headers)
    start = head(101, lines)
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        base, script = named, scenario.Script()
    if base not in MODELS and base not in MODELS.values():
        return Answer(101, _no_model(start, named), "refused", model=base)
    stopped = stage.stopped(Asked(request, {}, key, named, base, script, headers), "")
    if stopped is not None:
        return msgspec.structs.replace(stopped, model=base, scenario=script.suffix)
    beta = "realtime=v1" in request.headers.get("openai-beta", "") or "openai-beta.realtime-v1" in protocols(request)
    session = Session(BETA if beta else GENERAL, MODELS.get(base, base), script, f"{key}/{token}")
    steps = delayed(_opened(start, session), script)
    return Answer(101, steps, "served", model=base, scenario=script.suffix)


def _opened(start: bytes, session: Session) -> Iterator[Step]:
    yield Send(start)
    yield Switch(session)
    yield from session.opening()


def _no_model(start: bytes, named: str) -> Iterator[Step]:
    """The connection is opened, told what is wrong, and closed (github.com/openai/openai-python/issues/2195)."""
    digest = hashlib.sha256(named.encode()).hexdigest()[:20]
    error = {
        "type": "invalid_request_error",
        "code": "invalid_model",
        "message": f'Model "{named[:80]}" is not supported in realtime mode.',
        "param": None,
        "event_id": None,
    }
    event = encoded({"type": "error", "event_id": f"event_{digest}", "error": {**error}})
    yield Send(start + websocket.text(event), 1)
    yield Send(websocket.close(NO_MODEL, "invalid_request_error.invalid_model"))
    yield Cut()
