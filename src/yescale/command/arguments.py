"""How a command line is written down: commands and their arguments as values."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from msgspec import Struct


class Argument(Struct, frozen=True):
    """One argument, an option if its name begins with dashes. Without `help` it is not shown to people."""

    name: str
    kind: Callable[[str], Any] = str
    help: str = ""
    metavar: str | None = None
    default: Any = None
    required: bool = False
    flag: bool = False
    many: bool = False  # may be repeated
    apart: str = ""  # of those that share this word, one may be given
    field: str = ""  # what it is called further in, if not by its own name

    @property
    def key(self) -> str:
        """Its name among the parsed options."""
        return self.name.lstrip("-").replace("-", "_")


class Command(Struct, frozen=True):
    """The words that choose it, and the function that does it: `(options, environ) -> exit code`."""

    words: tuple[str, ...]
    target: str
    summary: str = ""
    arguments: tuple[Argument, ...] = ()


def truth_of(text: str) -> bool:
    """`yes` or `no`."""
    if text not in ("yes", "no"):
        raise ArgumentTypeError("say yes or no")
    return text == "yes"
