"""A sandbox as a process of its own, and clients of it."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

KEY = "sk-sandbox-0123456789"
SRC = Path(__file__).resolve().parents[2] / "src"

Chat = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The address of a running sandbox."""
    command = [sys.executable, "-m", "yescale_sandbox", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["sandbox"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


@pytest.fixture(scope="session")
def http(sandbox_url: str) -> Iterator[httpx.Client]:
    """A client with a good key."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=sandbox_url, headers=headers, timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def sdk(sandbox_url: str) -> Iterator[OpenAI]:
    """OpenAI's own client, pointed at the sandbox."""
    with OpenAI(api_key=KEY, base_url=f"{sandbox_url}/openai/v1", max_retries=0, timeout=5) as client:
        yield client


@pytest.fixture
def marker() -> str:
    """A word that no other test uses."""
    return f"marker-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def chat(http: httpx.Client, marker: str) -> Chat:
    """Post a chat completion: the smallest request, changed by keywords; an Ellipsis takes a field out."""

    def post(**changes: Any) -> httpx.Response:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": marker}], **changes}
        kept = {name: value for name, value in body.items() if value is not ...}
        return http.post("/openai/v1/chat/completions", json=kept)

    return post


@pytest.fixture
def recorded(http: httpx.Client) -> Recorded:
    """What the sandbox recorded of the requests that carry a marker."""

    def find(marker: str) -> list[dict[str, Any]]:
        entries = http.get("/__sandbox/requests").json()["requests"]
        return [entry for entry in entries if marker in json.dumps(entry["body"])]

    return find
