"""A provider's export as an argument of the command line."""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from yescale.ledger.statement import UnreadableStatement, read_statement


def lines_of(path: str) -> list[Any]:
    """The lines of the export in a file. Raises ArgumentTypeError."""
    try:
        return msgspec.to_builtins(read_statement(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from error
    except UnreadableStatement as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error
