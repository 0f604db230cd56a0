"""How much memory a worker takes for the largest body: at most twice its size, whatever has to be done to it.

The worker's peak is read from /proc; the provider is a socket that reads a request away and says a few words.
"""

import contextlib
import json
import random
import re
import socketserver
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.installation import Installation, serving

MB = 1024 * 1024
LIMIT = 64 * MB  # of a body, as long as no setting says otherwise
ROOM = 512  # for what stands around the picture
TIMES = 2
MODEL = "claude-sonnet-4-5"  # its profile is that of all
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "generate": f"/v1beta/models/{MODEL}:generateContent",
}
PROVIDERS = {
    "chat": "openai_compatible",
    "responses": "openai_responses",
    "messages": "anthropic",
    "generate": "google",
}
PAIRS = [pytest.param(client, upstream, id=f"{client}-{upstream}") for client, upstream in product(PATHS, PATHS)]


def body(client: str, picture: str) -> bytes:
    """A request with one picture."""
    said = "What is this?"
    url = f"data:image/png;base64,{picture}"
    source = {"type": "base64", "media_type": "image/png", "data": picture}
    bodies: dict[str, dict[str, Any]] = {
        "chat": {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": said}, {"type": "image_url", "image_url": {"url": url}}],
                }
            ]
        },
        "responses": {
            "store": False,
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": said}, {"type": "input_image", "image_url": url}],
                }
            ],
        },
        "messages": {
            "max_tokens": 100,
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": said}, {"type": "image", "source": source}]}
            ],
        },
        "generate": {
            "contents": [{"parts": [{"text": said}, {"inlineData": {"mimeType": "image/png", "data": picture}}]}]
        },
    }
    model = {} if client == "generate" else {"model": MODEL}
    return json.dumps({**model, **bodies[client]}, separators=(",", ":")).encode()


USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
ANSWERS: dict[str, dict[str, Any]] = {
    "chat": {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A cat."}, "finish_reason": "stop"}],
    },
    "responses": {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "A cat.", "annotations": []}]},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    },
    "messages": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "A cat."}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "generate": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "A cat."}]}, "finishReason": "STOP", "index": 0},
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "m",
    },
}  # fmt: skip


class Reader(socketserver.StreamRequestHandler):
    """Counts what it reads away."""

    def handle(self) -> None:
        while head := self._head():
            (size,) = re.findall(rb"content-length: (\d+)", head)
            left = int(size)
            while left > 0 and (piece := self.connection.recv(min(left, MB))):
                left -= len(piece)
            assert isinstance(self.server, Provider)
            self.server.sizes.append(int(size))
            answer = json.dumps(ANSWERS[self.server.spoken]).encode()
            lines = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
            self.connection.sendall(lines.encode() + answer)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.connection.recv(1)
            if not piece:
                return b""
            head += piece
        return head


class Provider(socketserver.ThreadingTCPServer):
    """A provider of one format."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, spoken: str) -> None:
        super().__init__(("127.0.0.1", 0), Reader)
        self.spoken = spoken
        self.sizes: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@dataclass(frozen=True)
class House:
    """An installation with one worker, and for each format a provider and a key that leads to it."""

    installation: Installation
    providers: dict[str, Provider]
    keys: dict[str, str]
    picture: str
    worker: Path  # in /proc

    def peak(self) -> int:
        """The most memory since `rest`."""
        return self._status("VmHWM")

    def rest(self) -> int:
        """Forget the peak; what is taken now."""
        (self.worker / "clear_refs").write_text("5")
        return self._status("VmRSS")

    def _status(self, name: str) -> int:
        (found,) = re.findall(rf"{name}:\s+(\d+) kB", (self.worker / "status").read_text())
        return int(found) * 1024


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving(tmp_path_factory.mktemp("memory") / "home", workers=1))
        running.admin("topup", "--user", "demo", "--usd", "100000")
        providers: dict[str, Provider] = {}
        keys: dict[str, str] = {}
        for spoken, provider in PROVIDERS.items():
            server = providers[spoken] = stack.enter_context(Provider(spoken))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            running.admin("group", "set", spoken, "--ratio", "1")
            running.admin(
                "channel", "add", "--name", spoken, "--provider", provider, "--models", MODEL,
                "--base-url", server.url, "--secret", "sk-memory", "--groups", spoken,
            )  # fmt: skip
            keys[spoken] = running.admin("key", "create", "--user", "demo", "--name", spoken, "--group", spoken)["key"]
        picture = b64encode(random.Random(7).randbytes((LIMIT - ROOM) // 4 * 3)).decode()
        yield House(running, providers, keys, picture, _worker_of(running.pid))


def _worker_of(parent: int) -> Path:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"worker" in words and f"\nPPid:\t{parent}\n" in (process / "status").read_text():
                return process
    raise AssertionError("no worker")


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_the_largest_body_takes_twice_its_size_at_most(house: House, client: str, upstream: str) -> None:
    """Promise 34: unchanged or in translation, between the largest and none lies no more than twice the largest."""
    sent = body(client, house.picture)
    assert LIMIT - ROOM < len(sent) <= LIMIT
    before = house.rest()
    headers = {"authorization": f"Bearer {house.keys[upstream]}", "content-type": "application/json"}
    url = house.installation.base_url + PATHS[client]
    answer = httpx.post(url, content=sent, headers=headers, timeout=100)
    took = house.peak() - before
    assert answer.status_code == 200, answer.text[:500]
    assert "A cat." in answer.text
    assert house.providers[upstream].sizes[-1] > len(house.picture)
    assert took <= TIMES * len(sent) + 4 * MB, f"{took / len(sent):.2f} times"
