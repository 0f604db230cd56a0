"""Access tokens for channels whose secret is a service account: had before they are needed, renewed before they end.

Workers see the tokens alone. A channel without one is left out of the snapshot, and the log says why.
"""

import asyncio
import http.client
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from yescale.control.accounts import GRANT, AccountUnusable, ServiceAccount, read_account, write_assertion
from yescale.domain.snapshot import Channel
from yescale.wire.origin import Origin

_LOG: Final = logging.getLogger(__name__)
_GOOGLE: Final = frozenset(Origin("https", host, 443) for host in ("oauth2.googleapis.com", "accounts.google.com"))
_TIMEOUT_S: Final = 10.0
_MOST_BYTES: Final = 64 * 1024  # of an answer
_AHEAD_S: Final = 300.0  # a token is renewed this long before it ends, or in the last quarter of its life
_RETRY_S: Final = 15.0  # doubled with each further failure
_RETRY_MAX_S: Final = 300.0
_DOUBLED: Final = 10  # times at most: enough to reach the longest wait
_LONGEST_S: Final = 3_600.0


class Place(Struct, frozen=True):
    """One account, and the base URL that it is used at."""

    secret: str
    base_url: str

    def __repr__(self) -> str:
        return f"Place({self.base_url!r})"


class Grant(Struct, frozen=True):
    """What the token endpoint answers."""

    access_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Grant(expires_in={self.expires_in})"


class Denial(Struct, frozen=True):
    """What it answers instead."""

    error: str = ""
    error_description: str = ""


class Held(Struct):
    """What is known of a place: its token, and when to ask again."""

    token: str = ""
    expires_s: float = 0.0
    ask_at_s: float = 0.0
    failures: int = 0

    def __repr__(self) -> str:
        return f"Held(expires_s={self.expires_s}, failures={self.failures})"


_GRANT: Final = msgspec.json.Decoder(Grant)
_DENIAL: Final = msgspec.json.Decoder(Denial)


class Tokens:
    """The tokens of all accounts that the newest snapshot needs."""

    def __init__(self) -> None:
        self._held: dict[Place, Held] = {}
        self._woken = asyncio.Event()

    def wear(self, channels: Iterable[Channel]) -> tuple[Channel, ...]:
        """The channels with tokens in place of accounts, without those that have no secret left. Accounts that are new
        are asked for from now on, those that are gone are forgotten.
        """
        channels = tuple(channels)
        wanted = {place for channel in channels for place in _places(channel)}
        self._held = {place: self._held.get(place) or Held() for place in wanted}
        self._woken.set()
        now_s = time.time()
        return tuple(worn for channel in channels if (worn := self._wear(channel, now_s)).secrets)

    def _wear(self, channel: Channel, now_s: float) -> Channel:
        held = {place.secret: self._held[place] for place in _places(channel)}
        if not held:
            return channel
        worn = (held.get(secret, secret) for secret in channel.secrets)
        tokens = tuple(_shown(each, now_s) for each in worn)
        return replace(channel, secrets=tuple(token for token in tokens if token))

    async def run(self, changed: Callable[[], None]) -> None:
        """Renew for ever; `changed` hears when other tokens are worn than before."""
        while True:
            self._woken.clear()
            now_s = time.time()
            due = [(place, held) for place, held in self._held.items() if held.ask_at_s <= now_s]
            ended = any(held.token and held.expires_s <= now_s for held in self._held.values())
            if any(await asyncio.gather(*(_renew(place, held) for place, held in due))) or ended:
                self._forget_ended()
                changed()
                continue
            await self._wait()

    async def _wait(self) -> None:
        """Until something is due, or other accounts are wanted."""
        next_s = min((self._next(held) for held in self._held.values()), default=time.time() + _LONGEST_S)
        try:
            async with asyncio.timeout(max(0.05, next_s - time.time())):
                await self._woken.wait()
        except TimeoutError:
            pass

    @staticmethod
    def _next(held: Held) -> float:
        return min(held.ask_at_s, held.expires_s) if held.token else held.ask_at_s

    def _forget_ended(self) -> None:
        now_s = time.time()
        for held in self._held.values():
            if held.expires_s <= now_s:
                held.token = ""


async def _renew(place: Place, held: Held) -> bool:
    """Ask for one account's token; whether there is another than before."""
    account = read_account(place.secret)
    if account is None:
        held.ask_at_s = time.time() + _LONGEST_S
        return False
    try:
        granted = await asyncio.to_thread(exchange, place, account, int(time.time()))
    except (AccountUnusable, OSError, http.client.HTTPException) as error:
        held.failures += 1
        held.ask_at_s = time.time() + min(_RETRY_MAX_S, _RETRY_S * 2 ** min(held.failures - 1, _DOUBLED))
        _LOG.error("alarm: no access token for %s: %s", account.client_email, error)
        return False
    life_s = max(1.0, min(float(granted.expires_in), _LONGEST_S))
    held.token, held.failures = granted.access_token, 0
    held.expires_s = time.time() + life_s
    held.ask_at_s = held.expires_s - min(_AHEAD_S, life_s / 4)
    return True


def exchange(place: Place, account: ServiceAccount, now_s: int) -> Grant:
    """One round to the token endpoint, which takes seconds at most: call it in a thread. Raises AccountUnusable,
    OSError and http.client's exceptions.
    """
    _check_origin(account.token_uri, place.base_url)
    body = urlencode({"grant_type": GRANT, "assertion": write_assertion(account, now_s)})
    url = urlsplit(account.token_uri)
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=_TIMEOUT_S)
    try:
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        connection.request("POST", target, body, {"content-type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return _read(answer.status, answer.read(_MOST_BYTES))
    finally:
        connection.close()


def _check_origin(token_uri: str, base_url: str) -> None:
    """An assertion goes to Google, or to where the channel's calls go: not wherever a file says."""
    try:
        origin = _origin(token_uri)
        known = {*_GOOGLE, _origin(base_url)}
    except ValueError:
        raise AccountUnusable("its token_uri is not a URL") from None
    if origin not in known:
        raise AccountUnusable("its token_uri is neither Google's nor at the channel's own host")


def _origin(url: str) -> Origin:
    return Origin.parse(url.partition("?")[0])[0]


def _read(status: int, body: bytes) -> Grant:
    try:
        if status == http.HTTPStatus.OK:
            return _GRANT.decode(body)
        denial = _DENIAL.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise AccountUnusable(f"the token endpoint answered {status} with nothing that can be read") from None
    raise AccountUnusable(
        f"the token endpoint answered {status} {denial.error[:100]}: {denial.error_description[:300]}"
    )


def _places(channel: Channel) -> Iterator[Place]:
    for secret in channel.secrets:
        if read_account(secret) is not None:
            yield Place(secret, channel.base_url)


def _shown(held: Held | str, now_s: float) -> str:
    if isinstance(held, str):
        return held
    return held.token if held.expires_s > now_s else ""
