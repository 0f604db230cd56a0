"""The hidden commands: what the supervisor execs. Each process imports its own half only, so that a worker has no
database driver in it and the supervisor no web framework.
"""

import gc
import runpy
import sys
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any, Final

from yescale.serve import lifeline
from yescale.serve.programs import LAST_WORDS_S, SANDBOX_STOP_S
from yescale.settings import Settings, from_environment

WORKER: Final = "yescale.gateway.worker:run"
CONTROL: Final = "yescale.control.app:run"
SANDBOX: Final = "yescale_sandbox"


def worker(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """One gateway worker on an inherited listening socket."""
    settings = _settings(options, environ)
    _hold(options, settings.server.drain_timeout_s + LAST_WORDS_S)
    return _load(WORKER)(settings, slot=options["slot"], listen_fd=options["listen_fd"]) or 0


def control(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """The control process."""
    settings = _settings(options, environ)
    _hold(options, settings.server.control_stop_s)
    return _load(CONTROL)(settings) or 0


def sandbox(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:  # noqa: ARG001  the signature of a command
    """The fake providers, on an inherited socket or on a port."""
    _hold(options, SANDBOX_STOP_S)
    where = ("--port", options["port"]) if options["fd"] is None else ("--fd", options["fd"])
    sys.argv = [SANDBOX, "--host", options["host"], *(str(word) for word in where)]
    runpy.run_module(SANDBOX, run_name="__main__", alter_sys=True)
    return 0


def _load(name: str) -> Callable[..., int | None]:
    """What a process runs. While it loads nothing becomes garbage, and looking for some takes a fifth of the time."""
    gc.disable()
    try:
        return resolve_name(name)
    finally:
        gc.freeze()
        gc.enable()


def _settings(options: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    return from_environment({**environ, "YESCALE_HOME": options["home"]})


def _hold(options: Mapping[str, Any], grace_s: float) -> None:
    if options["lifeline"] is not None:
        lifeline.hold(options["lifeline"], grace_s)
