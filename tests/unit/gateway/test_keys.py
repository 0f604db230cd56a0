"""The key cache: what it answers at once, what it asks, and how it follows changes."""

import hashlib
import hmac

from tests.unit.gateway.fakes import FakeLink, Time, record
from yescale.domain.ids import AccountId
from yescale.domain.link import AskKey, Changed, KeyAnswer, KeyRecord, Welcome
from yescale.gateway.keys import UNAVAILABLE, Found, KeyBounds, Keys
from yescale.tuning import MoneySettings

PEPPER = b"pepper"
KEY = b"A" * 48


def digest(presented: bytes, pepper: bytes = PEPPER) -> bytes:
    return hmac.new(pepper, presented, hashlib.sha256).digest()


class Desk:
    def __init__(self, bounds: KeyBounds | None = None) -> None:
        self.time = Time()
        self.link = FakeLink(self.time)
        self.keys = Keys(self.link, MoneySettings(), self.time, self.time, bounds)
        self.link.say(Welcome(node="n", key_pepper=PEPPER))
        self.got: list[Found] = []

    def find(self, presented: bytes = KEY) -> None:
        self.keys.find(presented, self.got.append)

    def answer(self, key: KeyRecord | None, presented: bytes = KEY, unavailable: bool = False) -> None:
        self.link.say(KeyAnswer(hash=digest(presented), key=key, unavailable=unavailable))

    def asked(self) -> list[bytes]:
        return [ask.hash for ask in self.link.take(AskKey)]

    def know(self, key: KeyRecord | None = None, presented: bytes = KEY) -> None:
        self.find(presented)
        self.answer(key or record(), presented)
        self.asked()
        self.got.clear()

    def part(self) -> None:
        self.link.part()

    def meet(self, pepper: bytes = PEPPER) -> None:
        self.link.up = True
        self.link.say(Welcome(node="n", key_pepper=pepper))


def test_a_key_is_asked_for_by_its_keyed_hash_once_however_many_wait() -> None:
    desk = Desk()
    desk.find()
    desk.find()
    assert desk.asked() == [digest(KEY)]
    assert desk.got == []
    desk.answer(record())
    assert desk.got == [record(), record()]


def test_a_known_key_is_answered_at_once() -> None:
    desk = Desk()
    desk.know()
    desk.find()
    assert desk.got == [record()]
    assert desk.asked() == []


def test_a_key_that_does_not_exist_is_believed_for_a_second_and_counted() -> None:
    desk = Desk()
    desk.find()
    desk.answer(None)
    desk.find()
    assert desk.got == [None, None]
    assert desk.keys.unknown == 2
    assert len(desk.asked()) == 1
    desk.time.pass_(1.1)
    desk.find()
    assert len(desk.asked()) == 1


def test_a_key_made_a_moment_after_it_was_tried_works_at_once() -> None:
    desk = Desk()
    desk.find()
    desk.answer(None)
    desk.asked()
    desk.link.say(Changed(hashes=(digest(KEY),)))
    desk.find()
    assert desk.asked() == [digest(KEY)]


def test_an_absurdly_long_key_is_refused_without_asking() -> None:
    desk = Desk()
    desk.find(b"x" * 513)
    assert desk.got == [None]
    assert desk.asked() == []


def test_a_changed_key_and_every_key_of_a_changed_account_are_asked_for_anew() -> None:
    for change in (Changed(hashes=(digest(KEY),)), Changed(accounts=(AccountId(1),))):
        desk = Desk()
        desk.know()
        desk.know(record(2, account=AccountId(2)), b"other")
        desk.link.say(change)
        desk.find()
        desk.find(b"other")
        assert desk.asked() == [digest(KEY)]


def test_a_key_that_changes_while_it_is_fetched_is_fetched_again() -> None:
    for change in (Changed(hashes=(digest(KEY),)), Changed(accounts=(AccountId(1),))):
        desk = Desk()
        desk.find()
        desk.asked()
        desk.link.say(change)
        desk.answer(record())
        assert desk.got == []
        assert desk.asked() == [digest(KEY)]
        desk.answer(None)
        assert desk.got == [None]


def test_a_key_that_changes_all_the_time_is_used_but_not_kept() -> None:
    desk = Desk()
    desk.find()
    for _ in range(4):
        desk.link.say(Changed(hashes=(digest(KEY),)))
        desk.answer(record())
    assert desk.got == [record()]
    assert len(desk.asked()) == 4
    desk.find()
    assert len(desk.asked()) == 1


def test_while_control_is_away_known_keys_work_for_ten_minutes_and_then_it_is_503() -> None:
    """promise 33"""
    desk = Desk()
    desk.know()
    desk.part()
    desk.find()
    desk.find(b"other")
    desk.time.pass_(599)
    desk.find()
    desk.time.pass_(2)
    desk.find()
    assert desk.got == [record(), UNAVAILABLE, record(), UNAVAILABLE]


