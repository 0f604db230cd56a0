"""What a new user does first: start it, paste the curl that it prints, and look at the balance."""

import json
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.installation import serving


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first") / "home"


def test_the_printed_curl_answers_and_is_charged(home: Path) -> None:
    with serving(home) as yescale:
        assert yescale.base_url in yescale.printed
        assert yescale.api_key in yescale.printed
        assert yescale.access_key in yescale.printed
        before = yescale.system("GET", "/yescale/user").json()["data"]
        assert before["quota"] == 500_000
        found = re.search(r"^\s*(curl (?:.*\\\n)*.*)$", yescale.printed, re.MULTILINE)
        assert found is not None
        run = subprocess.run(["sh", "-c", found[1]], capture_output=True, text=True, timeout=30, check=True)
        answer = json.loads(run.stdout)
        assert answer["choices"][0]["message"]["content"]
        after = yescale.system("GET", "/yescale/user").json()["data"]
        usage = answer["usage"]
        # gpt-4o-mini: $0.15 and $0.60 a million tokens; 2,000 nano-dollars are one quota.
        cost = usage["prompt_tokens"] * 150 + usage["completion_tokens"] * 600
        assert after["request_count"] == 1
        assert after["quota"] == (1_000_000_000 - cost) // 2_000
        assert after["used_quota"] == 500_000 - after["quota"]


def test_the_home_and_its_secrets_are_for_the_owner_alone(home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    loose = [path for path in home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077 and path.parent == home]
    assert loose == []
    made = json.loads((home / "bootstrap.json").read_text())
    assert set(made) == {"base_url", "sandbox_url", "api_key", "access_key", "admin_username", "admin_password"}


def test_a_second_start_keeps_the_keys_and_the_balance(home: Path) -> None:
    made = json.loads((home / "bootstrap.json").read_text())
    with serving(home) as yescale:
        assert (yescale.api_key, yescale.access_key) == (made["api_key"], made["access_key"])
        assert yescale.system("GET", "/yescale/user").json()["data"]["request_count"] == 1
        assert yescale.admin("ledger", "verify")["ok"] is True
