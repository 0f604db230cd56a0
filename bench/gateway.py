"""yescale as it is benchmarked: one worker alone on a core, everything on, and a full house of keys and prices."""

import asyncio
import contextlib
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import BUSY_CORE, OTHER_CORE, Subject, free_port, own_environment, pin, running, wait_for_pids
from bench.stage import Stage
from yescale.control.app import offline
from yescale.control.operations import operate
from yescale.settings import load

SERVING = 10  # channels serve what is measured, and as many behind TLS; the rest fill the tables
MEASURED = ("bench", "bench-d10-n100", "bench-n100", "bench-d1000-n1000", "bench-e500")
BEHIND_TLS = ("bench-tls", "bench-tls-d10-n100")


@dataclass(frozen=True, kw_only=True)
class House:
    """How full the tables are. Prices are rows, two a model."""

    keys: int = 10_000
    accounts: int = 100
    channels: int = 100
    prices: int = 1_000


FULL = House()
SMALL = House(keys=500, channels=30, prices=100)


@contextlib.contextmanager
def serving(stage: Stage, house: House, database: str = "") -> Iterator[Subject]:
    """`yescale serve --workers 1` before the upstream: its worker on the busy core, all else on the other."""
    folder = stage.folder / "yescale"
    folder.mkdir(mode=0o700)
    home, port = folder / "home", free_port()
    keys = fill(given(home, database), house, stage)
    environment = own_environment(YESCALE_UPSTREAM_CA_FILE=str(stage.papers.authority))
    with running(serve_command(home, port, database), core=OTHER_CORE, cwd=folder, env=environment) as pid:
        wait_until_answered(port, "/healthz")
        workers, control = wait_for_pids(pid, "yescale worker"), wait_for_pids(pid, "yescale control")
        pin(workers, BUSY_CORE)
        yield Subject(name="yescale", port=port, pids=tuple(workers), keys=keys, settlement=tuple(control))


def given(home: Path, database: str) -> dict[str, str | None]:
    """The settings of a home as a command line gives them."""
    return {"home": str(home), "database": database or None}


def serve_command(home: Path, port: int, database: str = "") -> list[str]:
    """`yescale serve` with one worker."""
    command = [sys.executable, "-m", "yescale", "serve", "--home", str(home), "--port", str(port), "--workers", "1"]
    return command + (["--database", database] if database else [])


def fill(settings: Mapping[str, Any], house: House, stage: Stage) -> tuple[str, ...]:
    """Accounts, keys, channels and prices; the keys."""
    return asyncio.run(_fill(settings, house, stage))


async def _fill(settings: Mapping[str, Any], house: House, stage: Stage) -> tuple[str, ...]:
    async with offline(load({}, settings)) as context:

        async def do(operation: str, **arguments: Any) -> Any:
            return await operate(context, operation, arguments)

        await do("group set", name="default", ratio="1")
        used = (*MEASURED, *BEHIND_TLS)
        fillers = [f"filler-{number}" for number in range(house.prices // 2 - len(used))]
        for model in (*used, *fillers):
            await do("model add", name=model, context_window=4_000_000, max_output=16_384, owner="bench")
            await do("price set", model=model, input="2.5", output="10")
        plain, tls = f"http://127.0.0.1:{stage.upstream}/v1", f"https://127.0.0.1:{stage.tls_upstream}/v1"
        for number in range(house.channels):
            serves = number // SERVING
            models = (
                (MEASURED, BEHIND_TLS)[serves]
                if serves < 2
                else fillers[number - 2 * SERVING :: house.channels - 2 * SERVING]
            )
            await do(
                "channel add", name=f"channel-{number}", provider="openai", base_url=tls if serves == 1 else plain,
                groups=["default"], secrets=[f"sk-upstream-{number}"], models={model: model for model in models},
            )  # fmt: skip
        keys: list[str] = []
        for number in range(house.accounts):
            name = f"account-{number}"
            await do("user create", username=name)
            await do("topup", username=name, usd="1000000")
            for place in range(house.keys // house.accounts):
                made = await do("key create", username=name, name=f"key-{place}")
                keys.append(made["key"])
        return tuple(keys)


def wait_until_answered(port: int, path: str, seconds: float = 60.0) -> None:
    """Return at the first 200. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
            return
        time.sleep(0.01)
    raise TimeoutError(f"port {port} does not answer {path} after {seconds} s")
