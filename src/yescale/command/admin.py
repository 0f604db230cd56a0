"""`yescale admin`: every operation as a row of words and arguments, and how its result is shown."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final, cast

from msgspec import Struct

from yescale.command.arguments import Argument, Command
from yescale.command.asking import Refusal, open_desk
from yescale.command.secrets import read_secret
from yescale.settings import load

REFUSED: Final = 1


class Operation(Struct, frozen=True):
    """The words that a person types, and the arguments that control is handed under the same names, where given."""

    words: tuple[str, ...]
    summary: str
    arguments: tuple[Argument, ...] = ()
    verdict: str = ""  # the field of the result that must be true for exit code 0

    @property
    def name(self) -> str:
        """What control calls it."""
        return ".".join(self.words)

    def command(self, common: tuple[Argument, ...]) -> Command:
        """Its row of the command line."""
        return Command(
            ("admin", *self.words), "yescale.command.admin:command", self.summary, (*self.arguments, *common)
        )


def words_of(text: str) -> tuple[str, ...]:
    """The words between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


NAME: Final = Argument("--name", required=True, metavar="N", help="its name")
WHICH: Final = Argument("name", metavar="NAME", help="which one, by its name")
ID: Final = Argument("id", kind=int, metavar="ID", help="which one, by its id")
USER: Final = Argument("--user", required=True, metavar="U", help="the account, by its username")
CHANNEL: Final = (
    Argument("--base-url", metavar="URL", help="where its API begins"),
    Argument(
        "--secret", kind=read_secret, metavar="S", help="our key there: the key itself, env:NAME or - (standard input)"
    ),
    Argument("--models", kind=words_of, metavar="A,B", help="models it serves; ours=theirs where the names differ"),
    Argument("--groups", kind=words_of, metavar="G,H", help="groups that may use it (default)"),
    Argument("--priority", kind=int, metavar="P", help="higher ones are tried first (0)"),
    Argument("--weight", kind=int, metavar="W", help="its share among channels of the same priority (1)"),
)

OPERATIONS: Final = (
    Operation(
        ("channel", "add"),
        "add an account at a provider",
        (NAME, Argument("--provider", required=True, metavar="P", help="openai, for all that speak its API"), *CHANNEL),
    ),
    Operation(("channel", "set"), "change a channel; what is not given stays", (WHICH, *CHANNEL)),
    Operation(("channel", "list"), "show all channels, without their secrets"),
    Operation(("channel", "enable"), "let calls go to a channel again", (WHICH,)),
    Operation(("channel", "disable"), "let no more calls go to a channel", (WHICH,)),
    Operation(("channel", "delete"), "remove a channel", (WHICH,)),
    Operation(
        ("group", "set"),
        "make a group, or change it",
        (
            WHICH,
            Argument("--ratio", metavar="R", help="the multiplier of its prices, such as 0.8"),
            Argument("--description", metavar="TEXT", help="what it is for"),
        ),
    ),
    Operation(("group", "list"), "show all groups"),
    Operation(
        ("price", "set"),
        "set a model's price; calls that began before keep theirs",
        (
            Argument("model", metavar="MODEL", help="the model"),
            Argument("--input", metavar="USD", help="per million input tokens"),
            Argument("--output", metavar="USD", help="per million output tokens"),
            Argument("--cache-read", metavar="USD", help="per million cached input tokens"),
            Argument("--request", metavar="USD", help="per request, in place of tokens"),
        ),
    ),
    Operation(
        ("price", "list"), "show the prices", (Argument("--model", metavar="MODEL", help="of this model alone"),)
    ),
    Operation(("model", "list"), "show the catalogue"),
    Operation(("user", "create"), "make an account; its access key and password are shown once", (NAME,)),
    Operation(("user", "list"), "show all accounts and their balances"),
    Operation(("user", "enable"), "let an account make calls again", (WHICH,)),
    Operation(("user", "disable"), "let an account make no more calls", (WHICH,)),
    Operation(
        ("key", "create"),
        "make an API key; it is shown once",
        (
            USER,
            Argument("--name", metavar="N", help="a name to know it by"),
            Argument("--group", metavar="G", help="the group whose channels and prices it gets"),
            Argument("--quota", kind=int, metavar="Q", help="what it may spend: 500,000 quota are 1 USD"),
            Argument("--unlimited", flag=True, help="it may spend all that the account has"),
        ),
    ),
    Operation(("key", "list"), "show the keys of an account", (USER,)),
    Operation(("key", "delete"), "close a key for ever", (ID,)),
    Operation(
        ("topup",),
        "put money into an account",
        (
            USER,
            Argument("--usd", required=True, metavar="X", help="how many US dollars"),
            Argument("--id", metavar="ID", help="a name of this payment: the same one is credited once"),
        ),
    ),
    Operation(("ledger", "verify"), "check that all money adds up", verdict="ok"),
    Operation(
        ("log", "list"),
        "show calls, newest first",
        (
            Argument("--user", metavar="U", help="of this account"),
            Argument("--model", metavar="MODEL", help="of this model"),
            Argument("--request-id", metavar="ID", help="the one with this request id"),
            Argument("--limit", kind=int, metavar="N", help="at most so many (100)"),
        ),
    ),
    Operation(
        ("log", "show"), "explain one call", (Argument("request_id", metavar="REQUEST_ID", help="its request id"),)
    ),
    Operation(("status",), "show the workers, and how far their journals are settled"),
)


def command(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`yescale admin ...`: 0; 1 where the operation was refused or its verdict is bad. Raises SetupError."""
    operation = next(row for row in OPERATIONS if ("admin", *row.words) == options["words"])
    settings = load(environ, {name: options[name] for name in ("home", "database")})
    arguments = {argument.key: options[argument.key] for argument in operation.arguments}
    try:
        with open_desk(settings) as desk:
            result = desk.ask(operation.name, {key: value for key, value in arguments.items() if value is not None})
    except Refusal as refusal:
        sys.stderr.write(f"yescale: {refusal}\n")
        return REFUSED
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n" if options["json"] else shown(result))
    return REFUSED if operation.verdict and not result[operation.verdict] else 0


def shown(result: Any) -> str:
    """A result for people: rows as a table, fields as lines."""
    match result:
        case None:
            return "done\n"
        case []:
            return "there is none\n"
        case [{}, *_]:
            return _table(cast("list[dict[str, Any]]", result))
        case {}:
            fields = cast("dict[str, Any]", result)
            width = max((len(name) for name in fields), default=0)
            return "".join(f"{name:<{width}}  {_word(value)}\n" for name, value in fields.items())
        case _:
            return f"{_word(result)}\n"


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    lines = [names, *([_word(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    return "".join(
        "  ".join(f"{word:<{width}}" for word, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def _word(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case str() | int():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
