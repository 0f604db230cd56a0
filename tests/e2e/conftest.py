"""Running installations for the tests that come from outside."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.installation import Installation, serving
from tests.e2e.pages import Caller


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """yescale on SQLite with two workers, shared by the tests that leave it as it was."""
    with serving(tmp_path_factory.mktemp("e2e") / "home") as running:
        yield running


@pytest.fixture(scope="session")
def caller(installation: Installation) -> Caller:
    """A user who can pay for whatever a call might come to."""
    made = installation.admin("user", "create", "--name", "pages")
    installation.admin("topup", "--user", "pages", "--usd", "50")
    key = installation.admin("key", "create", "--user", "pages", "--unlimited")
    return Caller(installation, key["key"], made["access_key"])


FAILING = (
    "gpt-4o+400", "gpt-4o+429", "gpt-4o+500", "gpt-4o+529", "gpt-4o+reset", "gpt-4o+garbage", "gpt-4o+badjson",
    "gpt-4o+cut-3", "gpt-4o-mini+401", "gpt-4o-mini+402", "gpt-4o-mini+403",
)  # fmt: skip


@pytest.fixture(scope="session")
def failing(installation: Installation) -> Installation:
    """The same, where each model that fails has a channel of its own: its rest disturbs no other test."""
    for model in FAILING:
        installation.admin(
            "channel", "add", "--name", model.replace("+", "-"), "--provider", "openai", "--models", model,
            "--base-url", f"{installation.sandbox_url}/openai/v1", "--secret", f"sk-sandbox-{model}",
        )  # fmt: skip
    return installation


@pytest.fixture(scope="session")
def wealthy(installation: Installation) -> Installation:
    """The same for an account whose money covers the longest answers, with a model that is asked in
    Responses alone, and a Claude under the name of a model that Codex knows.
    """
    installation.admin("user", "create", "--name", "wealthy")
    installation.admin("topup", "--user", "wealthy", "--usd", "100")
    installation.admin(
        "channel", "add", "--name", "responses", "--provider", "openai_responses", "--priority", "10",
        "--base-url", f"{installation.sandbox_url}/openai/v1", "--secret", "sk-sandbox-responses",
        "--models", "o4-mini+responses=o4-mini,o4-mini+responses-400=o4-mini+400",
    )  # fmt: skip
    installation.admin("model", "add", "gpt-5.6-sol", "--priced-as", "claude-sonnet-4-5")
    installation.admin(
        "channel", "add", "--name", "new-name", "--provider", "anthropic", "--secret", "sk-ant-sandbox-new",
        "--base-url", f"{installation.sandbox_url}/anthropic", "--models", "gpt-5.6-sol=claude-sonnet-4-5",
    )  # fmt: skip
    return replace(installation, api_key=installation.admin("key", "create", "--user", "wealthy", "--unlimited")["key"])
