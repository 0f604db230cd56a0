"""The programs of one installation: what the supervisor runs, and what each of them inherits."""

import sys
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from yescale.serve.processes import Program
from yescale.settings import Settings, to_environment, without_settings

SANDBOX_HOST: Final = "127.0.0.1"
SANDBOX_STOP_S: Final = 5.0
LAST_WORDS_S: Final = 10.0  # beyond `drain_timeout_s`, for a worker to write its end lines


class Inherited(Struct, frozen=True, kw_only=True):
    """Descriptors that live as long as the supervisor: its lifeline and the listening sockets."""

    lifeline: int
    workers: tuple[int, ...]  # by slot
    sandbox: int | None = None


def programs(settings: Settings, environ: Mapping[str, str], files: Inherited) -> tuple[Program, ...]:
    """Everything that runs: the sandbox first, since channels point at it, and the workers last."""
    plain = without_settings(environ)
    sandbox = () if files.sandbox is None else (_sandbox(plain, files.lifeline, files.sandbox),)
    ours = plain | to_environment(settings)
    control = Program(
        role="control",
        name="control",
        argv=_argv("control", files.lifeline, "--home", settings.home),
        environment=ours,
        files=(files.lifeline,),
        stop_s=settings.server.control_stop_s,
    )
    workers = (
        Program(
            role="worker",
            name=f"worker {slot}",
            argv=_argv("worker", files.lifeline, "--home", settings.home, "--slot", slot, "--listen-fd", file),
            environment=ours,
            files=(files.lifeline, file),
            stop_s=settings.server.drain_timeout_s + LAST_WORDS_S,
        )
        for slot, file in enumerate(files.workers)
    )
    return (*sandbox, control, *workers)


def _sandbox(environment: Mapping[str, str], lifeline: int, file: int) -> Program:
    return Program(
        role="sandbox",
        name="sandbox",
        argv=_argv("sandbox", lifeline, "--host", SANDBOX_HOST, "--fd", file),
        environment=environment,
        files=(lifeline, file),
        stop_s=SANDBOX_STOP_S,
    )


def _argv(command: str, lifeline: int, *arguments: object) -> tuple[str, ...]:
    words = (sys.executable, "-m", "yescale", command, *arguments, "--lifeline", lifeline)
    return tuple(str(word) for word in words)
