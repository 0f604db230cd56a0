"""Where the time of a small call goes: what a worker's own code is doing, sampled while calls run through it.

usage: python -m bench.steps [--seconds N]

A sample belongs to the innermost function on the stack that a step names.
"""

import argparse
import gc
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from bench.inside import Worker, requests, whole_answer
from bench.scenarios import chat_body

EVERY_S = 0.001  # of CPU
STEPS: Mapping[str, tuple[str, ...]] = {
    "the client's connection: state, deadlines": (
        "Connection.data_received", "Connection._begin", "Connection._open", "Connection._receive",
        "Exchange.__init__", "Deadline.set",
    ),
    "the request's head: lines looked up": ("Lines.read", "_HeaderLines.__missing__"),
    "the request's id": ("RequestIds.mint",),
    "the key: found and checked": (
        "find_credentials", "read_credentials", "_read_key", "Keys.recall", "check_key", "Call._check", "Call.open",
    ),
    "the request's JSON: what price and route need": ("peek_chat", "find_texts", "find_long", "omit_all", "omit"),
    "what the key may have, and the worst case": ("judge", "Tariff.bound", "Table.offer"),
    "the channel": ("choose", "_less_busy"),
    "money: set aside, given back": (
        "Purses.settle", "Purses.reserve", "Purses._reserve", "Reservation.__init__",
    ),
    "the upstream's request: target, rewrite, pool, write": (
        "Attempts.send", "Attempts._rewrite", "rewrite", "Client.send", "Pool.carry", "Upstream.start",
        "Attempt.__init__", "Targets.find", "ChannelHealth.begin", "Journal.open", "deadlines",
    ),
    "the upstream's answer: parsed, connection kept": (
        "Upstream.data_received", "Upstream._parse", "Upstream._parse_head", "Upstream.on_header",
        "Upstream.on_headers_complete", "Upstream.on_body", "Upstream.on_message_begin",
        "Upstream.on_message_complete", "Upstream._finish", "Upstream._reset", "Pool.keep", "Attempt.deliver",
    ),
    "usage read from the answer": ("read_chat", "count"),
    "its price, line by line": ("bill", "quote_at", "believable", "measure"),
    "the journal's line: its fields": ("Passage._line",),
    "the journal's line: encoded, numbered, with its checksum": ("Journal._bytes_of", "Journal.end"),
    "the journal's line: the system call": ("Journal._write", "Journal._try"),
    "the client's answer: head, write": (
        "Exchange.respond", "Exchange._open", "Connection.end_answer", "Connection.start_answer", "Dates.line",
        "Passage._send_whole", "Passage._head", "head", "Attempts.head_lines", "is_admin",
    ),
    "the call's objects, and its way between them": (
        "Front.opened", "Front.received", "find", "Call.__init__", "Call.receive", "Call._start", "Call._admit",
        "Call._go", "Passage.__init__", "Passage.start", "Passage._guard", "Passage._send", "Passage.received",
        "Passage._open_pipe", "Passage._gather", "Passage._weigh", "Passage._settle", "Attempts.__init__",
        "Attempts.start", "Attempts.close", "ChannelHealth.end",
    ),
}  # fmt: skip
OTHER = "the measurement itself"


class Sampler:
    """Counts samples by step."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._steps = {function: step for step, functions in STEPS.items() for function in functions}

    def take(self, _signal: int, frame: FrameType | None) -> None:
        """One sample."""
        while frame is not None:
            step = self._steps.get(frame.f_code.co_qualname)
            if step is not None:
                self.counts[step] += 1
                return
            frame = frame.f_back
        self.counts[OTHER] += 1


def sample(worker: Worker, calls: list[bytes], answer: tuple[bytes, ...], seconds: float) -> Mapping[str, float]:
    """Microseconds of CPU a call, by step."""
    sampler, made, begun = Sampler(), 0, time.process_time()
    signal.signal(signal.SIGPROF, sampler.take)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    while time.process_time() - begun < seconds:
        for request in calls:
            worker.call(request, answer)
        made += len(calls)
    signal.setitimer(signal.ITIMER_PROF, 0)
    share = (time.process_time() - begun) / made / sampler.counts.total() * 1e6
    return {step: sampler.counts[step] * share for step in (*STEPS, OTHER)}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of CPU")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yescale-bench-") as folder:
        worker = Worker(Path(folder))
        calls, answer = requests(chat_body("bench", "x" * 2_000)), whole_answer()
        gc.collect()
        gc.freeze()
        for request in calls * 2:
            worker.call(request, answer)
        for step, cost in sample(worker, calls, answer, arguments.seconds).items():
            print(f"{cost:6.2f} us  {step}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
