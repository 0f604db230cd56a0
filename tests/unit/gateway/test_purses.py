"""The lease book: who is admitted, what is drawn, and what goes back."""

from typing import Any

from tests.unit.gateway.fakes import Bank, FakeLink, FakeRecord, Time, record
from yescale.domain.ids import PurseId
from yescale.domain.link import Changed, Draw, Drawn, Granted, KeyRecord, Recall, Recalled, Refused, Want, Welcome
from yescale.gateway.keys import UNAVAILABLE, Found
from yescale.gateway.leases import Reservation
from yescale.gateway.purses import Purses
from yescale.tuning import MoneySettings

WELCOME = Welcome(node="n", key_pepper=b"p")


class FakeKeys:
    def __init__(self) -> None:
        self.asked: list[KeyRecord] = []
        self.found: Found = None

    def again(self, key: KeyRecord, then: Any) -> None:
        self.asked.append(key)
        then(self.found)


class Desk:
    """A book, its link, and a bank at the other end."""

    def __init__(self, **balances: int) -> None:
        self.time = Time()
        self.link = FakeLink(self.time)
        self.record = FakeRecord()
        self.keys = FakeKeys()
        self.purses = Purses(self.link, self.record, self.keys, MoneySettings(), self.time, self.time)
        self.bank = Bank({int(name[1:]): balance for name, balance in balances.items()})
        self.settled = 0
        self.got: list[Reservation | Refused] = []

    def admit(self, least: int, most: int | None = None, key: KeyRecord | None = None) -> Any:
        return self.purses.admit(key or record(), least, least if most is None else most, self.got.append)

    def answer(self) -> int:
        """Control answers every draw, and those that follow; how many there were."""
        draws = 0
        while taken := self.link.take(Draw):
            for draw in taken:
                draws += 1
                self.link.say(self.bank.draw(1, draw))
        return draws

    def end(self, reservation: Any, charged: int) -> tuple[tuple[PurseId, int], ...]:
        backs = self.purses.settle(reservation, charged)
        self.record.end(tuple((purse, charged) for purse in reservation.pays), backs)
        return backs

    def settle(self) -> None:
        for charges, backs in self.record.lines[self.settled :]:
            self.bank.settle(1, charges, backs)
        self.settled = len(self.record.lines)

    def grant(self, total: int, purse: int = 10) -> None:
        """Money out of nowhere: more than any draw asked for, so it is not exact."""
        self.link.say(Drawn(id=0, granted=(Granted(purse=PurseId(purse), total=total),)))

    def admitted(self) -> list[Reservation]:
        return [outcome for outcome in self.got if isinstance(outcome, Reservation)]

    def codes(self) -> list[str]:
        return [outcome.code for outcome in self.got if isinstance(outcome, Refused)]


def test_a_warm_purse_admits_at_once_and_draws_nothing() -> None:
    desk = Desk()
    desk.grant(1_000)
    assert desk.admit(100) is None
    (reservation,) = desk.admitted()
    assert reservation.amount == 100
    assert reservation.purses == (10,)
    assert reservation.pays == (10, 11)
    assert desk.link.take(Draw) == []
    assert desk.end(reservation, 40) == ()
    assert desk.admit(960) is None
    assert len(desk.admitted()) == 2


def test_a_draw_states_totals_and_the_call_is_admitted_in_the_callback_of_its_grant() -> None:
    desk = Desk(p10=10_000)
    assert desk.admit(100) is not None
    assert desk.got == []
    (draw,) = desk.link.take(Draw)
    assert draw.wants == (Want(purse=PurseId(10), have=0, least=100, want=100),)
    desk.link.say(desk.bank.draw(1, draw))
    assert [reservation.amount for reservation in desk.admitted()] == [100]
    desk.admit(70)
    (draw,) = desk.link.take(Draw)
    assert draw.wants == (Want(purse=PurseId(10), have=100, least=170, want=170),)


def test_a_balance_that_covers_k_calls_admits_k_of_many_and_refuses_the_rest_with_what_is_held() -> None:
    """promise 1"""
    for covered, calls in ((0, 20), (3, 20), (8, 50), (200, 200)):
        desk = Desk(p10=covered * 100 + 99)
        for _ in range(calls):
            desk.admit(100)
        desk.answer()
        assert len(desk.admitted()) == covered
        assert desk.codes() == ["insufficient_balance"] * (calls - covered)
        assert desk.purses.waiting == 0


