"""Files named on a command line."""

import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Final

FROM_STDIN: Final = "-"


def read_text(name: str) -> str:
    """What the file holds; `-` is standard input."""
    try:
        return sys.stdin.read() if name == FROM_STDIN else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentTypeError(f"{name} cannot be read: {error}") from error
