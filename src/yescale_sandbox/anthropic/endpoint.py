"""Anthropic's routes: who may call, what is asked, what is answered."""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from yescale_sandbox import outage, playback, scenario
from yescale_sandbox.anthropic import catalogue, charge, failure, gate, listing, message, prompt, reply, rules
from yescale_sandbox.anthropic.cache import Memory
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.anthropic.prompt import Call
from yescale_sandbox.anthropic.refusal import RefusedError, error_body, shortened
from yescale_sandbox.exchange import JSON, Answer, Headers, Pause, Request, Step, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed

PREFIX = "/anthropic"
MOST_BODY_BYTES = 32 * 1024 * 1024
MS_PER_S = 1000


class Ask(Struct, frozen=True):
    """A call whose key, JSON and model name were understood."""

    body: JsonObject
    key: str
    named: str
    base: str
    script: Script
    terms: Terms
    call_id: str
    headers: Headers


class Anthropic:
    """The fake provider. `memory` tells how often a prompt came before, and holds the prompt cache."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._posts: Mapping[str, Callable[[Ask], Answer]] = {
            f"{PREFIX}/v1/messages": self._messages,
            f"{PREFIX}/v1/messages/count_tokens": self._count_tokens,
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        try:
            return self._route(request, call_id)
        except RefusedError as refused:
            return _refused(refused, call_id)

    def _route(self, request: Request, call_id: str) -> Answer:
        key = gate.presented_key(request)
        terms = gate.terms(request)
        post = self._posts.get(request.path)
        if post is not None:
            if request.method != "POST":
                raise RefusedError("Method Not Allowed", status=405, headers=(("allow", "POST"),))
            return _guarded(post, _asked(request, key, terms, call_id))
        models = f"{PREFIX}/v1/models"
        if request.method == "GET" and request.path == models:
            return _json(listing.page(request.query), call_id)
        if request.method == "GET" and request.path.startswith(f"{models}/"):
            return _json(listing.one(unquote(request.path.removeprefix(f"{models}/"))), call_id)
        raise RefusedError("Not found", status=404)

    def _messages(self, ask: Ask) -> Answer:
        call = _checked(ask, counting=False)
        stopped = self._stopped(ask, call.digest)
        if stopped is not None:
            return stopped
        said = reply.compose(call, ask.script)
        usage = charge.charged(call, said, ask.key, ask.script, self._memory)
        written = message.Written(said, claimed(usage, ask.script), _extras(call))
        if call.asked.stream:
            events = message.events(written, ask.script)
            played = playback.stream_steps(events, ask.script, ask.headers, failure.framing(ask.call_id))
        else:
            played = playback.body_steps(message.whole_body(written), ask.script, ask.headers)
        steps = _delayed(played.steps, ask.script)
        return Answer(200, steps, played.outcome, counted=usage, reported=written.usage)

    def _count_tokens(self, ask: Ask) -> Answer:
        call = _checked(ask, counting=True)
        stopped = self._stopped(ask, call.digest)
        if stopped is not None:
            return stopped
        body = msgspec.json.encode({"input_tokens": prompt.prompt_tokens(call.body)})
        played = playback.body_steps(body, ask.script, ask.headers)
        return Answer(200, _delayed(played.steps, ask.script), played.outcome)

    def _stopped(self, ask: Ask, digest: str) -> Answer | None:
        """The failure that a scenario puts in the place of an answer."""
        earlier = self._memory(f"{ask.key}\n{ask.named}\n{digest}") if "flaky" in ask.script else 0
        call = outage.Call(ask.named, ask.key, ask.script, earlier, ask.headers)
        answer = outage.instead(call, failure.failures(ask.call_id))
        if answer is None:
            return None
        return msgspec.structs.replace(answer, steps=_delayed(answer.steps, ask.script))


def common_headers(call_id: str) -> Headers:
    """What Anthropic adds to every answer; a gateway should know which of it not to pass on."""
    return (
        ("request-id", call_id),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-requests-reset", "2025-01-02T03:04:05Z"),
        ("anthropic-ratelimit-tokens-limit", "480000"),
        ("anthropic-ratelimit-tokens-remaining", "479000"),
        ("anthropic-ratelimit-tokens-reset", "2025-01-02T03:04:05Z"),
        ("server", "cloudflare"),
        ("via", "1.1 google"),
    )


def parsed(body: bytes) -> JsonObject:
    """The JSON object of a body.

    Raises: RefusedError.
    """
    if len(body) > MOST_BODY_BYTES:
        raise RefusedError("Request exceeds the maximum size", status=413)
    try:
        value: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError("The request body is not valid JSON: expected value: line 1 column 1 (char 0)") from None
    if not isinstance(value, dict):
        raise RefusedError("Input should be an object")
    return value


def _asked(request: Request, key: str, terms: Terms, call_id: str) -> Ask:
    gate.check_json(request)
    body = parsed(request.body)
    named = body.get("model")
    headers = common_headers(call_id)
    if not isinstance(named, str) or not named:
        return Ask(body, key, "", "", Script(), terms, call_id, headers)
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        raise _no_such_model(named) from None
    return Ask(body, key, named, base, script, terms, call_id, headers)


def _checked(ask: Ask, *, counting: bool) -> Call:
    model = catalogue.find(ask.base)
    if model is None and ask.base:
        raise _no_such_model(ask.named)
    # Without a model the shape table refuses.
    return rules.checked(ask.body, model or catalogue.MODELS[0], ask.terms, counting=counting)


def _guarded(post: Callable[[Ask], Answer], ask: Ask) -> Answer:
    """The call, its refusal too, with the model and the scenario on record."""
    try:
        answer = post(ask)
    except RefusedError as refused:
        answer = _refused(refused, ask.call_id)
    return msgspec.structs.replace(answer, model=ask.base, scenario=ask.script.suffix)


def _extras(call: Call) -> JsonObject:
    """Fields of the answer that a field of the request opens."""
    extras: JsonObject = {}
    if call.asked.context_management is not None:
        extras["context_management"] = {"applied_edits": []}
    return extras


def _no_such_model(named: str) -> RefusedError:
    return RefusedError(f"model: {shortened(named)}", status=404)


def _delayed(steps: Iterator[Step], script: Script) -> Iterator[Step]:
    if "delay" in script:
        yield Pause(script.number("delay") / MS_PER_S)
    yield from steps


def _refused(refused: RefusedError, call_id: str) -> Answer:
    body = error_body(refused.message, refused.status, call_id)
    start, sends = whole(refused.status, JSON, body, (*refused.headers, *common_headers(call_id)))
    return Answer(refused.status, joined(start, sends), "refused")


def _json(value: JsonObject, call_id: str) -> Answer:
    start, sends = whole(200, JSON, msgspec.json.encode(value), common_headers(call_id))
    return Answer(200, joined(start, sends))
