"""What `yescale serve` prints once it is ready."""

import sys

from yescale.serve.health import base_url
from yescale.settings import Settings


def announce(settings: Settings) -> None:
    """Print where the server is."""
    sys.stdout.write(f"yescale is ready at {base_url(settings)}\n")
    sys.stdout.flush()
