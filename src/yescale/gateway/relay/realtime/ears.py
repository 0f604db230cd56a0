"""The two listeners of a session: each end of it hears with its own."""

from typing import Protocol

from yescale.wire.tunnel import Tunnel


class Parties(Protocol):
    """Who is told what each side says and does."""

    def asked(self, data: bytes, *, text: bool) -> None: ...
    def answered(self, data: bytes, *, text: bool) -> None: ...
    def client_left(self, code: int, reason: str) -> None: ...
    def upstream_left(self, code: int, reason: str) -> None: ...
    def hold_back(self, tunnel: Tunnel, *, slow: bool) -> None: ...
    def leave(self) -> None: ...


class ClientEar:
    """Hears the client (wire's TunnelListener). `other` is the tunnel whose bytes go to it."""

    __slots__ = ("_other", "_parties")

    def __init__(self, parties: Parties, other: Tunnel) -> None:
        self._parties = parties
        self._other = other

    def message(self, data: bytes, text: bool) -> None:
        self._parties.asked(data, text=text)

    def closed(self, code: int, reason: str) -> None:
        self._parties.client_left(code, reason)

    def paused(self) -> None:
        self._parties.hold_back(self._other, slow=True)

    def resumed(self) -> None:
        self._parties.hold_back(self._other, slow=False)

    def draining(self) -> None:
        self._parties.leave()


class UpstreamEar:
    """Hears the upstream (wire's TunnelListener). `other` is the tunnel whose bytes go to it."""

    __slots__ = ("_other", "_parties")

    def __init__(self, parties: Parties, other: Tunnel) -> None:
        self._parties = parties
        self._other = other

    def message(self, data: bytes, text: bool) -> None:
        self._parties.answered(data, text=text)

    def closed(self, code: int, reason: str) -> None:
        self._parties.upstream_left(code, reason)

    def paused(self) -> None:
        self._parties.hold_back(self._other, slow=True)

    def resumed(self) -> None:
        self._parties.hold_back(self._other, slow=False)

    def draining(self) -> None:
        """Only servers drain."""
