"""Journal files as bytes: whole lines in, decoded records with their offsets out. Pure; nothing is opened here."""

from binascii import crc32
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.domain.ids import CallId
from yescale.domain.journal import JOURNAL_FORMAT, EndLine, HeadLine, JournalLine, OpenCall, OpenLine

_HEAD: Final = 9  # eight hexadecimal digits and a space
_NUL: Final = b"\\u0000"  # legal in JSON, unstorable in PostgreSQL
_NO_NUL: Final = b"\\ufffd"


class Record(Struct, frozen=True, gc=False):
    """One whole line: where it starts, its bytes without the line feed, and what it says or why that is unreadable."""

    off: int
    raw: bytes
    line: JournalLine | None
    reason: str = ""


class Reading(Struct, frozen=True, kw_only=True):
    """Some records of a file. `end`: the offset behind the last. `halted`: why nothing behind it may be read."""

    records: tuple[Record, ...]
    end: int
    halted: str = ""


class _Tag(Struct, array_like=True):
    tag: str
    n: Any = 0
    format: Any = JOURNAL_FORMAT  # of a head; another line has something else there


_decode: Final = msgspec.json.Decoder(JournalLine).decode
_decode_tag: Final = msgspec.json.Decoder(_Tag).decode
_KNOWN: Final = frozenset({"head", "open", "end", "back", "no", "next"})


def read_journal(data: bytes, start: int, most: int = 500) -> Reading:
    """The whole lines of `data`, which lies at offset `start` of its file; at most `most`.

    A line with a wrong checksum or shape is a record without `line`; a type or format newer than ours halts before it.
    """
    lines = data.split(b"\n", most)
    lines.pop()  # what no line feed ends, or what lies behind the last that is wanted
    odd = _NUL in data
    records: list[Record] = []
    for raw in lines:
        record = _record(start, raw, odd=odd)
        if (record.line is None or isinstance(record.line, HeadLine)) and (halted := _newer(raw)):
            return Reading(records=tuple(records), end=start, halted=halted)
        records.append(record)
        start += len(raw) + 1
    return Reading(records=tuple(records), end=start)


def torn_tail(data: bytes, start: int) -> Record:
    """What a dead writer left behind its last line feed, as a record for the quarantine."""
    return Record(start, data, None, "torn: the writer died inside this line")


def unended(opens: dict[CallId, OpenCall], records: Iterable[Record]) -> None:
    """Keep `opens` at the calls that went upstream and did not end; feed it all records of an incarnation in order."""
    for record in records:
        match record.line:
            case OpenLine(calls=calls):
                opens.update((call.id, call) for call in calls)
            case EndLine(id=call_id):
                opens.pop(call_id, None)
            case _:
                pass


def journal_line(line: JournalLine) -> bytes:
    """A line as it stands in the file, for tests and tools; workers build theirs by themselves."""
    raw = msgspec.json.encode(line)
    return b"%08x %s\n" % (crc32(raw), raw)


def _record(off: int, raw: bytes, *, odd: bool) -> Record:
    body = raw[_HEAD:]
    if raw[:_HEAD] != b"%08x " % crc32(body):
        return Record(off, raw, None, "crc: the checksum does not match")
    if odd:
        body = body.replace(_NUL, _NO_NUL)
    try:
        return Record(off, raw, _decode(body))
    except msgspec.DecodeError as error:
        return Record(off, raw, None, f"shape: {error}")


def _newer(raw: bytes) -> str:
    body = raw[_HEAD:]
    if raw[:_HEAD] != b"%08x " % crc32(body):
        return ""
    try:
        said = _decode_tag(body)
    except msgspec.DecodeError:
        return ""
    if said.tag == "head" and isinstance(said.format, int) and said.format > JOURNAL_FORMAT:
        return f"Its format {said.format} is newer than {JOURNAL_FORMAT}; upgrade control."
    return (
        "" if said.tag in _KNOWN else f"It holds a line of type {said.tag!r}, unknown to this version; upgrade control."
    )
