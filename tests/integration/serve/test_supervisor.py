"""The supervisor over real processes: stand-ins for the children, real sockets, signals and locks."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

SERVER = Path(__file__).with_name("fake_server.py")
PATIENCE_S = 20.0


class Running:
    """One supervisor and what it left on disk."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.record = folder / "record"
        self.errors = folder / "stderr"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(SERVER), str(folder / "home"), str(self.record), *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.family: dict[int, psutil.Process] = {}

    def wait_ready(self) -> "Running":
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready at http" in line, self.errors.read_text()
        self.port = int(line.rsplit(":", 1)[1])
        until(lambda: len(self.children()) == 4)
        until(lambda: len(self.lines("begins")) >= 4)
        return self

    def children(self) -> dict[str, psutil.Process]:
        """The children by role; workers by their listening socket."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                role, _, _, *listen = child.cmdline()[2:]
            except (psutil.Error, ValueError):
                continue
            self.family[child.pid] = child
            found[" ".join([role, *listen] if role == "worker" else [role])] = child
        return found

    def get(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines() if line.startswith("{")]

    def lines(self, word: str) -> list[str]:
        return [line for line in self.record.read_text().splitlines() if word in line] if self.record.exists() else []

    def nothing_left(self) -> bool:
        return not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in self.family.values())


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*arguments: str) -> Running:
        started.append(Running(tmp_path, *arguments))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.children()
            running.process.kill()
        running.process.wait()
        if running.process.stdout is not None:
            running.process.stdout.close()
        for child in running.family.values():
            if child.is_running():
                child.kill()


def test_a_child_that_is_killed_is_started_again(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    for name, child in running.children().items():
        child.kill()
        until(
            lambda name=name, pid=child.pid: (
                running.children().get(name, psutil.Process()).pid not in {pid, os.getpid()}
            )
        )
    assert running.get("/pid")
    died = [event for event in running.events() if event["message"] == "died"]
    assert [event["code"] for event in died] == [-signal.SIGKILL] * 4


def test_sigterm_stops_workers_then_control_then_the_sandbox_and_leaves_nothing(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    running.process.terminate()
    assert running.process.wait(PATIENCE_S) == 0
    assert running.nothing_left()
    assert [line.split()[0] for line in running.lines("ends")] == ["worker", "worker", "control", "sandbox"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port))
    assert (running.folder / "home" / "serve.lock").read_text() == ""


def test_a_call_in_flight_is_answered_before_the_worker_leaves(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(running.get, "/slow")
        time.sleep(0.3)
        running.process.terminate()
        assert answer.result(PATIENCE_S)
    assert running.process.wait(PATIENCE_S) == 0


def test_a_worker_that_does_not_leave_is_killed_at_the_drain_timeout(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    running = start("--drain", "1").wait_ready()
    (tmp_path / "stubborn-worker").touch()
    victim = next(child for name, child in running.children().items() if name.startswith("worker"))
    victim.kill()
    until(lambda: len(running.lines("worker")) == 3)
    running.children()
    running.process.terminate()
    assert running.process.wait(PATIENCE_S) == 0
    assert running.nothing_left()


def test_a_second_interrupt_hurries(start: Callable[..., Running]) -> None:
    running = start("--drain", "600").wait_ready()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: running.get("/slow"))
        time.sleep(0.2)
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE_S) == 0
    assert running.nothing_left()


def test_kill_9_of_the_supervisor_leaves_nothing_and_the_next_start_has_the_same_port(
    start: Callable[..., Running],
) -> None:
    running = start().wait_ready()
    running.process.kill()
    running.process.wait()
    again = start("--port", str(running.port)).wait_ready()
    assert again.port == running.port
    until(running.nothing_left)
    assert int(again.get("/pid")) in again.family


def test_sighup_replaces_every_child_but_the_sandbox_and_loses_no_request(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    before = {name: child.pid for name, child in running.children().items()}
    running.process.send_signal(signal.SIGHUP)
    answered = 0
    while not any(event["message"] == "replaced all" for event in running.events()):
        assert running.get("/pid")
        answered += 1
        time.sleep(0.005)
    after = {name: child.pid for name, child in running.children().items()}
    assert answered > 20
    assert after["sandbox"] == before["sandbox"]
    assert not {pid for name, pid in before.items() if name != "sandbox"} & set(after.values())


def test_sighup_with_a_broken_settings_file_keeps_what_runs(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    before = {name: child.pid for name, child in running.children().items()}
    (running.folder / "home" / "settings.yaml").write_text("prot: 1\n")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: any(event["message"] == "the new settings are not used" for event in running.events()))
    assert {name: child.pid for name, child in running.children().items()} == before
    assert "did you mean port?" in str(running.events()[-1]["reason"])


def test_a_replacement_that_does_not_start_leaves_the_old_worker(start: Callable[..., Running], tmp_path: Path) -> None:
    running = start().wait_ready()
    before = {child.pid for name, child in running.children().items() if name.startswith("worker")}
    (tmp_path / "refuse-worker").touch()
    running.process.send_signal(signal.SIGHUP)
    until(lambda: any(event["message"] == "replaced all" for event in running.events()))
    assert {child.pid for name, child in running.children().items() if name.startswith("worker")} == before
    assert running.get("/pid")


def test_a_child_that_refuses_its_settings_at_the_start_ends_the_server_with_2(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "refuse-control").touch()
    running = start()
    assert running.process.wait(PATIENCE_S) == 2
    assert "control: I cannot run like this" in running.errors.read_text()


def test_a_second_server_in_the_same_home_is_refused(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    second = start()
    assert second.process.wait(PATIENCE_S) == 2
    assert f"another yescale (process {running.process.pid}) already serves the home" in second.errors.read_text()
    assert running.get("/healthz")


def test_no_child_keeps_the_lock_or_a_foreign_socket_open(start: Callable[..., Running]) -> None:
    running = start().wait_ready()
    for name, child in running.children().items():
        files = {int(entry.name): os.readlink(entry) for entry in Path(f"/proc/{child.pid}/fd").iterdir()}
        assert not [target for target in files.values() if target.endswith("serve.lock")]
        listening = [c for c in child.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert len(listening) == (1 if name.startswith("worker") else 0)
