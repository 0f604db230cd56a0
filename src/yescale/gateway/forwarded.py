"""Whose request a proxy passes on: X-Forwarded-For and Forwarded, believed from the operator's own proxies alone."""

from collections.abc import Iterable, Iterator
from typing import Final

from yescale.domain.addresses import Address, Networks, read_address

_FOR: Final = b"x-forwarded-for"
_FORWARDED: Final = b"forwarded"
_MOST_HOPS: Final = 50
Headers = Iterable[tuple[bytes, bytes]]


class Proxies:
    """The proxies that the operator trusts."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = Networks(networks)

    def find_client(self, peer: str, headers: Headers) -> str:
        """The rightmost address that is no trusted proxy's; what stands left of it is the client's own word.

        Where the two headers name different clients, one was let through as the client sent it: neither is believed.
        """
        address = read_address(peer)
        if not self._networks.hold(address):
            return peer
        headers = tuple(headers)
        said = [self._walk(address, hops) for hops in (_forwarded_for(headers), _forwarded(headers)) if hops]
        return str(said[0]) if said and all(each == said[0] for each in said) else peer

    def _walk(self, last: Address | None, hops: list[str]) -> Address | None:
        """From the nearest hop on; one that cannot be read, as `unknown`, leaves the proxy that wrote it."""
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _read_node(hop)
            if address is None:
                return last
            if not self._networks.hold(address):
                return address
            last = address
        return last


def _forwarded_for(headers: Headers) -> list[str]:
    return [hop for value in _values(headers, _FOR) for hop in value.split(",")]


def _forwarded(headers: Headers) -> list[str]:
    """The `for` of each element: https://www.rfc-editor.org/rfc/rfc7239#section-4"""
    return [_for_of(element) for value in _values(headers, _FORWARDED) for element in value.split(",")]


def _for_of(element: str) -> str:
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return value
    return ""


def _values(headers: Headers, wanted: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for name, value in headers if name == wanted)


def _read_node(text: str) -> Address | None:
    """An address, with or without quotes, brackets and a port."""
    node = text.strip().strip('"')
    if node.startswith("["):
        return read_address(node[1:].partition("]")[0])
    address = read_address(node)
    return read_address(node.partition(":")[0]) if address is None and node.count(":") == 1 else address
