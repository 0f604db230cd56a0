"""Access tokens in place of service accounts: who is asked, with what, how often, and what workers see of it."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import google.auth.jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from yescale.control.accounts import AccountUnusable, is_account, read_account, write_assertion
from yescale.control.tokens import Place, Tokens, exchange
from yescale.domain.ids import ChannelId, ProviderId
from yescale.domain.snapshot import Channel

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def account(**more: str) -> str:
    """A file as the console gives it: on several lines."""
    fields = {"type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key": PEM}
    return json.dumps(fields | {"private_key_id": "k1"} | more, indent=2)


class Endpoint:
    """A token endpoint that answers what it is told to."""

    def __init__(self) -> None:
        self.answer: Callable[[], tuple[int, Any]] = lambda: (200, {"access_token": "t", "expires_in": 3_599})
        self.asked: list[dict[str, list[str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                outer.asked.append(parse_qs(form))
                status, body = outer.answer()
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Nothing is logged."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    opened = Endpoint()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def channel(number: int, url: str, *secrets: str) -> Channel:
    return Channel(
        id=ChannelId(number), name="c", provider=ProviderId("vertex"), base_url=f"{url}/v1/projects/p", secrets=secrets,
        models={}, groups=(),
    )  # fmt: skip


async def until(true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


def test_an_assertion_is_what_google_s_own_library_verifies() -> None:
    known = read_account(account(token_uri="https://oauth2.googleapis.com/token"))
    assert known is not None
    token = write_assertion(known, int(time.time()))
    claims = google.auth.jwt.decode(token, certs=PUBLIC, audience="https://oauth2.googleapis.com/token")
    assert claims["iss"] == "a@p.iam.gserviceaccount.com"
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert claims["exp"] - claims["iat"] == 3_600
    assert google.auth.jwt.decode_header(token) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}


@pytest.mark.parametrize("secret", ["sk-key", "{", "{}", '{"type":"authorized_user"}', '["a"]', "ya29.token"])
def test_other_secrets_are_none(secret: str) -> None:
    assert not is_account(secret)


def test_an_account_does_not_show_its_key() -> None:
    assert "PRIVATE" not in repr(read_account(account()))
    assert "PRIVATE" not in repr(Place(account(), "https://x"))


@pytest.mark.parametrize(
    ("token_uri", "says"),
    [
        ("https://evil.example/token", "neither"),
        ("http://oauth2.googleapis.com/token", "neither"),
        ("https://oauth2.googleapis.com.evil.example/token", "neither"),
        ("https://user@oauth2.googleapis.com/token", "not a URL"),
        ("file:///etc/passwd", "not a URL"),
    ],
)
def test_an_assertion_goes_nowhere_but_to_google_or_the_channel_s_host(token_uri: str, says: str) -> None:
    known = read_account(account(token_uri=token_uri))
    assert known is not None
    with pytest.raises(AccountUnusable, match=says):
        exchange(Place(account(), "https://us-central1-aiplatform.googleapis.com/v1"), known, 0)


def test_a_key_that_is_none_is_said_without_showing_it() -> None:
    known = read_account(account(private_key="secret words"))
    assert known is not None
    with pytest.raises(AccountUnusable) as refused:
        exchange(Place(account(), "https://x.example/v1"), known, 0)
    assert "secret words" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, {"error": "invalid_grant", "error_description": "account not found"}, "invalid_grant: account not found"),
        (200, {"access_token": "t"}, "nothing that can be read"),
        (200, b"<html>", "nothing that can be read"),
        (302, b"", "nothing that can be read"),
    ],
)
def test_a_denial_says_what_to_mend(endpoint: Endpoint, status: int, body: Any, says: str) -> None:
    endpoint.answer = lambda: (status, body)
    known = read_account(account(token_uri=f"{endpoint.url}/token"))
    assert known is not None
    with pytest.raises(AccountUnusable, match=says):
        exchange(Place(account(), f"{endpoint.url}/v1"), known, 0)


async def test_workers_see_tokens_and_never_accounts(endpoint: Endpoint) -> None:
    secret = account(token_uri=f"{endpoint.url}/token")
    channels = (channel(1, endpoint.url, secret), channel(2, endpoint.url, "sk-plain"))
    tokens, worn = Tokens(), []
    assert tokens.wear(channels) == channels[1:]
    task = asyncio.create_task(tokens.run(lambda: worn.append(tokens.wear(channels))))
    try:
        await until(lambda: bool(worn))
    finally:
        task.cancel()
    assert worn[-1] == (replace(channels[0], secrets=("t",)), channels[1])
    assert len(endpoint.asked) == 1
    assert endpoint.asked[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


async def test_a_token_is_renewed_before_it_ends_and_given_up_when_it_cannot_be(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    count = 0

    def answer() -> tuple[int, Any]:
        nonlocal count
        count += 1
        if count > 2:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": f"t{count}", "expires_in": 2}

    endpoint.answer = answer
    secret = account(token_uri=f"{endpoint.url}/token")
    channels = (channel(1, endpoint.url, secret),)
    tokens = Tokens()
    seen: list[tuple[str, ...]] = [()]
    tokens.wear(channels)
    began = time.monotonic()
    task = asyncio.create_task(tokens.run(lambda: seen.append(tuple(one.secrets[0] for one in tokens.wear(channels)))))
    try:
        with caplog.at_level(logging.ERROR):
            await until(lambda: seen[-1] == ("t2",))
            assert time.monotonic() - began < 2
            await until(lambda: seen[-1] == ())
    finally:
        task.cancel()
    assert [each for n, each in enumerate(seen) if not n or each != seen[n - 1]] == [(), ("t1",), ("t2",), ()]
    assert "alarm: no access token for a@p.iam.gserviceaccount.com" in caplog.text
    assert "PRIVATE" not in caplog.text


async def test_an_endpoint_that_is_away_leaves_the_others_alone(endpoint: Endpoint) -> None:
    good = account(token_uri=f"{endpoint.url}/token")
    bad = account(token_uri="http://127.0.0.1:9/token")
    channels = (channel(1, "http://127.0.0.1:9", bad), channel(2, endpoint.url, good))
    tokens, worn = Tokens(), []
    tokens.wear(channels)
    task = asyncio.create_task(tokens.run(lambda: worn.append(tokens.wear(channels))))
    try:
        await until(lambda: bool(worn))
        assert not task.done()
    finally:
        task.cancel()
    assert [one.id for one in worn[-1]] == [2]


async def test_an_account_that_is_new_is_asked_for_at_once(endpoint: Endpoint) -> None:
    tokens, worn = Tokens(), []
    channels: tuple[Channel, ...] = ()
    task = asyncio.create_task(tokens.run(lambda: worn.append(tokens.wear(channels))))
    try:
        await asyncio.sleep(0.1)
        channels = (channel(1, endpoint.url, account(token_uri=f"{endpoint.url}/token")),)
        tokens.wear(channels)
        await until(lambda: bool(worn))
    finally:
        task.cancel()
    assert worn[-1][0].secrets == ("t",)
