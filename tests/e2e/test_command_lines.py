"""Claude Code, Codex and Gemini CLI do a task with a tool of theirs, over an upstream of each format."""

import json
import time
from typing import Any

import pytest

from tests.e2e.command_lines import CLAUDE_CODE, CODEX, CODEX_SCRIPTS, GEMINI_CLI, MODULES, ROOT, CommandLine, run
from tests.e2e.installation import Installation
from tests.e2e.upstreams import ANTHROPIC, CHAT, GEMINI, RESPONSES, Upstream

CONTENT = "made by way of yescale"
OWN = {CLAUDE_CODE.name: ANTHROPIC, CODEX.name: RESPONSES, CODEX_SCRIPTS.name: RESPONSES, GEMINI_CLI.name: GEMINI}
TOLD = {
    CLAUDE_CODE.name: "File created successfully",
    CODEX.name: "exited with code 0",
    CODEX_SCRIPTS.name: "completed",
    GEMINI_CLI.name: "created",
}
# What no other format can say, or what the model there is not told; all of it is named in the log and to the client.
LOST = {
    CLAUDE_CODE.name: {
        "cache", "part.cache", "extras.context_management", "extras.tools.10", "header.anthropic-beta",
        "message.system", "reasoning.budget", "reasoning.shown", "tool.description", "user",
    },
    CODEX.name: {
        "cache", "cache_key", "extras.client_metadata", "extras.include", "extras.store", "reasoning",
        "reasoning.shown", "thinking.seal", "tool.web_search", "tools.web_search",
    },
    CODEX_SCRIPTS.name: {
        "cache_key", "extras.client_metadata", "extras.include", "extras.reasoning", "extras.store",
        "reasoning.effort", "thinking.seal", "tools.custom", "verbosity",
    },
    GEMINI_CLI.name: {
        "reasoning", "reasoning.shown", "sampling.temperature", "sampling.top_k", "sampling.top_p", "tool_call.seal",
        "tool.description",
    },
}  # fmt: skip
PAIRS = [
    (CLAUDE_CODE, "claude-sonnet-4-5", ANTHROPIC),
    (CLAUDE_CODE, "gpt-5", CHAT),
    (CLAUDE_CODE, "o4-mini+responses", RESPONSES),
    (CLAUDE_CODE, "gemini-2.5-pro", GEMINI),
    (CODEX, "gpt-5", RESPONSES),
    (CODEX, "claude-sonnet-4-5", ANTHROPIC),
    (CODEX, "deepseek-chat", CHAT),
    (CODEX, "gemini-2.5-pro", GEMINI),
    (CODEX_SCRIPTS, "gpt-5.6-sol", ANTHROPIC),
    (GEMINI_CLI, "gemini-2.5-pro", GEMINI),
    (GEMINI_CLI, "claude-sonnet-4-5", ANTHROPIC),
    (GEMINI_CLI, "gpt-5", CHAT),
    (GEMINI_CLI, "o4-mini+responses", RESPONSES),
]


def rows(wealthy: Installation, since_ms: int, count: int) -> list[dict[str, Any]]:
    """The log rows of the calls since then, once there are so many."""
    end = time.monotonic() + 20
    while True:
        found = [row for row in wealthy.admin("log", "list", "--user", "wealthy") if row["at_ms"] >= since_ms]
        if len(found) >= count or time.monotonic() > end:
            return found
        time.sleep(0.1)


@pytest.mark.parametrize(("agent", "model", "upstream"), PAIRS, ids=lambda one: getattr(one, "name", None))
def test_an_agent_creates_a_file_over_an_upstream(
    wealthy: Installation, agent: CommandLine, model: str, upstream: Upstream
) -> None:
    """Promises 22, 25 and 31: its tool is called, its words arrive, each of its calls is charged, nothing is lost
    unsaid, and it talks to nobody else.
    """
    before, since_ms = wealthy.last_arrival(), int(time.time() * 1_000)
    outcome = run(agent, wealthy, model, CONTENT)
    assert (outcome.status, outcome.made) == (0, CONTENT), outcome.output[-4_000:]
    arrived = wealthy.arrived(before)
    assert {request["status"] for request in arrived} == {200}
    assert all(request["path"].endswith(upstream.paths) for request in arrived)
    assert upstream.results(arrived[0]["body"]) == []
    (result,) = upstream.results(arrived[-1]["body"])
    assert TOLD[agent.name] in result
    assert outcome.knocked == ()
    told = rows(wealthy, since_ms, len(arrived))
    assert [row["outcome"] for row in told] == ["ok"] * len(arrived)
    assert all(row["amount"] > 0 for row in told)
    losses = {name for row in told for name in row["losses"]}
    assert losses <= (set() if upstream is OWN[agent.name] else LOST[agent.name])


def test_the_page_names_the_versions_that_are_tested() -> None:
    pinned = json.loads((MODULES.parent / "package.json").read_text())["dependencies"].values()
    page = (ROOT / "docs" / "command-lines.md").read_text()
    assert [version for version in pinned if f" {version}" not in page] == []
