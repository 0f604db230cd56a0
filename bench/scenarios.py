"""What is measured: bodies, connections, rates; and one measured window of a subject."""

import json
import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.processes import OTHER_CORE, Subject, cpu_s, rss_bytes, wait_for_few_files
from bench.stage import Stage

DRAIN_S = 45.0  # longer than a channel is read on for the usage of a client that left
REQUEST_BYTES = 32 * 1024 * 1024  # of requests that differ by their key; the load generator holds them in memory


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of load. `per` is what CPU is divided by: answered calls or received chunks."""

    name: str
    model: str = "bench"
    body_bytes: int = 2_000
    stream: bool = False
    tls: bool = False  # between the subject and the upstream
    connections: int = 64
    seconds: float = 3.0
    warm_s: float = 0.7
    rate: float = 0.0  # requests a second, 0 = as fast as answers come
    per: str = "calls"
    crowd: bool = False  # streams that outlast the window: one that ended was dropped


SCENARIOS = (
    Scenario(name="2 KB"),
    Scenario(name="2 KB, 256 connections", connections=256),
    Scenario(name="20 KB body", body_bytes=20_000),
    Scenario(name="5 MB body", body_bytes=5_000_000, connections=4),
    Scenario(name="one connection", connections=1),
    Scenario(name="300 calls/s", rate=300),
    Scenario(name="8,000 calls/s", rate=8_000),
    Scenario(name="64 streams, 6,400 chunks/s", model="bench-d10-n100", stream=True, per="chunks"),
    Scenario(name="streams flat out", model="bench-n100", stream=True, connections=16, per="chunks"),
    Scenario(name="2 KB, upstream behind TLS", model="bench-tls", tls=True),
    Scenario(name="64 streams, upstream behind TLS", model="bench-tls-d10-n100", stream=True, tls=True, per="chunks"),
)

# Each key once and again before anything is measured: what is asked of control for the first time is not the hot path.
PRIMING = Scenario(name="priming", seconds=15)
RIVALRY = Scenario(name="2 KB, 16 connections", connections=16, seconds=5.0, warm_s=1.0)
WARMING = Scenario(name="warming", connections=16, seconds=10.0)  # of who compiles or caches while it runs

SLOW = Scenario(name="", model="bench-d1000-n1000", stream=True, seconds=7, per="chunks", crowd=True)
CROWDS = (
    replace(SLOW, name="1,000 slow streams", connections=1_000, warm_s=3),
    replace(SLOW, name="5,000 slow streams", connections=5_000, warm_s=6),
)


def shortened(scenario: Scenario) -> Scenario:
    """The same for a try: enough to see that it works, too little for a figure."""
    return replace(scenario, seconds=min(scenario.seconds, 1.5), warm_s=min(scenario.warm_s, 3.0))


@dataclass(frozen=True, kw_only=True)
class Request:
    """Raw bytes, and how much of the answer is read before the client leaves: -1 = all of it."""

    raw: bytes
    leave_after: int = -1


@dataclass(frozen=True, kw_only=True)
class Window:
    """The figures of one window. CPU and latencies in microseconds, memory in bytes."""

    answered: int
    failed: int  # in the whole run: refused, cut, or (of a crowd) over too early
    in_flight: int
    rate: float
    cpu_us: float  # of the subject's data plane, per call or chunk
    settlement_us: float
    latency_p50: float
    latency_p99: float
    first_byte_p50: float
    chunk_p50: float
    chunk_p99: float
    memory_before: int
    memory_during: int  # of a crowd, when all its streams are open; else 0
    memory: int  # after the window, and after what a crowd left behind


def call_bytes(subject: Subject, key: str, body: bytes) -> bytes:
    """One call of chat completions, as it goes over the wire."""
    lines = (
        "POST /v1/chat/completions HTTP/1.1", f"Host: 127.0.0.1:{subject.port}", "Accept: */*",
        "Content-Type: application/json", "User-Agent: bench", f"Authorization: Bearer {key}",
        f"Content-Length: {len(body)}", *subject.headers,
    )  # fmt: skip
    return "\r\n".join((*lines, "\r\n")).encode() + body


def chat_body(model: str, content: str, *, stream: bool = False) -> bytes:
    """The JSON of one call."""
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": content}]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


def write_requests(path: Path, requests: Iterable[Request]) -> None:
    """Requests in the form that the load generator reads."""
    with path.open("wb") as out:
        for request in requests:
            out.write(b"%d %d\n%s" % (len(request.raw), request.leave_after, request.raw))


def requests_of(scenario: Scenario, subject: Subject) -> Iterable[Request]:
    """One request per key, as many as memory allows."""
    content = "hello" if scenario.stream else "x" * scenario.body_bytes
    body = chat_body(scenario.model, content, stream=scenario.stream)
    for key in subject.keys[: max(2, REQUEST_BYTES // len(body))]:
        yield Request(raw=call_bytes(subject, key, body))


def load_command(stage: Stage, subject: Subject, scenario: Scenario, requests: Path) -> list[str]:
    """The load generator on its core."""
    port = subject.tls_port if scenario.tls and subject.tls_port else subject.port
    figures = (port, scenario.connections, scenario.seconds, scenario.warm_s, scenario.rate)
    return ["taskset", "-c", str(OTHER_CORE), str(stage.load), *map(str, figures), str(requests)]


def measure(stage: Stage, scenario: Scenario, subject: Subject) -> Window:
    """One window: the load runs on the other core, the subject's CPU is read around it."""
    requests = stage.folder / "requests"
    write_requests(requests, requests_of(scenario, subject))
    memory_before, memory_during = rss_bytes(subject.pids), 0
    before, settled_before = cpu_s(subject.pids), cpu_s(subject.settlement)
    with subprocess.Popen(load_command(stage, subject, scenario, requests), stdout=subprocess.PIPE) as load:
        if scenario.crowd:
            time.sleep(scenario.warm_s + scenario.seconds * 0.8)
            memory_during = rss_bytes(subject.pids)
        output, _ = load.communicate()
    if load.returncode != os.EX_OK:
        raise RuntimeError(f"the load generator failed in {scenario.name!r}")
    after, settled_after = cpu_s(subject.pids), cpu_s(subject.settlement)
    result = json.loads(output)
    if scenario.crowd:  # what its clients set going and left is read to its end, and is no memory of afterwards
        wait_for_few_files(subject.pids, scenario.connections // 10, DRAIN_S)
    per_call = scenario.per == "calls"
    # CPU was used while warming up as well, so it is divided by what was served then too.
    served = max(1, result["all_answered"] if per_call else result["all_chunks"])
    over_early = scenario.connections - result["in_flight"] if scenario.crowd else 0
    return Window(
        answered=result["answered"],
        failed=result["all_refused"] + result["all_cut"] + over_early,
        in_flight=result["in_flight"],
        rate=(result["answered"] if per_call else result["chunk_delay"]["n"]) / result["seconds"],
        cpu_us=(after - before) / served * 1e6,
        settlement_us=(settled_after - settled_before) / served * 1e6,
        latency_p50=result["latency"]["p50"],
        latency_p99=result["latency"]["p99"],
        first_byte_p50=result["first_byte"]["p50"],
        chunk_p50=result["chunk_delay"]["p50"],
        chunk_p99=result["chunk_delay"]["p99"],
        memory_before=memory_before,
        memory_during=memory_during,
        memory=rss_bytes(subject.pids),
    )