def test_a_refusal_is_repeated_for_a_second_without_asking() -> None:
    desk = Desk(p10=50)
    desk.admit(100)
    assert desk.answer() == 1
    assert desk.admit(100) is None
    assert desk.admit(120) is None
    assert desk.codes() == ["insufficient_balance"] * 3
    assert desk.link.take(Draw) == []
    desk.admit(50)  # less than what was refused: that is another question
    desk.answer()
    assert len(desk.admitted()) == 1


def test_a_second_after_a_refusal_control_is_asked_again() -> None:
    desk = Desk(p10=50)
    desk.admit(100)
    desk.answer()
    desk.time.pass_(1.1)
    desk.admit(100)
    assert desk.answer() == 1


def test_a_change_ends_a_repeated_refusal() -> None:
    desk = Desk(p10=50)
    desk.admit(100)
    desk.answer()
    desk.bank.balance[10] = 500
    desk.link.say(Changed())
    desk.admit(100)
    desk.answer()
    assert len(desk.admitted()) == 1


def test_a_sequential_client_of_a_poor_account_is_never_refused_while_the_money_lasts() -> None:
    """promise 1: what an exact grant left over goes back in the line of the call's end, and ends a refusal."""
    desk = Desk(p10=100)
    for _ in range(9):
        desk.admit(100)
        desk.admit(100)
        desk.answer()
        (reservation,) = [reservation for reservation in desk.admitted() if reservation.open]
        backs = desk.end(reservation, 0)
        assert len(backs) == 1
        desk.settle()
        assert desk.bank.held(10) == 0
    assert len(desk.admitted()) == 9


def test_a_rich_account_that_spends_draws_two_seconds_ahead() -> None:
    desk = Desk(p10=10**9)
    for _ in range(50):
        desk.admit(100)
    desk.answer()
    for reservation in desk.admitted():
        desk.end(reservation, 100)
    desk.got.clear()
    desk.admit(100)
    (draw,) = desk.link.take(Draw)
    (want,) = draw.wants
    assert want.want - want.least == 2 * 50 * 100
    desk.link.say(desk.bank.draw(1, draw))
    for reservation in desk.admitted():
        assert not reservation.exact
        assert desk.end(reservation, 100) == ()


def test_below_a_quarter_of_the_last_grant_the_worker_draws_without_a_call_that_waits() -> None:
    desk = Desk(p10=10**9)
    desk.admit(100)
    (draw,) = desk.link.take(Draw)
    desk.link.say(Drawn(id=draw.id, granted=(Granted(purse=PurseId(10), total=1_000),)))
    for _ in range(6):
        desk.admit(100)
    assert desk.link.take(Draw) == []
    desk.admit(100)
    (draw,) = desk.link.take(Draw)
    (want,) = draw.wants
    assert (want.have, want.least) == (1_000, 800), "it needs nothing, so it cannot be refused"
    assert len(desk.admitted()) == 8


def test_an_undeclared_limit_goes_as_far_as_the_grant_pays() -> None:
    desk = Desk(p10=8_000)
    desk.admit(100, 5_000)
    desk.answer()
    assert [reservation.amount for reservation in desk.admitted()] == [1_000]


def test_a_rich_account_is_not_cut_to_what_happens_to_be_left_of_its_lease() -> None:
    desk = Desk(p10=10**9)
    desk.grant(150)
    desk.admit(100, 5_000)
    desk.answer()
    assert [reservation.amount for reservation in desk.admitted()] == [5_000]


def test_a_grant_below_what_was_wanted_is_made_do_with() -> None:
    desk = Desk(p10=8_000)
    desk.admit(100, 900)
    desk.admit(100, 5_000)
    desk.answer()
    amounts = [reservation.amount for reservation in desk.admitted()]
    assert amounts[0] == 900
    assert 100 <= amounts[1] < 5_000


def test_a_grant_below_what_was_wanted_is_not_asked_for_again_by_each_call() -> None:
    desk = Desk(p10=8_000)
    desk.admit(100, 5_000)
    desk.answer()
    desk.end(desk.admitted()[0], 0)
    assert desk.admit(100, 5_000) is None
    assert [reservation.amount for reservation in desk.admitted()] == [1_000, 1_875]
    desk.end(desk.admitted()[1], 0)
    desk.time.pass_(1.1)
    assert desk.admit(100, 5_000) is not None


def test_calls_that_wait_together_are_drawn_for_together() -> None:
    desk = Desk(p10=10**9)
    for _ in range(200):
        desk.admit(100)
    assert desk.answer() <= 4
    assert len(desk.admitted()) == 200


