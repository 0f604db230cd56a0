"""The calls of Google's models, however they are reached: the body read, the scenario played, the answer written."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec
from msgspec import Struct

from yescale_sandbox import outage, playback, scenario
from yescale_sandbox.exchange import JSON, Answer, Headers, Pause, Request, Step, Tokens, joined, whole
from yescale_sandbox.gemini import conversation, embedding, reply, rules, writing
from yescale_sandbox.gemini.catalogue import EMBEDDING_MODELS, MODELS
from yescale_sandbox.gemini.dialect import Dialect
from yescale_sandbox.gemini.embedding import Embedded
from yescale_sandbox.gemini.failure import FAILURES
from yescale_sandbox.gemini.prompt import Count, prompt_count, typed
from yescale_sandbox.gemini.proto import read
from yescale_sandbox.gemini.refusal import VALUE_SHOWN, RefusedError
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.outage import Failures
from yescale_sandbox.playback import Event, Framing, Played
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed

MS_PER_S = 1000
FORM = "application/x-www-form-urlencoded"
CRLF = b"\r\n\r\n"
_BROKEN = FAILURES.by_name["500"].body
# With `alt=sse` events end in CRLF and no end is marked; without it the answer is one JSON array, written as it grows.


def _line(event: Event) -> bytes:
    return b"data: " + event.payload + CRLF


def _element(event: Event) -> bytes:
    return b",\r\n" + event.payload


EVENTS = Framing(b"", b"data: " + msgspec.json.encode(msgspec.json.decode(_BROKEN)) + CRLF, write=_line)
ARRAY = Framing(b"]", b",\r\n" + _BROKEN + b"]", media=JSON, write=_element, first=b"[")


class Asked(Struct, frozen=True):
    """A call whose credential, JSON and model name were understood."""

    request: Request
    body: JsonObject
    key: str
    named: str
    base: str
    script: Script
    headers: Headers


Stop: TypeAlias = Callable[[Asked], Answer | None]


class Calls:
    """What Google's models do, in one dialect; `stop` gives the failure that a scenario puts in their place."""

    def __init__(self, dialect: Dialect, stop: Stop) -> None:
        self._dialect = dialect
        self._stop = stop

    def generate(self, asked: Asked) -> Answer:
        return self._generated(asked, None)

    def stream(self, asked: Asked) -> Answer:
        return self._generated(asked, EVENTS if "alt=sse" in asked.request.query.split("&") else ARRAY)

    def _generated(self, asked: Asked, framing: Framing | None) -> Answer:
        model = MODELS[asked.base]
        request, body = rules.checked(asked.body, model, self._dialect)
        answer = self._stop(asked)
        if answer is not None:
            return answer
        said = msgspec.structs.replace(
            reply.compose(request, body, model, asked.script), root=self._dialect.root, metered=self._dialect.metered
        )
        config = request.generation_config
        logprobs = (config.logprobs or 0) if config.response_logprobs else None
        if framing is None:
            written = writing.whole_body(said, asked.script, logprobs=logprobs)
            played = playback.body_steps(written, asked.script, asked.headers)
        else:
            events = writing.events(said, asked.script, logprobs=logprobs)
            played = playback.stream_steps(events, asked.script, asked.headers, framing)
        usage = said.usage.tokens()
        return _good(asked.script, played, usage, claimed(usage, asked.script))

    def count_tokens(self, asked: Asked) -> Answer:
        """https://ai.google.dev/api/tokens: of contents, or of a whole request."""
        body = read(self._dialect.tables, "CountTokensRequest", asked.body)
        whole_request = body.get("generateContentRequest")
        if isinstance(whole_request, dict) and body.get("contents"):
            raise RefusedError("Only one of contents and generate_content_request can be specified.")
        inner = whole_request if isinstance(whole_request, dict) else body
        request = typed(inner)
        if not request.contents:
            raise RefusedError("* CountTokensRequest.contents: contents is not specified\n")
        conversation.check_contents(request.contents, self._dialect)
        count = prompt_count(request, inner)
        return self._stop(asked) or _counted(asked, count)

    def embed(self, asked: Asked) -> Answer:
        made = embedding.single(asked.body, EMBEDDING_MODELS[asked.base], self._dialect)
        return self._stop(asked) or _embedded(asked, made, made.one())

    def embed_batch(self, asked: Asked) -> Answer:
        made = embedding.batch(asked.body, EMBEDDING_MODELS[asked.base], self._dialect)
        return self._stop(asked) or _embedded(asked, made, made.all())


def asked_of(request: Request, key: str, named: str, headers: Headers) -> Asked:
    """Raises: RefusedError."""
    body = object_of(request)
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        base, script = named, Script()
    return Asked(request, body, key, named, base, script, headers)


def object_of(request: Request) -> JsonObject:
    """The body of a request, whatever type it claims except that of a form.

    Raises: RefusedError.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == FORM:
        shown = request.body[:VALUE_SHOWN].decode("utf-8", "replace")
        raise RefusedError(
            f'Invalid JSON payload received. Unknown name "{shown}": Cannot bind query parameter. '
            f"Field '{shown}' could not be found in request message."
        )
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = request.body[:VALUE_SHOWN].decode("utf-8", "replace")
        raise RefusedError(f"Invalid JSON payload received. Unexpected token.\n{shown}\n^") from None
    if not isinstance(body, dict):
        raise RefusedError('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    return body


def stopped(asked: Asked, earlier: int, failures: Failures) -> Answer | None:
    """The failure that a scenario puts in the place of an answer."""
    call = outage.Call(asked.named, asked.key, asked.script, earlier, asked.headers)
    answer = outage.instead(call, failures)
    if answer is None:
        return None
    return msgspec.structs.replace(answer, steps=delayed(answer.steps, asked.script))


def refused(error: RefusedError, headers: Headers) -> Answer:
    start, body = whole(error.status, JSON, error.body, (*error.headers, *headers))
    return Answer(error.status, joined(start, body), "refused")


def played_body(asked: Asked, body: bytes, counted: Tokens) -> Answer:
    """A whole answer that reports no usage."""
    return _good(asked.script, playback.body_steps(body, asked.script, asked.headers), counted, None)


def _counted(asked: Asked, count: Count) -> Answer:
    made: JsonObject = {"totalTokens": count.total, "promptTokensDetails": [*count.details()]}
    return played_body(asked, msgspec.json.encode(made), Tokens())


def _embedded(asked: Asked, made: Embedded, body: bytes) -> Answer:
    return played_body(asked, body, Tokens(prompt=made.tokens))


def _good(script: Script, played: Played, counted: Tokens, reported: Tokens | None) -> Answer:
    return Answer(200, delayed(played.steps, script), played.outcome, counted=counted, reported=reported)


def delayed(steps: Iterator[Step], script: Script) -> Iterator[Step]:
    """The steps after the silence that `+delay` asks for."""
    if "delay" in script:
        yield Pause(script.number("delay") / MS_PER_S)
    yield from steps
