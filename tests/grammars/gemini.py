"""The grammar of Gemini's streams: what each chunk may hold, in what order, and how a stream ends.

https://ai.google.dev/api/generate-content#GenerateContentResponse
"""

import json
from typing import Any

ROOT = {"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime"}
CANDIDATE = {
    "content",
    "finishReason",
    "finishMessage",
    "index",
    "safetyRatings",
    "citationMetadata",
    "groundingMetadata",
    "urlContextMetadata",
    "avgLogprobs",
    "logprobsResult",
}
DATA = {
    "text": str,
    "inlineData": dict,
    "functionCall": dict,
    "executableCode": dict,
    "codeExecutionResult": dict,
    "fileData": dict,
}
BESIDE = {"thought": bool, "thoughtSignature": str}
FINISHES = {"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "MALFORMED_FUNCTION_CALL", "OTHER"}
COUNTS = ("candidatesTokenCount", "totalTokenCount")


def events(data: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream with `alt=sse`: events of one data line, and nothing else but comments."""
    text = data.decode().replace("\r\n", "\n")
    blocks = text.split("\n\n")
    assert blocks.pop() == "", "the last event is complete"
    found: list[dict[str, Any]] = []
    for block in blocks:
        if block.startswith(":"):
            continue
        assert block.startswith("data: "), block
        assert "\n" not in block, block
        found.append(json.loads(block.removeprefix("data: ")))
    return found


def array(data: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream without `alt=sse`: one JSON array of objects."""
    found = json.loads(data)
    assert isinstance(found, list)
    assert all(isinstance(chunk, dict) for chunk in found)
    return found


def check(chunks: list[dict[str, Any]]) -> None:
    """A stream that ends as it should: every candidate ends once, with its last chunk; counts only grow."""
    assert chunks, "a stream has a chunk"
    ended: set[int] = set()
    seen: set[int] = set()
    before: dict[str, int] = {}
    for number, chunk in enumerate(chunks):
        assert set(chunk) <= ROOT, set(chunk) - ROOT
        assert "error" not in chunk
        assert chunk["modelVersion"] == chunks[0]["modelVersion"]
        assert chunk["responseId"] == chunks[0]["responseId"]
        if "promptFeedback" in chunk:
            assert number == 0, "feedback comes first"
            assert "candidates" not in chunk
        for candidate in chunk.get("candidates", []):
            seen.add(candidate["index"])
            assert candidate["index"] not in ended, "nothing follows the finish"
            _check_candidate(candidate)
            if "finishReason" in candidate:
                ended.add(candidate["index"])
        before = _check_counts(chunk.get("usageMetadata", {}), before)
    assert ended == seen, "every candidate ends"


def check_failed(chunks: list[dict[str, Any]]) -> None:
    """A stream that breaks off with an error: good chunks, none of which ends, and then the error alone."""
    *good, last = chunks
    assert set(last) == {"error"}
    assert {"code", "message", "status"} <= set(last["error"])
    for chunk in good:
        for candidate in chunk["candidates"]:
            _check_candidate(candidate)
            assert "finishReason" not in candidate


def _check_candidate(candidate: dict[str, Any]) -> None:
    assert set(candidate) <= CANDIDATE, set(candidate) - CANDIDATE
    assert candidate["content"]["role"] == "model"
    assert candidate.get("finishReason", "STOP") in FINISHES
    for part in candidate["content"].get("parts", []):
        _check_part(part)


def _check_part(part: dict[str, Any]) -> None:
    """Just one kind of data, of its type; a call is whole."""
    data = [name for name in part if name in DATA]
    assert len(data) == 1, part
    assert isinstance(part[data[0]], DATA[data[0]])
    for name in set(part) - set(data):
        assert isinstance(part[name], BESIDE[name]), name
    if "functionCall" in part:
        assert part["functionCall"]["name"]
        assert isinstance(part["functionCall"]["args"], dict)


def _check_counts(usage: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    now = {name: usage.get(name, 0) for name in COUNTS}
    for name in COUNTS:
        assert not usage or now[name] >= before.get(name, 0), f"{name} falls"
    return now if usage else before


def parts(chunks: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
    """The parts of one candidate, with pieces of text that belong together joined again."""
    joined: list[dict[str, Any]] = []
    for chunk in chunks:
        for candidate in chunk.get("candidates", []):
            for part in candidate["content"].get("parts", []) if candidate["index"] == index else []:
                same = joined and "text" in part and "text" in joined[-1]
                if same and part.get("thought") == joined[-1].get("thought"):
                    joined[-1] = {**joined[-1], **part, "text": joined[-1]["text"] + part["text"]}
                else:
                    joined.append(dict(part))
    return joined