def test_what_a_waiting_call_counts_on_is_not_returned_by_one_that_ends() -> None:
    desk = Desk(p10=150)
    desk.admit(100)
    desk.answer()
    desk.admit(150)
    (draw,) = desk.link.take(Draw)
    assert desk.end(desk.admitted()[0], 0) == ()
    desk.link.say(desk.bank.draw(1, draw))
    assert desk.got[1:] == []
    assert desk.answer() == 1, "control refused the sum of both calls; the first one is over, so it is asked again"
    assert [reservation.amount for reservation in desk.admitted()] == [100, 150]


def test_a_call_that_others_are_always_quicker_than_is_503_in_the_end() -> None:
    desk = Desk()
    desk.admit(100)
    draws = 0
    while taken := desk.link.take(Draw):
        draws += len(taken)
        desk.link.say(Drawn(id=taken[0].id, granted=(Granted(purse=PurseId(10), total=0),)))
    assert draws == 8
    assert desk.codes() == ["temporarily_unavailable"]


def test_a_call_that_newcomers_overtake_is_served_before_them_in_the_end() -> None:
    """What was left when it drew is taken by the next call each time, until that has to wait behind it."""
    desk = Desk()
    desk.grant(50)
    desk.admit(100)
    draws = 0
    while taken := desk.link.take(Draw):
        draws += len(taken)
        if not any(reservation.amount == 100 for reservation in desk.admitted()):
            desk.admit(50)
        for draw in taken:
            desk.link.say(Drawn(id=draw.id, granted=(Granted(purse=PurseId(10), total=draw.wants[0].least),)))
    amounts = [reservation.amount for reservation in desk.admitted()]
    assert amounts == [50, 50, 50, 50, 100, 50]
    assert draws == 6
    assert desk.codes() == []
    assert desk.purses.waiting == 0


def test_a_call_waits_ten_seconds_at_most() -> None:
    desk = Desk()
    desk.admit(100)
    draws = 0
    while taken := desk.link.take(Draw):
        draws += len(taken)
        desk.time.pass_(2.9)
        desk.link.say(Drawn(id=taken[0].id, granted=(Granted(purse=PurseId(10), total=0),)))
    assert draws == 4
    assert desk.codes() == ["temporarily_unavailable"]


def test_both_purses_of_a_limited_key_are_drawn_at_once_and_the_key_refuses_alone() -> None:
    """promise 2"""
    desk = Desk(p10=10**9, p11=150)
    key = record(limited=True)
    desk.admit(100, key=key)
    (draw,) = desk.link.take(Draw)
    assert [want.purse for want in draw.wants] == [10, 11]
    desk.link.say(desk.bank.draw(1, draw))
    desk.admit(100, key=key)
    desk.answer()
    assert [refused.purse for refused in desk.got if isinstance(refused, Refused)] == [11]
    desk.admit(100, key=record(2))
    desk.answer()
    assert len(desk.admitted()) == 2


def test_a_key_without_a_limit_is_charged_too_so_a_limit_set_later_counts_right() -> None:
    """promise 2"""
    desk = Desk(p10=10**9, p11=1_000)
    desk.admit(100)
    desk.answer()
    desk.end(desk.admitted()[0], 60)
    desk.settle()
    desk.admit(50, key=record(limited=True))
    draws = desk.link.take(Draw)
    assert [want for want in draws[0].wants if want.purse == 11] == [
        Want(purse=PurseId(11), have=0, least=110, want=230)
    ]
    desk.link.say(desk.bank.draw(1, draws[0]))
    assert desk.bank.held(11) >= 50
    assert len(desk.admitted()) == 2


def test_a_client_that_leaves_while_it_waits_takes_no_money_and_hears_nothing() -> None:
    desk = Desk(p10=10_000)
    for amount in (100, 1_000_000):  # one will be granted, one refused
        desk.admit(amount).cancel()
    desk.admit(2_000_000)
    desk.answer()
    assert desk.codes() == ["insufficient_balance"]
    assert desk.admitted() == []
    assert desk.purses.waiting == desk.purses.in_flight == 0
    desk.time.pass_(7)
    desk.settle()
    assert desk.bank.held(10) == 0


def test_settling_twice_counts_once() -> None:
    desk = Desk()
    desk.grant(100)
    desk.admit(100)
    (reservation,) = desk.admitted()
    desk.purses.settle(reservation, 0)
    assert desk.purses.settle(reservation, 0) == ()
    desk.admit(100)
    desk.admit(100)
    assert len(desk.admitted()) == 2


def test_a_charge_above_the_reservation_is_kept_and_drawn_for() -> None:
    desk = Desk()
    desk.grant(100)
    desk.admit(100)
    desk.purses.settle(desk.admitted()[0], 250)
    desk.admit(10)
    (draw,) = desk.link.take(Draw)
    assert draw.wants[0].least == 260


