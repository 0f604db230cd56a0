"""Vertex AI's words for a request's faults."""

from collections.abc import Iterable

from yescale_sandbox.gemini.dialect import Dialect, Fault
from yescale_sandbox.gemini.proto import camel
from yescale_sandbox.gemini.refusal import RefusedError
from yescale_sandbox.vertex.message import HARMS, TABLES

WHOLE = frozenset({"candidate_count", "max_output_tokens", "logprobs", "stop_sequences"})
PAGES = "https://docs.cloud.google.com/vertex-ai/generative-ai/docs"


def _faulted(faults: Iterable[Fault]) -> RefusedError:
    told = "; ".join(f"{place}: {words}" if place else words for place, words in faults)
    return RefusedError(f"Unable to submit request because {told} Learn more: {PAGES}/model-reference/gemini")


def _unsigned(name: str, position: int) -> str:
    """https://github.com/GewoonJaap/gemini-cli-openai/issues/156"""
    return (
        f"Unable to submit request because function call `{name}` in the {position}. content block is missing a "
        f"`thought_signature`. Learn more: {PAGES}/thought-signatures"
    )


def _ranged(name: str, value: float, least: float, most: float) -> Fault:
    """The upper end is exclusive: the next whole number, or a little more than the greatest value."""
    end = most + 1 if name in WHOLE else most + 0.0001
    words = (
        f"it has a {camel(name)} value of {value:g} but the supported range is from {least:g} (inclusive) to {end:g}"
    )
    return "", f"{words} (exclusive). Update the value and try again."


# A role must be said: https://github.com/router-for-me/CLIProxyAPI/issues/17
VERTEX = Dialect(
    TABLES,
    frozenset({"user", "model", "function"}),
    _faulted,
    _unsigned,
    _ranged,
    judged=HARMS,
    logprobs=frozenset({"gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-flash-lite"}),
    root={"createTime": "2025-01-02T03:04:05.000006Z"},
    metered={"trafficType": "ON_DEMAND"},
)
