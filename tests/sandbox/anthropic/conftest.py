"""Clients of the fake Anthropic."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic

KEY = "sk-ant-sandbox-0123456789"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def http(sandbox_url: str) -> Iterator[httpx.Client]:
    """A client with a good key."""
    with httpx.Client(base_url=sandbox_url, headers=HEADERS, timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def claude(sandbox_url: str) -> Iterator[Anthropic]:
    """Anthropic's own client, which here refuses answers that do not fit its types."""
    with Anthropic(
        api_key=KEY,
        base_url=f"{sandbox_url}/anthropic",
        max_retries=0,
        timeout=5,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture
def ask(http: httpx.Client, marker: str) -> Ask:
    """Post a message: the smallest request, changed by keywords; an Ellipsis takes a field out."""

    def post(path: str = "messages", headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
        body = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": marker}],
            **changes,
        }
        kept = {name: value for name, value in body.items() if value is not ...}
        return http.post(f"/anthropic/v1/{path}", json=kept, headers=headers)

    return post
