"""Clients of the fake Vertex AI, with a service account of the sandbox."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from google.oauth2 import service_account

from tests.sandbox.vertex.assertion import GRANT, SCOPE, assertion

Account = dict[str, Any]
Generate = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def account(sandbox_url: str) -> Account:
    """The file of the service account."""
    return httpx.get(f"{sandbox_url}/__sandbox/service-account").json()


@pytest.fixture(scope="session")
def token(account: Account) -> str:
    form = {"grant_type": GRANT, "assertion": assertion(account, time.time())}
    return httpx.post(account["token_uri"], data=form).json()["access_token"]


@pytest.fixture(scope="session")
def vertex(sandbox_url: str, token: str) -> Iterator[httpx.Client]:
    """A client with a good token, below the publisher's models."""
    base = f"{sandbox_url}/vertex/v1/projects/sandbox-project/locations/us-central1/publishers/google/models"
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}, timeout=5) as client:
        yield client


@pytest.fixture
def credentials(account: Account) -> service_account.Credentials:
    """What Google's own library makes of the file."""
    return service_account.Credentials.from_service_account_info(account, scopes=[SCOPE])


@pytest.fixture
def generate(vertex: httpx.Client, marker: str) -> Generate:
    """Post to a method: the smallest request, changed by keywords; an Ellipsis takes a field out."""

    def post(model: str = "gemini-2.5-flash", method: str = "generateContent", **changes: Any) -> httpx.Response:
        body = {"contents": [{"role": "user", "parts": [{"text": marker}]}], **changes}
        kept = {name: value for name, value in body.items() if value is not ...}
        name, _, query = method.partition("?")
        return vertex.post(f"/{model.replace('+', '%2B')}:{name}", params=query or None, json=kept)

    return post
