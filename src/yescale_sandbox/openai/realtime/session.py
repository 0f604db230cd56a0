"""One session: what the client sends changes it, and is answered with events."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping

import msgspec

from yescale_sandbox import websocket
from yescale_sandbox.exchange import Cut, Hang, Pause, Send, Step, Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.audio import RATE
from yescale_sandbox.openai.realtime import dialect as dialects
from yescale_sandbox.openai.realtime import shape, speaking
from yescale_sandbox.openai.realtime.dialect import Dialect
from yescale_sandbox.openai.realtime.speaking import Settled, Spoken
from yescale_sandbox.openai.refusal import RefusedError, missing
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed

MOST_ITEMS = 1_000
MOST_AUDIO_BYTES = 15_728_640
LEAST_AUDIO_MS = 100
STALL_AFTER = 2
MS_PER_S = 1000
FAILED: JsonObject = {"type": "failed", "error": {"type": "server_error", "code": "server_error"}}


class Session:
    """The server's side of a conversation. Events of an answer come as the connection takes them."""

    def __init__(self, dialect: Dialect, model: str, script: Script, seed: str) -> None:
        self._dialect = dialect
        self._script = script
        self._seed = hashlib.sha256(seed.encode()).hexdigest()[:20]
        self._settings = dialects.new_session(dialect, model, f"sess_{self._seed}")
        self._shape = shape.client_events(beta=dialect.beta)
        self._items: dict[str, JsonObject] = {}
        self._audio = bytearray()
        self._numbers = {"event": 0, "item": 0, "response": 0}
        self._active: str | None = None
        self._cancelled = False
        self._sent = 0
        self._owed: Tokens | None = None
        self._verbs: Mapping[str, Callable[[JsonObject], Iterator[JsonObject]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    def opening(self) -> Iterator[Step]:
        """What the server says first."""
        events: list[JsonObject] = [{"type": "session.created", "session": self._settings}]
        if self._dialect.beta:
            conversation: JsonObject = {"id": f"conv_{self._seed}", "object": "realtime.conversation"}
            events.append({"type": "conversation.created", "conversation": conversation})
        return self._steps(iter(events))

    def received(self, message: bytes) -> Iterator[Step]:
        """The answer to a message. What can be refused is refused at once."""
        event_id: Json = None
        try:
            event: Json = _decoded(message)
            event_id = event.get("event_id")
            self._shape.check(event, "event")
            events = self._verbs[str(event["type"])](event)
        except RefusedError as refused:
            events = _one(_error(refused, event_id))
        return self._steps(events)

    def _steps(self, events: Iterator[JsonObject]) -> Iterator[Step]:
        """Events as frames, with what the scenario does to them."""
        pause = Pause(self._script.number("slow") / MS_PER_S)
        for place, event in enumerate(events):
            if pause.seconds and place:
                yield pause
            if "stall" in self._script and self._active is not None and place == STALL_AFTER:
                yield Hang()
            yield self._send(event)
            if "cut" in self._script and self._sent >= self._script.number("cut", 3):
                yield Cut()

    def _send(self, event: JsonObject) -> Send:
        """An event as a frame. With the end of a response goes what it cost."""
        self._sent += 1
        counted, self._owed = self._owed, None
        reported = claimed(counted, self._script) if counted is not None else None
        frame = websocket.text(dialects.encoded({"event_id": self._id("event"), **event}))
        return Send(frame, 1, tokens=counted, reported=reported)

    def _id(self, what: str) -> str:
        self._numbers[what] += 1
        return f"{what[:5]}_{self._seed}{self._numbers[what]:06d}"

    def _update(self, event: JsonObject) -> Iterator[JsonObject]:
        change = event["session"]
        if isinstance(change, dict) and change.get("model") not in (None, self._settings["model"]):
            raise RefusedError("Cannot update a session's model.", param="session.model", code="invalid_value")
        merged = dialects.merged(self._settings, change)
        self._settings = merged if isinstance(merged, dict) else self._settings
        return _one({"type": "session.updated", "session": self._settings})

    def _append(self, event: JsonObject) -> Iterator[JsonObject]:
        self._audio += _sound(event["audio"], "audio")
        if len(self._audio) > MOST_AUDIO_BYTES:
            self._audio.clear()
            raise RefusedError("The audio buffer is full.", param="audio", code="input_audio_buffer_full")
        return iter(())

    def _commit(self, event: JsonObject) -> Iterator[JsonObject]:
        held_ms = len(self._audio) * MS_PER_S / (2 * RATE)
        if held_ms < LEAST_AUDIO_MS:
            # https://github.com/openai/openai-realtime-api-beta/issues/30
            raise RefusedError(
                f"Error committing input audio buffer: buffer too small. Expected at least {LEAST_AUDIO_MS}ms of "
                f"audio, but buffer only has {held_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        part: JsonObject = {"type": "input_audio", "audio": base64.b64encode(self._audio).decode(), "transcript": None}
        self._audio.clear()
        previous = self._last()
        item = self._added({"type": "message", "role": "user", "content": [part]})
        committed: JsonObject = {"type": "input_audio_buffer.committed", "previous_item_id": previous}
        return iter([{**committed, "item_id": item["id"]}, *self._told(item, previous)])

    def _clear(self, event: JsonObject) -> Iterator[JsonObject]:
        self._audio.clear()
        return _one({"type": "input_audio_buffer.cleared"})

    def _create_item(self, event: JsonObject) -> Iterator[JsonObject]:
        given = event["item"]
        after = event.get("previous_item_id")
        if after is not None and after != "root" and after not in self._items:
            raise _no_item(str(after), "previous_item_id")
        for part in speaking.parts(given) if isinstance(given, dict) else []:
            if part["type"] == "input_audio":
                _sound(part["audio"], "item.content.audio")
        previous = self._last() if after is None else str(after)
        return iter(self._told(self._added(given if isinstance(given, dict) else {}, after), previous))

    def _retrieve(self, event: JsonObject) -> Iterator[JsonObject]:
        return _one({"type": "conversation.item.retrieved", "item": self._held(event)})

    def _truncate(self, event: JsonObject) -> Iterator[JsonObject]:
        self._held(event)
        about: JsonObject = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        return _one({"type": "conversation.item.truncated", **about})

    def _delete(self, event: JsonObject) -> Iterator[JsonObject]:
        self._held(event)
        del self._items[str(event["item_id"])]
        return _one({"type": "conversation.item.deleted", "item_id": event["item_id"]})

    def _cancel(self, event: JsonObject) -> Iterator[JsonObject]:
        if self._active is None:
            raise RefusedError("Cancellation failed: no active response found", code="response_cancel_not_active")
        self._cancelled = True
        return iter(())

    def _respond(self, event: JsonObject) -> Iterator[JsonObject]:
        if self._active is not None:
            # https://github.com/openai/openai-realtime-console/issues/413
            raise RefusedError(
                f"Conversation already has an active response in progress: {self._active}. Wait until the response is "
                "finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        asked = event.get("response")
        change: JsonObject = asked if isinstance(asked, dict) else {}
        own = change.get("input")
        items = [self._numbered(item) for item in own if isinstance(item, dict)] if isinstance(own, list) else None
        merged = dialects.merged(self._settings, {name: change[name] for name in change if name in self._settings})
        settings = merged if isinstance(merged, dict) else self._settings
        self._active, self._cancelled = self._id("response"), False
        settled = Settled(
            *(settings, items or [*self._items.values()], self._dialect, self._script, self._numbers["response"])
        )
        return self._response_events(settled, change, self._active)

    def _response_events(self, settled: Settled, change: JsonObject, response_id: str) -> Iterator[JsonObject]:
        answer = speaking.compose(settled)
        frame: JsonObject = {
            "object": "realtime.response",
            "id": response_id,
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "conversation_id": None if change.get("conversation") == "none" else f"conv_{self._seed}",
            self._dialect.modalities: settled.settings[self._dialect.modalities],
            "usage": None,
            "metadata": change.get("metadata"),
        }
        yield {"type": "response.created", "response": frame}
        told: list[Json] = []
        for index, item in enumerate(answer.items if "failed" not in self._script else ()):
            if self._cancelled:
                break
            told.append(item)
            yield from self._item_events(settled, answer, item, (response_id, index))
        self._active = None
        self._owed = answer.usage
        yield self._done(frame, answer, told)
        limits: list[Json] = [
            {"name": "requests", "limit": 10_000, "remaining": 9_999, "reset_seconds": 0.006},
            {"name": "tokens", "limit": 30_000_000, "remaining": 29_999_000, "reset_seconds": 0.006},
        ]
        yield {"type": "rate_limits.updated", "rate_limits": limits}

    def _item_events(
        self, settled: Settled, answer: Spoken, item: JsonObject, spot: tuple[str, int]
    ) -> Iterator[JsonObject]:
        response_id, index = spot
        place: JsonObject = {"response_id": response_id, "output_index": index}
        begun: JsonObject = {**item, "status": "in_progress"}
        begun |= {"content": []} if "content" in item else {"arguments": ""}
        previous = self._last()
        yield {"type": "response.output_item.added", **place, "item": begun}
        yield from self._told(self._added(item), previous, ended=False)
        inner = speaking.item_events(settled, answer, item, {**place, "item_id": item["id"]})
        for event in inner:
            if self._cancelled:
                break
            yield event
        yield {"type": "response.output_item.done", **place, "item": item}
        if not self._dialect.beta:
            yield {"type": "conversation.item.done", "previous_item_id": previous, "item": item}

    def _done(self, frame: JsonObject, answer: Spoken, told: list[Json]) -> JsonObject:
        status, reason = "completed", None
        if "failed" in self._script:
            status = "failed"
        elif self._cancelled:
            status, reason = "cancelled", "client_cancelled"
        elif answer.reason is not None:
            status, reason = "incomplete", answer.reason
        details: JsonObject = {"type": status, "reason": reason}
        usage = claimed(answer.usage, self._script)
        ended: JsonObject = {
            **frame,
            "status": status,
            "status_details": FAILED if status == "failed" else details if reason else None,
            "output": told,
            "usage": speaking.usage_object(usage) if usage is not None else None,
        }
        return {"type": "response.done", "response": ended}

    def _added(self, item: JsonObject, after: Json = None) -> JsonObject:
        """Put an item into the conversation: at its end, or after another, or before all."""
        if len(self._items) >= MOST_ITEMS:
            raise RefusedError(f"The conversation has more than {MOST_ITEMS} items.", code="conversation_too_long")
        made = self._numbered(item)
        rows = [*self._items.values()]
        names = [row["id"] for row in rows]
        place = len(rows) if after is None else 0 if after == "root" else names.index(after) + 1
        self._items = {str(row["id"]): row for row in (*rows[:place], made, *rows[place:])}
        return made

    def _numbered(self, item: JsonObject) -> JsonObject:
        return {"id": self._id("item"), "object": "realtime.item", "status": "completed", **item}

    def _told(self, item: JsonObject, previous: str | None, *, ended: bool = True) -> list[JsonObject]:
        about: JsonObject = {"previous_item_id": previous, "item": item}
        if self._dialect.beta:
            return [{"type": "conversation.item.created", **about}]
        names = ("added", "done") if ended else ("added",)
        return [{"type": f"conversation.item.{name}", **about} for name in names]

    def _held(self, event: JsonObject) -> JsonObject:
        item = self._items.get(str(event["item_id"]))
        if item is None:
            raise _no_item(str(event["item_id"]), "item_id")
        return item

    def _last(self) -> str | None:
        return next(reversed(self._items), None)


def _one(event: JsonObject) -> Iterator[JsonObject]:
    yield event


def _decoded(message: bytes) -> JsonObject:
    try:
        event: Json = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError):
        raise RefusedError("The message is not valid JSON.", code="invalid_json") from None
    if not isinstance(event, dict):
        raise RefusedError("The message is not a JSON object.", code="invalid_event")
    if "type" not in event:
        raise missing("type")
    return event


def _error(refused: RefusedError, event_id: Json) -> JsonObject:
    param = refused.param.removeprefix("event.") if refused.param else None
    words = str(refused).replace("'event.", "'")
    about: JsonObject = {"type": "invalid_request_error", "code": refused.code, "message": words, "param": param}
    return {"type": "error", "error": {**about, "event_id": event_id}}


def _no_item(item_id: str, param: str) -> RefusedError:
    return RefusedError(f"The item with id '{item_id[:80]}' was not found.", param=param, code="item_not_found")


def _sound(audio: Json, param: str) -> bytes:
    try:
        held = base64.b64decode(str(audio), validate=True)
    except (binascii.Error, ValueError):
        held = b""
    if not held:
        raise RefusedError(f"Invalid '{param}': expected base64-encoded audio.", param=param, code="invalid_value")
    return held
