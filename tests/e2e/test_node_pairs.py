"""The official SDKs for Node, of OpenAI (both APIs) and of Anthropic, each over an upstream of every format."""

import json
import subprocess
from typing import Any

import pytest

from tests.e2e.command_lines import NODE
from tests.e2e.installation import Installation
from tests.e2e.test_openai_node import FOLDER
from tests.e2e.upstreams import ANTHROPIC, CHAT, GEMINI, RESPONSES, Upstream

SAID = "Say this again: node-5417."
ARGUMENTS = {"city": 'Huế\n"old"', "days": [1, 2]}
RESULT = "31 degrees, node-5418"
MODELS = [
    ("claude-sonnet-4-5", "claude-sonnet-4-5+400", ANTHROPIC),
    ("deepseek-chat", "deepseek-chat+400", CHAT),
    ("o4-mini+responses", "o4-mini+responses-400", RESPONSES),
    ("gemini-2.5-flash", "gemini-2.5-flash+400", GEMINI),
]
STOPS = {
    "openai.chat": ["tool_calls", "stop"],
    "openai.responses": ["completed", "completed"],
    "anthropic": ["tool_use", "end_turn"],
}


def drive(sdk: str, yescale: Installation, model: str, failing: str) -> dict[str, Any]:
    """What the SDK saw."""
    environment = {
        "SDK": sdk, "BASE_URL": yescale.base_url, "API_KEY": yescale.api_key, "MODEL": model, "FAILING": failing,
        "SAID": SAID, "DICTATED": f"sandbox-call: get_weather {json.dumps(ARGUMENTS)}", "RESULT": RESULT,
    }  # fmt: skip
    run = subprocess.run(
        [NODE / "node", "pair.mjs"], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("sdk", STOPS)
@pytest.mark.parametrize(("model", "failing", "upstream"), MODELS, ids=("anthropic", "chat", "responses", "gemini"))
def test_an_sdk_says_calls_and_fails_over_an_upstream(
    wealthy: Installation, sdk: str, model: str, failing: str, upstream: Upstream
) -> None:
    """Promises 22 and 27: what the upstream heard, and what the strict SDK made of its answers."""
    before = wealthy.last_arrival()
    seen = drive(sdk, wealthy, model, failing)
    assert SAID in seen["said"]["text"]
    assert seen["said"]["input"] > 0
    assert seen["call"] == {"name": "get_weather", "arguments": ARGUMENTS}
    assert seen["stops"] == STOPS[sdk]
    assert RESULT in seen["told"]
    assert seen["error"] == {"kind": "BadRequestError", "status": 400, "request": True}

    said, called, told, *failed = wealthy.arrived(before)
    assert all(request["path"].endswith(upstream.paths) for request in (said, called, told, *failed))
    assert [request["status"] for request in (said, called, told)] == [200, 200, 200]
    assert {request["status"] for request in failed} == {400}
    assert SAID in json.dumps(said["body"])
    assert upstream.tools(called["body"]) == ["get_weather"]
    assert upstream.results(called["body"]) == []
    (result,) = upstream.results(told["body"])
    assert RESULT in result
