"""The journal seam: what a worker says about money spent or given back, one line each, in files that it alone writes.

A line on disk is `crc32 SP json LF` (crc as 8 hexadecimal digits, over the json), the json an array: its type, `n`,
then the fields in the order below. Lines of one incarnation are numbered n = 1, 2, 3 ... across its files. Fields are
only added behind the others, and unknown ones are ignored; an unknown type or a newer format stops the reader.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from yescale.domain.ids import AccountId, CallId, ChannelId, Incarnation, KeyId, ModelName, PurseId
from yescale.domain.money import Nano
from yescale.domain.price import Line
from yescale.domain.tags import NO_TAGS, Written
from yescale.domain.usage import Meter

JOURNAL_FORMAT: Final = 1
MOST: Final = 1 << 53  # nano of one line: nine million dollars; and the largest count that every reader keeps exact

# What a reader believes. Whoever reads a line that says otherwise has it refused by the decoder.
Number = Annotated[int, Meta(ge=0, le=MOST)]
Amount = Annotated[Nano, Meta(ge=0, le=MOST)]
Total = Annotated[Nano, Meta(ge=0, le=MOST << 9)]
Duration = Annotated[int, Meta(ge=-1, le=MOST)]  # milliseconds; -1 = it did not come to that

Outcome = Literal[
    "ok",  # answered whole
    "upstream_error",  # no candidate answered; the client got an error
    "upstream_cut",  # the upstream broke off inside the answer
    "client_gone",  # the client left; usage drained or estimated
    "deadline",
    "drained",  # ended by a shutdown
    "refused",  # admitted, then refused before any upstream call
    "interrupted",  # written by control for a worker that died: an `open` without `end`
]


class HeadLine(Struct, frozen=True, kw_only=True, array_like=True, tag="head", gc=False):
    """First in each file."""

    n: Number
    format: int = JOURNAL_FORMAT  # stays here, so that every version can read it
    incarnation: Incarnation
    node: str
    file: int
    program: str
    at_ms: int


class OpenCall(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A call that went upstream and has not ended."""

    id: CallId
    at_ms: int
    key: KeyId
    account: AccountId
    model: ModelName
    channel: ChannelId
    reserved: Nano
    stream: bool = False
    tags: Written = NO_TAGS


class OpenLine(Struct, frozen=True, kw_only=True, array_like=True, tag="open", gc=False):
    """Calls sent upstream since the last write; at latest 100 ms after they went."""

    n: Number
    calls: tuple[OpenCall, ...]


class AttemptNote(Struct, frozen=True, kw_only=True, gc=False):
    """One try at one channel: what it answered (0 = nothing) or how it failed, and how long it took."""

    channel: ChannelId
    status: int = 0
    failure: str = ""
    ms: int = 0


class EndLine(Struct, frozen=True, kw_only=True, array_like=True, tag="end", gc=False):
    """How a call ended, what it used and what it costs: once per call, before the last bytes go to the client."""

    n: Number
    id: CallId
    at_ms: Number  # unix milliseconds of the end
    key: Annotated[KeyId, Meta(ge=0, le=MOST)]
    account: AccountId
    username: str
    key_name: str
    group: str
    model: ModelName
    upstream_model: str
    channel: Annotated[ChannelId, Meta(ge=0, le=MOST)]  # 0 = none was reached
    outcome: Outcome
    status: Annotated[int, Meta(ge=0, le=1 << 31)]  # what the client got (or would have)
    stream: bool
    usage: dict[Meter, Number]
    estimated: bool
    lines: tuple[Line, ...]
    amount: Amount  # sum of the lines
    charges: tuple[tuple[PurseId, Amount], ...]  # every purse that pays, each the whole amount
    attempts: tuple[AttemptNote, ...]
    first_ms: Duration  # to the first byte of the answer
    total_ms: Duration
    snapshot: int  # version
    backs: tuple[tuple[PurseId, Total], ...] = ()  # returned totals in the same write, for exact grants
    ip: str = ""
    client_request_id: str = ""
    error: str = ""  # the code that the client saw
    note: str = ""  # "usage not believed", "drained 3 s after the client left" ...
    losses: tuple[str, ...] = ()
    tags: Written = NO_TAGS


class BackLine(Struct, frozen=True, kw_only=True, array_like=True, tag="back", gc=False):
    """Idle money given back: the new returned total of each lease."""

    n: Number
    purses: tuple[tuple[PurseId, Total], ...]


class NoLine(Struct, frozen=True, kw_only=True, array_like=True, tag="no", gc=False):
    """Refused calls of a known key: one line each up to a rate, then a count."""

    n: Number
    at_ms: int
    key: KeyId
    account: AccountId
    code: str
    count: int
    model: str = ""
    id: str = ""  # the request id where it is a single call


class NextLine(Struct, frozen=True, kw_only=True, array_like=True, tag="next", gc=False):
    """Last in a full file: the series goes on in file number `file`."""

    n: Number
    file: int


JournalLine = HeadLine | OpenLine | EndLine | BackLine | NoLine | NextLine
