"""The command line: parses arguments, nothing else. What a command does lies in the function that its row names."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pkgutil import resolve_name
from typing import Any, Final

from yescale.command.admin import OPERATIONS
from yescale.command.arguments import Argument, Command
from yescale.settings import SetupError

HOME: Final = Argument("--home", metavar="DIR", help="the folder of this installation (~/.yescale)")
DATABASE: Final = Argument("--database", metavar="URL", help="PostgreSQL or SQLite (a SQLite file in the home)")
JSON: Final = Argument("--json", flag=True, help="answer in JSON")
LIFELINE: Final = Argument("--lifeline", kind=int)

# Rows without a summary are for the supervisor, not for people. A row's function is imported when it is called: each
# process loads its own half of yescale only.
COMMANDS: Final = (
    Command(
        ("serve",),
        "yescale.serve.supervisor:command",
        "run the gateway",
        (
            Argument("--sandbox", flag=True, help="with fake providers and a demo account"),
            Argument("--host", help="the address to listen on (127.0.0.1)"),
            Argument("--port", help="the port to listen on (3000; 0 = any free one)"),
            Argument("--workers", metavar="N", help="worker processes (0 = one per core)"),
            HOME,
            DATABASE,
        ),
    ),
    Command(
        ("sandbox",),
        "yescale.serve.children:sandbox",
        "run the fake providers alone",
        (
            Argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)"),
            Argument("--port", kind=int, default=3001, help="the port to listen on (3001; 0 = any free one)"),
            Argument("--fd", kind=int),
            LIFELINE,
        ),
    ),
    Command(
        ("migrate",),
        "yescale.command.migrate:command",
        "bring the database to the schema of this version",
        (HOME, DATABASE, JSON),
    ),
    Command(
        ("doctor",),
        "yescale.command.doctor:command",
        "check the installation and say what to mend",
        (HOME, DATABASE, JSON),
    ),
    Command(
        ("apply",),
        "yescale.command.apply:command",
        "make the installation what a reviewed file says",
        (
            Argument("file", help="a YAML file"),
            Argument("--dry-run", flag=True, help="only show what would change (the default)"),
            Argument("--yes", flag=True, help="make the changes"),
            HOME,
            DATABASE,
            JSON,
        ),
    ),
    Command(
        ("worker",),
        "yescale.serve.children:worker",
        arguments=(
            Argument("--home", required=True),
            Argument("--slot", kind=int, required=True),
            Argument("--listen-fd", kind=int, required=True),
            LIFELINE,
        ),
    ),
    Command(("control",), "yescale.serve.children:control", arguments=(Argument("--home", required=True), LIFELINE)),
    *(operation.command((HOME, DATABASE, JSON)) for operation in OPERATIONS),
)
GROUPS: Final = {"admin": "run the installation without a browser"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. 2: it could not be begun, and one line on stderr says why."""
    options = vars(_parser().parse_args(argv))
    try:
        return resolve_name(options["target"])(options, dict(os.environ))
    except SetupError as error:
        print(f"yescale: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yescale", description="One key and one base URL for every AI model.")
    parser.add_argument("--version", action="version", version=f"yescale {_version()}")
    _add(parser, COMMANDS, 0)
    return parser


def _add(parser: argparse.ArgumentParser, commands: Iterable[Command], depth: int) -> None:
    """Add commands under their first words; those that share a word become one group."""
    groups: dict[str, list[Command]] = {}
    for command in commands:
        groups.setdefault(command.words[depth], []).append(command)
    below = parser.add_subparsers(metavar="COMMAND", required=True)
    for word, inside in groups.items():
        alone = inside[0] if len(inside[0].words) == depth + 1 else None
        summary = alone.summary if alone else GROUPS.get(word, ", ".join(each.words[-1] for each in inside))
        # A parser that is added without help is not listed.
        child = below.add_parser(word, help=summary, description=summary) if summary else below.add_parser(word)
        if alone is None:
            _add(child, inside, depth + 1)
        else:
            _fill(child, alone)


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.set_defaults(target=command.target, words=command.words)
    apart: dict[str, Any] = {}
    for argument in command.arguments:
        about: dict[str, Any] = {"help": argument.help or argparse.SUPPRESS, "default": argument.default}
        if argument.flag:
            about["action"] = "store_true"
        else:
            about |= {"type": argument.kind, "metavar": argument.metavar}
        if argument.many:
            about["action"] = "append"
        if argument.name.startswith("-"):
            about["required"] = argument.required
        if argument.apart and argument.apart not in apart:
            apart[argument.apart] = parser.add_mutually_exclusive_group()
        apart.get(argument.apart, parser).add_argument(argument.name, **about)


def _version() -> str:
    try:
        return version("yescale")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
