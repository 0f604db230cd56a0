"""A whole installation, with its real processes: what it survives, and that its command line says the same of it
whether it runs or not.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

PATIENCE_S = 90.0
OURS = {name: value for name, value in os.environ.items() if not name.startswith("YESCALE_")}


def run(home: Path, *words: str, code: int = 0, environ: Mapping[str, str] = OURS) -> Any:
    """What a command says, in JSON; its one line of error where `code` is not 0."""
    command = [sys.executable, "-m", "yescale", *words, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=OURS | dict(environ), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr.strip()


class Server:
    """`yescale serve --sandbox` in a home that may have served before."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.parent / "log"
        self.family: list[psutil.Process] = []
        command = [sys.executable, "-m", "yescale", "serve", "--sandbox", "--home", str(home), "--port", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--workers", "2"], stdout=subprocess.PIPE, stderr=log, text=True, env=OURS
            )
        self.printed = ""
        while "curl" not in self.printed:
            line = self.process.stdout.readline() if self.process.stdout else ""
            assert line, self.log.read_text()[-4000:]
            self.printed += line
        self.made = json.loads((home / "bootstrap.json").read_text())
        self.note_children()

    def note_children(self) -> dict[str, psutil.Process]:
        """The children by command and slot."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                words = child.cmdline()
            except psutil.Error:  # it ended just now
                continue
            if "yescale" in words:
                slot = words[words.index("--slot") + 1] if "--slot" in words else ""
                found[f"{words[words.index('yescale') + 1]} {slot}".strip()] = child
        self.family += found.values()
        return found

    def chat(self) -> int:
        """The status of a small call on a connection of its own."""
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]}
        headers = {"Authorization": f"Bearer {self.made['api_key']}"}
        url = f"{self.made['base_url']}/v1/chat/completions"
        return httpx.post(url, json=body, headers=headers, timeout=30).status_code

    def wait_served(self) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.chat() == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """SIGTERM, to the end; the exit code."""
        self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        self.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.note_children()
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def nothing_left(self) -> bool:
        return not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in self.family)


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    started: list[Server] = []

    def begin() -> Server:
        started.append(Server(tmp_path / "home"))
        return started[-1]

    yield begin
    for server in started:
        server.close()
        for child in server.family:
            if child.is_running():
                child.kill()


def test_each_process_may_be_killed_and_calls_go_on(start: Callable[[], Server]) -> None:
    server = start()
    server.wait_served()
    for name, child in server.note_children().items():
        child.kill()
        until(lambda name=name, old=child.pid: (new := server.note_children().get(name)) is not None and new.pid != old)
        server.wait_served()
    assert run(server.home, "admin", "ledger", "verify")["ok"] is True
    assert server.stop() == 0
    assert server.nothing_left()
    verdict = run(server.home, "admin", "ledger", "verify")
    assert verdict["ok"] is True
    assert verdict["figures"]["held"] == 0


def test_kill_9_of_the_supervisor_leaves_nothing_and_the_next_start_serves(start: Callable[[], Server]) -> None:
    first = start()
    first.wait_served()
    first.process.kill()
    until(first.nothing_left)
    second = start()
    second.wait_served()
    assert second.made["api_key"] == first.made["api_key"]
    assert run(second.home, "admin", "ledger", "verify")["ok"] is True


def test_sighup_under_load_replaces_control_and_workers_and_loses_no_call(start: Callable[[], Server]) -> None:
    server = start()
    server.wait_served()
    before = {name: child.pid for name, child in server.note_children().items()}
    statuses: list[int] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            statuses.append(server.chat())

    caller = threading.Thread(target=call)
    caller.start()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: '"replaced all"' in server.log.read_text())
    over.set()
    caller.join()
    assert set(statuses) == {200}
    after = {name: child.pid for name, child in server.note_children().items()}
    assert after["sandbox"] == before["sandbox"]
    assert all(after[name] != before[name] for name in ("control", "worker 0", "worker 1"))
    assert run(server.home, "admin", "ledger", "verify")["ok"] is True


QUESTIONS = (
    ("channel", "list"),
    ("group", "list"),
    ("model", "list"),
    ("price", "list"),
    ("price", "list", "--model", "gpt-4o"),
    ("user", "list"),
    ("key", "list", "--user", "ann"),
    ("ledger", "verify"),
)
REFUSED = (
    ("key", "create", "--user", "nobody"),
    ("channel", "enable", "77"),
    ("price", "set", "gpt-4o", "--input", "much"),
    ("topup", "--user", "ann", "--usd", "-1"),
)


def test_the_command_line_says_the_same_online_and_offline(start: Callable[[], Server]) -> None:
    server = start()

    def admin(*words: str, code: int = 0) -> Any:
        return run(server.home, "admin", *words, code=code)

    admin("user", "create", "--name", "ann", "--trial", "0")
    admin("topup", "--user", "ann", "--usd", "5", "--id", "p1")
    admin("key", "create", "--user", "ann", "--name", "one", "--quota", "1000")
    online = [admin(*words) for words in QUESTIONS], [admin(*words, code=1) for words in REFUSED]
    assert server.stop() == 0
    offline = [admin(*words) for words in QUESTIONS], [admin(*words, code=1) for words in REFUSED]
    assert offline == online
    assert admin("topup", "--user", "ann", "--usd", "5", "--id", "p1")["repeated"] is True


FILE = """
groups:
  vip: {ratio: 0.8}
