"""The grammar of Ollama's streams: lines of JSON, of which the last alone is done."""

import json
from collections.abc import Iterator


def faults(stream: bytes) -> Iterator[str]:
    """What is wrong with a stream; nothing, if it is well formed."""
    if not stream.endswith(b"\n"):
        yield "the last line has no end"
    lines = [json.loads(line) for line in stream.splitlines()]
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        if "error" in line:
            yield from [] if last else [f"{number}: something follows an error"]
            continue
        if line["done"] is not last:
            yield f"{number}: done is {line['done']}"
        if last and line.get("done_reason") not in ("stop", "length"):
            yield f"{number}: it ends without a reason"
        if not last and ("eval_count" in line or "done_reason" in line):
            yield f"{number}: an end before the end"
        if (
            set(line["message"]) - {"role", "content", "thinking", "tool_calls"}
            or line["message"]["role"] != "assistant"
        ):
            yield f"{number}: a message that no model writes"
        for call in line["message"].get("tool_calls", ()):
            if not isinstance(call["function"]["arguments"], dict):
                yield f"{number}: arguments that are no object"
