"""Their routes: chat in the dialect of whoever is named in the path, everything else as its own inventor answers it."""

from collections.abc import Mapping
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.alike import rules
from yescale_sandbox.alike.dialect import Dialect, dialect_of
from yescale_sandbox.anthropic import endpoint as anthropic
from yescale_sandbox.anthropic.cache import Memory
from yescale_sandbox.chatlike import answer, writing
from yescale_sandbox.chatlike.writing import Manner
from yescale_sandbox.exchange import Answer, Headers, Request, Tokens
from yescale_sandbox.gemini import endpoint as gemini
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai import endpoint as openai
from yescale_sandbox.openai.call import Asked, Stage, asked_of, decoded, good, guarded, only, refused_answer
from yescale_sandbox.openai.failure import FAILURES
from yescale_sandbox.openai.refusal import RefusedError, no_such_model
from yescale_sandbox.playback import Framing
from yescale_sandbox.reranking import jina
from yescale_sandbox.scenario import UnknownScenarioError, parse
from yescale_sandbox.speech import claimed, digest_of

PREFIX = "/alike"
CHAT = "/chat/completions"
FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + FAILURES.by_name["500"].body + b"\n\n")
GENERATE = "/v1beta/models/"
GEMINI = "gemini-2.5-flash"


class Elsewhere(Struct, frozen=True):
    """A format of another inventor: where the sandbox plays it, for which model, and with which key."""

    path: str
    model: str
    headers: Mapping[str, str]


_OPENAI_KEY: Mapping[str, str] = {"authorization": "Bearer sk-sandbox-alike"}
_GOOGLE_KEY: Mapping[str, str] = {"x-goog-api-key": "AIzaSandbox-alike"}
# How paths end, the longer before the shorter, and who answers there.
ELSEWHERE: Mapping[str, Elsewhere] = {
    "/responses": Elsewhere(f"{openai.PREFIX}/responses", "gpt-4o", _OPENAI_KEY),
    "/completions": Elsewhere(f"{openai.PREFIX}/completions", "gpt-3.5-turbo-instruct", _OPENAI_KEY),
    "/embeddings": Elsewhere(f"{openai.PREFIX}/embeddings", "text-embedding-3-small", _OPENAI_KEY),
    "/moderations": Elsewhere(f"{openai.PREFIX}/moderations", "omni-moderation-latest", _OPENAI_KEY),
    "/messages": Elsewhere(
        f"{anthropic.PREFIX}/v1/messages", "claude-sonnet-4-5", {"x-api-key": "sk-ant-sandbox-alike"}
    ),
    "/rerank": Elsewhere(f"{jina.PREFIX}/rerank", "jina-reranker-v3", _OPENAI_KEY),
}


class Chat(Struct, frozen=True):
    """Answers chat completions, for any model's name."""

    stage: Stage
    dialect: Dialect

    def __call__(self, asked: Asked) -> Answer:
        request = rules.checked(asked.body, self.dialect)
        stopped = self.stage.stopped(asked, digest_of(asked.body["messages"]))
        if stopped is not None:
            return stopped
        answered = answer.compose(
            *(request, asked.body, asked.request.body, asked.script),
            model=asked.base,
            thinks=rules.thinks(request, asked.body),
        )
        reported = claimed(answered.usage, asked.script)
        manner = _SHORT_CALLS if self.dialect.call_id else _USUAL
        manner = msgspec.structs.replace(manner, usage_at_finish=self.dialect.usage_unasked)
        if request.stream:
            events = writing.events(answered, request, manner, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = writing.whole_body(answered, request, manner, reported)
            played = playback.body_steps(body, asked.script, asked.headers)
        return good(asked.script, played, answered.usage, reported)


class Alike:
    """The fake of them all."""

    def __init__(self, memory: Memory) -> None:
        self._stage = Stage(memory, FAILURES)
        self._inventors = {
            openai.PREFIX: openai.OpenAi(memory),
            anthropic.PREFIX: anthropic.Anthropic(memory),
            gemini.PREFIX: gemini.Gemini(memory),
            jina.PREFIX: jina.Jina(memory),
        }

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        headers: Headers = (("x-request-id", call_id),)
        try:
            key = openai.presented_key(request)
            name, _, path = request.path.removeprefix(f"{PREFIX}/").partition("/")
            if path.endswith(CHAT.removeprefix("/")):
                only("POST", request)
                return guarded(Chat(self._stage, dialect_of(name)), asked_of(request, key, headers))
            return self._elsewhere(request, f"/{path}", call_id)
        except RefusedError as refused:
            return refused_answer(refused, headers)

    def _elsewhere(self, request: Request, path: str, call_id: str) -> Answer:
        if GENERATE in path:
            named, _, method = unquote(path.partition(GENERATE)[2]).rpartition(":")
            place = f"{gemini.PREFIX}{GENERATE}{_renamed(named, GEMINI)}:{method}"
            return self._ask(place, _sent_on(request, place, _GOOGLE_KEY), call_id)
        found = next((where for end, where in ELSEWHERE.items() if path.endswith(end)), None)
        if found is None:
            raise openai.invalid_url(request, PREFIX)
        body = decoded(request.body)
        named = body.get("model")
        body["model"] = _renamed(named if isinstance(named, str) else "", found.model)
        return self._ask(found.path, _sent_on(request, found.path, found.headers, msgspec.json.encode(body)), call_id)

    def _ask(self, path: str, request: Request, call_id: str) -> Answer:
        inventor = next(one for prefix, one in self._inventors.items() if path.startswith(prefix))
        return inventor.answer(request, call_id)


def _sent_on(request: Request, path: str, key: Mapping[str, str], body: bytes | None = None) -> Request:
    """The request as the format's inventor takes it."""
    kept = {name: value for name, value in request.headers.items() if name != "authorization"}
    return Request(request.method, path, request.query, {**kept, **key}, request.body if body is None else body)


def _renamed(named: str, model: str) -> str:
    """Any model is that of the inventor; its scenario stays."""
    try:
        _, script = parse(named)
    except UnknownScenarioError:
        raise no_such_model(named) from None
    return f"{model}{script.suffix}"


def _usage(usage: Tokens) -> JsonObject:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _short_id(digest: str) -> str:
    return digest[:9]


_USUAL = Manner(lambda seed: f"chatcmpl-{seed[:24]}", _usage, {})
_SHORT_CALLS = msgspec.structs.replace(_USUAL, call_id=_short_id)
