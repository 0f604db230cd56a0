"""The official SDKs for Node: a process for each client, which takes a question a line and answers with a line."""

import json
import subprocess
from dataclasses import asdict
from typing import Any

from tests.e2e.command_lines import NODE
from tests.e2e.test_openai_node import FOLDER
from tests.matrix.asking import PERSON, PIXEL, TOLD, TOOL, WEATHER, Ask, Called, Said


class NodeError(Exception):
    """What the SDK threw."""

    def __init__(self, kind: str, status: int | None, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.status_code = status


class NodeClient:
    """`matrix.mjs` with one of its SDKs."""

    def __init__(self, sdk: str, base_url: str, key: str) -> None:
        given = {"pixel": PIXEL, "tool": TOOL, "told": TOLD, "weather": WEATHER, "person": PERSON}
        self._process = subprocess.Popen(
            [NODE / "node", "matrix.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"SDK": sdk, "BASE_URL": base_url, "API_KEY": key, "GIVEN": json.dumps(given)},
        )  # fmt: skip

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def ask(self, asked: Ask) -> Said:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(asked)) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in told:
            raise NodeError(**told["error"])
        return Said(**{**told, "calls": tuple(Called(**call) for call in told["calls"])})
