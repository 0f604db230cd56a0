"""Lists of networks, and the addresses that stand in them."""

import pytest

from yescale.domain.addresses import Networks, read_address, read_network


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.77/24", "192.0.2.1", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.0/120", "192.0.2.9", True),
        ("::ffff:192.0.2.0/120", "::ffff:c000:0209", True),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::1", "2001:0db8:0:0::1", True),
        ("0.0.0.0/0", "203.0.113.1", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "2001:db8::1", True),
        ("::/0", "192.0.2.7", False),
        ("nonsense", "192.0.2.7", False),
        ("192.0.2.0/33", "192.0.2.0", False),
        ("192.0.2.7", "", False),
        ("192.0.2.7", "192.0.2.7, 192.0.2.7", False),
    ],
)
def test_an_address_stands_in_a_network_or_not(network: str, address: str, inside: bool) -> None:
    assert Networks([network]).hold(read_address(address)) is inside


def test_one_of_many_is_enough_and_an_unreadable_one_spoils_nothing() -> None:
    networks = Networks(["nonsense", "10.0.0.0/8", *(f"192.0.2.{n}" for n in range(100)), "2001:db8::/32"])
    assert networks.hold(read_address("192.0.2.99"))
    assert not networks.hold(read_address("192.0.2.100"))
    assert not Networks([])
    assert not Networks(["nonsense"])


def test_what_is_too_long_is_not_read() -> None:
    assert read_address("1" * 101) is None
    assert read_network("1" * 101) is None
