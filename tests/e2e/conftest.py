"""Running installations for the tests that come from outside."""

from collections.abc import Iterator

import pytest

from tests.e2e.installation import Installation, serving


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """yescale on SQLite with two workers, shared by the tests that leave it as it was."""
    with serving(tmp_path_factory.mktemp("e2e") / "home") as running:
        yield running
