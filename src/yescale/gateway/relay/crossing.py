"""A call's request in canonical form, and what becomes of it at endpoints of other formats than the client's."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.chat import ChatRequest
from yescale.domain.ids import CallId
from yescale.domain.loss import Loss
from yescale.gateway.admission import Order
from yescale.gateway.relay.targets import Target
from yescale.gateway.relay.verdicts import UNUSABLE, Verdict
from yescale.gateway.surfaces import Surface
from yescale.protocols.codec import Envelope, Malformed
from yescale.protocols.passthrough import Change
from yescale.protocols.translation import Translation, encode, with_thinking

_PROMPT_BOUND: Final = 2  # the bound counts two bytes as a token; the usual rule is four


class Parcel(Struct, frozen=True):
    """A request ready to go: further header lines, the body, what it could not say, and how its answer is read."""

    head: bytes
    body: bytes
    losses: tuple[str, ...]  # all, for the log
    told: tuple[str, ...]  # those that the client is told of
    carrier: Translation


class Crossing:
    """One call that some endpoint needs in another format. Decoded once, encoded per attempt."""

    __slots__ = ("_call", "_codec", "_created", "_order", "_request")

    def __init__(self, surface: Surface, order: Order, call: CallId, created: int) -> None:
        self._codec = surface.format.codec
        self._order = order
        self._call = call
        self._created = created
        self._request: ChatRequest | None = None

    def encode(self, target: Target, body: bytes, change: Change, *, thinking: bool) -> Parcel | Verdict:
        """The request for a target. A verdict where the request is malformed, or would lose content."""
        client, upstream = self._codec, target.format.codec
        if client is None or upstream is None:
            return UNUSABLE
        try:
            request = self._request or client.decode_request(body, self._order.words)
        except Malformed as malformed:
            return Verdict(fault=malformed.fault)
        self._request = request
        profile = replace(target.profile, max_output=target.profile.max_output or self._order.offer.model.max_output)
        encoded = encode(with_thinking(request) if thinking else request, upstream, profile, change)
        lost = next((loss for loss in encoded.losses if loss.weight == "content"), None)
        if lost is not None:
            return _refuse(lost)
        told = _names(loss for loss in encoded.losses if loss.weight == "setting")
        hints = _names(loss for loss in encoded.losses if loss.weight == "hint")
        if change.limit is not None:
            told = (*told, "max_tokens")
        return Parcel(
            head="".join(f"{name}: {value}\r\n" for name, value in encoded.headers.items()).encode("ascii"),
            body=encoded.body,
            losses=told + hints,
            told=told,
            carrier=Translation(client, target.format, upstream, self._envelope(request)),
        )

    def _envelope(self, request: ChatRequest) -> Envelope:
        peek = self._order.peek
        return Envelope(
            id=self._call,
            model=peek.model,
            created=self._created,
            request=request,
            input_tokens=max(1, peek.prompt_tokens // _PROMPT_BOUND),
        )


def _names(losses: Iterable[Loss]) -> tuple[str, ...]:
    """Each name once, in order."""
    return tuple(dict.fromkeys(loss.what for loss in losses))


def _refuse(lost: Loss) -> Verdict:
    """This endpoint would not see all of the prompt: another may."""
    message = f"No provider of this model can take '{lost.what}': {lost.why}. Leave it out or use another model."
    return Verdict(fault=faults.MALFORMED.saying(message, param=lost.what), retry=True)
