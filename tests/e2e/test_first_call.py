"""What a new user does first: start it, paste the curl that it prints, and look at the balance."""

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.installation import serving


class FirstCall(NamedTuple):
    """A home, what the user saw of their first call, and what it did to the account."""

    home: Path
    printed: str
    made: dict[str, str]
    answer: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstCall:
    home = tmp_path_factory.mktemp("first") / "home"
    with serving(home) as yescale:
        before = yescale.system("GET", "/yescale/user").json()["data"]
        found = re.search(r"^\s*(curl (?:.*\\\n)*.*)$", yescale.printed, re.MULTILINE)
        assert found is not None
        run = subprocess.run(["sh", "-c", found[1]], capture_output=True, text=True, timeout=30, check=True)
        after = yescale.system("GET", "/yescale/user").json()["data"]
    made = json.loads((home / "bootstrap.json").read_text())
    return FirstCall(home, yescale.printed, made, json.loads(run.stdout), before, after)


def test_the_printed_curl_answers_and_is_charged(first: FirstCall) -> None:
    assert all(first.made[name] in first.printed for name in ("base_url", "api_key", "access_key"))
    assert first.before["quota"] == 500_000
    assert first.answer["choices"][0]["message"]["content"]
    usage = first.answer["usage"]
    # gpt-4o-mini: $0.15 and $0.60 a million tokens; 2,000 nano-dollars are one quota.
    cost = usage["prompt_tokens"] * 150 + usage["completion_tokens"] * 600
    assert first.after["request_count"] == 1
    assert first.after["quota"] == (1_000_000_000 - cost) // 2_000
    assert first.after["used_quota"] == 500_000 - first.after["quota"]


def test_the_home_and_its_secrets_are_for_the_owner_alone(first: FirstCall) -> None:
    home = first.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    loose = [path for path in home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077 and path.parent == home]
    assert loose == []
    assert set(first.made) == {"base_url", "sandbox_url", "api_key", "access_key", "admin_username", "admin_password"}


def test_a_second_start_keeps_the_keys_and_the_balance(first: FirstCall) -> None:
    with serving(first.home) as yescale:
        assert (yescale.api_key, yescale.access_key) == (first.made["api_key"], first.made["access_key"])
        assert yescale.system("GET", "/yescale/user").json()["data"]["request_count"] == 1
        assert yescale.admin("ledger", "verify")["ok"] is True
