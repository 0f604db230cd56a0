"""A small real call of a channel, straight from control: whether its secrets work, how soon it answers, what it says.

Where it goes the channel alone says. It costs what a dozen tokens cost.
"""

import asyncio
import http.client
import ssl
import time
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.control.accounts import AccountUnusable, read_account
from yescale.control.tokens import Place, exchange
from yescale.domain.chat import ChatRequest, Message
from yescale.domain.content import Text
from yescale.domain.embedding import EmbedRequest
from yescale.domain.ids import ProtocolId
from yescale.domain.snapshot import Channel
from yescale.protocols.codec import UpstreamCodec
from yescale.protocols.embedding import EmbedCodec
from yescale.protocols.overriding import override
from yescale.protocols.passthrough import Change, scrub
from yescale.protocols.translation import encode
from yescale.providers.provider import BadChannel, Endpoint, Provider, Request, Unsigned, build_head, header_lines
from yescale.providers.registry import PROVIDERS
from yescale.wire.client import Attempt, Client, ClientLimits, Deadlines, Failure, Origin
from yescale.wire.proxy import Proxy
from yescale.wire.timers import Timers

_DEADLINES: Final = Deadlines(connect_s=10.0, send_s=10.0, first_byte_s=30.0, idle_s=30.0, total_s=40.0)
_MOST_BYTES: Final = 1024 * 1024  # of an answer
_MOST_SECRETS: Final = 20
_LONGEST: Final = 500  # characters of an error
_TOKENS: Final = 16  # of output; OpenAI's Responses API takes no lower limit
_SPOKEN: Final = ProtocolId("openai.chat")
_SUCCESSES: Final = range(200, 300)
PROBED: Final = ("chat", "embed")  # the operations of which a small call can be made


class Probed(Struct, frozen=True, kw_only=True):
    """What one secret of a channel got. `status` 0: no whole answer came, and `error` says why."""

    secret: int  # its place, from 1 on
    ok: bool
    status: int = 0
    ms: int = 0
    error: str = ""


class _Parcel(Struct, frozen=True, kw_only=True):
    """A request ready to go."""

    origin: Origin
    head: bytes
    body: bytes
    endpoint: Endpoint


class _Ear:
    """Hears the answer (wire's Sink)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.over: asyncio.Future[Failure | None] = loop.create_future()
        self.body = b""

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """A piece of it."""
        self.body += data
        if len(self.body) > _MOST_BYTES:
            attempt.cancel()
            self._end(Failure.GARBAGE)
        elif done:
            self._end(None)

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        """There is none."""
        self._end(failure)

    def _end(self, failure: Failure | None) -> None:
        if not self.over.done():
            self.over.set_result(failure)


async def probe(channel: Channel, model: str, operation: str, ca_file: str = "") -> tuple[Probed, ...]:
    """Call the channel with each of its secrets; `model` is the provider's name of one."""
    loop = asyncio.get_running_loop()
    timers = Timers(loop)
    context = await asyncio.to_thread(_trust, ca_file)
    client = Client(timers, ClientLimits(), lambda _: context)
    try:
        secrets = enumerate(channel.secrets[:_MOST_SECRETS] or ("",))
        calls = (_probe_one(client, channel, (model, operation), (number, secret)) for number, secret in secrets)
        return tuple(await asyncio.gather(*calls))
    finally:
        client.close()
        timers.close()


async def _probe_one(client: Client, channel: Channel, asked: tuple[str, str], held: tuple[int, str]) -> Probed:
    number, secret = held
    told = secret  # a token in its place, where it is an account
    try:
        told = await _open(channel, secret)
        parcel = _pack(channel, asked, told)
    except (BadChannel, AccountUnusable, ValueError, OSError, http.client.HTTPException) as error:
        return Probed(secret=number + 1, ok=False, error=_clean(str(error), (*channel.secrets, told)))
    loop = asyncio.get_running_loop()
    ear = _Ear(loop)
    began = loop.time()
    attempt = client.send(parcel.origin, parcel.head, parcel.body, ear, _DEADLINES, replayable=False)
    failure = await ear.over
    ms = round(1_000 * ((attempt.first_byte_at or loop.time()) - began))
    if failure is not None:
        return Probed(secret=number + 1, ok=False, ms=ms, error=failure.value)
    ok = attempt.status in _SUCCESSES
    error = "" if ok else parcel.endpoint.format.read_error(ear.body).message or "the answer could not be read"
    return Probed(secret=number + 1, ok=ok, status=attempt.status, ms=ms, error=_clean(error, (*channel.secrets, told)))


async def _open(channel: Channel, secret: str) -> str:
    """A token in place of a service account. Raises what `exchange` raises."""
    account = read_account(secret)
    if account is None:
        return secret
    granted = await asyncio.to_thread(exchange, Place(secret, channel.base_url), account, int(time.time()))
    return granted.access_token


def _pack(channel: Channel, asked: tuple[str, str], secret: str) -> _Parcel:
    """The request as a worker would send it. Raises ValueError (BadChannel), saying no secret."""
    model, operation = asked
    provider = PROVIDERS.get(channel.provider)
    endpoint = None if provider is None else provider.endpoint(operation, _SPOKEN)
    if provider is None or endpoint is None:
        raise BadChannel(f"its provider does not do {operation!r}")
    body, more = _write(endpoint, provider, model)
    body = body if channel.body is None else override(body, channel.body)
    request = Request(endpoint=endpoint, model=model, stream=False, secret=secret)
    head = build_head(channel, provider, request)
    lines = head.lines + more
    if callable(provider.auth):
        unsigned = Unsigned(host=head.host, target=head.target, body=body, secret=secret, now_s=int(time.time()))
        lines += header_lines(channel, provider.auth(unsigned))
    origin, _ = Origin.parse((channel.base_url or provider.base_url).partition("?")[0])
    origin = replace(origin, via=Proxy.parse(channel.proxy)) if channel.proxy else origin
    return _Parcel(origin=origin, head=lines, body=body, endpoint=endpoint)


def _write(endpoint: Endpoint, provider: Provider, model: str) -> tuple[bytes, bytes]:
    """The body, and the header lines that it needs."""
    codec = endpoint.format.codec
    if isinstance(codec, UpstreamCodec):
        words = Message(role="user", parts=(Text(text="Say ok."),))
        request = ChatRequest(model=model, messages=(words,), max_tokens=_TOKENS)
        encoded = encode(request, codec, provider.profile(model), Change(model=model), endpoint.quirks)
    elif isinstance(codec, EmbedCodec):
        encoded = codec.encode_request(EmbedRequest(model=model, inputs=("ok",)), model)
    else:
        raise BadChannel("no small call can be made in its format")
    return encoded.body, "".join(f"{name}: {value}\r\n" for name, value in encoded.headers.items()).encode("ascii")


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _clean(text: str, secrets: tuple[str, ...]) -> str:
    """Without our secrets, and no longer than a line may be."""
    return scrub(text.encode(), secrets).decode(errors="replace")[:_LONGEST]
