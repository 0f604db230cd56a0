"""Bedrock's routes: who may call, what is asked, what is answered."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from yescale_sandbox import outage, playback, scenario
from yescale_sandbox.anthropic import charge, message, reply, request_shape, rules
from yescale_sandbox.anthropic import refusal as anthropic_refusal
from yescale_sandbox.anthropic.cache import Memory
from yescale_sandbox.anthropic.catalogue import Model
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.anthropic.prompt import Call
from yescale_sandbox.anthropic.reply import Reply, Use
from yescale_sandbox.bedrock import catalogue, conversation, converse, converse_shape, failure, invoke, translation
from yescale_sandbox.bedrock.refusal import RefusedError, error_body, error_headers
from yescale_sandbox.bedrock.signature import verified_key
from yescale_sandbox.exchange import JSON, Answer, Headers, Pause, Request, Step, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.playback import Played
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed

PREFIX = "/bedrock"
MS_PER_S = 1000


class Ask(Struct, frozen=True):
    """A call whose signature, JSON and model id were understood."""

    body: JsonObject
    key: str
    model_id: str
    base: str
    model: Model
    script: Script
    headers: Headers


class Spoken(Struct, frozen=True):
    """A reply, what it cost, and what it says that it cost."""

    reply: Reply
    usage: Tokens
    reported: Tokens | None


class Bedrock:
    """The fake provider. `memory` tells how often a prompt came before, and holds the prompt cache."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._operations: Mapping[str, Callable[[Ask], Answer]] = {
            "converse": lambda ask: self._converse(ask, stream=False),
            "converse-stream": lambda ask: self._converse(ask, stream=True),
            "invoke": lambda ask: self._invoke(ask, stream=False),
            "invoke-with-response-stream": lambda ask: self._invoke(ask, stream=True),
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers = (("x-amzn-requestid", call_id.removeprefix("req_")),)
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return _refused(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        key = verified_key(request, datetime.now(UTC))
        models = f"{PREFIX}/model/"
        encoded, _, operation = request.path.removeprefix(models).rpartition("/")
        perform = self._operations.get(operation) if request.path.startswith(models) else None
        if perform is None or not encoded:
            raise RefusedError("The operation is not known.", "UnknownOperationException")
        if request.method != "POST":
            raise RefusedError(f"{operation} is a POST.", "UnknownOperationException")
        ask = _asked(unquote(encoded), request.body, key, headers)
        try:
            answer = perform(ask)
        except RefusedError as refused:
            answer = _refused(refused, headers)
        return msgspec.structs.replace(answer, model=ask.base, scenario=ask.script.suffix)

    def _converse(self, ask: Ask, *, stream: bool) -> Answer:
        converse_shape.REQUEST.check(ask.body, "#")
        conversation.check(ask.body)
        call = _checked(translation.anthropic_body(ask.body, ask.model), ask)
        stopped = self._stopped(ask, call.digest)
        if stopped is not None:
            return stopped
        spoken = self._spoken(call, ask)
        paths = ask.body.get("additionalModelResponseFieldPaths")
        asked_for = tuple(str(path) for path in paths) if isinstance(paths, list) else ()
        told = converse.Told(spoken.reply, spoken.reported, asked_for)
        if stream:
            events = converse.events(told, ask.script)
            return _good(ask, playback.stream_steps(events, ask.script, ask.headers, failure.FRAMING), spoken)
        return _good(ask, playback.body_steps(converse.whole_body(told), ask.script, ask.headers), spoken)

    def _invoke(self, ask: Ask, *, stream: bool) -> Answer:
        call = _checked(ask.body, ask, by="")
        stopped = self._stopped(ask, call.digest)
        if stopped is not None:
            return stopped
        spoken = self._spoken(call, ask)
        written = message.Written(spoken.reply, spoken.reported, {})
        if stream:
            headers = (("x-amzn-bedrock-content-type", JSON), *ask.headers)
            chunks = invoke.chunks(written, ask.script)
            return _good(ask, playback.stream_steps(chunks, ask.script, headers, failure.FRAMING), spoken)
        headers = (*invoke.cost_headers(spoken.reported), *ask.headers)
        return _good(ask, playback.body_steps(message.whole_body(written), ask.script, headers), spoken)

    def _spoken(self, call: Call, ask: Ask) -> Spoken:
        said = _bedrock_ids(reply.compose(call, ask.script))
        usage = charge.charged(call, said, ask.key, ask.script, self._memory)
        return Spoken(said, usage, claimed(usage, ask.script))

    def _stopped(self, ask: Ask, digest: str) -> Answer | None:
        """The failure that a scenario puts in the place of an answer."""
        earlier = self._memory(f"{ask.key}\n{ask.model_id}\n{digest}") if "flaky" in ask.script else 0
        call = outage.Call(ask.model_id, ask.key, ask.script, earlier, ask.headers)
        answer = outage.instead(call, failure.FAILURES)
        if answer is None:
            return None
        return msgspec.structs.replace(answer, steps=_delayed(answer.steps, ask.script))


def _asked(model_id: str, raw: bytes, key: str, headers: Headers) -> Ask:
    try:
        base, script = scenario.parse(model_id)
    except scenario.UnknownScenarioError:
        raise RefusedError("The provided model identifier is invalid.") from None
    model = catalogue.find(base)
    try:
        body: Json = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError("The request body is not JSON.", "SerializationException") from None
    if not isinstance(body, dict):
        raise RefusedError("The request body is no JSON object.", "SerializationException")
    return Ask(body, key, model_id, base, model, script, headers)


def _checked(body: JsonObject, ask: Ask, by: str = "The model returned the following errors: ") -> Call:
    """The request as the model judges it."""
    terms = Terms(betas=catalogue.known_betas(body.get("anthropic_beta")))
    known = request_shape.hosted_fields(terms, invoke.NAMED)
    try:
        return rules.checked(body, ask.model, terms, known=known)
    except anthropic_refusal.RefusedError as refused:
        raise RefusedError(f"{by}{refused.message}") from None


def _bedrock_ids(said: Reply) -> Reply:
    """Ids as Bedrock's models give them."""
    parts = tuple(
        msgspec.structs.replace(part, id=part.id.replace("toolu_", "toolu_bdrk_")) if isinstance(part, Use) else part
        for part in said.parts
    )
    return msgspec.structs.replace(said, id=said.id.replace("msg_", "msg_bdrk_"), parts=parts)


def _good(ask: Ask, played: Played, spoken: Spoken) -> Answer:
    steps = _delayed(played.steps, ask.script)
    return Answer(200, steps, played.outcome, counted=spoken.usage, reported=spoken.reported)


def _delayed(steps: Iterator[Step], script: Script) -> Iterator[Step]:
    if "delay" in script:
        yield Pause(script.number("delay") / MS_PER_S)
    yield from steps


def _refused(refused: RefusedError, headers: Headers) -> Answer:
    start, sends = whole(refused.status, JSON, error_body(refused.message), (*error_headers(refused.kind), *headers))
    return Answer(refused.status, joined(start, sends), "refused")
