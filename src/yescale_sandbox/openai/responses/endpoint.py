"""The routes of responses: create one, or read, cancel and delete one that was stored."""

import re
from urllib.parse import parse_qs

import msgspec

from yescale_sandbox import playback
from yescale_sandbox.exchange import Answer, Headers, Request
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai import catalogue, refusal
from yescale_sandbox.openai.call import Asked, Stage, good, json_answer, only
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.openai.responses import answer, request, rules, writing
from yescale_sandbox.openai.responses.answer import Outcome
from yescale_sandbox.openai.responses.request import Asking
from yescale_sandbox.openai.responses.shelf import Kept, Shelf
from yescale_sandbox.openai.shapes import Choice
from yescale_sandbox.playback import Framing
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed, digest_of

POLLS = 1  # how often a response in the background is still under way
MOST_LISTED, LISTED = 100, 20


class Responses:
    """Answers requests for responses, and keeps them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._shelf = Shelf()

    def create(self, asked: Asked) -> Answer:
        model = catalogue.chat_model(asked.base)
        if model is None or model.hears:
            raise refusal.no_such_model(asked.named)
        asking = rules.checked(asked.body, model, self._shelf, asked.key)
        stopped = self._stage.stopped(asked, digest_of([*asking.raw_items]))
        if stopped is not None:
            return stopped
        outcome = answer.compose(asking, asked.request.body, model, asked.script)
        reported = claimed(outcome.usage, asked.script)
        self._keep(asked.key, asking, writing.response_object(outcome, asking, reported))
        if asking.request.stream:
            events = writing.events(outcome, asking, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, _framing(asked.script))
        else:
            body = msgspec.json.encode(_first_answer(outcome, asking, asked.script))
            played = playback.body_steps(body, asked.script, asked.headers)
        if outcome.status == "failed":
            played = msgspec.structs.replace(played, outcome="failed")
        return good(asked.script, played, outcome.usage, reported)

    def stored(self, request: Request, path: str, key: str, headers: Headers) -> Answer:
        """A request below the route: about one response, its input, or to cancel it."""
        response_id, _, what = path.partition("/")
        kept = self._shelf.get(key, response_id)
        if kept is None:
            raise RefusedError(f"Response with id '{response_id[:80]}' not found.", status=404)
        if what == "input_items":
            only("GET", request)
            return json_answer(_page(kept.given, request), headers)
        if what == "cancel":
            only("POST", request)
            return json_answer(_cancelled(kept), headers)
        if request.method == "DELETE" and not what:
            self._shelf.drop(key, response_id)
            return json_answer({"id": response_id, "object": "response", "deleted": True}, headers)
        if request.method == "GET" and not what:
            return json_answer(_polled(kept), headers)
        raise RefusedError(f"Invalid URL ({request.method} {request.path.removeprefix('/openai')})", status=404)

    def _keep(self, key: str, asking: Asking, response: JsonObject) -> None:
        if not asking.request.stored:
            return
        given = [
            _with_id(item, f"{response['id']}/{place}") for place, item in enumerate(request.input_items(asking.body))
        ]
        waiting = POLLS if asking.request.background else 0
        self._shelf.put(key, Kept(response, given, asking.raw_items, waiting=waiting))


def _framing(script: Script) -> Framing:
    """No mark ends the stream. An error has the number of the event in whose place it comes."""
    error: JsonObject = {"type": "error", **writing.FAILURE, "param": None, "sequence_number": script.number("error")}
    return Framing(b"", b"event: error\ndata: " + msgspec.json.encode(error) + b"\n\n")


def _first_answer(outcome: Outcome, asking: Asking, script: Script) -> JsonObject:
    """The response; of one in the background, that it waits."""
    status = "queued" if asking.request.background else ""
    return writing.response_object(outcome, asking, claimed(outcome.usage, script), status)


def _polled(kept: Kept) -> JsonObject:
    if kept.waiting == 0:
        return kept.response
    kept.waiting -= 1
    return _under_way(kept, "in_progress")


def _under_way(kept: Kept, status: str) -> JsonObject:
    return kept.response | {"status": status, "output": [], "usage": None, "completed_at": None}


def _cancelled(kept: Kept) -> JsonObject:
    if kept.response["background"] is not True:
        # https://github.com/openai/openai-java/issues/491
        raise RefusedError("Cannot cancel a synchronous response.")
    if kept.waiting == 0 and kept.response["status"] != "cancelled":
        raise RefusedError("Cannot cancel a completed response.")
    kept.waiting = 0
    kept.response = _under_way(kept, "cancelled")
    return kept.response


def _with_id(item: Json, seed: str) -> Json:
    """The item as it is listed: with an id, and its content as parts."""
    if not isinstance(item, dict):
        return item
    kind = str(item.get("type") or "message")
    content = item.get("content")
    listed: JsonObject = {"type": kind, "id": f"{kind[:3]}_{digest_of(seed)}", **item}
    if isinstance(content, str):
        part = "output_text" if item.get("role") == "assistant" else "input_text"
        listed["content"] = [{"type": part, "text": content}]
    return listed


def _page(given: list[Json], request: Request) -> JsonObject:
    """openapi.json, `ResponseItemList`: the latest first unless asked otherwise."""
    asked = {name: values[-1] for name, values in parse_qs(request.query).items()}
    order, limit, after = asked.get("order", "desc"), asked.get("limit", str(LISTED)), asked.get("after")
    Choice(("asc", "desc")).check(order, "order")
    if not re.fullmatch("[0-9]{1,3}", limit) or not 1 <= int(limit) <= MOST_LISTED:
        raise RefusedError(
            f"Invalid 'limit': integer out of range. Expected a value between 1 and {MOST_LISTED}.",
            param="limit",
            code="integer_out_of_range",
        )
    rows = [item for item in (given if order == "asc" else reversed(given)) if isinstance(item, dict)]
    if after is not None:
        places = [place for place, item in enumerate(rows) if item["id"] == after]
        rows = rows[places[0] + 1 :] if places else []
    page: list[Json] = [*rows[: int(limit)]]
    ids = [item["id"] for item in rows[: int(limit)]] or [None]
    return {
        "object": "list",
        "data": page,
        "first_id": ids[0],
        "last_id": ids[-1],
        "has_more": len(rows) > len(page),
    }
