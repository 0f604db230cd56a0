"""Secrets on a command line: from a variable or from standard input, so that no process list shows them."""

import os
import sys
from argparse import ArgumentTypeError
from typing import Final

FROM_VARIABLE: Final = "env:"
FROM_STDIN: Final = "-"


def read_secret(word: str) -> str:
    """The secret that a word stands for: `env:NAME`, `-` for a line of standard input, else the word itself."""
    if word == FROM_STDIN:
        secret = sys.stdin.readline().rstrip("\r\n")
    elif word.startswith(FROM_VARIABLE):
        name = word.removeprefix(FROM_VARIABLE)
        secret = os.environ.get(name, "")
        if not secret:
            raise ArgumentTypeError(f"the environment variable {name} is not set, or empty")
    else:
        secret = word
    if not secret:
        raise ArgumentTypeError("the secret is empty")
    return secret
