"""One installation with a channel, a group and a key for each upstream format; what arrived there, what was charged."""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.e2e.installation import Installation, serving
from tests.matrix.upstreams import BY_NAME, FAILING, KNOWN_THINKER, TALKER, THINKER, UPSTREAMS, Upstream
from yescale.__main__ import main

MOST_OUTPUT = "32000"  # what the least of the thinkers can write
ACCOUNT = "demo"
CREDIT_USD = "100000"
ROW_TRIES = 50


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, from outside: what reached the sandbox and the row of the log."""

    request: dict[str, Any]
    row: dict[str, Any]

    @property
    def text(self) -> str:
        """The body that arrived, as text without escapes."""
        return json.dumps(self.request["body"], ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class House:
    """The installation and its keys, by the name of the upstream that each leads to."""

    installation: Installation
    keys: dict[str, str]
    prices: dict[str, dict[str, int]]  # nano-dollars of one token, by model and meter

    @property
    def base_url(self) -> str:
        return self.installation.base_url

    def admin(self, *words: str) -> Any:
        """Run `yescale admin ... --json` inside of this process, which spares its start."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = main(["admin", *words, "--home", str(self.installation.home), "--json"])
        assert code == 0, said.getvalue()
        return json.loads(said.getvalue())

    def connect(self, upstream: Upstream) -> None:
        """Channels, a group and a key for an upstream, once."""
        if upstream.name in self.keys:
            return
        self.admin("group", "set", upstream.group, "--ratio", "1")
        for name, (base, models) in upstream.channels().items():
            self.admin(
                *("channel", "add", "--name", name, "--provider", upstream.provider, "--models", models),
                *("--base-url", self.installation.sandbox_url + base),
                *("--secret", upstream.secret, "--groups", upstream.group),
            )
        made = self.admin("key", "create", "--user", ACCOUNT, "--name", upstream.name, "--group", upstream.group)
        self.keys[upstream.name] = made["key"]

    def price(self, call: Call) -> int:
        """What the usage that the sandbox reported of a call costs by the price rows, in nano-dollars."""
        prices = self.prices.get(call.row["model"].partition("+")[0], self.prices[TALKER])
        usage = call.request["usage_reported"]
        cached = usage["cached_tokens"]
        uncached = (usage["prompt_tokens"] - cached) * prices["input_tokens"]
        return uncached + cached * prices["cache_read_tokens"] + usage["completion_tokens"] * prices["output_tokens"]

    def calls_since(self, mark: int) -> list[Call]:
        """The calls after a sequence number of the sandbox's record, oldest first, each with its row."""
        arrived = self.installation.arrived(mark)
        rows: list[dict[str, Any]] = []
        for _ in range(ROW_TRIES):
            rows = list(reversed(self.admin("log", "list", "--limit", str(max(1, len(arrived))))))
            # A row is written as its call ends.
            if all(row["at_ms"] >= int(request["at"] * 1000) for request, row in zip(arrived, rows, strict=False)):
                break
        return [Call(request=request, row=row) for request, row in zip(arrived, rows, strict=True)]

    def only_call(self, mark: int) -> Call:
        """The one call after a sequence number."""
        (call,) = self.calls_since(mark)
        return call


@contextlib.contextmanager
def furnished(home: Path) -> Iterator[House]:
    """An installation with all channels."""
    with serving(home, workers=1) as running:
        house = House(installation=running, keys={}, prices={})
        house.prices.update({model: _prices(house, model) for model in (TALKER, FAILING, *BY_NAME)})
        house.admin("topup", "--user", ACCOUNT, "--usd", CREDIT_USD)
        for thinker in (THINKER, KNOWN_THINKER):
            house.admin("model", "add", thinker, "--priced-as", TALKER, "--max-output", MOST_OUTPUT)
        for upstream in UPSTREAMS.values():
            house.connect(upstream)
        yield house


def _prices(house: House, model: str) -> dict[str, int]:
    rows = house.admin("price", "list", "--model", model)
    plain = [row for row in rows if not row["when"] and row["meter"].endswith("_tokens")]
    assert plain
    assert all(row["per"] == 1_000_000 for row in plain)
    return {row["meter"]: int(Decimal(row["usd"]) * 1000) for row in plain}
