"""Server-sent events, read strictly from bytes: one frame is what an empty line ends."""

import json
from typing import Any, NamedTuple


class Frame(NamedTuple):
    """One event: its name if a line said one, and its text."""

    name: str
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def frames(stream: bytes) -> list[Frame]:
    """The frames of a whole stream; comments alone make none."""
    blocks = stream.decode().replace("\r\n", "\n").split("\n\n")
    assert blocks[-1] == "", f"the stream ends inside of a frame: {blocks[-1][:80]!r}"
    found = [_frame(block) for block in blocks[:-1]]
    return [frame for frame in found if frame is not None]


def _frame(block: str) -> Frame | None:
    lines = [line for line in block.split("\n") if not line.startswith(":")]
    if not lines:
        return None
    fields = [line.partition(":")[::2] for line in lines]
    assert all(name in ("event", "data", "id", "retry") for name, _ in fields), f"a strange line in {block[:80]!r}"
    named = [value.removeprefix(" ") for name, value in fields if name == "event"]
    text = [value.removeprefix(" ") for name, value in fields if name == "data"]
    return Frame(named[-1] if named else "", "\n".join(text))
