"""The answer before it is written down: a thought, then text or calls."""

import hashlib

import msgspec
from msgspec import Struct

from yescale_sandbox.chatlike import request as requests
from yescale_sandbox.chatlike.request import ChatLike
from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import Called, Said, cut_text, first_stop, say, text_tokens

THOUGHT = "The user wrote a prompt with the digest {}. I shall say its last words again."
ID_CHARS = 24


class Answered(Struct, frozen=True):
    """All of the answer; `seed` is what ids are made of."""

    seed: str
    model: str
    finish: str
    text: str
    thought: str
    calls: tuple[Called, ...]
    usage: Tokens
    is_json: bool = False


def compose(request: ChatLike, body: JsonObject, raw: bytes, script: Script, *, model: str, thinks: bool) -> Answered:
    """Answer a checked request. A limit of tokens is used up by the thought first."""
    heard = requests.heard(request, body)
    thought = THOUGHT.format(heard.digest) if thinks else ""
    said, finish = _ended(say(heard, script), request, script)
    most = request.most_output
    if most is not None:
        thought = cut_text(thought, most)
        said, finish = _fitted(said, finish, most - text_tokens(thought))
    prompt = requests.prompt_tokens(request, body)
    reasoning = text_tokens(thought)
    return Answered(
        seed=hashlib.sha256(raw).hexdigest(),
        model=model,
        finish=finish,
        text=said.text,
        thought=thought,
        calls=said.calls,
        is_json=said.is_json,
        usage=Tokens(
            prompt=prompt,
            completion=said.tokens() + reasoning,
            cached=prompt * script.number("cached") // 100,
            reasoning=reasoning,
        ),
    )


def _ended(said: Said, request: ChatLike, script: Script) -> tuple[Said, str]:
    if said.calls:
        return said, "tool_calls"
    if "filter" in script:
        return Said(said.text[: len(said.text) // 2]), "content_filter"
    found = first_stop(said.text, request.stops())
    return (said if found is None else msgspec.structs.replace(said, text=said.text[: found[0]])), "stop"


def _fitted(said: Said, finish: str, left: int) -> tuple[Said, str]:
    if said.tokens() <= left:
        return said, finish
    kept: list[Called] = []
    for call in said.calls:
        left -= text_tokens(call.name)
        if left <= 0:
            break
        kept.append(msgspec.structs.replace(call, arguments=cut_text(call.arguments, left)))
        left -= text_tokens(kept[-1].arguments)
    return Said(cut_text(said.text, max(left, 0)), tuple(kept), said.is_json), "length"
