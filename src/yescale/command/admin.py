"""`yescale admin`: every operation as a row of words and arguments, and how its result is shown."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from msgspec import Struct
from msgspec.structs import replace

from yescale.command.arguments import Argument, Command, truth_of
from yescale.command.asking import Refusal, open_desk
from yescale.command.files import read_text
from yescale.command.kinds import models_of, object_of, tags_of, words_of
from yescale.command.secrets import read_secret
from yescale.command.statements import lines_of
from yescale.settings import load

REFUSED: Final = 1
CELL: Final = 40  # characters


Shape = Callable[[dict[str, Any]], dict[str, Any]]


class Operation(Struct, frozen=True):
    """The words that a person types, which are control's name of it too, and its arguments there, where given."""

    words: tuple[str, ...]
    summary: str
    arguments: tuple[Argument, ...] = ()
    shape: Shape | None = None  # makes control's arguments of those given
    verdict: str = ""  # the field of the result that must be true for exit code 0
    text: str = ""  # the field that people are shown alone, as it is

    @property
    def name(self) -> str:
        """What control calls it."""
        return " ".join(self.words)

    def command(self, common: tuple[Argument, ...]) -> Command:
        """Its row of the command line."""
        return Command(
            ("admin", *self.words), "yescale.command.admin:command", self.summary, (*self.arguments, *common)
        )

    def asked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Control's arguments of a parsed command line; what was not given is left out."""
        given = {
            argument.field or argument.key: options[argument.key]
            for argument in self.arguments
            if options[argument.key] is not None
        }
        return given if self.shape is None else self.shape(given)


def _without_unlimited(given: dict[str, Any]) -> dict[str, Any]:
    """A key without a quota is unlimited; saying so changes nothing."""
    return {name: value for name, value in given.items() if name != "unlimited"}


def _with_null_quota(given: dict[str, Any]) -> dict[str, Any]:
    """To an existing key, `--unlimited` takes its quota off."""
    return _without_unlimited(given) | ({"quota": None} if given.get("unlimited") else {})


ID: Final = Argument("id", kind=int, metavar="ID", help="its number")
USER: Final = Argument("--user", field="username", required=True, metavar="U", help="the account, by its username")
WHO: Final = Argument("username", metavar="USERNAME", help="the account")
NOTE: Final = Argument("--note", metavar="TEXT", help="what stands beside it in the ledger")
ONCE: Final = Argument(
    "--id", field="outside_id", metavar="ID", help="the payment's own number: a repetition is not booked twice"
)
BASE_URL: Final = Argument("--base-url", metavar="URL", help="where its API begins, such as https://api.openai.com/v1")
SECRET: Final = Argument(
    "--secret",
    kind=read_secret,
    field="secrets",
    many=True,
    metavar="S",
    help="our key there: itself, env:NAME or - (standard input); repeat it for several",
)
MODELS: Final = Argument(
    "--models", kind=models_of, metavar="A,B", help="the models it serves; ours=theirs where the names differ"
)
PROVIDER: Final = Argument("--provider", metavar="P", help="openai, for all that speak its API")
RANK: Final = (
    Argument("--priority", kind=int, metavar="P", help="higher ones are tried first (0)"),
    Argument("--weight", kind=int, metavar="W", help="its share among channels of the same priority (1)"),
)
ROUTE: Final = (
    Argument("--headers", kind=object_of, metavar="JSON", help="headers that it sets: an object, env:NAME or -"),
    Argument(
        "--body", kind=object_of, metavar="JSON", help='fields of bodies: {"set": {}, "default": {}, "remove": []}'
    ),
    Argument("--proxy", kind=read_secret, metavar="URL", help="http://user:password@host:port, env:NAME or -"),
    Argument("--max-attempts", kind=int, metavar="N", help="times that one call may try it (0: as often as any)"),
    Argument("--total-s", kind=float, metavar="S", help="how long one attempt may take (0: as long as any)"),
    Argument("--bills-failures", kind=truth_of, metavar="yes|no", help="it charges for attempts that fail (no)"),
    Argument(
        "--drain-s", kind=float, metavar="S", help="read on so long for the usage when a client left; 0: cancel (30)"
    ),
    Argument("--drain-cost", metavar="USD", help="and for this much of further output at most (0.05)"),
)
ALIASES: Final = (
    Argument("--fallback", kind=words_of, field="fallbacks", metavar="A,B", help="what is tried where none can answer"),
    Argument("--alias-of", metavar="MODEL", help="the model that this is another name of"),
)
GROUPS_HELP: Final = "the groups that may use it"
TERMS: Final = (
    Argument("--models", kind=words_of, metavar="A,B", help="the only models it may call, such as gpt-4o*"),
    Argument("--allow-ips", kind=words_of, metavar="A,B", help="the only addresses or networks it may call from"),
    Argument("--expires-at", kind=int, metavar="T", help="when it ends, in unix seconds; -1 = never"),
    Argument("--groups", kind=words_of, metavar="G,H", help="with --group auto: the first that can serve is charged"),
    Argument("--operations", kind=words_of, metavar="A,B", help="all that it may be used for, such as chat,embed"),
    Argument("--max-output", kind=int, metavar="TOKENS", help="of calls that declare no limit"),
    Argument("--tags", kind=tags_of, metavar="N=V", help="of all its calls, such as feature=search,plan=pro"),
)
QUOTA: Final = (
    Argument("--quota", kind=int, apart="limit", metavar="Q", help="what it may spend: 500,000 quota are 1 USD"),
    Argument("--unlimited", flag=True, apart="limit", help="it may spend all that the account has (the default)"),
)

