"""The older completions: a prompt goes on (openapi.json, `CreateCompletionRequest`, `CreateCompletionResponse`)."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.exchange import Answer, Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai import refusal
from yescale_sandbox.openai.call import Asked, Stage, good
from yescale_sandbox.openai.catalogue import TEXT_MODELS, chat_model
from yescale_sandbox.openai.chat import FRAMING
from yescale_sandbox.openai.completion import usage_object
from yescale_sandbox.openai.logprob import token_logprob
from yescale_sandbox.openai.prompt import StreamOptions
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.openai.reply import CREATED
from yescale_sandbox.openai.shapes import (
    Either,
    Field,
    Fields,
    Flag,
    Items,
    Number,
    Pairs,
    Shape,
    Text,
    Whole,
    check_fields,
    maybe,
    need,
    wrong_type,
)
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import (
    BYTES_PER_TOKEN,
    Heard,
    claimed,
    cut_text,
    digest_of,
    equal_parts,
    first_stop,
    pieces,
    say,
    text_tokens,
)

USUAL_TOKENS = 16
MOST_PROMPTS = 2048
_TOKEN = Whole(least=0)


class PromptShape(Struct, frozen=True):
    """A text, several, tokens, or several lists of them."""

    @property
    def article(self) -> str:
        return "one of a string, array of strings, array of integers, or array of integer arrays"

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, str):
            Text(least=1).check(value, path)
        elif isinstance(value, list):
            Items(self._inner(value), "strings", least=1, most=MOST_PROMPTS).check(value, path)
        else:
            raise wrong_type(self, value, path)

    def _inner(self, value: list[Json]) -> Shape:
        if value and isinstance(value[0], int):
            return _TOKEN
        return Items(_TOKEN, "integers", least=1) if value and isinstance(value[0], list) else Text()


FIELDS: Mapping[str, Field] = {
    "model": need(Text()),
    "prompt": need(PromptShape()),
    "best_of": maybe(Whole(least=0, most=20)),
    "echo": maybe(Flag()),
    "frequency_penalty": maybe(Number(-2, 2)),
    "logit_bias": maybe(Pairs(Whole(least=-100, most=100))),
    "logprobs": maybe(Whole(least=0, most=5)),
    "max_tokens": maybe(Whole(least=0)),
    "n": maybe(Whole(least=1, most=128)),
    "presence_penalty": maybe(Number(-2, 2)),
    "seed": maybe(Whole(least=-(2**63), most=2**63 - 1)),
    "stop": maybe(Either(Text(), Items(Text(), "strings", most=4), "one of a string or array of strings")),
    "stream": maybe(Flag()),
    "stream_options": maybe(Fields({"include_usage": Field(Flag()), "include_obfuscation": Field(Flag())})),
    "suffix": maybe(Text()),
    "temperature": maybe(Number(0, 2)),
    "top_p": maybe(Number(0, 1)),
    "user": Field(Text()),
}


class TextRequest(Struct, frozen=True):
    """A checked request."""

    model: str
    prompt: str | list[int | str | list[int]]
    best_of: int | None = None
    echo: bool | None = None
    logprobs: int | None = None
    max_tokens: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: str | None = None

    def prompts(self) -> list[str | list[int]]:
        if isinstance(self.prompt, str):
            return [self.prompt]
        numbers = [one for one in self.prompt if isinstance(one, int)]
        return [numbers] if numbers else [one for one in self.prompt if not isinstance(one, int)]

    def stops(self) -> Sequence[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class Choice(Struct, frozen=True):
    """One text; `start` is where the echo of the prompt ends."""

    index: int
    text: str
    finish: str
    start: int = 0


class Written(Struct, frozen=True):
    """The answer before it is written down."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Tokens


