"""Journal bytes become records: whole lines only, whatever else lies between them."""

import zlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.ids import AccountId, CallId, ChannelId, Incarnation, KeyId, ModelName, PurseId
from yescale.domain.journal import BackLine, HeadLine, NextLine, OpenCall, OpenLine
from yescale.ledger.journal_file import journal_line, read_journal, torn_tail, unended


def _back(n: int) -> BackLine:
    return BackLine(n=n, purses=((PurseId(1), n),))


def _raw(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


@given(cut=st.integers(0, 500), count=st.integers(1, 6), most=st.integers(1, 8))
def test_a_file_cut_anywhere_yields_its_whole_lines(cut: int, count: int, most: int) -> None:
    lines = [journal_line(_back(n)) for n in range(1, count + 1)]
    data = b"".join(lines)[:cut]
    reading = read_journal(data, 1_000, most)
    whole = sum(1 for n in range(1, count + 1) if len(b"".join(lines[:n])) <= len(data))
    assert [record.line for record in reading.records] == [_back(n) for n in range(1, min(whole, most) + 1)]
    assert reading.end == 1_000 + len(b"".join(lines[: min(whole, most)]))


@given(data=st.binary(max_size=200))
def test_garbage_is_never_a_line_and_never_an_error(data: bytes) -> None:
    reading = read_journal(data, 0)
    assert all(record.line is None and record.reason for record in reading.records)
    assert reading.end == data.rfind(b"\n") + 1


def test_a_flipped_byte_costs_one_line() -> None:
    data = journal_line(_back(1)) + journal_line(_back(2)).replace(b"back", b"bacc") + journal_line(_back(3))
    records = read_journal(data, 0).records
    assert [record.line for record in records] == [_back(1), None, _back(3)]
    assert records[1].reason.startswith("crc")
    assert records[1].off == len(journal_line(_back(1)))


def test_a_line_of_a_known_type_with_a_wrong_shape_costs_one_line() -> None:
    records = read_journal(_raw(b'["back","one",[]]') + journal_line(_back(2)), 0).records
    assert [record.line for record in records] == [None, _back(2)]
    assert records[0].reason.startswith("shape")


def test_an_unknown_field_is_ignored() -> None:
    records = read_journal(_raw(b'["next",1,2,"later"]'), 0).records
    assert [record.line for record in records] == [NextLine(n=1, file=2)]


def test_an_unknown_type_stops_the_file_before_it() -> None:
    data = journal_line(_back(1)) + _raw(b'["news",2]') + journal_line(_back(3))
    reading = read_journal(data, 0)
    assert len(reading.records) == 1
    assert reading.end == len(journal_line(_back(1)))
    assert "'news'" in reading.halted
    assert read_journal(data[reading.end :], reading.end).end == reading.end


def test_a_newer_format_stops_the_file() -> None:
    head = HeadLine(n=1, incarnation=Incarnation("a"), node="n", file=1, program="later", at_ms=1, format=2)
    assert "newer" in read_journal(journal_line(head), 0).halted
    assert read_journal(_raw(b'["head",1,3]'), 0).halted
    assert not read_journal(journal_line(HeadLine(**{**_fields(head), "format": 1})), 0).halted


def test_what_cannot_be_stored_as_text_is_replaced() -> None:
    records = read_journal(_raw(b'["no",1,1,1,1,"a\\u0000b",1]'), 0).records
    assert records[0].line is not None
    assert getattr(records[0].line, "code", None) == "a\ufffdb"


def test_a_torn_tail_is_kept_for_the_quarantine() -> None:
    record = torn_tail(b"half a li", 77)
    assert (record.off, record.raw, record.line) == (77, b"half a li", None)


def test_calls_without_an_end_are_known_over_all_files() -> None:
    opened = [
        OpenCall(
            id=CallId(f"c{n}"),
            at_ms=1,
            key=KeyId(1),
            account=AccountId(1),
            model=ModelName("m"),
            channel=ChannelId(1),
            reserved=1,
        )
        for n in range(3)
    ]
    opens: dict[CallId, OpenCall] = {}
    unended(opens, read_journal(journal_line(OpenLine(n=1, calls=(opened[0], opened[1]))), 0).records)
    unended(opens, read_journal(journal_line(OpenLine(n=2, calls=(opened[2],))), 0).records)
    assert list(opens.values()) == opened


def _fields(head: HeadLine) -> dict[str, Any]:
    return {name: getattr(head, name) for name in head.__struct_fields__}
