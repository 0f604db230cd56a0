"""The worker's end of the link, against a control that speaks the real frames over a real Unix socket."""

import asyncio
import struct
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.unit.gateway.fakes import INCARNATION, Bank, end_line, record
from tests.unit.gateway.farside import PEPPER, FarSide, LoopTimers, frame, linked, until
from yescale.domain.ids import PurseId
from yescale.domain.journal import BackLine, EndLine, JournalLine
from yescale.domain.link import (
    MAX_FRAME,
    Alive,
    Changed,
    Draw,
    Hello,
    Publish,
    Recall,
    Recalled,
    Refused,
    Rested,
    Unpriced,
    Welcome,
)
from yescale.domain.snapshot import Snapshot
from yescale.gateway.clock import SystemClock
from yescale.gateway.frames import FROM_CONTROL, BrokenFrame, Frames, encode
from yescale.gateway.journal import Journal
from yescale.gateway.keys import Keys
from yescale.gateway.leases import Reservation
from yescale.gateway.link import Link
from yescale.gateway.purses import Purses
from yescale.tuning import JournalSettings, MoneySettings

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


def test_messages_cut_anywhere_arrive_whole_and_in_order() -> None:
    messages = [Alive(), Changed(hashes=(b"x",)), Welcome(node="n", key_pepper=b"p")]
    data = b"".join(frame(message) for message in messages)
    for cut in range(len(data) + 1):
        frames = Frames(FROM_CONTROL)
        assert frames.feed(data[:cut]) + frames.feed(data[cut:]) == messages


def test_a_message_of_an_unknown_type_is_skipped_and_an_unknown_field_is_ignored() -> None:
    newer = msgspec.msgpack.encode({"type": "alive", "mood": "good"})
    unknown = msgspec.msgpack.encode({"type": "song", "words": 3})
    data = b"".join(struct.pack(">I", len(body)) + body for body in (unknown, newer))
    assert Frames(FROM_CONTROL).feed(data) == [Alive()]


def test_a_frame_over_the_limit_or_of_garbage_is_broken() -> None:
    with pytest.raises(BrokenFrame, match="over the limit"):
        Frames(FROM_CONTROL).feed(struct.pack(">I", MAX_FRAME + 1))
    with pytest.raises(BrokenFrame, match="cannot be read"):
        Frames(FROM_CONTROL).feed(struct.pack(">I", 3) + b"\xc1\xc1\xc1")
    with pytest.raises(BrokenFrame, match="cannot be read"):  # a text that is no UTF-8
        Frames(FROM_CONTROL).feed(struct.pack(">I", 8) + b"\x81\xa4type\xa1\x80")


def test_what_the_worker_sends_is_framed_by_its_length() -> None:
    data = encode(Unpriced(model="m"))
    assert struct.unpack(">I", data[:4]) == (len(data) - 4,)