def test_idle_money_goes_back_after_five_seconds() -> None:
    desk = Desk(p10=10_000)
    desk.bank.leases[1, 10] = [900, 0, 0]
    desk.grant(900)
    desk.time.pass_(4)
    assert desk.record.lines == []
    desk.time.pass_(3)
    assert desk.record.lines == [((), ((10, 900),))]


def test_a_busy_purse_keeps_its_money() -> None:
    desk = Desk()
    desk.grant(900)
    for _ in range(10):
        desk.admit(10)
        desk.time.pass_(1)
    assert desk.record.lines == []


def test_a_long_call_that_ends_after_its_purse_fell_asleep_leaves_nothing_behind() -> None:
    desk = Desk()
    desk.grant(100)
    desk.admit(100)
    desk.time.pass_(60)
    desk.end(desk.admitted()[0], 30)
    desk.time.pass_(7)
    assert desk.record.lines[-1] == ((), ((10, 70),))


def test_a_recall_gives_back_what_is_free_and_names_the_line_that_says_so() -> None:
    desk = Desk()
    desk.grant(1_000)
    desk.admit(300)
    desk.link.say(Recall(id=7, purses=(PurseId(10), PurseId(99))))
    assert desk.record.lines == [((), ((10, 700),))]
    assert desk.link.take(Recalled) == [Recalled(id=7, n=1)]
    desk.link.say(Recall(id=8, purses=(PurseId(10),)))
    assert desk.link.take(Recalled) == [Recalled(id=8, n=1)]


def test_a_recall_returns_nothing_while_the_disk_is_full() -> None:
    desk = Desk()
    desk.grant(1_000)
    desk.record.stuck = True
    desk.link.say(Recall(id=7, purses=(PurseId(10),)))
    assert desk.record.lines == []
    assert desk.link.take(Recalled) == []
    desk.record.thens[0]()
    assert desk.link.take(Recalled) == [Recalled(id=7, n=0)]


def test_a_closed_purse_gives_all_back_also_what_calls_in_flight_leave_over() -> None:
    desk = Desk()
    desk.grant(1_000)
    desk.admit(300)
    desk.link.say(Changed(closed=(PurseId(10),)))
    assert desk.record.lines == [((), ((10, 700),))]
    assert desk.end(desk.admitted()[0], 100) == ((10, 900),)


def test_an_unknown_purse_lets_the_key_be_fetched_once_more() -> None:
    desk = Desk(p20=1_000, p21=0)
    desk.keys.found = record(account_purse=PurseId(20), key_purse=PurseId(21))
    desk.admit(100)
    desk.answer()
    assert len(desk.keys.asked) == 1
    (reservation,) = desk.admitted()
    assert reservation.purses == (20,)
    assert reservation.key is desk.keys.found


def test_a_purse_that_stays_unknown_is_an_invalid_key_and_a_lost_database_is_not() -> None:
    """promise 33"""
    outcomes: list[tuple[Found, str]] = [
        (None, "invalid_api_key"),
        (UNAVAILABLE, "temporarily_unavailable"),
        (record(), "invalid_api_key"),
        (record(status=2), "key_disabled"),
        (record(account_status=2), "account_disabled"),
    ]
    for found, code in outcomes:
        desk = Desk()
        desk.keys.found = found
        desk.admit(100)
        desk.answer()
        assert desk.codes() == [code]
        assert len(desk.keys.asked) == 1


def test_while_the_link_is_down_what_is_in_hand_is_spent_and_then_it_is_503() -> None:
    """promise 33"""
    desk = Desk()
    desk.grant(1_000)
    desk.link.part()
    desk.admit(900, 5_000)
    desk.admit(200)
    assert [reservation.amount for reservation in desk.admitted()] == [1_000]
    assert desk.codes() == []
    desk.time.pass_(3.1)
    assert desk.codes() == ["temporarily_unavailable"]
    desk.time.pass_(10)
    desk.admit(200)
    assert desk.codes() == ["temporarily_unavailable"] * 2


def test_a_call_waits_for_a_control_that_is_being_restarted() -> None:
    desk = Desk(p10=10_000)
    desk.link.part()
    desk.admit(100)
    desk.link.up = True
    desk.link.say(WELCOME)
    desk.answer()
    assert [reservation.amount for reservation in desk.admitted()] == [100]


