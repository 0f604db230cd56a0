"""Adding a provider as docs/providers.md tells it, done to a copy of the sources: laws and matrix find the row."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.matrix.provider_page import PAGE

ROOT = PAGE.parents[1]
ROWS = Path("src/yescale/providers/compatible.py")
LIST = "\nCOMPATIBLE: Final = (\n"
NEEDED = ("src", "tests", "docs", "pyproject.toml")
FOUND = (
    "test_providers.py::test_a_provider_has_a_name_a_safe_address_and_something_to_do[example]",
    "test_providers.py::test_the_page_of_providers_tells_of_it[example]",
    "test_likenesses.py::test_a_provider_answers_calls_tools_and_refuses[example-openai chat]",
    "test_likenesses.py::test_a_provider_answers_calls_tools_and_refuses[example-google-genai]",
    "fullest_request_of_any_format_that_it_does_not_speak[example-responses]",
    "fullest_request_of_any_format_that_it_does_not_speak[example-generate]",
    "test_likenesses.py::test_a_provider_embeds[example]",
)


@pytest.mark.timeout(300)
def test_a_row_is_all_that_a_new_provider_needs(tmp_path: Path) -> None:
    for name in NEEDED:
        _copy(ROOT / name, tmp_path / name)
    (row,) = re.findall(r"```python\n(EXAMPLE: Final = .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    source = (tmp_path / ROWS).read_text(encoding="utf-8")
    (name,) = re.findall(r"^\w+", row)
    assert source.count(LIST) == 1
    (tmp_path / ROWS).write_text(source.replace(LIST, f"\n{row}{LIST}    {name},\n"), encoding="utf-8")
    assert "example" not in (tmp_path / "docs" / PAGE.name).read_text(encoding="utf-8").partition("## ")[0]
    _run(tmp_path, "tests.matrix.provider_page")
    said = _run(
        tmp_path, "pytest", "-n", "0", "-v", "-p", "no:cacheprovider", "-k", "example",
        "tests/laws/test_providers.py", "tests/matrix/test_likenesses.py",
    )  # fmt: skip
    passed = [line for line in said.splitlines() if " PASSED" in line]
    assert [one for one in FOUND if not any(one in line for line in passed)] == []


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    else:
        shutil.copy(source, target)


def _run(folder: Path, *words: str) -> str:
    """Run a module among these sources alone, the matrix in its short form."""
    environment = {name: value for name, value in os.environ.items() if name != "MATRIX"}
    ran = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=140, check=False,
        env=environment | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    return ran.stdout
