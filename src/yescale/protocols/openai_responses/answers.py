"""The response object as a client gets it: what the answer is, and the settings of its request said again.

The SDK's types demand most fields, so each is there: as the client said it, else as OpenAI's default.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Raw, Struct

from yescale.domain.chat import ChatRequest, HostedTool, StopReason
from yescale.domain.custom_tools import custom_names
from yescale.domain.usage import Usage
from yescale.protocols.codec import Envelope
from yescale.protocols.openai_responses.bodies import write_choice, write_form, write_reasoning, write_tool
from yescale.protocols.openai_responses.input_items import Wire
from yescale.protocols.openai_responses.schema import OWN
from yescale.protocols.openai_responses.usage import write_usage

_INCOMPLETE: Final[Mapping[StopReason, str]] = MappingProxyType(
    {
        StopReason.LENGTH: "max_output_tokens",
        StopReason.FILTERED: "content_filter",
        StopReason.PAUSED: "max_output_tokens",
    }
)
# Of those that the client may say, the ones whose value is given back; with what stands there where it was not said.
_SAID_AGAIN: Final[Mapping[str, object]] = MappingProxyType(
    {
        "background": False,
        "conversation": None,
        "max_tool_calls": None,
        "metadata": Raw(b"{}"),
        "previous_response_id": None,
        "prompt": None,
        "safety_identifier": None,
        "store": True,
        "truncation": "disabled",
    }
)


class Ending(Struct, frozen=True, kw_only=True, gc=False):
    """How an answer ended; `reason` None = it goes on."""

    reason: StopReason | None = None
    raw_reason: str = ""
    usage: Usage | None = None
    service_tier: str = ""


def write_response(envelope: Envelope, output: Sequence[object], ending: Ending) -> Wire:
    """The response object."""
    request = envelope.request
    status = status_of(ending.reason)
    incomplete = _INCOMPLETE.get(ending.reason) if ending.reason is not None else None
    response: Wire = {
        "id": response_id(envelope),
        "object": "response",
        "created_at": envelope.created,
        "status": status,
        "error": _failure(ending) if status == "failed" else None,
        "incomplete_details": None if incomplete is None else {"reason": incomplete},
        "instructions": request.system[0].text if request.system else None,
        "max_output_tokens": request.max_tokens,
        "model": envelope.model,
        "output": output,
        "parallel_tool_calls": request.parallel_tools is not False,
        "prompt_cache_key": request.cache_key or None,
        "service_tier": ending.service_tier or request.service_tier or "auto",
        "temperature": _or(request.sampling.temperature, 1.0),
        "top_logprobs": request.sampling.top_logprobs or 0,
        "top_p": _or(request.sampling.top_p, 1.0),
        "usage": None if ending.usage is None else write_usage(ending.usage),
        "user": request.user or None,
    }
    response.update(_shaped(request))
    said = request.extras.get(OWN, {})
    response.update({name: said.get(name, otherwise) for name, otherwise in _SAID_AGAIN.items()})
    return response


def response_id(envelope: Envelope) -> str:
    """The id by which a client may ask for this answer."""
    return f"resp_{envelope.id}"


def status_of(reason: StopReason | None) -> str:
    """The word for where an answer stands."""
    if reason is None:
        return "in_progress"
    if reason is StopReason.ERROR:
        return "failed"
    return "incomplete" if reason in _INCOMPLETE else "completed"


def _shaped(request: ChatRequest) -> Wire:
    """The settings that are objects: as the client wrote them where they were unusual."""
    said = request.extras.get(OWN, {})
    choice = request.tool_choice
    text: Wire = {"format": {"type": "text"} if request.output is None else write_form(request.output)}
    if request.verbosity is not None:
        text["verbosity"] = request.verbosity
    reasoning: Wire = {"effort": None, "summary": None}
    if request.reasoning is not None:
        reasoning |= write_reasoning(request.reasoning)
    shaped: Wire = {
        "reasoning": reasoning,
        "text": text,
        "tool_choice": "auto" if choice is None else write_choice(choice, custom_names(request.tools)),
        "tools": _tools(request),
    }
    return shaped | {name: said[name] for name in shaped if name in said}


def _tools(request: ChatRequest) -> list[object]:
    tools: list[object] = []
    for tool in request.tools:
        if isinstance(tool, HostedTool):
            tools += () if tool.raw is None else (tool.raw,)
        elif tool.custom:
            tools.append(write_tool(tool))
        else:
            tools.append({"parameters": None, "strict": True} | write_tool(tool))
    return tools


def _failure(ending: Ending) -> Wire:
    return {"code": "server_error", "message": f"The answer ended with an error: {ending.raw_reason or 'no reason'}."}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
