"""The record of what arrived, its bounds, and the process around it."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from yescale_sandbox.app import Counter, Sandbox, listen
from yescale_sandbox.exchange import Answer, Request
from yescale_sandbox.record import BODY_KEPT_BYTES, Records

Chat = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
KEY = "sk-sandbox-0123456789"


def request(body: bytes = b"{}", path: str = "/openai/v1/chat/completions") -> Request:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    return Request("POST", path, "", headers, body)


def done(records: Records, body: bytes) -> None:
    entry = records.open(request(body))
    entry.answered(Answer(200, iter(())))
    entry.finish(gone=False)


def test_a_record_tells_what_arrived_and_hides_the_key(chat: Chat, recorded: Recorded, marker: str) -> None:
    answer = chat(seed=4)
    (entry,) = recorded(marker)
    assert entry["body"] == {"model": "gpt-4o", "messages": [{"role": "user", "content": marker}], "seed": 4}
    assert (entry["method"], entry["path"]) == ("POST", "/openai/v1/chat/completions")
    assert entry["raw_sha256"] == hashlib.sha256(answer.request.content).hexdigest()
    assert entry["headers"]["authorization"] == {
        "scheme": "Bearer",
        "last4": "6789",
        "sha256": hashlib.sha256(KEY.encode()).hexdigest(),
    }
    assert KEY not in json.dumps(entry)
    assert (entry["outcome"], entry["status"], entry["model"]) == ("served", 200, "gpt-4o")
    assert entry["usage"]["total_tokens"] == answer.json()["usage"]["total_tokens"]
    assert entry["usage"] == entry["usage_reported"]
    assert entry["at"] <= entry["finished_at"]
    assert answer.headers["x-request-id"] == f"req_{entry['seq']:032x}"


def test_a_refused_request_is_recorded_as_refused(chat: Chat, recorded: Recorded, marker: str) -> None:
    chat(bogus=1)
    (entry,) = recorded(marker)
    assert (entry["outcome"], entry["status"], entry["usage"]) == ("refused", 400, None)


def test_a_client_that_leaves_a_stream_is_seen(sandbox_url: str, recorded: Recorded, marker: str) -> None:
    body = {"model": "gpt-4o+slow-20+long-50", "stream": True, "messages": [{"role": "user", "content": marker}]}
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.stream("POST", f"{sandbox_url}/openai/v1/chat/completions", json=body, headers=headers) as answer:
        blocks = answer.iter_raw()
        next(blocks)
        assert recorded(marker)[0]["outcome"] is None
    deadline = time.monotonic() + 3
    while (entry := recorded(marker)[0])["outcome"] is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert entry["outcome"] == "client_gone"
    assert 1 <= entry["chunks_sent"] < 50
    assert entry["usage_reported"] is None


def test_a_client_that_reads_nothing_is_waited_for_and_costs_bounded_memory(sandbox_url: str, marker: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    asked = {"model": "gpt-4o+big-20000", "stream": True, "messages": [{"role": "user", "content": marker}]}
    body = json.dumps(asked).encode()
    head = f"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(head.encode() + body)
        counts = [0, 0]
        outcomes: list[str | None] = []
        while counts[-1] == 0 or counts[-1] != counts[-2]:
            time.sleep(0.1)
            (entry,) = [one for one in _entries(sandbox_url) if marker in json.dumps(one["body"])]
            counts.append(entry["chunks_sent"])
            outcomes.append(entry["outcome"])
        assert outcomes[-1] is None
        assert counts[-1] * 4096 < 16_000_000


def test_pages_of_records_follow_one_another(http: httpx.Client, chat: Chat) -> None:
    start = http.get("/__sandbox/health").json()["last"]
    for _ in range(5):
        chat()
    seen: list[int] = []
    after = start
    for _ in range(4):
        page = http.get("/__sandbox/requests", params={"after": after, "limit": 2}).json()
        seen += [entry["seq"] for entry in page["requests"]]
        after = page["last"]
    assert seen == [start + 1, start + 2, start + 3, start + 4, start + 5]
    assert http.get("/__sandbox/requests?after=x").status_code == 400


def test_the_ring_forgets_the_oldest_by_number_and_by_size() -> None:
    few = Records(most=3)
    for _ in range(5):
        done(few, b"{}")
    assert [entry.seq for entry in few.after(0, 100)] == [3, 4, 5]
    assert [entry.seq for entry in few.after(4, 100)] == [5]
    small = Records(most_bytes=100)
    for _ in range(5):
        done(small, b'"' + b"x" * 38 + b'"')
    assert [entry.seq for entry in small.after(0, 100)] == [4, 5]


def test_a_large_body_is_kept_as_its_size_and_digest() -> None:
    records = Records()
    body = b'"' + b"x" * BODY_KEPT_BYTES + b'"'
    done(records, body)
    (entry,) = (entry.to_json() for entry in records.after(0, 1))
    assert (entry["body"], entry["size"]) == (None, BODY_KEPT_BYTES + 2)
    assert entry["raw_sha256"] == hashlib.sha256(body).hexdigest()


def test_reset_empties_records_totals_and_counts_but_not_the_numbering() -> None:
    sandbox = Sandbox()
    asked = request(b'{"model":"gpt-4o+flaky-1","messages":[{"role":"user","content":"x"}]}')

    def play() -> int:
        steps, entry = sandbox(asked)
        assert entry is not None
        for _ in steps:
            pass
        entry.finish(gone=False)
        return entry.status

    assert [play(), play()] == [500, 200]
    totals = json.loads(json.dumps(sandbox.records.totals_json()))
    assert totals["requests"] == 2
    assert totals["models"]["gpt-4o"]["failed"]["requests"] == 1
    assert totals["models"]["gpt-4o"]["served"]["prompt_tokens"] == 5
    reset = Request("POST", "/__sandbox/reset", "", {}, b"")
    list(sandbox(reset)[0])
    assert sandbox.records.totals_json() == {"requests": 0, "in_progress": 0, "models": {}}
    assert (list(sandbox.records.after(0, 9)), sandbox.records.last) == ([], 2)
    assert play() == 500


def test_totals_sum_the_usage_that_was_reported(http: httpx.Client, chat: Chat) -> None:
    def sums() -> dict[str, int]:
        models = http.get("/__sandbox/totals").json()["models"]
        return models.get("gpt-4.1-nano", {}).get("served", {"requests": 0, "reported_completion_tokens": 0})

    before = sums()
    used = [chat(model="gpt-4.1-nano").json()["usage"]["completion_tokens"] for _ in range(2)]
    after = sums()
    assert after["requests"] - before["requests"] == 2
    assert after["reported_completion_tokens"] - before["reported_completion_tokens"] == sum(used)


def test_the_counter_of_prompts_is_bounded() -> None:
    counter = Counter(most=2)
    assert [counter("a"), counter("a"), counter("b"), counter("c"), counter("a")] == [0, 1, 0, 0, 0]


def test_pipelined_requests_are_answered_in_their_order(sandbox_url: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    ask = b"GET /openai/v1/models/%b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-sandbox-pipe\r\n"
    asks = ask % b"gpt-4o" + b"\r\n" + ask % b"o1" + b"connection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(asks)
        read = b""
        while block := link.recv(65536):
            read += block
    assert 0 < read.index(b'"id":"gpt-4o"') < read.index(b'"id":"o1"')


def test_bytes_that_are_no_request_get_a_400(sandbox_url: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    for head, status in ((b"nonsense\r\n\r\n", b" 400 "), (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000, b" 431 ")):
        with socket.create_connection((host, int(port)), timeout=5) as link:
            link.sendall(head)
            assert status in link.recv(1000)


def test_a_large_body_that_comes_with_its_head_is_no_large_head(sandbox_url: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    body = b"[" + b" " * 200_000 + b"]"
    head = b"POST /openai/v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += b"authorization: Bearer sk-sandbox-large\r\ncontent-length: %d\r\n\r\n" % len(body)
    with socket.create_connection((host, int(port)), timeout=5) as link:
        for _ in range(20):
            link.sendall(head + body)
            assert link.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_expect_continue_is_answered(sandbox_url: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    head = b"POST /openai/v1/x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(head)
        assert link.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"{}")
        assert link.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_unknown_paths_of_the_sandbox_say_which_there_are(http: httpx.Client) -> None:
    answer = http.get("/__sandbox/nothing")
    assert answer.status_code == 404
    assert "GET /__sandbox/requests" in answer.json()["error"]


def test_it_serves_within_a_loop_of_its_caller() -> None:
    async def ask() -> int:
        server = await listen("127.0.0.1", 0)
        host, port = server.address
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{host}:{port}/__sandbox/health")
        await server.stop()
        return answer.status_code

    assert asyncio.run(ask()) == 200


def test_the_process_takes_an_inherited_socket_and_ends_on_sigterm() -> None:
    source = Path(__file__).resolve().parents[2] / "src"
    with socket.create_server(("127.0.0.1", 0)) as held:
        command = [sys.executable, "-m", "yescale_sandbox", "--fd", str(held.fileno())]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[held.fileno()],
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        with process:
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
            assert line["port"] == held.getsockname()[1]
            assert httpx.get(f"{line['sandbox']}/__sandbox/health").json()["status"] == "ok"
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0


def test_it_imports_nothing_of_what_it_tests() -> None:
    source = Path(__file__).resolve().parents[2] / "src" / "yescale_sandbox"
    for module in source.rglob("*.py"):
        for line in module.read_text().splitlines():
            assert not line.startswith(("import yescale.", "from yescale.", "from yescale ", "import yescale ")), module


def _entries(sandbox_url: str) -> list[dict[str, Any]]:
    return httpx.get(f"{sandbox_url}/__sandbox/requests").json()["requests"]