def test_a_new_key_waits_for_a_control_that_is_being_restarted() -> None:
    desk = Desk()
    desk.part()
    desk.find()
    desk.meet()
    assert desk.asked() == [digest(KEY)]
    desk.answer(record())
    assert desk.got == [record()]


def test_a_new_key_does_not_wait_for_a_control_that_is_away_for_longer() -> None:
    """promise 33"""
    desk = Desk()
    desk.part()
    desk.time.pass_(11)
    desk.find()
    assert desk.got == [UNAVAILABLE]


def test_when_control_is_back_each_known_key_is_asked_for_again_since_changes_were_missed() -> None:
    desk = Desk()
    desk.know()
    desk.part()
    desk.meet()
    desk.find()
    assert desk.got == []
    assert desk.asked() == [digest(KEY)]
    desk.answer(None)
    assert desk.got == [None]


def test_when_the_database_is_away_known_keys_work_for_ten_minutes() -> None:
    """promise 33"""
    desk = Desk()
    desk.know()
    desk.part()
    desk.meet()
    desk.find()
    desk.answer(None, unavailable=True)
    desk.find(b"other")
    desk.answer(None, b"other", unavailable=True)
    desk.time.pass_(601)
    desk.find()
    desk.answer(None, unavailable=True)
    assert desk.got == [record(), UNAVAILABLE, UNAVAILABLE]


def test_a_question_is_asked_again_on_the_next_connection() -> None:
    desk = Desk()
    desk.find()
    desk.part()
    desk.meet()
    assert desk.asked() == [digest(KEY)]
    desk.answer(record())
    assert desk.got == [record()]


def test_a_question_without_an_answer_is_503_after_three_seconds() -> None:
    """promise 33"""
    desk = Desk()
    desk.find()
    desk.time.pass_(3.1)
    assert desk.got == [UNAVAILABLE]
    desk.answer(record())
    assert desk.got == [UNAVAILABLE]


def test_a_new_pepper_forgets_all() -> None:
    desk = Desk()
    desk.know()
    desk.find(b"other")
    desk.part()
    desk.meet(b"another pepper")
    assert desk.got == [UNAVAILABLE]
    desk.asked()
    desk.find()
    assert desk.asked() == [digest(KEY, b"another pepper")]


def test_asking_again_forgets_what_was_known() -> None:
    desk = Desk()
    desk.know()
    desk.keys.again(record(), desk.got.append)
    assert desk.asked() == [digest(KEY)]
    desk.answer(record(name="renamed"))
    desk.find()
    assert desk.got == [record(name="renamed")] * 2
    desk.keys.again(record(77), desk.got.append)
    assert desk.got[-1] is UNAVAILABLE


def test_the_cache_is_bounded_and_the_least_recently_used_key_leaves() -> None:
    desk = Desk(KeyBounds(known=2, unknown=2))
    for number in (1, 2):
        desk.know(record(number), str(number).encode())
    desk.find(b"1")
    desk.know(record(3), b"3")
    desk.find(b"1")
    assert desk.asked() == []
    desk.find(b"2")
    assert desk.asked() == [digest(b"2")]
    for number in (7, 8, 9):
        desk.find(str(number).encode())
        desk.answer(None, str(number).encode())
    assert len(desk.keys._unknown) == 2
    for index in (desk.keys._known, desk.keys._presented, desk.keys._of_key):
        assert len(index) == 2
    assert desk.keys._of_account == {1: {b"1", b"3"}}


def test_questions_and_who_waits_for_them_are_bounded() -> None:
    desk = Desk(KeyBounds(asked=2, waiting=3))
    for presented in (b"1", b"2", b"3", b"1", b"1"):
        desk.find(presented)
    assert desk.got == [UNAVAILABLE, UNAVAILABLE]
    assert len(desk.asked()) == 2


def test_before_the_first_welcome_it_is_503() -> None:
    time = Time()
    link = FakeLink(time)
    keys = Keys(link, MoneySettings(), time, time)
    got: list[Found] = []
    keys.find(KEY, got.append)
    assert got == [UNAVAILABLE]


def test_a_key_with_two_secrets_is_asked_for_again_by_one_that_is_still_known() -> None:
    desk = Desk()
    other = b"B" * 48
    desk.know(record())
    desk.know(record(), other)
    desk.link.say(Changed(hashes=(digest(other),)))
    desk.keys.again(record(), desk.got.append)
    assert desk.asked() == [digest(KEY)]
    desk.answer(record())
    assert desk.got == [record()]


def test_a_change_of_both_secrets_forgets_both() -> None:
    desk = Desk()
    other = b"B" * 48
    desk.know(record())
    desk.know(record(), other)
    desk.link.say(Changed(hashes=(digest(KEY), digest(other))))
    assert desk.keys.recall(KEY) is None
    assert desk.keys.recall(other) is None
