"""Addresses of callers and lists of networks: single addresses, networks in CIDR, IPv4 in IPv6's clothes. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_MAPPED_BITS: Final = 96  # before an IPv4 address in an IPv6 one
_LONGEST: Final = 100  # characters of an address, with a network's length or an interface behind it


def read_address(text: str) -> Address | None:
    """An address, IPv4-mapped ones as IPv4; None = it is none."""
    try:
        address = ip_address(text.strip()) if len(text) <= _LONGEST else None
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def read_network(text: str) -> Network | None:
    """An address or a network, IPv4-mapped ones as IPv4; None = it is neither."""
    try:
        network = ip_network(text.strip(), strict=False) if len(text) <= _LONGEST else None
    except ValueError:
        return None
    if not isinstance(network, IPv6Network) or network.prefixlen < _MAPPED_BITS:
        return network
    mapped = network.network_address.ipv4_mapped
    return network if mapped is None else IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


class Networks:
    """A list of networks, asked by address: its cost grows with the kinds of networks, not with their number."""

    __slots__ = ("_parts",)

    def __init__(self, texts: Iterable[str]) -> None:
        """What cannot be read holds nobody."""
        parts: dict[tuple[int, int], set[int]] = {}
        for network in map(read_network, texts):
            if network is not None:
                shift = network.max_prefixlen - network.prefixlen
                parts.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        self._parts = tuple((version, shift, frozenset(starts)) for (version, shift), starts in parts.items())

    def __bool__(self) -> bool:
        return bool(self._parts)

    def hold(self, address: Address | None) -> bool:
        """Whether the address stands in one of them."""
        if address is None:
            return False
        number, version = int(address), address.version
        return any(version == kind and number >> shift in starts for kind, shift, starts in self._parts)
