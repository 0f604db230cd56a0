"""What the Gemini API and Vertex AI say differently about the same request."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from yescale_sandbox.gemini.message import TABLES
from yescale_sandbox.gemini.proto import Tables
from yescale_sandbox.gemini.refusal import RefusedError
from yescale_sandbox.jsontype import JsonObject

Fault: TypeAlias = tuple[str, str]


class Dialect(Struct, frozen=True):
    """The messages, the roles of contents, and the words around a fault and an unsigned call.

    `ranged` tells of a value out of its range, by name, value and the range's ends. `judged` are the categories of harm
    that may be set, `logprobs` the models that tell probabilities; `root` and `metered` stand in every answer and its
    usage.
    """

    tables: Tables
    roles: frozenset[str]
    faulted: Callable[[Iterable[Fault]], RefusedError]
    unsigned: Callable[[str, int], str]
    ranged: Callable[[str, float, float, float], Fault]
    judged: tuple[str, ...]
    logprobs: frozenset[str]
    root: JsonObject = {}
    metered: JsonObject = {}


def _faulted(faults: Iterable[Fault]) -> RefusedError:
    """https://github.com/cline/cline/issues/7339"""
    return RefusedError("".join(f"* GenerateContentRequest.{place}: {words}\n" for place, words in faults))


def _unsigned(name: str, position: int) -> str:
    """https://github.com/nanbingxyz/5ire/issues/405"""
    return (
        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly, and missing thought_signature may lead to degraded model performance. Additional data, function "
        f"call `default_api:{name}` , position {position}. Please refer to "
        "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
    )


def _ranged(name: str, _: float, least: float, most: float) -> Fault:
    return f"generation_config.{name}", f"{name} must be in the range [{least}, {most}]."


AI_STUDIO = Dialect(
    TABLES,
    frozenset({"", "user", "model", "function"}),
    _faulted,
    _unsigned,
    _ranged,
    judged=("HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "HARASSMENT", "CIVIC_INTEGRITY"),
    # The models of 2.5 and later answer "Logprobs is not enabled" here, but not at Vertex.
    logprobs=frozenset({"gemini-2.0-flash"}),
)
