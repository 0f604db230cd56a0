"""The wire structs of Ollama's answers, whole and as lines of a stream, which have the same shape."""

from typing import Final

from msgspec import Raw, Struct

NOTHING: Final = Raw(b"null")


class WireFunction(Struct, frozen=True, gc=False):
    """A call's function. Its arguments are an object, not a text."""

    name: str
    arguments: Raw = NOTHING


class WireCall(Struct, frozen=True, gc=False):
    """An entry of `tool_calls`."""

    function: WireFunction
    id: str | None = None


class WireMessage(Struct, frozen=True, gc=False):
    """The model's message, or a piece of it."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[WireCall] | None = None


class WireTop(Struct, frozen=True, gc=False):
    """A likely token."""

    token: str = ""
    logprob: float = 0.0


class WireScore(Struct, frozen=True, gc=False):
    """A token of the answer."""

    token: str
    logprob: float
    top_logprobs: list[WireTop] | None = None


class WireAnswer(Struct, frozen=True, gc=False):
    """An answer, or a line of a stream; the last one is `done`."""

    model: str = ""
    created_at: str = ""
    message: WireMessage | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[WireScore] | None = None
    error: str | None = None
