"""The grammar of a stream of chat completions, as a function from its frames to what is wrong with them.

Every choice opens with its role, speaks, and finishes once; calls of tools open with id and name in the order of their
indexes; usage, if there is any, stands in the last chunk; [DONE] ends it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.grammars.frames import Frame

FINISHES = {"stop", "length", "tool_calls", "function_call", "content_filter"}
DONE = "[DONE]"


def faults(frames: Sequence[Frame], *, usage_asked: bool = False) -> Iterator[str]:
    """What is wrong; nothing comes if the stream is as it should be."""
    if not frames or frames[-1].text != DONE:
        yield "the stream does not end with [DONE]"
    bodies = [frame for frame in frames if frame.text != DONE]
    if len(frames) - len(bodies) > 1 or any(frame.name for frame in frames):
        yield "there is a [DONE] too many, or an event with a name"
    chunks = [frame.json() for frame in bodies]
    if len({(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks}) > 1:
        yield "the chunks are of several completions"
    choices: dict[int, _Choice] = {}
    for place, chunk in enumerate(chunks):
        for choice in chunk["choices"]:
            yield from choices.setdefault(choice["index"], _Choice(choice["index"])).read(choice)
        if chunk.get("usage") is not None and place != len(chunks) - 1:
            yield f"chunk {place} has usage and is not the last"
    for choice in choices.values():
        yield from choice.ended()
    if usage_asked and not (chunks and chunks[-1].get("usage") and chunks[-1]["choices"] == []):
        yield "usage was asked for and does not come in a last chunk without choices"


class _Choice:
    """One choice while the stream is read."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._begun = False
        self._finish: str | None = None
        self._calls = 0

    def read(self, choice: dict[str, Any]) -> Iterator[str]:
        delta = choice["delta"]
        if self._finish is not None:
            yield f"choice {self._index} goes on after its end"
        if not self._begun and delta.get("role") != "assistant":
            yield f"choice {self._index} does not open with its role"
        if self._begun and delta.get("role") not in (None, "assistant"):
            yield f"choice {self._index} changes its role"
        self._begun = True
        for part in delta.get("tool_calls") or ():
            yield from self._call(part)
        self._finish = choice["finish_reason"]
        if self._finish is not None and self._finish not in FINISHES:
            yield f"choice {self._index} ends with {self._finish!r}"

    def ended(self) -> Iterator[str]:
        if self._finish is None:
            yield f"choice {self._index} has no end"
        if self._finish == "tool_calls" and not self._calls:
            yield f"choice {self._index} ends with calls that it does not have"

    def _call(self, part: dict[str, Any]) -> Iterator[str]:
        index = part["index"]
        named = part.get("function", part.get("custom", {})).get("name")
        if index == self._calls:
            if not part.get("id") or not named:
                yield f"call {index} of choice {self._index} opens without id or name"
            self._calls += 1
        elif index != self._calls - 1:
            yield f"call {index} of choice {self._index} is out of order"
        elif part.get("id") or named:
            yield f"call {index} of choice {self._index} opens twice"