async def test_hello_comes_first_and_the_link_is_up_with_the_welcome(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s")
    async with linked(far) as link:
        assert link.up
        assert link.welcome == Welcome(node="n", key_pepper=PEPPER)
        assert far.heard == [Hello(incarnation=INCARNATION, slot=0, pid=1, program="test")]
        await until(lambda: link.alive_at > 0)


async def test_a_link_without_a_welcome_is_not_up_and_without_an_alive_not_alive(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s")
    far.greeting = []
    await far.listen()
    link = Link(far.path, Hello(incarnation=INCARNATION, slot=0, pid=1, program="test"), SystemClock(), Random(1))
    link.start()
    await until(lambda: far.heard)
    assert not link.up
    assert not link.send(Unpriced(model="m"))
    far.say(Welcome(node="n", key_pepper=PEPPER))
    await link.welcomed()
    assert link.alive_at == float("-inf")
    link.close()
    await far.stop()


async def test_snapshots_are_handed_over(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s")
    async with linked(far) as link:
        snapshots: list[Snapshot] = []
        link.on_snapshot(snapshots.append)
        far.say(Publish(snapshot=Snapshot(version=7)))
        await until(lambda: snapshots)
        assert snapshots == [Snapshot(version=7)]


async def test_the_link_is_made_again_after_control_restarts_and_news_is_kept_meanwhile(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s")
    async with linked(far) as link:
        parted: list[bool] = []
        link.on_down(lambda: parted.append(link.up))
        await far.stop()
        await until(lambda: parted)
        assert parted == [False]
        link.rested(Rested(channel=3, secret=0, status=401))
        link.unpriced("m")
        far.heard.clear()
        await far.listen()
        await until(lambda: len(far.heard) == 3)
        assert [type(message) for message in far.heard] == [Hello, Rested, Unpriced]


async def test_a_control_that_sends_garbage_is_left_and_called_again(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s")
    async with linked(far) as link:
        far.say_bytes(struct.pack(">I", MAX_FRAME + 1))
        await until(lambda: far.connections == 2 and link.up)


async def test_a_callback_that_fails_does_not_end_the_link(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s")
    async with linked(far) as link:
        heard: list[Changed] = []

        def fail(_: Changed) -> None:
            raise ValueError

        link.on(Changed, fail)
        link.on(Changed, heard.append)
        far.say(Changed())
        await until(lambda: heard)
        assert link.up


class Desk:
    """A worker's money, whole: link, journal, keys, book."""

    def __init__(self, link: Link, home: Path) -> None:
        self.timers = LoopTimers()
        clock = SystemClock()
        self.journal = Journal(home, INCARNATION, "n", JournalSettings(free_floor_bytes=0), self.timers, clock)
        self.keys = Keys(link, MoneySettings(), self.timers, clock)
        self.purses = Purses(link, self.journal, self.keys, MoneySettings(), self.timers, clock)
        self.got: list[Reservation | Refused] = []
        self.path = home / INCARNATION / "000001.log"

    def admit(self, amount: int) -> None:
        self.purses.admit(record(), amount, amount, self.got.append)

    def end(self, reservation: Reservation, charged: int) -> None:
        backs = self.purses.settle(reservation, charged)
        assert self.journal.end(end_line(charges=tuple((purse, charged) for purse in reservation.pays), backs=backs))

    def lines(self) -> list[JournalLine]:
        texts = [line.split(b" ", 1)[1] for line in self.path.read_bytes().splitlines()]
        return [msgspec.json.decode(text, type=JournalLine) for text in texts]

    def close(self) -> None:
        self.purses.close()
        self.journal.close()


async def test_many_calls_at_once_on_a_balance_that_covers_a_few(tmp_path: Path) -> None:
    """promise 1"""
    far = FarSide(tmp_path / "s", Bank({10: 850}))
    async with linked(far) as link:
        desk = Desk(link, tmp_path / "journals")
        await until(lambda: link.alive_at > 0)
        for _ in range(200):
            desk.admit(100)
        await until(lambda: len(desk.got) == 200)
        admitted = [outcome for outcome in desk.got if isinstance(outcome, Reservation)]
        assert len(admitted) == 8
        assert {outcome.code for outcome in desk.got if isinstance(outcome, Refused)} == {"insufficient_balance"}
        for reservation in admitted:
            desk.end(reservation, 30)
        for line in desk.lines():
            if isinstance(line, EndLine):
                far.bank.settle(1, line.charges, line.backs)
            elif isinstance(line, BackLine):
                far.bank.settle(1, (), line.purses)
        assert far.bank.balance[10] == 850 - 8 * 30
        desk.close()


async def test_a_call_waits_over_a_restart_of_control(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s", Bank({10: 1_000}))
    async with linked(far) as link:
        desk = Desk(link, tmp_path / "journals")
        await until(lambda: link.alive_at > 0)
        far.answering = False
        desk.admit(100)
        await until(lambda: any(isinstance(message, Draw) for message in far.heard))
        await far.stop()
        far.answering = True
        await far.listen()
        await until(lambda: desk.got)
        assert isinstance(desk.got[0], Reservation)
        desk.close()


async def test_a_recall_is_answered_when_its_line_is_on_file(tmp_path: Path) -> None:
    far = FarSide(tmp_path / "s", Bank({10: 1_000}))
    async with linked(far) as link:
        desk = Desk(link, tmp_path / "journals")
        await until(lambda: link.alive_at > 0)
        desk.admit(100)
        await until(lambda: desk.got)
        reservation = desk.got[0]
        assert isinstance(reservation, Reservation)
        desk.journal.end(end_line())
        desk.purses.settle(reservation, 0)  # exact: its money goes back with its line, so nothing is left to recall
        far.say(Recall(id=5, purses=(PurseId(10),)))
        await until(lambda: any(isinstance(message, Recalled) for message in far.heard))
        assert far.heard[-1] == Recalled(id=5, n=desk.journal.last)
        desk.close()
        await asyncio.sleep(0)
