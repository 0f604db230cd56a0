"""Vertex AI's words for a request's faults."""

from collections.abc import Iterable

from yescale_sandbox.gemini.dialect import Dialect, Fault
from yescale_sandbox.gemini.refusal import RefusedError
from yescale_sandbox.vertex.message import HARMS, TABLES

PAGES = "https://docs.cloud.google.com/vertex-ai/generative-ai/docs"


def _faulted(faults: Iterable[Fault]) -> RefusedError:
    told = "; ".join(f"{place}: {words.strip()}" for place, words in faults)
    return RefusedError(f"Unable to submit request because {told} Learn more: {PAGES}/model-reference/gemini")


def _unsigned(name: str, position: int) -> str:
    """https://github.com/GewoonJaap/gemini-cli-openai/issues/156"""
    return (
        f"Unable to submit request because function call `{name}` in the {position}. content block is missing a "
        f"`thought_signature`. Learn more: {PAGES}/thought-signatures"
    )


# A role must be said: https://github.com/router-for-me/CLIProxyAPI/issues/17
VERTEX = Dialect(
    TABLES,
    frozenset({"user", "model", "function"}),
    _faulted,
    _unsigned,
    frozenset(HARMS),
    root={"createTime": "2025-01-02T03:04:05.000006Z"},
    metered={"trafficType": "ON_DEMAND"},
)
