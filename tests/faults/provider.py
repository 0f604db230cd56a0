"""The sandbox with a record that outlives it: one line per request answered and per answer ended, written at once.

Run as a process of its own: `python -m tests.faults.provider --fd N --record FILE`. Many lives append to one file.
"""

import argparse
import asyncio
import json
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import uvloop
from msgspec import Struct

from yescale_sandbox.app import Sandbox, listen
from yescale_sandbox.exchange import Answer, Request
from yescale_sandbox.record import Entry, Records, Totals

MARKER = re.compile(rb"mark-[0-9a-f]{16}")


class Served(Struct, kw_only=True):
    """One request as the provider saw it. `outcome` "" = its end was never written: the provider was killed."""

    marker: str
    call: str  # the id that the gateway gave the call
    model: str
    status: int
    prompt: int
    completion: int
    at: float
    outcome: str = ""
    ended: float = 0.0


class WrittenEntry(Entry):
    """Says what became of it before anyone can kill it."""

    __slots__ = ("_call", "_file", "_marker")

    def __init__(self, seq: int, request: Request, totals: Totals, file: int) -> None:
        super().__init__(seq, request, totals)
        found = MARKER.search(request.body)
        self._marker = "" if found is None else found[0].decode()
        self._call = request.headers.get("x-client-request-id", "")
        self._file = file

    def answered(self, answer: Answer) -> None:
        super().answered(answer)
        usage = (0, 0) if self.usage is None else (self.usage.prompt, self.usage.completion)
        facts = {"model": self.model, "status": self.status, "usage": usage}
        self._write("answered", marker=self._marker, call=self._call, **facts)

    def finish(self, *, gone: bool) -> None:
        if self.outcome is None:
            super().finish(gone=gone)
            self._write("ended", outcome=self.outcome)

    def _write(self, event: str, **facts: object) -> None:
        line = {"event": event, "life": os.getpid(), "seq": self.seq, "at": time.time(), **facts}
        os.write(self._file, json.dumps(line).encode() + b"\n")


class WrittenRecords(Records):
    """Records whose entries write themselves down."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file

    def open(self, request: Request) -> Entry:
        usual = super().open(request)
        return WrittenEntry(usual.seq, request, usual.totals, self._file)


def read_record(path: Path) -> list[Served]:
    """Everything that any life of the provider has served."""
    found: dict[tuple[int, int], Served] = {}
    for line in _lines(path):
        place = (line["life"], line["seq"])
        if line["event"] == "answered":
            prompt, completion = line["usage"]
            found[place] = Served(
                marker=line["marker"], call=line["call"], model=line["model"], status=line["status"],
                prompt=prompt, completion=completion, at=line["at"],
            )  # fmt: skip
        else:
            found[place].outcome, found[place].ended = line["outcome"], line["at"]
    return list(found.values())


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    return map(json.loads, path.read_text().splitlines()) if path.exists() else ()


async def serve(fd: int, record: Path) -> None:
    """Until it is killed."""
    file = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    await listen("", 0, fd=fd, sandbox=Sandbox(WrittenRecords(file)))
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    asked = parser.parse_args()
    uvloop.run(serve(asked.fd, asked.record))
