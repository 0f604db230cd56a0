"""What every measurement stands on: the two C programs built, the mock upstream running, plain and behind TLS."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import nginx
from bench.certificates import Papers, issue
from bench.processes import OTHER_CORE, Missing, free_port, running, wait_for_port

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where things are: a folder for the run, the load generator, the ports of the upstream."""

    folder: Path
    load: Path
    upstream: int
    tls_upstream: int
    papers: Papers


@contextlib.contextmanager
def built() -> Iterator[Stage]:
    """The stage for as long as the block lasts; this process leaves the busy core alone. Raises Missing."""
    nginx.require_nginx()
    os.sched_setaffinity(0, {OTHER_CORE})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as SIGINT does: what was started is ended
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yescale-bench-")))
        folder.chmod(0o755)
        load, papers, port = compile_program("load", folder), issue(folder), free_port()
        upstream = compile_program("upstream", folder)
        stack.enter_context(running([str(upstream), str(port)], core=OTHER_CORE, cwd=folder))
        wait_for_port(port)
        tls_port = stack.enter_context(nginx.terminating(folder / "front", port, papers))
        yield Stage(folder=folder, load=load, upstream=port, tls_upstream=tls_port, papers=papers)


def compile_program(name: str, folder: Path) -> Path:
    """Compile one of the two C programs. Raises Missing."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing("no C compiler: apt-get install gcc libc6-dev")
    out = folder / name
    subprocess.run([compiler, "-O2", "-o", str(out), str(HERE / f"{name}.c")], check=True)
    return out
