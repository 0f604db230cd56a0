"""One furnished installation for a whole test process."""

from collections.abc import Iterator

import pytest

from tests.matrix.house import House, furnished


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with furnished(tmp_path_factory.mktemp("matrix") / "home") as running:
        yield running
