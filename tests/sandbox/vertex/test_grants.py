"""The token endpoint: assertions are checked for real, and tokens are known again until they expire."""

import time
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from tests.sandbox.vertex.assertion import GRANT, SCOPE, assertion

Account = dict[str, Any]
ASK = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
PATH = "/gemini-2.5-flash:generateContent"
TIMELY = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."


def asked(account: Account, **form: Any) -> httpx.Response:
    return httpx.post(account["token_uri"], data={"grant_type": GRANT, **form})


def test_an_assertion_becomes_a_token(account: Account) -> None:
    answer = asked(account, assertion=assertion(account, time.time()))
    assert answer.status_code == 200
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (3599, "Bearer")


def test_googles_library_gets_a_token(credentials: service_account.Credentials, vertex: httpx.Client) -> None:
    credentials.refresh(Request())
    headers = {"authorization": f"Bearer {credentials.token}"}
    assert vertex.post(PATH, json=ASK, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"iss": "someone@else.example"}, "invalid_grant", "Invalid grant: account not found"),
        ({"iss": ...}, "invalid_grant", "Invalid grant: account not found"),
        ({"aud": "https://elsewhere.example/token"}, "invalid_grant", "Invalid JWT: Failed audience check."),
        ({"aud": ...}, "invalid_grant", "Invalid JWT: Failed audience check."),
        ({"scope": ...}, "invalid_scope", "Invalid OAuth scope or ID token audience provided."),
        ({"scope": "everything"}, "invalid_scope", "Invalid OAuth scope or ID token audience provided."),
        ({"exp": 1}, "invalid_grant", TIMELY),
        ({"exp": ...}, "invalid_grant", TIMELY),
        ({"iat": ...}, "invalid_grant", TIMELY),
        ({"iat": time.time() + 4000, "exp": time.time() + 5000}, "invalid_grant", TIMELY),
        ({"exp": time.time() + 7200}, "invalid_grant", TIMELY),
        ({"iat": "now"}, "invalid_request", "Bad Request"),
        ({"header": {"alg": "none"}}, "invalid_grant", "Invalid JWT: The algorithm must be RS256."),
        ({"header": {"typ": "JWT"}}, "invalid_grant", "Invalid JWT: The algorithm must be RS256."),
    ],
)
def test_a_wrong_assertion_is_refused(account: Account, changes: dict[str, Any], error: str, words: str) -> None:
    answer = asked(account, assertion=assertion(account, time.time(), **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["error_description"].startswith(words)


def test_the_signature_of_another_key_is_refused(account: Account) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    answer = asked(account, assertion=assertion({**account, "private_key": pem}, time.time()))
    assert answer.json() == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "assertion": "x"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
        ({"assertion": "a.b"}, "invalid_request"),
        ({"assertion": "a.b.c"}, "invalid_request"),
    ],
)
def test_a_wrong_form_is_refused(account: Account, form: dict[str, str], error: str) -> None:
    answer = asked(account, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_token_expires_when_it_was_told_to(sandbox_url: str, vertex: httpx.Client) -> None:
    short = httpx.get(f"{sandbox_url}/__sandbox/service-account", params={"lifetime": 1}).json()
    made = asked(short, assertion=assertion(short, time.time())).json()
    assert made["expires_in"] == 1
    headers = {"authorization": f"Bearer {made['access_token']}"}
    assert vertex.post(PATH, json=ASK, headers=headers).status_code == 200
    time.sleep(1.05)
    answer = vertex.post(PATH, json=ASK, headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("presented", ["", "Bearer", "Bearer ya29.c.sandbox-x.y", "Bearer sk-x", "Basic {}"])
def test_an_unknown_token_is_refused(vertex: httpx.Client, token: str, presented: str) -> None:
    answer = vertex.post(PATH, json=ASK, headers={"authorization": presented.format(token)})
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith(
        "Request had invalid authentication credentials. Expected OAuth 2"
    )


def test_an_altered_token_is_refused(vertex: httpx.Client, token: str) -> None:
    payload, _, proof = token.rpartition(".")
    altered = f"{payload[:-2]}{'AA' if payload[-2:] != 'AA' else 'BB'}.{proof}"
    assert vertex.post(PATH, json=ASK, headers={"authorization": f"Bearer {altered}"}).status_code == 401


def test_a_token_for_something_else_is_refused(account: Account, vertex: httpx.Client) -> None:
    scope = "https://www.googleapis.com/auth/devstorage.read_only"
    made = asked(account, assertion=assertion(account, time.time(), scope=scope)).json()
    answer = vertex.post(PATH, json=ASK, headers={"authorization": f"Bearer {made['access_token']}"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "Request had insufficient authentication scopes.",
    )
    both = asked(account, assertion=assertion(account, time.time(), scope=f"{scope} {SCOPE}")).json()
    assert vertex.post(PATH, json=ASK, headers={"authorization": f"Bearer {both['access_token']}"}).status_code == 200


def test_another_project_is_not_allowed(sandbox_url: str, token: str) -> None:
    address = f"{sandbox_url}/vertex/v1/projects/other/locations/us-central1/publishers/google/models{PATH}"
    answer = httpx.post(address, json=ASK, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (403, "IAM_PERMISSION_DENIED")
