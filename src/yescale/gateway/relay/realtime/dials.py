"""The attempts of one session to get a WebSocket from an upstream."""

from typing import Final

from yescale.gateway.relay.attempts import Attempts
from yescale.gateway.relay.headers import pass_on
from yescale.gateway.relay.verdicts import UNUSABLE, Verdict, deadlines
from yescale.routing.table import Candidate
from yescale.wire.client import Dialer, Sink

_BETA_PROTOCOL: Final = b"openai-beta.realtime-v1"
_BETA: Final = b"openai-beta: realtime=v1\r\n"


class Dials(Attempts):
    """As the attempts of a call; nothing is translated, rewritten or signed, and no connection is used twice."""

    __slots__ = ("dialer",)

    dialer: Dialer

    def send(self, candidate: Candidate, sink: Sink) -> Verdict | None:
        """Ask a channel for a WebSocket. A verdict, where it cannot have one."""
        relay, channel, exchange = self._relay, candidate.channel, self._exchange
        now = relay.now()
        target = self._aim(candidate, now)
        if isinstance(target, Verdict):
            return target
        if exchange is None or target.format is not self._surface.format or target.signing is not None:
            return UNUSABLE
        self.carrier = self._surface.format  # which is the target's
        self._blame = target.blame
        going = pass_on(exchange, target.passes)
        self.losses = going.losses
        head = target.head + going.head
        if _BETA_PROTOCOL in offered(exchange.fields.get(b"sec-websocket-protocol")):
            head += _BETA  # browsers can set no header
        self._probe = relay.health.begin(channel, self._secret)
        self._sent_at = now
        if not self.notes:
            relay.journal.open(self._call, self._describe)
        limits = deadlines(relay.settings, now - self._started, channel.total_s)
        self.current = relay.client.dial(target.origin, head, self.dialer, limits, relay.settings.tunnels)
        return None


def offered(protocols: bytes | None) -> list[bytes]:
    """The subprotocols that a client offers."""
    return [] if protocols is None else [name.strip() for name in protocols.split(b",")]