models:
  house: {owner: us, context_window: 8000, max_output: 1000}
prices:
  house: {input: 1.5, output: 2}
channels:
  spare:
    base_url: https://api.example.com/v1
    secrets: ["${SPARE_KEY}"]
    models: {house: their-house}
    groups: [default, vip]
    weight: 3
    drain_s: 5
    drain_cost: 0.010
users:
  ann: {}
keys:
  ann:
    app: {group: vip, quota: 1000}
"""


def test_apply_shows_first_then_changes_and_the_second_time_changes_nothing(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "wishes.yaml"
    file.write_text(FILE)
    secret = {"SPARE_KEY": "canary"}
    shown = run(home, "apply", str(file), environ=secret)
    assert [change["what"] for change in shown["changes"]] == [
        "group vip", "model house", "price of house", "channel spare", "user ann", "key app of ann",
    ]  # fmt: skip
    assert shown["applied"] is False
    assert run(home, "apply", str(file), "--dry-run", environ=secret) == shown
    assert "canary" not in json.dumps(shown)
    made = run(home, "apply", str(file), "--yes", environ=secret)["made"]
    assert made[-1]["key"].startswith("sk-")
    assert run(home, "apply", str(file), "--yes", environ=secret) == {"changes": [], "applied": True, "made": []}


def test_apply_changes_just_what_differs(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "wishes.yaml"
    file.write_text(FILE)
    run(home, "apply", str(file), "--yes", environ={"SPARE_KEY": "canary"})
    file.write_text(
        FILE.replace("weight: 3", "weight: 4\n    enabled: false")
        .replace("input: 1.5", "input: 1.6")
        .replace("0.010", "0")
    )
    changes = run(home, "apply", str(file), "--yes", environ={"SPARE_KEY": "canary"})["changes"]
    assert [(change["what"], change["differences"]) for change in changes] == [
        ("price of house", ["input: 1.5 -> 1.6 USD"]),
        ("channel spare", ["weight: 3 -> 4", "drain_cost: 0.01 -> 0"]),
        ("channel spare", ["enabled: yes -> no"]),
    ]
    (channel,) = run(home, "admin", "channel", "list")
    assert (channel["weight"], channel["enabled"], channel["models"]) == (4, False, {"house": "their-house"})
    assert (channel["drain_s"], channel["drain_cost"]) == (5.0, "0")


def test_apply_sees_that_a_secret_is_another(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "wishes.yaml"
    file.write_text(FILE)
    run(home, "apply", str(file), "--yes", environ={"SPARE_KEY": "canary"})
    changes = run(home, "apply", str(file), "--yes", environ={"SPARE_KEY": "another"})["changes"]
    assert [change["differences"] for change in changes] == [["secrets: others than now"]]
    assert run(home, "apply", str(file), environ={"SPARE_KEY": "another"})["changes"] == []


WRONG_FILES = (
    ("grups: {}", "unknown field `grups`"),
    ("groups: {a: {ratio: much}}", "an amount is no decimal number"),
    ("channels: {a: {base_url: 'http://x', secrets: [sk-canary], models: [m]}}", "channels.a.secrets: write ${NAME}"),
    (
        "channels: {a: {base_url: 'http://x', secrets: ['${NOT_SET}'], models: [m]}}",
        "the environment variable NOT_SET is not set",
    ),
    ("groups: {", "is no valid YAML"),
)


@pytest.mark.parametrize(("text", "said"), WRONG_FILES, ids=[said for _, said in WRONG_FILES])
def test_a_file_that_cannot_be_applied_is_explained(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wishes.yaml"
    file.write_text(text)
    line = run(tmp_path / "home", "apply", str(file), code=2)
    assert said in line
    assert "canary" not in line
