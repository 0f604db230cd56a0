"""How long `yescale serve` takes from exec to its first answer, in a home that exists."""

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

from bench import gateway
from bench.processes import free_port, own_environment
from bench.stage import Stage

TIMES = 5
SETTLE_S = 0.3  # after one server has left


def measure_start(stage: Stage) -> Mapping[str, float]:
    """Seconds to the first 200 of /healthz (the worker serves) and of /readyz (control and the database answer too)."""
    home = stage.folder / "start"
    gateway.fill(gateway.given(home, ""), gateway.SMALL, stage)
    found = [_start(stage, home.name) for _ in range(TIMES + 1)][1:]  # the first one writes the bytecode
    middle = {name: statistics.median(each[name] for each in found) for name in ("healthz_s", "readyz_s")}
    print(f"start: {middle}", flush=True)
    return middle


def _start(stage: Stage, name: str) -> Mapping[str, float]:
    port = free_port()
    environment = own_environment(PYTHONPYCACHEPREFIX=str(stage.folder / "bytecode"))
    # On every core, as anyone would start it: its processes load at the same time.
    command = ["taskset", "-c", "0,1", *gateway.serve_command(stage.folder / name, port)]
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=sys.stderr, stderr=subprocess.DEVNULL) as server:
        try:
            gateway.wait_until_answered(port, "/healthz")
            healthy_s = time.monotonic() - began
            gateway.wait_until_answered(port, "/readyz")
            return {"healthz_s": healthy_s, "readyz_s": time.monotonic() - began}
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
            time.sleep(SETTLE_S)