def test_a_draw_is_asked_again_when_the_link_is_back_and_two_answers_grant_once() -> None:
    desk = Desk(p10=10_000)
    desk.admit(100)
    (first,) = desk.link.take(Draw)
    desk.bank.draw(1, first)  # committed; the answer is lost
    desk.link.part()
    desk.link.up = True
    desk.link.say(WELCOME)
    (second,) = desk.link.take(Draw)
    assert second == first
    answer = desk.bank.draw(1, second)
    desk.link.say(answer)
    desk.link.say(answer)
    assert len(desk.admitted()) == 1
    assert desk.bank.held(10) == 100


def test_a_draw_without_an_answer_is_503_and_its_late_grant_still_enters_the_book() -> None:
    """promise 33"""
    desk = Desk(p10=10_000)
    desk.admit(100)
    (draw,) = desk.link.take(Draw)
    desk.time.pass_(3.5)
    assert desk.codes() == ["temporarily_unavailable"]
    desk.link.say(desk.bank.draw(1, draw))
    desk.admit(100)
    assert len(desk.admitted()) == 1


def test_a_grant_whose_answer_is_lost_is_found_and_returned() -> None:
    """promise 12"""
    desk = Desk(p10=10_000)
    desk.admit(100)
    (draw,) = desk.link.take(Draw)
    desk.bank.draw(1, draw)
    desk.time.pass_(3.5)
    assert desk.codes() == ["temporarily_unavailable"]
    desk.time.pass_(2)
    (probe, *_) = desk.link.take(Draw)
    assert probe.wants == (Want(purse=PurseId(10), have=0, least=0, want=0),)
    desk.link.say(desk.bank.draw(1, probe))
    desk.time.pass_(8)
    assert desk.link.take(Draw) == []
    desk.settle()
    assert desk.bank.held(10) == 0


def test_nothing_is_admitted_without_a_heartbeat_of_the_node_for_ten_minutes() -> None:
    desk = Desk()
    desk.grant(10_000)
    desk.admit(1)
    desk.time.now += 599
    desk.admit(1)
    desk.time.now += 2
    desk.admit(1)
    assert len(desk.admitted()) == 2
    assert desk.codes() == ["temporarily_unavailable"]
    desk.link.alive_at = float("-inf")
    desk.admit(1)
    assert len(desk.admitted()) == 2


def test_nothing_is_admitted_while_the_journal_cannot_be_written_not_even_who_waited() -> None:
    desk = Desk(p10=10_000)
    desk.admit(100)
    desk.record.writable = False
    desk.answer()
    desk.admit(0)
    assert desk.codes() == ["temporarily_unavailable"] * 2
    assert desk.purses.in_flight == 0


def test_a_closed_incarnation_admits_nothing_more_and_says_so() -> None:
    desk = Desk()
    closed: list[bool] = []
    desk.purses.on_closed(lambda: closed.append(True))
    desk.admit(100)
    (draw,) = desk.link.take(Draw)
    desk.link.say(Drawn(id=draw.id, refused=Refused(purse=PurseId(0), code="incarnation_closed")))
    assert closed == [True]
    assert desk.codes() == ["temporarily_unavailable"]
    desk.grant(10_000)
    desk.admit(1)
    assert desk.admitted() == []


def test_money_of_a_dated_purse_is_not_spent_after_its_day() -> None:
    desk = Desk()
    desk.link.say(Drawn(id=0, granted=(Granted(purse=PurseId(10), total=1_000, valid_s=60),)))
    desk.admit(10)
    desk.time.now += 61
    desk.admit(10)
    assert len(desk.admitted()) == 1
    (draw,) = desk.link.take(Draw)
    desk.link.say(Drawn(id=draw.id, refused=Refused(purse=PurseId(10), code="budget_exceeded")))
    assert desk.codes() == ["budget_exceeded"]


def test_who_waits_is_bounded_and_refused_at_the_end() -> None:
    desk = Desk()
    for _ in range(10_001):
        desk.admit(100)
    assert desk.codes() == ["temporarily_unavailable"]
    desk.purses.close()
    assert desk.purses.waiting == 0
    assert len(desk.codes()) == 10_001


def test_draining_returns_everything_that_is_free() -> None:
    desk = Desk()
    desk.grant(1_000)
    desk.grant(500, purse=12)
    desk.purses.give_back()
    assert desk.record.lines == [((), ((10, 1_000), (12, 500)))]


def test_a_call_whose_callback_fails_does_not_take_the_others_with_it() -> None:
    desk = Desk(p10=1_000)

    def fail(_: object) -> None:
        raise ValueError

    desk.purses.admit(record(), 100, 100, fail)
    desk.admit(100)
    desk.answer()
    assert len(desk.admitted()) == 1
