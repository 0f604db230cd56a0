"""Claude at Vertex AI: Anthropic's bodies with the version in them, Anthropic's answers and streams.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
"""

import re
from collections.abc import Mapping

import msgspec

from yescale_sandbox import playback
from yescale_sandbox.anthropic import catalogue, charge, gate, message, reply, request_shape, rules
from yescale_sandbox.anthropic import failure as anthropic_failure
from yescale_sandbox.anthropic import refusal as anthropic_refusal
from yescale_sandbox.anthropic.cache import Memory
from yescale_sandbox.anthropic.catalogue import Model
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.anthropic.prompt import Call
from yescale_sandbox.anthropic.reply import Reply, Use
from yescale_sandbox.anthropic.shapes import Choice, Field, Flag, Items, Text, may, need
from yescale_sandbox.exchange import JSON, Answer, joined, whole
from yescale_sandbox.gemini.call import Asked, Stop, delayed
from yescale_sandbox.speech import claimed

# The newer version is what anthropic-sdk-python sends by itself (`lib/vertex/_client.py`).
NAMED: Mapping[str, Field] = {
    "anthropic_version": need(Choice(("vertex-2023-10-16", gate.VERSION))),
    "anthropic_beta": may(Items(Text())),
}
# Betas of Anthropic's own that Vertex does not know are refused with the whole request
# (https://docs.litellm.ai/blog/claude-code-beta-headers-incident).
BETAS = frozenset(
    {
        "compact-2026-01-12",
        "compact-2026-09-04",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "interleaved-thinking-2025-05-14",
        "per-turn-control-2026-07-01",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "tool-search-tool-2025-10-19",
        "web-search-2025-03-05",
    }
)
METHODS = frozenset({"rawPredict", "streamRawPredict"})
_DATED = re.compile(r"[-@]\d{8}$")


def find(name: str) -> Model | None:
    """The model of a name whose date, if any, stands behind an `@`."""
    date = _DATED.search(name)
    if date is not None and date[0].startswith("-"):
        return None
    return catalogue.find(name.replace("@", "-"))


def answered(asked: Asked, model: Model, call_id: str, memory: Memory, stop: Stop) -> Answer:
    """A stream if the body asks for one, whichever of the two methods was called."""
    try:
        call = _checked(asked, model)
    except anthropic_refusal.RefusedError as refused:
        body = anthropic_refusal.error_body(refused.message, refused.status, call_id)
        start, sends = whole(refused.status, JSON, body, asked.headers)
        return Answer(refused.status, joined(start, sends), "refused")
    failed = stop(asked)
    if failed is not None:
        return failed
    said = _vertex_ids(reply.compose(call, asked.script))
    usage = charge.charged(call, said, "vertex", asked.script, memory)
    written = message.Written(said, claimed(usage, asked.script), {})
    if asked.body.get("stream"):
        events = message.events(written, asked.script)
        framing = anthropic_failure.framing(call_id)
        played = playback.stream_steps(events, asked.script, asked.headers, framing)
    else:
        played = playback.body_steps(message.whole_body(written), asked.script, asked.headers)
    steps = delayed(played.steps, asked.script)
    return Answer(200, steps, played.outcome, counted=usage, reported=written.usage)


def _checked(asked: Asked, model: Model) -> Call:
    header = asked.request.headers.get("anthropic-beta", "")
    betas = [name.strip() for name in header.split(",") if name.strip()]
    listed = asked.body.get("anthropic_beta")
    betas += [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    is_newest = asked.body.get("anthropic_version") == gate.VERSION
    known_betas = gate.known_betas(betas, BETAS)
    terms = Terms(gate.VERSION, known_betas) if is_newest else Terms(betas=known_betas)
    known = {**request_shape.hosted_fields(terms, NAMED), "stream": may(Flag())}
    return rules.checked(asked.body, model, terms, known=known)


def _vertex_ids(said: Reply) -> Reply:
    """Ids as Vertex's models give them."""
    parts = tuple(
        msgspec.structs.replace(part, id=part.id.replace("toolu_", "toolu_vrtx_")) if isinstance(part, Use) else part
        for part in said.parts
    )
    return msgspec.structs.replace(said, id=said.id.replace("msg_", "msg_vrtx_"), parts=parts)
