"""LiteLLM and Portkey, each in an environment of its own, each doing no more than relaying, alone on the busy core."""

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from bench.processes import BUSY_CORE, Missing, Subject, find_pids, free_port, own_environment, running
from bench.scenarios import chat_body
from bench.stage import Stage

PEERS = Path(__file__).parent / "peers"
LITELLM = PEERS.parent.parent / ".venv-peers" / "bin" / "litellm"
PORTKEY = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
READY_S = 180.0  # LiteLLM needs a while


@contextlib.contextmanager
def litellm(stage: Stage) -> Iterator[Subject]:
    """One worker, no database, one model, and the one key without which it does not start."""
    if not LITELLM.exists():
        raise Missing("LiteLLM is not installed: make bench-peers")
    folder, port = stage.folder / "litellm", free_port()
    folder.mkdir()
    upstream = {"model": "openai/bench", "api_base": f"http://127.0.0.1:{stage.upstream}/v1", "api_key": "sk-upstream"}
    config = folder / "config.yaml"  # JSON is YAML
    config.write_text(json.dumps({"model_list": [{"model_name": "bench", "litellm_params": upstream}]}))
    command = [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    key = f"sk-{secrets.token_hex(32)}"
    environment = own_environment(
        LITELLM_MODE="PRODUCTION", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_MASTER_KEY=key
    )
    environment.pop("PYTHONPATH", None)
    with running(command, core=BUSY_CORE, cwd=folder, env=environment) as pid:
        yield _ready(Subject(name="LiteLLM", port=port, pids=(), keys=(key,)), pid, folder)


@contextlib.contextmanager
def portkey(stage: Stage) -> Iterator[Subject]:
    """One process; where to relay to is in the headers of each call."""
    node = shutil.which("node")
    if node is None or not PORTKEY.exists():
        raise Missing("Portkey or Node is not installed: make bench-peers")
    folder, port = stage.folder / "portkey", free_port()
    folder.mkdir()
    environment = own_environment(PORT=str(port), TRUSTED_CUSTOM_HOSTS="127.0.0.1,localhost", NODE_ENV="production")
    headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{stage.upstream}/v1")
    command = [node, str(PORTKEY), f"--port={port}", "--headless"]
    with running(command, core=BUSY_CORE, cwd=folder, env=environment) as pid:
        yield _ready(Subject(name="Portkey", port=port, pids=(), keys=("sk-any",), headers=headers), pid, folder)


def versions() -> dict[str, str]:
    """What is pinned."""
    lock = json.loads((PEERS / "portkey" / "package.json").read_text())
    pinned = (PEERS / "litellm.in").read_text().strip()
    return {"LiteLLM": pinned.rpartition("==")[2], "Portkey": lock["dependencies"]["@portkey-ai/gateway"]}


def _ready(subject: Subject, parent: int, folder: Path) -> Subject:
    """The subject with its processes, once it relays. Raises TimeoutError."""
    end = time.monotonic() + READY_S
    while not _relays(subject):
        if time.monotonic() > end:
            said = (folder / "output.log").read_text()[-1000:]
            raise TimeoutError(f"{subject.name} does not relay after {READY_S} s: {said}")
        time.sleep(0.2)
    return replace(subject, pids=tuple(find_pids(parent, "")))


def _relays(subject: Subject) -> bool:
    headers = dict(line.split(": ", 1) for line in subject.headers)
    headers |= {"Content-Type": "application/json", "Authorization": f"Bearer {subject.keys[0]}"}
    with contextlib.closing(HTTPConnection("127.0.0.1", subject.port, timeout=10)) as connection:
        try:
            connection.request("POST", "/v1/chat/completions", chat_body("bench", "hello"), headers)
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
