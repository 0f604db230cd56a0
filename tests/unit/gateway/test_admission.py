"""Credentials and the checks of a key, in the contract's order."""

import pytest

from tests.integration.gateway.control import key_record
from yescale.domain.faults import Fault
from yescale.domain.ids import ChannelId, PurseId
from yescale.domain.link import Refused
from yescale.gateway.admission import Credentials, check_key, explain_refusal, read_credentials

KEY = b"a" * 48
BEARER = (b"authorization",)
BOTH = (b"authorization", b"x-api-key")


@pytest.mark.parametrize(
    "value",
    [b"Bearer sk-" + KEY, b"bearer  sk-" + KEY, b"sk-" + KEY, KEY, b"Bearer " + KEY, b"BEARER\tsk-" + KEY + b" "],
)
def test_a_key_is_read_however_it_is_carried(value: bytes) -> None:
    assert read_credentials([(b"host", b"x"), (b"authorization", value)], BEARER) == Credentials(KEY)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "missing_api_key"),
        ([(b"authorization", b"")], "missing_api_key"),
        ([(b"authorization", b"Bearer ")], "missing_api_key"),
        ([(b"x-api-key", KEY)], "missing_api_key"),
        ([(b"authorization", b"Bearer sk-a b")], "invalid_api_key"),
        ([(b"authorization", b"Basic dTpw")], "invalid_api_key"),
        ([(b"authorization", b"sk-" + KEY + b"-x")], "invalid_api_key"),
        ([(b"authorization", b"sk-" + KEY + b"-")], "invalid_api_key"),
        ([(b"authorization", b"sk-" + KEY + b"-" + b"9" * 30)], "invalid_api_key"),
        ([(b"authorization", "sk-é".encode())], "invalid_api_key"),
        ([(b"authorization", b"sk-" + b"a" * 500)], "invalid_api_key"),
        ([(b"authorization", b"sk-' OR 1=1 --")], "invalid_api_key"),
    ],
)
def test_what_is_no_key_is_refused(headers: list[tuple[bytes, bytes]], code: str) -> None:
    found = read_credentials(headers, BEARER)
    assert isinstance(found, Fault)
    assert (found.code, found.status) == (code, 401)


def test_two_different_keys_are_refused_and_the_same_twice_is_one() -> None:
    both = [(b"authorization", b"Bearer sk-" + KEY), (b"x-api-key", b"b" * 48)]
    found = read_credentials(both, BOTH)
    assert isinstance(found, Fault)
    assert found.status == 400
    assert read_credentials([(b"authorization", KEY), (b"x-api-key", b"sk-" + KEY)], BOTH) == Credentials(KEY)


def test_an_administrators_suffix_names_a_channel() -> None:
    assert read_credentials([(b"authorization", b"sk-" + KEY + b"-12")], BEARER) == Credentials(KEY, ChannelId(12))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"status": 4, "account_status": 2}, "key_exhausted"),
        ({"status": 3}, "key_expired"),
        ({"expires_at": 999}, "key_expired"),
        ({"expires_at": 1_001}, None),
        ({"status": 2, "account_status": 2}, "key_disabled"),
        ({"status": 77}, "key_disabled"),
        ({"account_status": 2, "allow_ips": ("10.0.0.1",)}, "account_disabled"),
        ({"allow_ips": ("10.0.0.1",)}, "ip_not_allowed"),
        ({"allow_ips": ("10.0.0.0/8", "192.0.2.7")}, None),
        ({"allow_ips": ("192.0.2.0/24",)}, None),
        ({"allow_ips": ("nonsense",)}, "ip_not_allowed"),
    ],
)
def test_a_key_is_checked_in_the_contracts_order(changes: dict[str, object], code: str | None) -> None:
    fault = check_key(key_record(**changes), Credentials(KEY), "192.0.2.7", 1_000.0)
    assert (None if fault is None else fault.code) == code


def test_a_mapped_address_is_the_address() -> None:
    assert check_key(key_record(allow_ips=("192.0.2.0/24",)), Credentials(KEY), "::ffff:192.0.2.7", 0) is None


def test_only_administrators_name_channels() -> None:
    fault = check_key(key_record(), Credentials(KEY, ChannelId(1)), "192.0.2.7", 0)
    assert fault is not None
    assert fault.status == 403
    assert check_key(key_record(role=10), Credentials(KEY, ChannelId(1)), "192.0.2.7", 0) is None


def test_a_refusal_says_what_is_missing() -> None:
    refused = Refused(purse=PurseId(1), code="insufficient_balance", balance=7_000, held=3_000)
    fault = explain_refusal(refused, 10_000_000, 402)
    assert fault.details == {
        "available_quota": 2,
        "min_required_quota": 5_000,
        "min_required_credit": "$0.010000",
        "held": 2,
    }
    assert explain_refusal(refused, 1, 403).status == 403
    assert explain_refusal(Refused(purse=PurseId(1), code="budget_exceeded"), 1, 402).status == 429
    assert explain_refusal(Refused(purse=PurseId(1), code="temporarily_unavailable"), 1, 402).status == 503
