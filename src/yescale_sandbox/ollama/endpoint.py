"""Ollama's routes, and what it takes: any key or none, known fields by their type, models that were pulled."""

import base64
import struct
from collections.abc import Mapping

import msgspec

from yescale_sandbox import playback, scenario
from yescale_sandbox.chatlike import answer, writing
from yescale_sandbox.chatlike import request as requests
from yescale_sandbox.chatlike.request import ChatLike
from yescale_sandbox.chatlike.writing import Manner
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Count, Post, Stage, good, json_answer
from yescale_sandbox.openai.reply import CREATED
from yescale_sandbox.outage import Failure, Failures
from yescale_sandbox.playback import Framing
from yescale_sandbox.speech import claimed, digest_of, text_tokens
from yescale_sandbox.vector import vector

PREFIX = "/ollama/v1"
# Models that chat, and whether each thinks; models that embed, and how long their vectors are.
CHAT: Mapping[str, bool] = {
    "llama3.2": False,
    "llama3.2:latest": False,
    "qwen3": True,
    "qwen3:latest": True,
    "gpt-oss:20b": True,
}
EMBEDDING: Mapping[str, int] = {"nomic-embed-text": 768, "nomic-embed-text:latest": 768, "all-minilm": 384}
ROLES = ("system", "user", "assistant", "tool")