class TextCompletions(Struct, frozen=True):
    """Answers the older completions."""

    stage: Stage

    def __call__(self, asked: Asked) -> Answer:
        if asked.base not in TEXT_MODELS:
            raise _not_for_texts(asked)
        request = checked(asked.body, TEXT_MODELS[asked.base][1])
        stopped = self.stage.stopped(asked, digest_of(asked.body["prompt"]))
        if stopped is not None:
            return stopped
        written = compose(request, asked)
        reported = claimed(written.usage, asked.script)
        if request.stream:
            events = _events(written, request, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            played = playback.body_steps(_whole(written, request, reported), asked.script, asked.headers)
        return good(asked.script, played, written.usage, reported)


def checked(body: JsonObject, context: int) -> TextRequest:
    """Raises: RefusedError."""
    for name in body:
        if name not in FIELDS:
            raise RefusedError(f"Unrecognized request argument supplied: {name}")
    check_fields(FIELDS, body)
    request = msgspec.convert(body, TextRequest)
    best, count = request.best_of if request.best_of is not None else request.n or 1, request.n or 1
    if best < count:
        # https://community.openai.com/t/best-of-and-n/10210
        raise RefusedError(
            "You requested that the server return more choices than it will generate (HINT: you must set 'best_of' "
            f"(currently {best}) to be at least 'n' (currently {count}), or omit either parameter if you don't "
            "specifically want to use them.)",
            param="best_of",
        )
    if request.stream and best > count:
        raise RefusedError("Streaming is not supported when 'best_of' is greater than 'n'.", param="best_of")
    if request.stream_options is not None and not request.stream:
        raise RefusedError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    for prompt in request.prompts():
        _check_length(_prompt_tokens(prompt), request, context)
    return request


def _check_length(tokens: int, request: TextRequest, context: int) -> None:
    most = USUAL_TOKENS if request.max_tokens is None else request.max_tokens
    if tokens + most > context:
        # https://github.com/langchain-ai/langchain/issues/1767
        raise RefusedError(
            f"This model's maximum context length is {context} tokens, however you requested {tokens + most} tokens "
            f"({tokens} in your prompt; {most} for the completion). Please reduce your prompt; or completion length.",
            code="context_length_exceeded",
        )


def compose(request: TextRequest, asked: Asked) -> Written:
    prompts = request.prompts()
    each = request.n or 1
    choices = tuple(
        _choice(request, asked.script, prompt, (place * each + number, number))
        for place, prompt in enumerate(prompts)
        for number in range(each)
    )
    prompt = sum(_prompt_tokens(one) for one in prompts) + text_tokens(request.suffix or "")
    spoken = sum(text_tokens(choice.text[choice.start :]) for choice in choices)
    unseen = max(0, (request.best_of or each) - each) * (spoken // each)  # candidates that were not the best
    return Written(
        f"cmpl-{asked.digest()[:29]}",
        asked.base,
        choices,
        Tokens(prompt=prompt, completion=spoken + unseen, cached=prompt * asked.script.number("cached") // 100),
    )


def _choice(request: TextRequest, script: Script, prompt: str | list[int], place: tuple[int, int]) -> Choice:
    index, number = place
    said = prompt if isinstance(prompt, str) else f"{len(prompt)} tokens"
    heard = Heard(quote=said, digest=digest_of([prompt, request.suffix]))
    text, finish = say(heard, script, number).text, "stop"
    if "filter" in script:
        text, finish = text[: len(text) // 2], "content_filter"
    found = first_stop(text, request.stops())
    text = text if found is None else text[: found[0]]
    most = USUAL_TOKENS if request.max_tokens is None else request.max_tokens
    if text_tokens(text) > most:
        text, finish = cut_text(text, most), "length"
    echo = said if request.echo else ""
    return Choice(index, echo + text, finish, len(echo))


def _whole(written: Written, request: TextRequest, usage: Tokens | None) -> bytes:
    choices: list[Json] = [
        _choice_object(choice, choice.text, request.logprobs, choice.finish) for choice in written.choices
    ]
    answer = {**_envelope(written), "choices": choices}
    if usage is not None:
        answer["usage"] = usage_object(usage)
    return msgspec.json.encode(answer)


def _events(written: Written, request: TextRequest, script: Script) -> Iterator[Event]:
    """Pieces of each choice, its end, and the usage if it was asked for: chunks have the shape of whole answers."""
    options = request.stream_options or StreamOptions()
    usage = claimed(written.usage, script)
    frame = _envelope(written) | ({"usage": None} if options.include_usage and usage is not None else {})
    for choice in written.choices:
        for piece in pieces(choice.text, script):
            row = _choice_object(choice, piece, request.logprobs, None)
            yield Event(msgspec.json.encode({**frame, "choices": [row]}))
        end = _choice_object(choice, "", None, choice.finish)
        yield Event(msgspec.json.encode({**frame, "choices": [end]}))
    if options.include_usage and usage is not None:
        yield Event(msgspec.json.encode({**frame, "choices": [], "usage": usage_object(usage)}), usage=True)


def _envelope(written: Written) -> JsonObject:
    return {"id": written.id, "object": "text_completion", "created": CREATED, "model": written.model}


def _choice_object(choice: Choice, text: str, top: int | None, finish: str | None) -> JsonObject:
    logprobs = None if top is None or not text else _logprobs(text, top)
    return {"text": text, "index": choice.index, "logprobs": logprobs, "finish_reason": finish}


def _logprobs(text: str, top: int) -> JsonObject:
    """Four lists with one place for each token."""
    tokens = equal_parts(text, BYTES_PER_TOKEN)
    values = [round(token_logprob(place), 4) for place in range(len(tokens))]
    best: list[Json] = [
        {token: value, **{f"other{rank}": value - rank for rank in range(1, top)}}
        for token, value in zip(tokens, values, strict=True)
    ]
    return {
        "tokens": [*tokens],
        "token_logprobs": [*values],
        "top_logprobs": best if top else None,
        "text_offset": [place * BYTES_PER_TOKEN for place in range(len(tokens))],
    }


def _prompt_tokens(prompt: str | list[int]) -> int:
    return text_tokens(prompt) if isinstance(prompt, str) else len(prompt)


# https://github.com/langchain-ai/langchain/issues/1710
def _not_for_texts(asked: Asked) -> RefusedError:
    if chat_model(asked.base) is not None:
        return RefusedError(
            "This is a chat model and not supported in the v1/completions endpoint. Did you mean to use "
            "v1/chat/completions?",
            param="model",
            status=404,
        )
    return refusal.no_such_model(asked.named)
