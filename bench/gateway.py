"""yescale as it is benchmarked: one worker alone on a core, everything on, and a full house of keys and prices."""

import asyncio
import contextlib
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.processes import BUSY_CORE, OTHER_CORE, Subject, find_pids, free_port, pin, running
from yescale.control.app import offline
from yescale.control.operations import operate
from yescale.settings import load

KEYS = 10_000
ACCOUNTS = 100
CHANNELS = 100
SERVING = 10  # of the channels serve what is measured; the rest fill the tables
PRICES = 1_000  # two rows a model
MEASURED = ("bench", "bench-d10-n100", "bench-n100", "bench-d1000-n1000")


@contextlib.contextmanager
def serving(folder: Path, upstream: int, database: str = "", scheme: str = "http") -> Iterator[Subject]:
    """`yescale serve --workers 1` before the upstream: its worker on the busy core, all else on the other."""
    folder.mkdir(mode=0o700)
    home, port = folder / "home", free_port()
    given = {"home": str(home), "database": database or None}
    keys = asyncio.run(_fill(given, f"{scheme}://127.0.0.1:{upstream}/v1"))
    command = [sys.executable, "-m", "yescale", "serve", "--home", str(home), "--port", str(port), "--workers", "1"]
    command += ["--database", database] if database else []
    with running(command, core=OTHER_CORE, cwd=folder) as pid:
        _wait_until_healthy(port)
        workers, control = find_pids(pid, "yescale worker"), find_pids(pid, "yescale control")
        pin(workers, BUSY_CORE)
        yield Subject(name="yescale", port=port, pids=tuple(workers), keys=keys, settlement=tuple(control))


async def _fill(given: dict[str, Any], base_url: str) -> tuple[str, ...]:
    """Accounts, keys, channels and prices; the keys."""
    async with offline(load({}, given)) as context:

        async def do(operation: str, **arguments: Any) -> Any:
            return await operate(context, operation, arguments)

        await do("group set", name="default", ratio="1")
        fillers = [f"filler-{number}" for number in range(PRICES // 2 - len(MEASURED))]
        for model in (*MEASURED, *fillers):
            await do("model add", name=model, context_window=4_000_000, max_output=16_384, owner="bench")
            await do("price set", model=model, input="2.5", output="10")
        for number in range(CHANNELS):
            models = MEASURED if number < SERVING else fillers[number :: CHANNELS - SERVING]
            await do(
                "channel add", name=f"channel-{number}", provider="openai", base_url=base_url, groups=["default"],
                secrets=[f"sk-upstream-{number}"], models={model: model for model in models},
            )  # fmt: skip
        keys: list[str] = []
        for number in range(ACCOUNTS):
            name = f"account-{number}"
            await do("user create", username=name)
            await do("topup", username=name, usd="1000000")
            for place in range(KEYS // ACCOUNTS):
                made = await do("key create", username=name, name=f"key-{place}")
                keys.append(made["key"])
        return tuple(keys)


def _wait_until_healthy(port: int, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return
        time.sleep(0.05)
    raise TimeoutError(f"yescale is not healthy after {seconds} s")
