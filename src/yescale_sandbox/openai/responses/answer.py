"""The answer to a request for a response, before it is written down: its output items, its status, its usage."""

import hashlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.catalogue import ChatModel
from yescale_sandbox.openai.logprob import token_logprobs
from yescale_sandbox.openai.reply import REASONING_TOKENS
from yescale_sandbox.openai.responses import hearing, request
from yescale_sandbox.openai.responses.request import Asking, Tool
from yescale_sandbox.openai.responses.seal import sealed
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import Called, Heard, Said, cut_text, say, text_tokens

SHORT_ID_CHARS = 24
LONG_ID_CHARS = 48
SUMMARY = "**Reading the prompt**\n\nThe prompt has the digest {}; I shall repeat its last words."
TITLE = "A page of the sandbox"
PAGE = "https://sandbox.example/found/{}"


class Outcome(Struct, frozen=True):
    """The whole answer: `status` is how it ends, `reason` why it is incomplete."""

    id: str
    model: str
    status: str
    output: tuple[JsonObject, ...]
    usage: Tokens
    reason: str | None = None


class Speaker(Struct, frozen=True):
    """All that the words depend on."""

    asking: Asking
    heard: Heard
    model: ChatModel
    script: Script
    digest: str  # of the whole request: the ids of the answer come from it

    def item_id(self, prefix: str, place: int) -> str:
        return f"{prefix}_{hashlib.sha256(f'{self.digest}/{place}'.encode()).hexdigest()[:LONG_ID_CHARS]}"


def compose(asking: Asking, raw: bytes, model: ChatModel, script: Script) -> Outcome:
    """Answer a checked request."""
    digest = hashlib.sha256(raw).hexdigest()
    speaker = Speaker(asking, hearing.heard(asking), model, script, digest)
    thought = _reasoning_tokens(speaker)
    said = say(speaker.heard, script)
    fitted, spoken, reason = _fitted(said, speaker, thought)
    searched = reason is None and _searches(speaker, said)
    spoken += text_tokens(_citation(speaker)) if searched else 0
    output = [*_thinking(speaker, thought), *_searching(speaker, searched=searched)]
    if fitted is not None:
        whole = "incomplete" if reason == "max_output_tokens" else "completed"
        output += _speaking(speaker, fitted, status=whole, searched=searched, start=len(output))
    prompt = request.prompt_tokens(asking)
    return Outcome(
        id=f"resp_{digest[:LONG_ID_CHARS]}",
        model=model.dated,
        status="failed" if "failed" in script else "incomplete" if reason else "completed",
        output=tuple(output),
        reason=reason,
        usage=Tokens(
            prompt=prompt,
            completion=thought + spoken,
            cached=prompt * script.number("cached") // 100,
            reasoning=thought,
            web_searches=int(searched),
        ),
    )


def _reasoning_tokens(speaker: Speaker) -> int:
    if not speaker.model.reasons:
        return 0
    asked = speaker.asking.request.reasoning
    usual = REASONING_TOKENS[(asked and asked.effort) or "medium"]
    most = speaker.asking.request.max_output_tokens
    return usual if most is None else min(usual, most)


