"""The endings of a call as values: what provider, client and worker do, and what has to come of it.

The provider's answer comes in eight pieces, streamed or whole, so that "how far it had come" is a number. It keeps no
connection: a call on a kept one that is reset before any answer is sent once more in silence, which is another matter.
"""

import json
from typing import Literal

from msgspec import Struct

from tests.faults.load import PRICES, SMALL

PIECES = 8
NOTHING, HEAD, FIRST, MIDWAY, USAGE, MARKED, ALL = 0, 1, 2, 3, 6, 7, PIECES
BODY_BYTES = 400  # of each request: estimated as 100 tokens, four bytes each
TEXT = "12345678"  # of a text event: two tokens
REPORTED = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}

_IN, _OUT = PRICES[SMALL]
REAL = 10 * _IN + 20 * _OUT
PROMPT = BODY_BYTES // 4 * _IN  # an estimate for which no text was relayed
BIT = len(TEXT) // 4 * _OUT  # of one text event more


class Told(Struct, frozen=True, kw_only=True):
    """What has to come of a call. `row`: its status and outcome in the database; None = it has no row."""

    saw: str
    row: tuple[int, str] | None
    nano: int = 0
    estimated: bool = False
    requests: int = 1  # that the provider saw, over all attempts


class Ending(Struct, frozen=True, kw_only=True):
    """The provider sends `sent` pieces, and then `then`; whoever else acts does so at that moment."""

    name: str
    whole: Told
    stream: Told
    status: int = 200
    sent: int = NOTHING
    then: Literal["go on", "reset", "close", "half and close", "garbage", "stall", "drip"] = "go on"
    client: Literal["stays", "leaves", "leaves its upload"] = "stays"
    worker: Literal["lives", "drains", "is killed"] = "lives"
    model: str = SMALL


OK = Told(saw="200", row=(200, "ok"), nano=REAL)
NEXT = Told(saw="502 upstream_error", row=(502, "upstream_error"), requests=2)  # the other channel was asked too
LATE = Told(saw="504 upstream_timeout", row=(504, "deadline"))  # it may be at work: nobody else is asked
CUT = Told(saw="200, then upstream_cut", row=(200, "upstream_cut"), nano=PROMPT + 2 * BIT, estimated=True)
STUCK = Told(saw="200, then upstream_timeout", row=(200, "deadline"), nano=PROMPT + 2 * BIT, estimated=True)
GONE = Told(saw="left", row=(200, "client_gone"), nano=REAL)
UNHEARD = Told(saw="left", row=(200, "client_gone"), nano=PROMPT, estimated=True)
HALF_HEARD = Told(saw="left", row=(200, "client_gone"), nano=PROMPT + 2 * BIT, estimated=True)
BRIEF, REFUSED = f"{SMALL}+brief", f"{SMALL}+refused"  # channels that hardly drain; channels where nobody listens

ENDINGS = (
    Ending(name="success", whole=OK, stream=OK),
    Ending(
        name="provider says 400", status=400,
        whole=Told(saw="400 c", row=(400, "upstream_error")), stream=Told(saw="400 c", row=(400, "upstream_error")),
    ),
    Ending(name="provider says 500", status=500, whole=NEXT, stream=NEXT),
    Ending(
        name="connection refused", model=REFUSED,
        whole=Told(saw="502 upstream_error", row=(502, "upstream_error"), requests=0),
        stream=Told(saw="502 upstream_error", row=(502, "upstream_error"), requests=0),
    ),
    Ending(name="reset before the answer", then="reset", whole=NEXT, stream=NEXT),
    Ending(name="reset after the head", sent=HEAD, then="reset", whole=NEXT, stream=NEXT),
    Ending(name="reset midway", sent=MIDWAY, then="reset", whole=NEXT, stream=CUT),
    Ending(
        name="reset after the usage", sent=USAGE, then="reset", whole=NEXT,
        stream=Told(saw="200, then upstream_cut", row=(200, "upstream_cut"), nano=REAL),
    ),
    Ending(name="reset after the end mark", sent=MARKED, then="reset", whole=NEXT, stream=OK),
    Ending(name="closed midway", sent=MIDWAY, then="close", whole=NEXT, stream=CUT),
    Ending(name="cut inside a chunk", sent=MIDWAY, then="half and close", whole=NEXT, stream=CUT),
    Ending(name="garbage for an answer", then="garbage", whole=NEXT, stream=NEXT),
    Ending(name="garbage midway", sent=MIDWAY, then="garbage", whole=NEXT, stream=CUT),
    Ending(name="stalled before the answer", then="stall", whole=LATE, stream=LATE),
    Ending(name="stalled midway", sent=MIDWAY, then="stall", whole=LATE, stream=STUCK),
    Ending(name="over its deadline", sent=MIDWAY, then="drip", whole=LATE, stream=STUCK),
    Ending(name="client gone before the first byte", client="leaves", whole=GONE, stream=GONE),
    Ending(name="client gone at the first chunk", sent=FIRST, client="leaves", whole=GONE, stream=GONE),
    Ending(name="client gone midway", sent=MIDWAY, client="leaves", whole=GONE, stream=GONE),
    Ending(name="client gone after the usage", sent=USAGE, client="leaves", whole=GONE, stream=GONE),
    Ending(
        name="client gone before the first byte, provider stalls", then="stall", client="leaves", model=BRIEF,
        whole=UNHEARD, stream=UNHEARD,
    ),
    Ending(
        name="client gone midway, provider stalls", sent=MIDWAY, then="stall", client="leaves", model=BRIEF,
        whole=UNHEARD, stream=HALF_HEARD,
    ),
    Ending(
        name="client gone after the usage, provider stalls", sent=USAGE, then="stall", client="leaves", model=BRIEF,
        whole=UNHEARD, stream=GONE,
    ),
    Ending(
        name="client gone while its upload runs", client="leaves its upload",
        whole=Told(saw="left", row=None, requests=0), stream=Told(saw="left", row=None, requests=0),
    ),
    Ending(name="worker drains, call ends in time", sent=MIDWAY, worker="drains", whole=OK, stream=OK),
    Ending(
        name="worker drains, call does not end", sent=MIDWAY, then="stall", worker="drains",
        whole=Told(saw="503 temporarily_unavailable", row=(503, "drained")),
        stream=Told(
            saw="200, then temporarily_unavailable", row=(200, "drained"), nano=PROMPT + 2 * BIT, estimated=True
        ),
    ),
    Ending(
        name="client gone midway, worker drains", sent=MIDWAY, then="stall", client="leaves", worker="drains",
        whole=UNHEARD, stream=HALF_HEARD,
    ),
    Ending(
        name="worker killed before the first byte", then="stall", worker="is killed",
        whole=Told(saw="nothing", row=(0, "interrupted")), stream=Told(saw="nothing", row=(0, "interrupted")),
    ),
    Ending(
        name="worker killed midway", sent=MIDWAY, then="stall", worker="is killed",
        whole=Told(saw="nothing", row=(0, "interrupted")),
        stream=Told(saw="200, then nothing", row=(0, "interrupted")),
    ),
)  # fmt: skip