CATALOGUE: Final = Argument("file", kind=read_text, field="text", metavar="FILE", help="the file; - for standard input")

OPERATIONS: Final = (
    Operation(
        ("channel", "add"),
        "add an account at a provider",
        (
            Argument("--name", required=True, metavar="N", help="a name to know it by"),
            replace(PROVIDER, required=True),
            replace(BASE_URL, required=True),
            replace(SECRET, required=True),
            replace(MODELS, required=True),
            Argument("--groups", kind=words_of, default=("default",), metavar="G,H", help=f"{GROUPS_HELP} (default)"),
            *RANK,
            *ROUTE,
        ),
    ),
    Operation(
        ("channel", "edit"),
        "change a channel; what is not given stays",
        (
            ID,
            Argument("--name", metavar="N", help="a new name"),
            PROVIDER,
            BASE_URL,
            SECRET,
            MODELS,
            Argument("--groups", kind=words_of, metavar="G,H", help=GROUPS_HELP),
            *RANK,
            *ROUTE,
        ),
    ),
    Operation(("channel", "list"), "show all channels, without their secrets"),
    Operation(("channel", "enable"), "let calls go to a channel again", (ID,)),
    Operation(("channel", "disable"), "let no more calls go to a channel", (ID,)),
    Operation(
        ("channel", "test"),
        "make a small real call with each of a channel's secrets",
        (ID, Argument("--model", metavar="MODEL", help="one that it serves (the first that can be tried)")),
        verdict="ok",
    ),
    Operation(("channel", "delete"), "take a channel away; its calls stay in the log", (ID,)),
    Operation(
        ("model", "add"),
        "put a model into the catalogue, or replace its entry",
        (
            Argument("name", metavar="MODEL", help="the name that callers use"),
            Argument("--priced-as", metavar="MODEL", help="the model whose prices apply, if not its own"),
            Argument("--owner", metavar="O", help="who made it, such as openai"),
            Argument("--context", field="context_window", kind=int, metavar="TOKENS", help="its context window"),
            Argument("--max-output", kind=int, metavar="TOKENS", help="the most that it answers"),
            Argument("--operations", kind=words_of, metavar="O", help="what it does: chat, embed (chat)"),
            *ALIASES,
        ),
    ),
    Operation(
        ("model", "edit"),
        "change what stands behind a model; what is not given stays",
        (Argument("name", metavar="MODEL", help="the model"), *ALIASES),
    ),
    Operation(("model", "list"), "show the catalogue"),
    Operation(("model", "enable"), "offer a model again", (Argument("name", metavar="MODEL", help="the model"),)),
    Operation(
        ("model", "pause"), "show a model as under maintenance", (Argument("name", metavar="MODEL", help="the model"),)
    ),
    Operation(
        ("model", "resume"), "show a model as usual again", (Argument("name", metavar="MODEL", help="the model"),)
    ),
    Operation(
        ("model", "deprecate"),
        "tell callers that a model will go, or refuse it",
        (
            Argument("name", metavar="MODEL", help="the model"),
            Argument("--stage", kind=int, metavar="N", help="1 it will go, 2 it answers no more, 0 neither (1)"),
            Argument("--alternative", metavar="MODEL", help="what to use instead"),
        ),
    ),
    Operation(("model", "disable"), "offer a model no more", (Argument("name", metavar="MODEL", help="the model"),)),
    Operation(
        ("price", "set"),
        "set prices of a model; calls that began before keep theirs",
        (
            Argument("model", metavar="MODEL", help="the model"),
            Argument("--input", metavar="USD", help="per million input tokens"),
            Argument("--output", metavar="USD", help="per million output tokens"),
            Argument("--cache-read", metavar="USD", help="per million input tokens read from the provider's cache"),
            Argument("--cache-write", metavar="USD", help="per million input tokens written to it"),
            Argument("--request", metavar="USD", help="per request, in place of tokens"),
        ),
    ),
    Operation(
        ("price", "list"), "show the prices", (Argument("--model", metavar="MODEL", help="of this model alone"),)
    ),
    Operation(("catalogue", "export"), "write models and prices as a file, to be reviewed and imported", text="text"),
    Operation(("catalogue", "diff"), "show what a catalogue file would change", (CATALOGUE,), text="text"),
    Operation(
        ("catalogue", "import"),
        "make models and prices as a file says: all of it, or nothing where anything is wrong",
        (CATALOGUE, Argument("--dry-run", flag=True, help="only show what would change")),
        text="text",
    ),
    Operation(
        ("group", "set"),
        "make a group, or give it another ratio",
        (
            Argument("name", metavar="GROUP", help="the group"),
            Argument("--ratio", required=True, metavar="R", help="the multiplier of its prices, such as 0.8"),
            Argument("--description", metavar="TEXT", help="what it is for"),
        ),
    ),
    Operation(("group", "list"), "show all groups"),
    Operation(
        ("user", "create"),
        "make an account; its access key is shown once",
        (
            Argument("--name", field="username", required=True, metavar="U", help="its username"),
            Argument("--display-name", metavar="N", help="how it is shown"),
            Argument("--email", metavar="E", help="its mail address"),
            Argument("--password", kind=read_secret, metavar="P", help="to sign in: itself, env:NAME or -"),
            Argument("--role", kind=int, metavar="R", help="1 common, 10 admin, 100 root (1)"),
            Argument("--group", metavar="G", help="the group of its account (default)"),
            Argument("--trial", field="trial_usd", metavar="USD", help="credit to begin with, if not the usual"),
        ),
    ),
    Operation(
        ("user", "list"),
        "show accounts and their balances",
        (
            Argument("--keyword", metavar="WORD", help="those whose username or mail contains it"),
            Argument("--page", kind=int, metavar="N", help="which page (1)"),
            Argument("--page-size", kind=int, metavar="N", help="how many on a page (100)"),
        ),
    ),
    Operation(("user", "enable"), "let an account's keys work again", (WHO,)),
    Operation(("user", "disable"), "refuse an account's keys", (WHO,)),
    Operation(
        ("user", "password"),
        "give an account another password",
        (WHO, Argument("--password", kind=read_secret, required=True, metavar="P", help="itself, env:NAME or -")),
    ),
    Operation(("user", "access-key"), "give an account another access key; it is shown once", (WHO,)),
    Operation(
        ("key", "create"),
        "make an API key; it is shown once",
        (
            USER,
            Argument("--name", default="default", metavar="N", help="a name to know it by (default)"),
            Argument("--group", metavar="G", help="the group whose channels and prices it gets (default)"),
            *TERMS,
            *QUOTA,
        ),
        _without_unlimited,
    ),
    Operation(("key", "list"), "show the keys of an account, masked", (USER,)),
    Operation(
        ("key", "edit"),
        "change a key; what is not given stays",
        (
            ID,
            Argument("--name", metavar="N", help="a new name"),
            Argument("--group", metavar="G", help="the group whose channels and prices it gets"),
            Argument("--enabled", kind=truth_of, metavar="yes|no", help="whether it works"),
            *TERMS,
            *QUOTA,
        ),
        _with_null_quota,
    ),
    Operation(("key", "delete"), "close a key for ever", (ID,)),
    Operation(
        ("key", "rotate"),
        "give a key another secret, shown once; the old one works on for a while",
        (
            ID,
            Argument(
                "--overlap", field="overlap_s", kind=int, metavar="S", help="how many seconds it does (86400); 0 = none"
            ),
        ),
    ),
    Operation(
        ("key", "import"),
        "take over keys that clients have from elsewhere",
        (
            USER,
            Argument(
                "--file",
                field="text",
                kind=read_text,
                required=True,
                metavar="FILE",
                help="one key a line, or CSV with a line that names its columns; - = standard input",
            ),
            Argument("--group", metavar="G", help="the group of keys that say none (default)"),
        ),
    ),
    Operation(
        ("limit", "set"),
        "limit what an account, key, group, model or channel may use",
        (
            Argument("scope", metavar="SCOPE", help="account, key, group, model or channel"),
            Argument("subject", metavar="SUBJECT", help="which: a username, a name, or the number of a key or channel"),
            Argument("what", metavar="WHAT", help="money, tokens, requests or concurrency"),
            Argument("--window", metavar="W", help="minute, hour, day, week, month or total; concurrency has none"),
            Argument("--amount", kind=int, apart="amount", metavar="N", help="tokens, requests, or calls at once"),
            Argument("--usd", apart="amount", metavar="X", help="US dollars, of money"),
            Argument("--zone", metavar="Z", help="whose midnight ends a day, such as Asia/Ho_Chi_Minh (UTC)"),
        ),
    ),
    Operation(
        ("limit", "list"),
        "show the limits",
        (
            Argument("--scope", metavar="SCOPE", help="those of accounts, keys, groups, models or channels alone"),
            Argument("--subject", metavar="SUBJECT", help="and of this one alone"),
        ),
    ),
    Operation(("limit", "remove"), "take a limit away", (ID,)),
    Operation(
        ("topup",),
        "put money into an account",
        (USER, Argument("--usd", required=True, metavar="X", help="how many US dollars"), ONCE, NOTE),
    ),
    Operation(
        ("adjust",),
        "correct an account's balance, up or down",
        (
            USER,
            Argument("--usd", required=True, metavar="X", help="how many US dollars; with a minus to take away"),
            replace(NOTE, required=True),
            ONCE,
        ),
    ),
    Operation(
        ("refund",),
        "give back what a call paid",
        (
            Argument("request_id", metavar="REQUEST_ID", help="the call, by its request id"),
            Argument("--usd", metavar="X", help="how many US dollars, if not all that is left"),
            replace(NOTE, required=True),
            ONCE,
        ),
    ),
    Operation(
        ("code", "create"),
        "make redemption codes; they are shown once",
        (
            Argument("--usd", required=True, metavar="X", help="how many US dollars each is worth"),
            Argument("--batch", required=True, metavar="NAME", help="what they are for"),
            Argument("--count", kind=int, metavar="N", help="how many (1)"),
            Argument("--days", kind=int, metavar="N", help="how long they can be redeemed, if not for ever"),
        ),
    ),
    Operation(
        ("code", "list"),
        "show redemption codes, newest first, masked",
        (
            Argument("--batch", metavar="NAME", help="of this batch"),
            Argument("--limit", kind=int, metavar="N", help="at most so many (100)"),
        ),
    ),
    Operation(
        ("code", "void"),
        "let redemption codes be redeemed no more",
        (
            Argument("--id", kind=int, apart="codes", metavar="ID", help="one, by its number"),
            Argument("--batch", apart="codes", metavar="NAME", help="all of a batch"),
        ),
    ),
    Operation(("ledger", "verify"), "check that all money adds up", verdict="ok"),
    Operation(
        ("ledger", "reconcile"),
        "compare a provider's record of what it served with what was charged",
        (
            Argument("file", kind=lines_of, field="lines", metavar="FILE", help="its export: JSON, JSON lines or CSV"),
            Argument("--channel", kind=int, metavar="ID", help="the channel that the record is of"),
            Argument(
                "--since", kind=int, metavar="UNIX", help="calls from this second on, if not the record's own time"
            ),
            Argument("--until", kind=int, metavar="UNIX", help="calls up to this second"),
        ),
        verdict="ok",
    ),
    Operation(
        ("log", "list"),
        "show calls, newest first",
        (
            Argument("--user", field="username", metavar="U", help="of this account"),
            Argument("--model", metavar="MODEL", help="of this model"),
            Argument("--request-id", metavar="ID", help="the one with this request id"),
            Argument("--tag", metavar="NAME:VALUE", help="with this tag, such as session_id:abc"),
            Argument("--limit", kind=int, metavar="N", help="at most so many (100)"),
        ),
    ),
    Operation(
        ("log", "show"), "explain one call", (Argument("request_id", metavar="REQUEST_ID", help="its request id"),)
    ),
    Operation(("status",), "show the nodes, their workers and journals"),
)


def command(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`yescale admin ...`: 0; 1 where the operation was refused or its verdict is bad. Raises SetupError."""
    operation = next(row for row in OPERATIONS if ("admin", *row.words) == options["words"])
    settings = load(environ, {name: options[name] for name in ("home", "database")})
    try:
        with open_desk(settings) as desk:
            result = desk.ask(operation.name, operation.asked(options))
    except Refusal as refusal:
        sys.stderr.write(f"yescale: {refusal}\n")
        return REFUSED
    if options["json"]:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(result[operation.text] if operation.text else shown(result))
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
        case {"items": [*rows], "total": total}:
            return f"{shown(rows)}{total} in all\n"
        case {}:
            fields = cast("dict[str, Any]", result)
            width = max((len(name) for name in fields), default=0)
            return "".join(f"{name:<{width}}  {_word(value)}\n" for name, value in fields.items())
        case _:
            return f"{_word(result)}\n"


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    lines = [names, *([_cut(_word(row.get(name))) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    return "".join(
        "  ".join(f"{word:<{width}}" for word, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def _cut(word: str) -> str:
    """A cell; the whole of it is in the JSON."""
    return word if len(word) <= CELL else word[: CELL - 3] + "..."


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
