"""A reply written down: as one GenerateContentResponse, or as the events of a stream.

https://ai.google.dev/api/generate-content#GenerateContentResponse. Every event reports the usage so far.
"""

from collections.abc import Iterator

import msgspec

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.gemini.prompt import Count
from yescale_sandbox.gemini.reply import Candidate, Reply, Usage
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import BYTES_PER_TOKEN, claimed, equal_parts, pieces


def usage_object(usage: Usage, script: Script, said: int | None = None) -> JsonObject | None:
    """https://ai.google.dev/api/generate-content#UsageMetadata; `said` is what came so far of the candidates."""
    tokens = usage.tokens()
    told = claimed(tokens, script)
    if told is None:
        return None
    if told != tokens:
        return _bent(told)
    spoken = usage.candidates.total if said is None else min(said, usage.candidates.total)
    total = usage.prompt.total + spoken + usage.thoughts + usage.tool_prompt
    made: JsonObject = {"promptTokenCount": usage.prompt.total}
    if spoken:
        made["candidatesTokenCount"] = spoken
    made |= {"totalTokenCount": total, "promptTokensDetails": [*usage.prompt.details()]}
    if said is None and usage.candidates.by_modality:
        made["candidatesTokensDetails"] = [*usage.candidates.details()]
    if usage.cached:
        made["cachedContentTokenCount"] = usage.cached
        made["cacheTokensDetails"] = [*Count((("TEXT", usage.cached),)).details()]
    if usage.thoughts:
        made["thoughtsTokenCount"] = usage.thoughts
    if usage.tool_prompt:
        made["toolUsePromptTokenCount"] = usage.tool_prompt
        made["toolUsePromptTokensDetails"] = [*Count((("TEXT", usage.tool_prompt),)).details()]
    return made


def whole_body(reply: Reply, script: Script, *, logprobs: int | None) -> bytes:
    """The answer without a stream."""
    answer: JsonObject = {}
    if reply.candidates:
        answer["candidates"] = [_whole_candidate(one, logprobs) for one in reply.candidates]
    return _encoded(answer, reply, usage_object(reply.usage, script))


def events(reply: Reply, script: Script, *, logprobs: int | None) -> Iterator[Event]:
    """The stream: the parts of all candidates in turn, text in pieces; the last of each carries its end."""
    said = 0
    queues = [(candidate, _chunks(candidate, script)) for candidate in reply.candidates]
    if not queues:
        yield Event(_encoded({}, reply, usage_object(reply.usage, script)), usage=True)
    ends = len(queues)
    while queues:
        left: list[tuple[Candidate, list[JsonObject]]] = []
        for candidate, chunks in queues:
            part, *rest = chunks
            said += _size(part)
            ends -= not rest
            row = _row(candidate, [part] if part else [], ended=not rest, logprobs=logprobs)
            so_far = None if not ends else -(-said // BYTES_PER_TOKEN)
            usage = usage_object(reply.usage, script, so_far)
            yield Event(_encoded({"candidates": [row]}, reply, usage), usage=not ends and usage is not None)
            if rest:
                left.append((candidate, rest))
        queues = left


def _whole_candidate(candidate: Candidate, logprobs: int | None) -> JsonObject:
    return _row(candidate, [*candidate.parts], ended=True, logprobs=logprobs)


def _row(candidate: Candidate, parts: list[JsonObject], *, ended: bool, logprobs: int | None) -> JsonObject:
    content: JsonObject = {"role": "model"}
    if parts:
        content = {"parts": [*parts], "role": "model"}
    row: JsonObject = {"content": content}
    if ended:
        row["finishReason"] = candidate.finish
    row["index"] = candidate.index
    if ended:
        row |= candidate.beside
    text = "".join(str(part["text"]) for part in parts if "text" in part and not part.get("thought"))
    if logprobs is not None and text:
        row |= _logprobs(text, logprobs)
    return row


def _chunks(candidate: Candidate, script: Script) -> list[JsonObject]:
    """The parts with their texts in pieces; a seal on text comes last, with an empty text. Calls are never split."""
    chunks: list[JsonObject] = []
    for part in candidate.parts:
        text = part.get("text")
        if not isinstance(text, str):
            chunks.append(part)
            continue
        plain: JsonObject = {key: value for key, value in part.items() if key not in {"text", "thoughtSignature"}}
        chunks += [{"text": piece, **plain} for piece in pieces(text, script, is_json=candidate.is_json)]
        if "thoughtSignature" in part:
            chunks.append({"text": "", "thoughtSignature": part["thoughtSignature"]})
    return chunks or [{}]


def _encoded(answer: JsonObject, reply: Reply, usage: JsonObject | None) -> bytes:
    if reply.feedback is not None:
        answer["promptFeedback"] = reply.feedback
    if usage is not None:
        answer["usageMetadata"] = usage | reply.metered
    answer |= {**reply.root, "modelVersion": reply.model, "responseId": reply.id}
    return msgspec.json.encode(answer)


def _bent(told: Tokens) -> JsonObject:
    return {
        "promptTokenCount": told.prompt,
        "candidatesTokenCount": told.completion,
        "totalTokenCount": told.prompt + told.completion,
    }


def _size(part: JsonObject) -> int:
    text = part.get("text")
    if isinstance(text, str):
        return 0 if part.get("thought") else len(text.encode())
    return len(msgspec.json.encode(part)) if part else 0


def _logprobs(text: str, most: int) -> JsonObject:
    """Invented, but never above zero and of the form of https://ai.google.dev/api/generate-content#LogprobsResult."""
    chosen: list[Json] = []
    top: list[Json] = []
    total = 0.0
    tokens = equal_parts(text, BYTES_PER_TOKEN)
    for place, token in enumerate(tokens):
        value = -0.01 * (place % 7)
        total += value
        chosen.append(_logprob(token, place, value))
        others = [token, *(f"other{rank}" for rank in range(1, most))][:most]
        rows: list[Json] = [_logprob(one, place, value - rank) for rank, one in enumerate(others)]
        top.append({"candidates": rows})
    result: JsonObject = {"chosenCandidates": chosen}
    if most:
        result["topCandidates"] = top
    return {"avgLogprobs": round(total / len(tokens), 6), "logprobsResult": result}


def _logprob(token: str, place: int, value: float) -> JsonObject:
    return {"token": token, "tokenId": place, "logProbability": round(value, 4)}
