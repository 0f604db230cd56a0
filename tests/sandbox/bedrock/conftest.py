"""Clients of the fake Bedrock: botocore's own, and a bare one that signs with botocore or with a bearer key."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from yescale_sandbox.bedrock.signature import ACCESS_KEY, BEARER_PREFIX, SIGNS_WITH

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

Converse = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def http(sandbox_url: str) -> Iterator[httpx.Client]:
    """A client with a bearer API key."""
    with httpx.Client(base_url=sandbox_url, headers={"authorization": f"Bearer {BEARER_PREFIX}1"}, timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def aws(sandbox_url: str) -> Iterator[Any]:
    """botocore's own client, which signs its requests, and closes its connections only when told to."""
    session = botocore.session.get_session()
    session.set_credentials(ACCESS_KEY, SIGNS_WITH)
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5, proxies={})
    client = session.create_client(
        "bedrock-runtime", region_name="eu-west-1", endpoint_url=f"{sandbox_url}/bedrock", config=config
    )
    yield client
    client.close()


@pytest.fixture
def converse(http: httpx.Client, marker: str) -> Converse:
    """Post a Converse request: the smallest, changed by keywords; an Ellipsis takes a field out."""

    def post(model: str = CLAUDE, operation: str = "converse", **changes: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": [{"text": marker}]}], **changes}
        kept = {name: value for name, value in body.items() if value is not ...}
        return http.post(f"/bedrock/model/{model.replace(':', '%3A').replace('+', '%2B')}/{operation}", json=kept)

    return post


def signed(url: str, body: Any, key: str = ACCESS_KEY, secret: str = SIGNS_WITH, service: str = "bedrock") -> Any:
    """A request with its headers as botocore signs it."""
    request = AWSRequest("POST", url, data=json.dumps(body), headers={"content-type": "application/json"})
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return request
