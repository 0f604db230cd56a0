"""A gateway and its provider as processes that may be killed: started, listed, killed, started again, cleaned away."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from msgspec import Struct

from tests.e2e.installation import free_port
from tests.faults.caller import HOST
from yescale.command.asking import open_desk
from yescale.settings import Settings

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
BACKLOG = 1_024
PROVIDER = "provider"
SUPERVISOR = "supervisor"
# What a test waits for happens soon; nothing else differs from an installation as it comes.
HASTE = {
    "YESCALE_MONEY_IDLE_RETURN_S": "1",
    "YESCALE_RELAY_BREAKER_REST_S": "0.1",
    "YESCALE_RELAY_BREAKER_REST_MAX_S": "0.3",
    "YESCALE_RELAY_SECRET_REST_S": "0.1",
    "YESCALE_SERVER_RESTART_MAX_S": "0.5",
}
SECRET = "sk-sandbox-provider"


class Key(Struct, frozen=True, kw_only=True):
    """An API key of an account of the test."""

    id: int
    secret: str
    username: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}


class House:
    """One home, on one database. The provider's listening socket is ours, so that its address stays."""

    def __init__(self, folder: Path, *, database: str, workers: int, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.log = folder / "log"
        self.record = folder / "record"
        self.database = database
        self.workers = workers
        self.port = free_port()
        self.gateway: subprocess.Popen[bytes] | None = None
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("YESCALE_")}
        self._environ |= HASTE | dict(environ or {})
        self._provider: subprocess.Popen[bytes] | None = None
        self._listener = socket.socket()
        self._listener.bind((HOST, 0))
        self._listener.listen(BACKLOG)
        self._family: dict[int, psutil.Process] = {}

    @property
    def provider_url(self) -> str:
        return f"http://{HOST}:{self._listener.getsockname()[1]}/openai/v1"

    # --- processes

    def start_provider(self) -> None:
        file = self._listener.fileno()
        command = [sys.executable, "-m", "tests.faults.provider", "--fd", str(file), "--record", str(self.record)]
        with self.log.open("ab") as log:
            self._provider = subprocess.Popen(
                command, cwd=ROOT, pass_fds=(file,), stdout=log, stderr=log, env=self._environ
            )

    def start_gateway(self) -> None:
        command = [sys.executable, "-m", "yescale", "serve", "--home", str(self.home), "--port", str(self.port)]
        command += ["--workers", str(self.workers), *(["--database", self.database] if self.database else [])]
        with self.log.open("ab") as log:
            self.gateway = subprocess.Popen(command, stdout=log, stderr=log, env=self._environ)

    async def start(self) -> None:
        """Start what does not run, and wait until calls can be answered."""
        if self._provider is None or self._provider.poll() is not None:
            self.start_provider()
        if self.gateway is None or self.gateway.poll() is not None:
            self.start_gateway()
        await self.ready()

    async def ready(self) -> None:
        """All processes run, and the port answers."""
        await until(self._runs, lambda: "it does not start: " + self.log.read_text()[-3000:])

    def _runs(self) -> bool:
        if self.gateway is not None and self.gateway.poll() is not None:
            raise AssertionError("the gateway ended: " + self.log.read_text()[-3000:])
        if len(self.children()) < self.workers + 1:
            return False
        with suppress(httpx.HTTPError):
            return all(httpx.get(f"http://{HOST}:{self.port}{path}", timeout=2).status_code == 200 for path in PROBES)
        return False

    def children(self) -> list[tuple[str, psutil.Process]]:
        """What the supervisor keeps, as (kind, process)."""
        found: list[tuple[str, psutil.Process]] = []
        if self.gateway is None or self.gateway.poll() is not None:
            return found
        with suppress(psutil.Error):
            for child in psutil.Process(self.gateway.pid).children():
                with suppress(psutil.Error, ValueError, IndexError):
                    words = child.cmdline()
                    found.append((words[words.index("yescale") + 1], child))
                    self._family[child.pid] = child
        return found

    def kill(self, kind: str) -> bool:
        """kill -9 of one process of a kind; False if none runs now. What is ours is started again."""
        children = self.children()
        if kind == PROVIDER and self._provider is not None:
            self._provider.kill()
            self._provider.wait()
            self.start_provider()
            return True
        if kind == SUPERVISOR and self.gateway is not None and children:
            self.gateway.kill()
            self.gateway.wait()
            self.start_gateway()
            return True
        victims = [child for name, child in children if name == kind]
        if victims:
            victims[time.time_ns() % len(victims)].kill()
        return bool(victims)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        assert self.gateway is not None
        self.gateway.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM to the gateway; its exit code."""
        assert self.gateway is not None
        self.children()
        self.signal(signal.SIGTERM)
        return await asyncio.to_thread(self.gateway.wait, PATIENCE_S)

    def clean_up(self) -> None:
        """End everything; raises AssertionError where something had not ended by itself after the gateway's end."""
        self.children()
        stopped = self.gateway is None or self.gateway.poll() is not None
        if self.gateway is not None and not stopped:
            self.gateway.kill()
            self.gateway.wait()
        left = [child for child in self._family.values() if _lives(child)]
        for child in left:
            with suppress(psutil.Error):
                child.kill()
        if self._provider is not None:
            self._provider.kill()
            self._provider.wait()
        self._listener.close()
        assert not (stopped and left), f"still there after the end: {left}"

    # --- what an operator does

    def ask(self, operation: str, **arguments: Any) -> Any:
        """An operation of `yescale admin`."""
        with open_desk(Settings(home=self.home, database=self.database)) as desk:
            return desk.ask(operation, arguments)

    def add_channel(self, name: str, models: Mapping[str, str], **more: Any) -> Any:
        return self.ask(
            "channel add", name=name, provider="openai", base_url=self.provider_url, secrets=[SECRET], models=models,
            groups=["default"], **more,
        )  # fmt: skip

    def add_model(self, name: str) -> None:
        """Offer a model with all its scenarios."""
        model = next(row for row in self.ask("model list") if row["name"] == name)
        self.ask(
            "model add", name=f"{name}+*", priced_as=name, operations=model["operations"],
            context_window=model["context_window"], max_output=model["max_output"],
        )  # fmt: skip

    def add_account(self, username: str, usd: str) -> None:
        self.ask("user create", username=username, trial_usd="0")
        if usd != "0":
            self.ask("topup", username=username, usd=usd)

    def add_key(self, username: str, **terms: Any) -> Key:
        made = self.ask("key create", username=username, name=f"key-{time.time_ns()}", **terms)
        return Key(id=made["id"], secret=made["key"], username=username)


PROBES = ("/healthz", "/readyz")


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


async def until(holds: Callable[[], bool], otherwise: Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + patience_s
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < give_up, otherwise()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def housing(
    folder: Path, *, database: str = "", workers: int = 2, environ: Mapping[str, str] | None = None
) -> AsyncIterator[House]:
    """A started house; everything of it has ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    house = House(folder, database=database, workers=workers, environ=environ)
    try:
        await house.start()
        yield house
        await house.stop()
    finally:
        house.clean_up()
