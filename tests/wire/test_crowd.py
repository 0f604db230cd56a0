"""A worker that ten thousand idle connections hang on, and one that has no descriptor left."""

from __future__ import annotations

import contextlib
import json
import resource
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx

from tests.integration.gateway.control import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CROWD = 10_000
SPARE = 300  # descriptors that a process needs besides
MOST_BYTES = 8 * 1024  # of memory per idle connection
WAIT_S = 30.0
IDLE_S = 75.0  # the default of `idle_s`
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Worker:
    """A worker in a process of its own."""

    def __init__(self, folder: Path, files: int | None) -> None:
        command = [sys.executable, "-m", "tests.wire.crowd", str(folder)]
        if files is not None:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self._hear()["port"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=WAIT_S)

    def ask(self, words: str) -> dict[str, int]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n".encode())
        self._process.stdin.flush()
        return self._hear()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def call(self) -> int:
        """The status of one chat call."""
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        headers = {"Authorization": f"Bearer sk-{KEY}"}
        url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        return httpx.post(url, json=body, headers=headers, timeout=WAIT_S, trust_env=False).status_code

    def until_files(self, least: int, most: int) -> None:
        """Wait until so many descriptors are open."""
        end = time.monotonic() + WAIT_S
        while not least <= (open_ := self.ask("look")["files"]) <= most:
            assert time.monotonic() < end, f"{open_} open files, not {least} to {most}"
            time.sleep(0.02)

    def _hear(self) -> dict[str, int]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextlib.contextmanager
def crowd(worker: Worker, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(worker.connect()) for _ in range(count)]


def allow_files(count: int) -> None:
    """Let this process open as many; a machine that forbids it cannot hold the promise either."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= count
    assert enough, f"the machine allows {hard} descriptors of {count}: raise the hard limit (ulimit -Hn, LimitNOFILE=)"
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def is_closed(sock: socket.socket) -> bool:
    """Whether the worker has ended this connection without a word."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False


def test_ten_thousand_idle_connections_cost_little_disturb_no_call_and_end(tmp_path: Path) -> None:
    allow_files(CROWD + SPARE)
    with Worker(tmp_path, None) as worker:
        with crowd(worker, 100):
            assert worker.call() == 200
        alone = worker.ask("look")
        with crowd(worker, CROWD) as connections:
            worker.until_files(CROWD, CROWD + SPARE)
            grown = worker.ask("look")["memory"] - alone["memory"]
            assert grown / CROWD <= MOST_BYTES
            assert worker.call() == 200
            worker.ask(f"wait {IDLE_S - 30}")
            assert worker.call() == 200
            assert not any(map(is_closed, connections))
            worker.ask("wait 60")
            worker.until_files(0, SPARE)
            assert all(map(is_closed, connections))
        assert worker.call() == 200


def test_a_worker_without_descriptors_serves_those_it_has_and_goes_on_when_there_are_some(tmp_path: Path) -> None:
    with Worker(tmp_path, 100) as worker, contextlib.ExitStack() as stack:
        first = stack.enter_context(worker.connect())
        with crowd(worker, 300) as connections:
            ended, _, _ = select.select(connections, [], [], WAIT_S)
            assert all(map(is_closed, ended)), "what cannot be accepted is closed, not left hanging"
            for _ in range(2):
                first.sendall(HEALTH)
                assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
        worker.until_files(0, 60)
        assert worker.call() == 200
        with worker.connect() as late:
            late.sendall(HEALTH)
            assert late.recv(65536).startswith(b"HTTP/1.1 200 ")
