"""Clients of the fake Gemini API."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from google import genai

KEY = "AIzaSandbox-0123456789"
Generate = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def google(sandbox_url: str) -> Iterator[httpx.Client]:
    """A client with a good key."""
    with httpx.Client(base_url=f"{sandbox_url}/gemini/v1beta", headers={"x-goog-api-key": KEY}, timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def genai_sdk(sandbox_url: str) -> Iterator[genai.Client]:
    """Google's own client, pointed at the sandbox."""
    with genai.Client(api_key=KEY, http_options={"base_url": f"{sandbox_url}/gemini/"}) as client:
        yield client


@pytest.fixture
def generate(google: httpx.Client, marker: str) -> Generate:
    """Post to generateContent: the smallest request, changed by keywords; an Ellipsis takes a field out."""

    def post(model: str = "gemini-2.5-flash", method: str = "generateContent", **changes: Any) -> httpx.Response:
        body = {"contents": [{"role": "user", "parts": [{"text": marker}]}], **changes}
        kept = {name: value for name, value in body.items() if value is not ...}
        name, _, query = method.partition("?")
        return google.post(f"/models/{model.replace('+', '%2B')}:{name}", params=query or None, json=kept)

    return post
