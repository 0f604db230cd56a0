"""What is measured: bodies, connections, rates; and one measured window of a subject."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import OTHER_CORE, Subject, cpu_s, rss_bytes

REQUEST_BYTES = 32 * 1024 * 1024  # of requests that differ by their key; the load generator holds them in memory


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of load. `per` is what CPU is divided by: answered calls or received chunks."""

    name: str
    model: str = "bench"
    body_bytes: int = 2_000
    stream: bool = False
    connections: int = 64
    seconds: float = 3.0
    warm_s: float = 0.7
    rate: float = 0.0  # requests a second, 0 = as fast as answers come
    per: str = "calls"


SCENARIOS = (
    Scenario(name="2 KB"),
    Scenario(name="2 KB, 256 connections", connections=256),
    Scenario(name="20 KB body", body_bytes=20_000),
    Scenario(name="5 MB body", body_bytes=5_000_000, connections=4),
    Scenario(name="one connection", connections=1),
    Scenario(name="300 calls/s", rate=300),
    Scenario(name="64 streams, 6,400 chunks/s", model="bench-d10-n100", stream=True, per="chunks"),
    Scenario(name="streams flat out", model="bench-n100", stream=True, connections=16, per="chunks"),
)

# Each key once and again before anything is measured: what is asked of control for the first time is not the hot path.
PRIMING = Scenario(name="priming", seconds=15)

# Long streams that mostly wait: what one costs in memory, and that none is dropped.
CROWDS = (
    Scenario(
        name="1,000 slow streams",
        model="bench-d1000-n1000",
        stream=True,
        connections=1000,
        warm_s=3,
        seconds=7,
        per="chunks",
    ),
    Scenario(
        name="5,000 slow streams",
        model="bench-d1000-n1000",
        stream=True,
        connections=5000,
        warm_s=6,
        seconds=7,
        per="chunks",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The figures of one window. CPU and latencies in microseconds."""

    answered: int
    failed: int
    in_flight: int
    rate: float
    cpu_us: float  # of the subject's data plane, per call or chunk
    settlement_us: float
    latency_p50: float
    latency_p99: float
    first_byte_p50: float
    chunk_p50: float
    chunk_p99: float
    memory: int  # proportional bytes of the data plane at the end of the window


def write_requests(path: Path, scenario: Scenario, subject: Subject) -> None:
    """Raw requests, one per key, in the form that the load generator reads."""
    body = {"model": scenario.model, "messages": [{"role": "user", "content": "x" * scenario.body_bytes}]}
    if scenario.stream:
        body |= {
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "hello"}],
        }
    encoded = json.dumps(body, separators=(",", ":")).encode()
    keys = subject.keys[: max(2, REQUEST_BYTES // len(encoded))]
    with path.open("wb") as out:
        for key in keys:
            request = (
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{subject.port}\r\nAccept: */*\r\n"
                f"Content-Type: application/json\r\nUser-Agent: bench\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Length: {len(encoded)}\r\n\r\n"
            ).encode() + encoded
            out.write(b"%d\n%s" % (len(request), request))


def measure(load: Path, folder: Path, scenario: Scenario, subject: Subject) -> Window:
    """One window: the load runs on the other core, the subject's CPU is read around it."""
    requests = folder / "requests"
    write_requests(requests, scenario, subject)
    command: Sequence[str] = [
        "taskset", "-c", str(OTHER_CORE), str(load), str(subject.port), str(scenario.connections),
        str(scenario.seconds), str(scenario.warm_s), str(scenario.rate), str(requests),
    ]  # fmt: skip
    before, settled_before = cpu_s(subject.pids), cpu_s(subject.settlement)
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    after, settled_after = cpu_s(subject.pids), cpu_s(subject.settlement)
    memory = rss_bytes(subject.pids)
    result = json.loads(run.stdout)
    count = result["answered"] if scenario.per == "calls" else result["chunk_delay"]["n"]
    # CPU was used while warming up as well, so it is divided by what was served then too.
    served = max(1, result["all_answered"] if scenario.per == "calls" else result["all_chunks"])
    return Window(
        answered=result["answered"],
        failed=result["failed"],
        in_flight=result["in_flight"],
        rate=count / result["seconds"],
        cpu_us=(after - before) / served * 1e6,
        settlement_us=(settled_after - settled_before) / served * 1e6,
        latency_p50=result["latency"]["p50"],
        latency_p99=result["latency"]["p99"],
        first_byte_p50=result["first_byte"]["p50"],
        chunk_p50=result["chunk_delay"]["p50"],
        chunk_p99=result["chunk_delay"]["p99"],
        memory=memory,
    )