def _fitted(said: Said, speaker: Speaker, thought: int) -> tuple[Said | None, int, str | None]:
    """What of the words fits, its tokens, and why it is not all."""
    if "filter" in speaker.script:
        half = Said(said.text[: len(said.text) // 2])
        return half, half.tokens(), "content_filter"
    most = speaker.asking.request.max_output_tokens
    if most is None or thought + said.tokens() <= most:
        return said, said.tokens(), None
    left = most - thought
    if left <= 0:
        return None, 0, "max_output_tokens"
    if not said.calls:
        cut = msgspec.structs.replace(said, text=cut_text(said.text, left))
        return cut, cut.tokens(), "max_output_tokens"
    kept: list[Called] = []
    for call in said.calls:
        left -= text_tokens(call.name)
        if left <= 0:
            break
        kept.append(msgspec.structs.replace(call, arguments=cut_text(call.arguments, left)))
        left -= text_tokens(kept[-1].arguments)
    shorter = Said(calls=tuple(kept))
    return (shorter if kept else None), shorter.tokens(), "max_output_tokens"


def _thinking(speaker: Speaker, tokens: int) -> Iterator[JsonObject]:
    if not tokens:
        return
    asked = speaker.asking.request.reasoning
    thought = SUMMARY.format(speaker.heard.digest)
    wants_summary = asked is not None and (asked.summary or asked.generate_summary)
    item: JsonObject = {
        "id": speaker.item_id("rs", 0),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": thought}] if wants_summary else [],
    }
    if speaker.asking.request.wants("reasoning.encrypted_content"):
        item["encrypted_content"] = sealed(thought)
    yield item


def _searches(speaker: Speaker, said: Said) -> bool:
    """Whether the web is searched: where the tool is chosen, or the last words speak of a search."""
    tools = [tool for tool in hearing.eligible(speaker.asking) if tool.type in hearing.SEARCHES]
    if not tools or said.calls or said.is_json or said.refused or speaker.heard.tool_answers:
        return False
    return speaker.heard.demanded or "search" in speaker.heard.quote.lower()


def _searching(speaker: Speaker, *, searched: bool) -> Iterator[JsonObject]:
    if not searched:
        return
    query = speaker.heard.quote[:120]
    action: JsonObject = {"type": "search", "query": query, "queries": [query]}
    if speaker.asking.request.wants("web_search_call.action.sources"):
        action["sources"] = [{"type": "url", "url": PAGE.format(speaker.heard.digest)}]
    yield {"id": speaker.item_id("ws", 1), "type": "web_search_call", "status": "completed", "action": action}


def _speaking(speaker: Speaker, said: Said, *, status: str, searched: bool, start: int) -> Iterator[JsonObject]:
    for place, call in enumerate(said.calls):
        yield _call_item(speaker, call, status=status, place=start + place)
    if said.calls:
        return
    part = _refusal(said) if said.refused else _output_text(speaker, said, searched=searched)
    yield {
        "id": speaker.item_id("msg", start),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _refusal(said: Said) -> JsonObject:
    return {"type": "refusal", "refusal": said.text}


def _output_text(speaker: Speaker, said: Said, *, searched: bool) -> JsonObject:
    text = said.text
    annotations: list[Json] = []
    if searched:
        text += _citation(speaker)
        place: JsonObject = {"start_index": len(said.text) + 2, "end_index": len(text)}
        annotations.append({"type": "url_citation", **place, "url": PAGE.format(speaker.heard.digest), "title": TITLE})
    request = speaker.asking.request
    wanted = request.wants("message.output_text.logprobs") or bool(request.top_logprobs)
    logprobs: list[Json] = [*token_logprobs(text, request.top_logprobs or 0)] if wanted else []
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def _citation(speaker: Speaker) -> str:
    return f"\n\n[{TITLE}]({PAGE.format(speaker.heard.digest)})"


def _call_item(speaker: Speaker, call: Called, *, status: str, place: int) -> JsonObject:
    tool, namespace = _tool_of(speaker.asking, call.name)
    kind, prefix, fields = _written(tool, call)
    item: JsonObject = {
        "id": speaker.item_id(prefix, place),
        "type": kind,
        "status": status,
        "call_id": f"call_{call.digest[:SHORT_ID_CHARS]}",
        **fields,
    }
    if namespace is not None:
        item["namespace"] = namespace
    return item


def _tool_of(asking: Asking, name: str) -> tuple[Tool, str | None]:
    for tool, namespace in hearing.flat(asking.request.tools or []):
        if name == (tool.name or tool.type):
            return tool, namespace
    return Tool("function", name), None


def _written(tool: Tool, call: Called) -> tuple[str, str, JsonObject]:
    """Type, prefix of the id, and what the call says, for each kind of tool."""
    if tool.type == "function":
        return "function_call", "fc", {"name": call.name, "arguments": call.arguments}
    if tool.type == "custom":
        return "custom_tool_call", "ctc", {"name": call.name, "input": _free_text(call.arguments)}
    said: JsonObject = _decoded(call.arguments)
    if tool.type == "local_shell":
        return "local_shell_call", "lsh", {"action": {"type": "exec", "env": {}, **said}}
    if tool.type == "shell":
        return "shell_call", "sh", {"action": {"timeout_ms": None, "max_output_length": None, **said}}
    return "apply_patch_call", "apc", {"operation": said}


def _free_text(arguments: str) -> str:
    """The input of a custom tool: what the JSON text says, alone or as `input`, or, cut short, the text itself."""
    try:
        said: Json = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return arguments.removeprefix('"')
    if isinstance(said, dict) and set(said) == {"input"}:
        said = said["input"]
    return said if isinstance(said, str) else arguments


def _decoded(arguments: str) -> JsonObject:
    """The arguments as an object; empty where a limit cut them."""
    try:
        said: Json = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}
