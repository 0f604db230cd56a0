"""Who is behind a proxy: only the operator's own proxies are believed, and never what a client writes."""

import pytest

from yescale.gateway.forwarded import Proxies

PROXIES = Proxies(["10.0.0.0/8", "2001:db8:5::/48"])
CLIENT = "203.0.113.9"


def find(peer: str, *headers: tuple[str, str]) -> str:
    return PROXIES.find_client(peer, [(name.encode(), value.encode("latin-1")) for name, value in headers])


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("10.0.0.1", CLIENT, CLIENT),
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        ("2001:db8:5::1", CLIENT, CLIENT),
        ("10.0.0.1", f"{CLIENT}, 10.0.0.2", CLIENT),
        ("10.0.0.1", f"198.51.100.1, {CLIENT}", CLIENT),  # the client wrote the first
        ("10.0.0.1", f"10.9.9.9, {CLIENT}, 10.0.0.2, 10.0.0.3", CLIENT),
        ("10.0.0.1", f"::ffff:{CLIENT}", CLIENT),
        ("10.0.0.1", f"{CLIENT}:4711", CLIENT),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "10.7.7.7", "10.7.7.7"),  # all of them are trusted: the farthest
        ("10.0.0.1", f"{CLIENT}, unknown", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, ", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, 10.0.0.2, _hidden, 10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "\xff\x00", "10.0.0.1"),
        ("198.51.100.4", CLIENT, "198.51.100.4"),
        ("", CLIENT, ""),
    ],
)
def test_the_rightmost_untrusted_address_is_the_client(peer: str, said: str, client: str) -> None:
    assert find(peer, ("x-forwarded-for", said)) == client


def test_lines_of_one_header_are_one_list() -> None:
    assert find("10.0.0.1", ("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", CLIENT)) == CLIENT


@pytest.mark.parametrize(
    ("said", "client"),
    [
        (f"for={CLIENT};proto=https;by=10.0.0.1", CLIENT),
        (f'For="{CLIENT}:80"', CLIENT),
        ('for="[2001:db8::7]:80"', "2001:db8::7"),
        (f"for=198.51.100.1, for={CLIENT}, for=10.0.0.2", CLIENT),
        ("for=unknown", "10.0.0.1"),
        (f"by={CLIENT}", "10.0.0.1"),
    ],
)
def test_the_standard_header_says_the_same(said: str, client: str) -> None:
    assert find("10.0.0.1", ("forwarded", said)) == client


def test_a_header_that_the_proxy_let_through_does_not_count() -> None:
    forged = ("forwarded", "for=198.51.100.1")
    assert find("10.0.0.1", ("x-forwarded-for", CLIENT), forged) == "10.0.0.1"
    assert find("10.0.0.1", forged, ("x-forwarded-for", CLIENT)) == "10.0.0.1"
    assert find("10.0.0.1", ("x-forwarded-for", CLIENT), ("forwarded", f"for={CLIENT}")) == CLIENT


def test_without_a_header_the_proxy_itself_is_the_client() -> None:
    assert find("10.0.0.1") == "10.0.0.1"
