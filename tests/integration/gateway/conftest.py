"""A worker between raw sockets: a control that speaks the link, upstreams that follow a script, a client."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.integration.gateway.rig import Rig


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The loop that workers run on."""
    return "asyncio", {"loop_factory": uvloop.new_event_loop}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A worker with two channels, `first` preferred to `second`, and one key."""
    async with Rig(tmp_path) as made:
        yield made
