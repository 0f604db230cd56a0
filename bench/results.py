"""bench/results/latest.json: one section per kind of measurement, each replaced by its own run alone."""

import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LATEST = Path(__file__).parent / "results" / "latest.json"


def read() -> dict[str, Any]:
    """What was measured last; {} where nothing was."""
    try:
        return json.loads(LATEST.read_text())
    except FileNotFoundError:
        return {}


def merge(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Write these sections down beside the others; all of them."""
    every = read() | dict(sections)
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(every, indent=1) + "\n")
    return every


def place() -> dict[str, str]:
    """When and where: part of every section."""
    return {
        "at": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}",
    }