class RefusedError(Exception):
    """The request is at fault. The type follows from the status (github.com/ollama/ollama, openai/openai.go)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, status)


def error_body(message: str, status: int = 400) -> bytes:
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    error: Json = {"message": message, "type": kinds.get(status, "api_error"), "param": None, "code": None}
    return msgspec.json.encode({"error": error})


def _failure(status: int, message: str) -> Failure:
    return Failure(status, error_body(message, status))


FAILURES = Failures(
    {
        "400": _failure(400, "invalid request"),
        "401": _failure(401, "unauthorized"),
        "402": _failure(402, "this model requires a subscription"),
        "403": _failure(403, "forbidden"),
        "404": _failure(404, 'model "llama3.2" not found, try pulling it first'),
        "429": _failure(429, "too many requests"),
        "quota": _failure(429, "you have reached your usage limit"),
        "500": _failure(500, "llama runner process has terminated: exit status 2"),
        "502": _failure(502, "bad gateway"),
        "503": _failure(503, "server busy, please try again.  maximum pending requests exceeded"),
        "529": _failure(503, "server busy, please try again.  maximum pending requests exceeded"),
        "redirect": Failure(307, b"", (("location", "/ollama/v1/elsewhere"),)),
    },
    error_body,
)
FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + FAILURES.by_name["500"].body + b"\n\n")


def _usage(usage: Tokens) -> JsonObject:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }


MANNER = Manner(
    lambda seed: f"chatcmpl-{int(seed[:4], 16) % 1000}", _usage, {"system_fingerprint": "fp_ollama"}, "reasoning"
)


class Ollama:
    """The fake provider."""

    def __init__(self, count: Count) -> None:
        self._stage = Stage(count, FAILURES)
        self._posts: Mapping[str, Post] = {
            f"{PREFIX}/chat/completions": self._chat,
            f"{PREFIX}/embeddings": self._embed,
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        try:
            return self._route(request)
        except RefusedError as refused:
            return _refused(refused)

    def _route(self, request: Request) -> Answer:
        post = self._posts.get(request.path) if request.method == "POST" else None
        if post is not None:
            asked = asked_of(request)
            try:
                answered = post(asked)
            except RefusedError as refused:
                answered = _refused(refused)
            return msgspec.structs.replace(answered, model=asked.base, scenario=asked.script.suffix)
        if (request.method, request.path) == ("GET", f"{PREFIX}/models"):
            names = (*CHAT, *EMBEDDING)
            rows: list[Json] = [
                {"id": name, "object": "model", "created": CREATED, "owned_by": "library"} for name in names
            ]
            return json_answer({"object": "list", "data": rows}, ())
        start, body = whole(404, "text/plain", b"404 page not found")
        return Answer(404, joined(start, body), "refused")

    def _chat(self, asked: Asked) -> Answer:
        if asked.base not in CHAT:
            raise _not_pulled(asked.base)
        request = checked(asked.body)
        stopped = self._stage.stopped(asked, digest_of(asked.body["messages"]))
        if stopped is not None:
            return stopped
        thinks = CHAT[asked.base] and request.reasoning_effort != "none"
        answered = answer.compose(
            *(request, asked.body, asked.request.body, asked.script), model=asked.base, thinks=thinks
        )
        reported = claimed(answered.usage, asked.script)
        if request.stream:
            events = writing.events(answered, request, MANNER, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = writing.whole_body(answered, request, MANNER, reported)
            played = playback.body_steps(body, asked.script, asked.headers)
        return good(asked.script, played, answered.usage, reported)

    def _embed(self, asked: Asked) -> Answer:
        if asked.base not in EMBEDDING:
            raise _not_pulled(asked.base)
        texts = _texts(asked.body.get("input"))
        size = asked.body.get("dimensions") or EMBEDDING[asked.base]
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= EMBEDDING[asked.base]:
            raise RefusedError("invalid dimensions")
        form = asked.body.get("encoding_format", "float")
        if form not in ("float", "base64"):
            raise RefusedError(f"invalid encoding_format: {form}")
        stopped = self._stage.stopped(asked, asked.digest())
        if stopped is not None:
            return stopped
        rows: list[Json] = []
        for index, text in enumerate(texts):
            values = vector(text, size, asked.base)
            packed: Json = (
                base64.b64encode(struct.pack(f"<{size}f", *values)).decode() if form == "base64" else [*values]
            )
            rows.append({"object": "embedding", "embedding": packed, "index": index})
        usage = Tokens(prompt=sum(text_tokens(text) for text in texts))
        reported = claimed(usage, asked.script)
        body: JsonObject = {"object": "list", "data": rows, "model": asked.base}
        if reported is not None:
            body["usage"] = {"prompt_tokens": reported.prompt, "total_tokens": reported.prompt}
        return good(
            asked.script, playback.body_steps(msgspec.json.encode(body), asked.script, asked.headers), usage, reported
        )


def checked(body: JsonObject) -> ChatLike:
    """The request, typed, if Ollama would take it.

    Raises: RefusedError.
    """
    if body.get("messages") in (None, []):
        raise RefusedError("[] is too short - 'messages'")
    try:
        request = requests.typed(body)
    except msgspec.ValidationError as error:
        raise RefusedError(f"json: cannot unmarshal: {error}") from None
    for message in request.messages:
        if message.role not in ROLES:
            raise RefusedError(f"invalid role: {message.role[:40]}")
        for part in message.parts():
            if part.type not in ("text", "image_url"):
                raise RefusedError("invalid message format")
            if part.image_url is not None and not part.image_url.url.startswith("data:image/"):
                raise RefusedError("invalid image input")
    return request


def _texts(given: Json) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise RefusedError("invalid input")
    return [str(text) for text in texts]


# https://github.com/musistudio/claude-code-router/issues/518
def _not_pulled(name: str) -> RefusedError:
    return RefusedError(f'model "{name[:80]}" not found, try pulling it first', 404)


def asked_of(request: Request) -> Asked:
    """Raises: RefusedError."""
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(str(error)) from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise RefusedError("model is required")
    named = str(body["model"])
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        raise _not_pulled(named) from None
    headers: Headers = ()
    return Asked(request, body, request.headers.get("authorization", ""), named, base, script, headers)


def _refused(refused: RefusedError) -> Answer:
    start, body = whole(refused.status, JSON, refused.body)
    return Answer(refused.status, joined(start, body), "refused")
