"""The journal seam: what a worker says about money spent or given back, one line each, in files that it alone writes.

A line on disk is `crc32 SP json LF` (crc as 8 hexadecimal digits, over the json). Lines of one incarnation are
numbered n = 1, 2, 3 ... across its files. Unknown fields are ignored; an unknown type or a newer
format stops the reader.
"""

from typing import Final, Literal

from msgspec import Struct

from yescale.domain.ids import AccountId, CallId, ChannelId, Incarnation, KeyId, ModelName, PurseId
from yescale.domain.money import Nano
from yescale.domain.price import Line
from yescale.domain.usage import Meter

JOURNAL_FORMAT: Final = 1

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


class HeadLine(Struct, frozen=True, kw_only=True, tag="head", tag_field="t"):
    """First in each file."""

    n: int
    incarnation: Incarnation
    node: str
    file: int
    program: str
    at_ms: int
    format: int = JOURNAL_FORMAT


class OpenCall(Struct, frozen=True, kw_only=True):
    """A call that went upstream and has not ended."""

    id: CallId
    at_ms: int
    key: KeyId
    account: AccountId
    model: ModelName
    channel: ChannelId
    reserved: Nano
    stream: bool = False


class OpenLine(Struct, frozen=True, kw_only=True, tag="open", tag_field="t"):
    """Calls sent upstream since the last write; at latest 100 ms after they went."""

    n: int
    calls: tuple[OpenCall, ...]


class AttemptNote(Struct, frozen=True, kw_only=True):
    """One try at one channel: what it answered (0 = nothing) or how it failed, and how long it took."""

    channel: ChannelId
    status: int = 0
    failure: str = ""
    ms: int = 0


class EndLine(Struct, frozen=True, kw_only=True, tag="end", tag_field="t"):
    """How a call ended, what it used and what it costs: once per call, before the last bytes go to the client."""

    n: int
    id: CallId
    at_ms: int  # unix milliseconds of the end
    key: KeyId
    account: AccountId
    username: str
    key_name: str
    group: str
    model: ModelName
    upstream_model: str
    channel: ChannelId  # 0 = none was reached
    outcome: Outcome
    status: int  # what the client got (or would have)
    stream: bool
    usage: dict[Meter, int]
    estimated: bool
    lines: tuple[Line, ...]
    amount: Nano  # sum of the lines
    charges: tuple[tuple[PurseId, Nano], ...]  # every purse that pays, each the whole amount
    attempts: tuple[AttemptNote, ...]
    first_ms: int  # to the first byte of the answer; -1 = none came
    total_ms: int
    snapshot: int  # version
    backs: tuple[tuple[PurseId, Nano], ...] = ()  # returned totals in the same write, for exact grants
    ip: str = ""
    client_request_id: str = ""
    error: str = ""  # the code that the client saw
    note: str = ""  # "usage not believed", "drained 3 s after the client left" ...
    losses: tuple[str, ...] = ()


class BackLine(Struct, frozen=True, kw_only=True, tag="back", tag_field="t"):
    """Idle money given back: the new returned total of each lease."""

    n: int
    purses: tuple[tuple[PurseId, Nano], ...]


class NoLine(Struct, frozen=True, kw_only=True, tag="no", tag_field="t"):
    """Refused calls of a known key: one line each up to a rate, then a count."""

    n: int
    at_ms: int
    key: KeyId
    account: AccountId
    code: str
    count: int
    model: str = ""
    id: str = ""  # the request id where it is a single call


class NextLine(Struct, frozen=True, kw_only=True, tag="next", tag_field="t"):
    """Last in a full file: the series goes on in file number `file`."""

    n: int
    file: int


JournalLine = HeadLine | OpenLine | EndLine | BackLine | NoLine | NextLine