def request(model: str, *, stream: bool) -> bytes:
    """A chat request of BODY_BYTES bytes."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": ""}]}
    if stream:
        body["stream_options"] = {"include_usage": True}
    body["messages"] = [{"role": "user", "content": "x" * (BODY_BYTES - len(json.dumps(body)))}]
    return json.dumps(body).encode()


class Piece(Struct, frozen=True, kw_only=True):
    """A part of an answer as it goes over the wire: its framing, and what it says."""

    before: bytes = b""
    says: bytes = b""
    after: bytes = b""

    @property
    def raw(self) -> bytes:
        return self.before + self.says + self.after


def pieces(*, stream: bool) -> tuple[Piece, ...]:
    """The answer of a good provider."""
    return _streamed() if stream else _whole()


def _streamed() -> tuple[Piece, ...]:
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    says = (
        _event(choices=[{"index": 0, "delta": {"role": "assistant", "content": TEXT}}]),
        _event(choices=[{"index": 0, "delta": {"content": TEXT}}]),
        _event(choices=[{"index": 0, "delta": {"content": TEXT}}]),
        _event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        _event(choices=[], usage=REPORTED),
        b"data: [DONE]\n\n",
    )
    chunks = (Piece(before=b"%x\r\n" % len(event), says=event, after=b"\r\n") for event in says)
    # The head goes alone, and the terminator too: with the six chunks, eight pieces.
    return (Piece(before=head), *chunks, Piece(before=b"0\r\n\r\n"))


def _whole() -> tuple[Piece, ...]:
    message = {"role": "assistant", "content": 3 * TEXT}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = json.dumps({"id": "c", "object": "chat.completion", "choices": choices, "usage": REPORTED}).encode()
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        % len(body)
    )
    step = -(-len(body) // (PIECES - 1))
    return (Piece(before=head), *(Piece(says=body[at : at + step]) for at in range(0, len(body), step)))


def _event(**fields: object) -> bytes:
    body = {"id": "c", "object": "chat.completion.chunk", **fields}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def told_when_cut(at: int, *, stream: bool) -> Told:
    """What has to come of an answer that is reset after so many bytes of it."""
    answer = pieces(stream=stream)
    if not stream:
        return OK if at >= sum(len(piece.raw) for piece in answer) else NEXT
    heard: list[bytes] = []
    for piece in answer:
        got, at = piece.raw[:at], max(0, at - len(piece.raw))
        says = got[len(piece.before) :][: len(piece.says)]
        heard += [says] if says and says == piece.says else []
    said = b"".join(heard)
    if b"[DONE]" in said:
        return OK
    if not said:
        return NEXT
    if b"usage" in said:
        return Told(saw="200, then upstream_cut", row=(200, "upstream_cut"), nano=REAL)
    nano = PROMPT + said.count(TEXT.encode()) * BIT
    return Told(saw="200, then upstream_cut", row=(200, "upstream_cut"), nano=nano, estimated=True)
