"""DeepSeek's routes."""

import msgspec

from yescale_sandbox import outage, playback, scenario
from yescale_sandbox.chatlike import answer, writing
from yescale_sandbox.chatlike.writing import Manner
from yescale_sandbox.deepseek import rules
from yescale_sandbox.deepseek.failure import FAILURES, RefusedError, no_such_key
from yescale_sandbox.exchange import JSON, Answer, Headers, Request, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Count, Stage, good, json_answer
from yescale_sandbox.playback import Framing
from yescale_sandbox.speech import claimed, digest_of

PREFIX = "/deepseek"
KEY_PREFIX = "sk-sandbox-"
FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + FAILURES.by_name["500"].body + b"\n\n")


def usage_object(usage: Tokens) -> JsonObject:
    """Its counts of what the cache held stand beside the sums."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        **({"completion_tokens_details": {"reasoning_tokens": usage.reasoning}} if usage.reasoning else {}),
        "prompt_cache_hit_tokens": usage.cached,
        "prompt_cache_miss_tokens": usage.prompt - usage.cached,
    }


def _answer_id(seed: str) -> str:
    return f"{seed[:8]}-{seed[8:12]}-{seed[12:16]}-{seed[16:20]}-{seed[20:32]}"


MANNER = Manner(_answer_id, usage_object, {"system_fingerprint": "fp_sandbox_prod"}, usage_at_finish=True)


class DeepSeek:
    """The fake provider."""

    def __init__(self, count: Count) -> None:
        self._stage = Stage(count, FAILURES)

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers: Headers = (("x-ds-trace-id", call_id), ("server", "CloudFront"), ("vary", "Origin"))
        try:
            return self._route(request, headers)
        except RefusedError as refused:
            return _refused(refused, headers)

    def _route(self, request: Request, headers: Headers) -> Answer:
        key = _key(request)
        path = request.path.removeprefix(PREFIX).removeprefix("/v1")
        if (request.method, path) == ("POST", "/chat/completions"):
            asked = _asked(request, key, headers)
            try:
                answered = self._chat(asked)
            except RefusedError as refused:
                answered = _refused(refused, headers)
            return msgspec.structs.replace(answered, model=asked.base, scenario=asked.script.suffix)
        if (request.method, path) == ("GET", "/models"):
            rows: list[Json] = [{"id": name, "object": "model", "owned_by": "deepseek"} for name in rules.MODELS]
            return json_answer({"object": "list", "data": rows}, headers)
        if (request.method, path) == ("GET", "/user/balance"):
            return json_answer(_BALANCE, headers)
        return _missing(headers)

    def _chat(self, asked: Asked) -> Answer:
        model = rules.MODELS.get(asked.base)
        if model is None:
            raise RefusedError("Model Not Exist")
        request = rules.checked(asked.body, model)
        stopped = self._stage.stopped(asked, digest_of(asked.body["messages"]))
        if stopped is not None:
            return stopped
        answered = answer.compose(
            *(request, asked.body, asked.request.body, asked.script),
            model=model.name,
            thinks=rules.thinks(request, model),
        )
        reported = claimed(answered.usage, asked.script)
        if request.stream:
            events = writing.events(answered, request, MANNER, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = writing.whole_body(answered, request, MANNER, reported)
            played = playback.body_steps(body, asked.script, asked.headers)
        return good(asked.script, played, answered.usage, reported)


# https://api-docs.deepseek.com/api/get-user-balance
_BALANCE: JsonObject = {
    "is_available": True,
    "balance_infos": [
        {"currency": "USD", "total_balance": "110.00", "granted_balance": "10.00", "topped_up_balance": "100.00"}
    ],
}


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise RefusedError(
            "Authentication Fails (auth header format should be Bearer sk-...)",
            status=401,
            type_="authentication_error",
        )
    if not key.strip().startswith(KEY_PREFIX):
        raise no_such_key(key.strip())
    return key.strip()


def _asked(request: Request, key: str, headers: Headers) -> Asked:
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(f"Failed to parse the request body as JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise rules.undeserialized("missing field `model`")
    named = str(body["model"])
    try:
        base, script = scenario.parse(named)
    except scenario.UnknownScenarioError:
        raise RefusedError("Model Not Exist") from None
    return Asked(request, body, key, named, base, script, headers)


def _refused(refused: RefusedError, headers: Headers) -> Answer:
    start, body = whole(refused.status, JSON, refused.body, headers)
    return Answer(refused.status, joined(start, body), "refused")


def _missing(headers: Headers) -> Answer:
    failure: outage.Failure = FAILURES.by_name["404"]
    start, body = whole(404, JSON, failure.body, headers)
    return Answer(404, joined(start, body), "refused")
