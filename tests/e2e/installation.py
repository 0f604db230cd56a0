"""A whole yescale, started as a user starts it: `yescale serve --sandbox` in a home of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

READY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where a running yescale is, and the keys of its demo account."""

    home: Path
    base_url: str
    sandbox_url: str
    api_key: str
    access_key: str
    pid: int
    printed: str

    def admin(self, *words: str) -> Any:
        """Run `yescale admin ... --json` and return what it says."""
        command = [sys.executable, "-m", "yescale", "admin", *words, "--home", str(self.home), "--json"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    def system(self, method: str, path: str, *, access_key: str | None = None, **more: Any) -> httpx.Response:
        """Call the System API with an access key, the demo account's by default."""
        headers = {"Authorization": f"Bearer {access_key or self.access_key}"}
        return httpx.request(method, self.base_url + path, headers=headers, timeout=30, **more)

    def arrived(self, after: int = 0) -> list[dict[str, Any]]:
        """What reached the sandbox after a sequence number."""
        answer = httpx.get(f"{self.sandbox_url}/__sandbox/requests", params={"after": after}, timeout=30)
        return answer.json()["requests"]

    def last_arrival(self) -> int:
        """The newest sequence number of the sandbox's record."""
        answer = httpx.get(f"{self.sandbox_url}/__sandbox/requests", params={"after": 10**12}, timeout=30)
        return answer.json()["last"]


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(home: Path, *, database: str = "", workers: int = 2) -> Iterator[Installation]:
    """Start `yescale serve --sandbox`, wait until it is ready, and end it with SIGTERM."""
    port = free_port()
    command = [sys.executable, "-m", "yescale", "serve", "--sandbox", "--home", str(home), "--port", str(port)]
    command += ["--workers", str(workers), *(["--database", database] if database else [])]
    output = home.parent / f"{home.name}.out"
    with output.open("wb") as out, (home.parent / f"{home.name}.log").open("wb") as log:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("YESCALE_")}
        process = subprocess.Popen(command, stdout=out, stderr=log, env=environment)
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}", home)
        made = json.loads((home / "bootstrap.json").read_text())
        yield Installation(
            home=home, base_url=made["base_url"], sandbox_url=made["sandbox_url"], api_key=made["api_key"],
            access_key=made["access_key"], pid=process.pid, printed=output.read_text(),
        )  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_until_ready(process: subprocess.Popen[bytes], base_url: str, home: Path) -> None:
    """Return when /healthz answers and the start was printed."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError((home.parent / f"{home.name}.log").read_text()[-4000:])
        with contextlib.suppress(httpx.TransportError):
            healthy = httpx.get(f"{base_url}/healthz", timeout=2).status_code == 200
            if healthy and "curl" in (home.parent / f"{home.name}.out").read_text():
                return
        time.sleep(0.05)
    raise AssertionError(f"not ready after {READY_S} s: " + (home.parent / f"{home.name}.log").read_text()[-4000:])
