"""Streams of events: the tap lets every byte pass but what it must hold back, wherever the network cuts."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.pieces import LONGEST, cut, grains
from yescale.domain.usage import Usage
from yescale.protocols.openai_chat.stream import ChatTap
from yescale.protocols.passthrough import UpstreamError
from yescale.protocols.sse import Framer, TooLong, data_of, split

_SAY = b'data: {"choices":[{"index":0,"delta":{"content":"h\xc3\xa9\\"o"},"finish_reason":null}],"usage":null}\n\n'
_STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
_USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}\n\n'
_DONE = b"data: [DONE]\n\n"
_ERROR = b'data: {"error":{"message":"no","code":5}}\n\n'
SEEDS = (
    _SAY + _SAY + _STOP + _USAGE + _DONE,
    (_SAY + _STOP + _USAGE + _DONE).replace(b"\n", b"\r\n"),
    (_SAY + _USAGE + _DONE).replace(b"\n", b"\r"),
    _SAY + _ERROR + _SAY,
    _SAY + b"event: error\n" + _ERROR,
    _SAY + b"event:error\ndata: no\n\n" + _USAGE,
    b": comment\n\n" + _SAY + b"id: 1\nretry: 5\n" + _STOP + b"data: [DONE]",
    b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"a"}}]}\n\n' + _USAGE[:-2],
    b'data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
)
WORDS = (
    b"\r\n", b"\n", b"\r", b"\n\n", b"\r\r", b"\r\n\r\n", b"\r\r\n", b"data: ", b"data:", b"event: error\n",
    b"event:error\n", b"event: error\r\n", b": c\n\n", b"[DONE]", b'"error":', b'"usage":', b'"usage":null',
    b'"usage": null', b"{", b"}", b"[]", b'"choices":', b'"finish_reason":"', b'content":"', b"\\", b'"', b"\xff",
    b"null", b"1e999", _SAY, _STOP, _USAGE, _DONE, _ERROR,
)  # fmt: skip

NARROW = 100  # bytes of one event
_BLANK = (b"\n\n", b"\r\r", b"\n\r\n")


@dataclass(frozen=True)
class Heard:
    """What went on to the client, and what the tap knows."""

    out: bytes
    usage: Usage | None
    done: bool
    error: UpstreamError | None

    @property
    def events(self) -> list[tuple[bytes, bytes]]:
        """What a reader makes of it: blank lines and comments say nothing."""
        return [event for event in map(data_of, split(self.out)) if any(event)]


def hear(pieces: Sequence[bytes], *, keep: bool) -> Heard:
    """Feed a tap to the end."""
    tap = ChatTap(keep, 2 * LONGEST)
    out = b"".join(map(tap.feed, pieces)) + tap.finish()
    assert tap.feed(b"data: more\n\n") == b"" or not (tap.done or tap.error), "nothing after the end"
    assert 0 <= tap.text_bytes <= sum(map(len, pieces)) + len(_DONE)
    return Heard(out, tap.usage, tap.done, tap.error)


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise of the stream's pipe is broken."""
    split_, fine = cut(data, places), grains(data)
    for pieces in ([data], split_, fine):
        frame(data, pieces)
    confine(split_)
    for keep, pieces in ((True, split_), (False, split_), (False, fine)):
        same(hear(pieces, keep=keep), hear([data], keep=keep))
    passes(data)


def frame(data: bytes, pieces: Sequence[bytes]) -> None:
    """Every byte comes out, in its place; before the end in whole events."""
    framer = Framer(2 * LONGEST)
    blocks = [block for piece in pieces if (block := framer.feed(piece))]
    assert all(block.endswith(_BLANK) for block in blocks)
    assert b"".join(blocks) + framer.finish() == data


def confine(pieces: Sequence[bytes]) -> None:
    """An event over the limit is not collected."""
    framer = Framer(NARROW)
    for piece in pieces:
        try:
            framer.feed(piece)
        except TooLong:
            assert len(framer.held) > NARROW
            return
        assert len(framer.held) <= NARROW


def same(split_: Heard, whole: Heard) -> None:
    """A cut changes nothing that a reader of events could see."""
    assert (split_.done, split_.error, split_.usage) == (whole.done, whole.error, whole.usage), "a cut changed the news"
    assert split_.events == whole.events, "a cut changed the events"


def passes(data: bytes) -> None:
    """A client that asked for usage gets what the upstream sent, up to its end or its error, and nothing else."""
    heard = hear([data], keep=True)
    own = heard.out.removesuffix(_DONE)
    tail = own.rstrip(b"\r\n")
    assert data.startswith((heard.out, own, tail)), "the bytes are the upstream's"
    dropping = hear([data], keep=False)
    left = iter(heard.events)
    assert all(event in left for event in dropping.events), "whoever did not ask gets the same less the usage"
