"""A call's request in canonical form, and what becomes of it at endpoints of other formats than the client's."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.chat import ChatRequest
from yescale.domain.embedding import EmbedRequest
from yescale.domain.ids import CallId
from yescale.domain.loss import Loss
from yescale.domain.profile import Profile
from yescale.gateway.admission import Order
from yescale.gateway.relay.targets import Target
from yescale.gateway.relay.verdicts import UNUSABLE, Verdict
from yescale.protocols.anthropic_messages.thinking import with_thinking
from yescale.protocols.codec import Codec, Encoded, Envelope, Malformed, UpstreamCodec
from yescale.protocols.embedding import EmbedCodec
from yescale.protocols.holes import Punched, fill, punch
from yescale.protocols.passthrough import Carrier, Change, Format
from yescale.protocols.translation import EmbedTranslation, Translation, encode

_PROMPT_BOUND: Final = 2  # the bound counts two bytes as a token; the usual rule is four


class Parcel(Struct, frozen=True):
    """A request ready to go: further header lines, the body, what it could not say, and how its answer is read."""

    head: bytes
    body: bytes
    losses: tuple[str, ...]  # all, for the log
    told: tuple[str, ...]  # those that the client is told of
    carrier: Carrier


class Crossing:
    """One call that some endpoint needs in another format. Decoded once, encoded per attempt. Long base64 is put past
    the codecs, as long as they hand it on as it is.
    """

    __slots__ = ("_call", "_created", "_format", "_order", "_punched", "_request")

    def __init__(self, form: Format, order: Order, call: CallId, created: int) -> None:
        self._format = form
        self._order = order
        self._call = call
        self._created = created
        self._request: ChatRequest | EmbedRequest | None = None
        self._punched: Punched | None = None  # what `_request` was decoded of, where that is not the body

    def encode(self, target: Target, body: bytes, change: Change, *, thinking: bool) -> Parcel | Verdict:
        """The request for a target. A verdict where the request is malformed, or would lose content."""
        client, endpoint = self._format.codec, target.format
        upstream = endpoint.codec
        try:
            if isinstance(client, Codec) and isinstance(upstream, UpstreamCodec):
                request, encoded = self._encode_chat(client, upstream, target, body, change, thinking=thinking)
                carrier = Translation(client, endpoint, upstream, self._envelope(request))
                return _pack(encoded, carrier, change)
            if isinstance(client, EmbedCodec) and isinstance(upstream, EmbedCodec) and isinstance(endpoint, Format):
                wanted = self._embedding(client, body)
                carrier = EmbedTranslation(client, endpoint, upstream, wanted)
                return _pack(upstream.encode_request(wanted, change.model), carrier, change)
        except Malformed as malformed:
            return Verdict(fault=malformed.fault)
        return UNUSABLE

    def _encode_chat(
        self, client: Codec, upstream: UpstreamCodec, target: Target, body: bytes, change: Change, *, thinking: bool
    ) -> tuple[ChatRequest, Encoded]:
        request = self._chat(client, body)
        shown = with_thinking(request) if thinking else request
        encoded = encode(shown, upstream, self._profile(target), change, target.quirks)
        if self._punched is None:
            return request, encoded
        filled = fill(encoded.body, self._punched, body)
        if filled is not None:
            return request, replace(encoded, body=filled)
        self._punched, self._request = None, client.decode_request(body, self._order.words)
        return self._encode_chat(client, upstream, target, body, change, thinking=thinking)

    def _chat(self, client: Codec, body: bytes) -> ChatRequest:
        if not isinstance(self._request, ChatRequest):
            self._punched = punch(body)
            shown = body if self._punched is None else self._punched.body
            self._request = client.decode_request(shown, self._order.words)
        return self._request

    def _embedding(self, client: EmbedCodec, body: bytes) -> EmbedRequest:
        if not isinstance(self._request, EmbedRequest):
            self._request = client.decode_request(body, self._order.words)
        return self._request

    def _profile(self, target: Target) -> Profile:
        return replace(target.profile, max_output=target.profile.max_output or self._order.offer.model.max_output)

    def _envelope(self, request: ChatRequest) -> Envelope:
        peek = self._order.peek
        return Envelope(
            id=self._call,
            model=self._order.offer.model.name,
            created=self._created,
            request=request,
            input_tokens=max(1, peek.prompt_tokens // _PROMPT_BOUND),
        )


def _pack(encoded: Encoded, carrier: Carrier, change: Change) -> Parcel | Verdict:
    lost = next((loss for loss in encoded.losses if loss.weight == "content"), None)
    if lost is not None:
        return _refuse(lost)
    told = _names(loss for loss in encoded.losses if loss.weight == "setting")
    hints = _names(loss for loss in encoded.losses if loss.weight == "hint")
    if change.limit is not None:
        told = (*told, "max_tokens")
    head = "".join(f"{name}: {value}\r\n" for name, value in encoded.headers.items()).encode("ascii")
    return Parcel(head, encoded.body, told + hints, told, carrier)


def _names(losses: Iterable[Loss]) -> tuple[str, ...]:
    """Each name once, in order."""
    return tuple(dict.fromkeys(loss.what for loss in losses))


def _refuse(lost: Loss) -> Verdict:
    """This endpoint would not see all of the prompt: another may."""
    message = f"No provider of this model can take '{lost.what}': {lost.why}. Leave it out or use another model."
    return Verdict(fault=faults.MALFORMED.saying(message, param=lost.what), retry=True)
