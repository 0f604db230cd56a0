"""The tap on a chat stream: whole events pass, usage is read, the chunk that only we asked for is dropped."""

from typing import Final

import msgspec

from yescale.domain.usage import Usage, tier_of
from yescale.protocols import sse
from yescale.protocols.openai_chat.errors import read_error
from yescale.protocols.openai_chat.responses import meters, said, text_bytes
from yescale.protocols.openai_chat.schema import WireChunk
from yescale.protocols.passthrough import UpstreamError

_CHUNK: Final = msgspec.json.Decoder(WireChunk)
_END: Final = b"data: [DONE]\n\n"
_PLAIN_ENDS: Final = (b'"finish_reason":null}]}\n\n', b'"finish_reason":null}],"usage":null}\n\n')
_LONGEST_NULL: Final = len(b'"usage":null}\n\n')
_CONTENT: Final = b'content":"'  # also the end of "reasoning_content"
_WIDTH: Final = len(_CONTENT)
_BACKSLASH: Final = 0x5C
_MOST_LEARNT: Final = 16  # forms of events in one stream; after that every one is searched


class ChatTap:
    """One stream. Most blocks pass after a few byte searches; only those that may say something are decoded."""

    __slots__ = (
        "_before",
        "_behind",
        "_cut",
        "_framer",
        "_keep_usage",
        "_learnt",
        "_length",
        "done",
        "error",
        "finished",
        "partial",
        "text_bytes",
        "tier",
        "usage",
    )

    def __init__(self, keep_usage: bool, max_event_bytes: int) -> None:
        self._framer = sse.Framer(max_event_bytes)
        self._keep_usage = keep_usage
        # What stood around the text of an event that said nothing else, and how long that is, the end as a negative.
        self._before = self._behind = b""
        self._length = self._cut = 0
        self._learnt = 0
        self.usage: Usage | None = None
        self.partial = False
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""

    def feed(self, data: bytes) -> bytes:
        """The whole events of `data` and of what was held, but for those that the client must not see."""
        if self.done or self.error is not None:
            return b""
        framer = self._framer
        if self._length and data.startswith(self._before) and data.endswith(self._behind) and not framer.held:
            text = data[self._length : self._cut]
            if b'"' not in text and b"\n" not in text and b"\r" not in text:  # the same but for its text
                self.text_bytes += len(text)
                return data
        return self._listen(framer.feed(data) if framer.held or not data.endswith(b"\n\n") else data)

    def finish(self) -> bytes:
        """What the upstream left open: an event without its blank line if it is whole, the end mark if it finished."""
        if self.done or self.error is not None:
            return b""
        tail = self._framer.finish().rstrip(b"\r\n")
        out = self._listen(tail + b"\n\n") if _is_whole(tail) else b""
        if self.finished and not self.done and self.error is None:
            self.done = True
            out += _END
        return out

    def _listen(self, block: bytes) -> bytes:
        if _is_plain(block):
            self.text_bytes += _count_text(block)
            if self._learnt < _MOST_LEARNT:
                self._learn(block)
            return block
        if b'"finish_reason":"' in block or b'"finish_reason": "' in block:
            self.finished = True
        if b"[DONE]" in block or b'"error"' in block or b"event:" in block:
            return self._sift(block)
        if b'"usage"' in block and _may_have_usage(block):
            return self._sift(block)
        self.text_bytes += _count_text(block)
        return block

    def _learn(self, block: bytes) -> None:
        """Events of a stream differ in their text alone, as a rule: what is around it need not be searched again."""
        self._learnt += 1
        at = block.find(_CONTENT)
        if at < 0 or block.find(_CONTENT, at + 1) >= 0:
            return
        begin = at + _WIDTH
        end = block.find(b'"', begin)
        if end > 0 and block[end - 1] != _BACKSLASH:
            self._before, self._behind = block[:begin], block[end:]
            self._length, self._cut = begin, end - len(block)

    def _sift(self, block: bytes) -> bytes:
        kept: list[bytes] = []
        for event in sse.split(block):
            keep = self._hear(event)
            if keep:
                kept.append(event)
            if self.done or self.error is not None:
                break
        return b"".join(kept)

    def _hear(self, event: bytes) -> bool:
        """Take in one event; whether the client gets it."""
        name, data = sse.data_of(event)
        if data == b"[DONE]":
            self.done = True
            return True
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            chunk = WireChunk()
        if name == b"error" or said(chunk.error):
            self.error = read_error(data)
            return False
        usage = meters(chunk.usage)
        if usage is not None:
            self.usage, self.tier = usage, tier_of(chunk.service_tier)
            self.partial = bool(chunk.choices) and not self.finished  # some count on with every chunk
            if not chunk.choices:
                return self._keep_usage
        self.text_bytes += _count_text(event)
        return True


def _is_whole(event: bytes) -> bool:
    """Whether an event that nothing closed is not half a one."""
    _, data = sse.data_of(event)
    if data == b"[DONE]":
        return True
    try:
        _CHUNK.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_plain(block: bytes) -> bool:
    """Whether this is one event of the usual form that says nothing but text: no end, no reason, usage or error."""
    return (
        block.endswith(_PLAIN_ENDS)
        and block.find(b"\n") == len(block) - 2
        and b"\r" not in block
        and block.startswith(b"data: {")
        and block.find(b'"usage"', 0, -_LONGEST_NULL) < 0
        and b'"error"' not in block
        and block.count(b'"finish_reason":') == 1
    )


def _may_have_usage(block: bytes) -> bool:
    """Whether some `usage` is more than null (OpenAI says null in every chunk but the last)."""
    return block.count(b'"usage"') != block.count(b'"usage":null') + block.count(b'"usage": null')


def _count_text(block: bytes) -> int:
    """About how many bytes of output text: the usual shape by searches alone, any other by a pattern."""
    at = block.find(_CONTENT)
    if at < 0:
        return text_bytes(block)
    total = 0
    while at >= 0:
        start = at + _WIDTH
        end = block.find(b'"', start)
        while end > 0 and block[end - 1] == _BACKSLASH:
            end = block.find(b'"', end + 1)
        if end < 0:
            break
        total += end - start
        at = block.find(_CONTENT, end)
    return total
