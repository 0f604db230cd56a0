"""`yescale apply`: compares a reviewed file with the installation, shows what differs, and changes just that."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from yescale.command.asking import Desk, Refusal, open_desk
from yescale.command.wishes import Amount, ChannelWish, KeyWish, Wishes, decimal_of, read_wishes
from yescale.settings import SetupError, load

METERS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "request": "requests",
}
CHANNEL_FIELDS: Final = ("provider", "base_url", "models", "groups", "priority", "weight")
MODEL_FIELDS: Final = ("owner", "context_window", "max_output", "operations", "fallbacks", "alias_of")
KEY_FIELDS: Final = ("group", "models", "allow_ips")
SHOWING: Final = ("user create", "key create")
SHOWN_ONCE: Final = ("key", "access_key")

Row = Mapping[str, Any]


class Step(Struct, frozen=True, kw_only=True):
    """One operation that brings the installation nearer to the file. `differences`: what to show of it."""

    what: str  # "channel main"
    new: bool
    differences: tuple[str, ...]
    operation: str
    arguments: Mapping[str, Any]

    def lines(self) -> str:
        """For people: + for what is made, ~ for what is changed."""
        return "".join([f"{'+' if self.new else '~'} {self.what}\n", *(f"    {each}\n" for each in self.differences)])


def command(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`yescale apply FILE`: 0; 1 where a change was refused. Raises SetupError."""
    if options["yes"] and options["dry_run"]:
        raise SetupError("--yes makes the changes and --dry-run makes none: choose one")
    wishes = read_wishes(Path(options["file"]), environ)
    settings = load(environ, {name: options[name] for name in ("home", "database")})
    try:
        with open_desk(settings) as desk:
            steps = tuple(plan(wishes, desk))
            if not options["json"]:
                sys.stdout.write("".join(step.lines() for step in steps))
            made = [_made(step, desk) for step in steps] if options["yes"] else []
    except Refusal as refusal:
        sys.stderr.write(f"yescale: {refusal}\n")
        return 1
    except InvalidOperation as error:
        raise SetupError(f"{options['file']}: an amount is no decimal number") from error
    sys.stdout.write(_summary(steps, made, options))
    return 0


def _made(step: Step, desk: Desk) -> dict[str, Any]:
    try:
        result = desk.ask(step.operation, step.arguments)
    except Refusal as refusal:
        raise Refusal(f"{step.what}: {refusal} What stands above it was done; nothing below it.") from refusal
    shown = SHOWN_ONCE if step.operation in SHOWING else ()
    return {"what": step.what} | {name: result[name] for name in shown if name in result}


def _summary(steps: Sequence[Step], made: Sequence[Row], options: Mapping[str, Any]) -> str:
    if options["json"]:
        changes = [{"what": step.what, "new": step.new, "differences": step.differences} for step in steps]
        return json.dumps({"changes": changes, "applied": bool(options["yes"]), "made": list(made)}) + "\n"
    if not steps:
        return "The installation is as the file says.\n"
    if not options["yes"]:
        return f"{len(steps)} to change. Nothing was changed: run it again with --yes.\n"
    shown = "".join(f"{each['what']}: {each[name]}\n" for each in made for name in SHOWN_ONCE if name in each)
    return f"{len(steps)} changed.\n{shown}"


def plan(wishes: Wishes, desk: Desk) -> Iterator[Step]:
    """What has to be done, in an order in which it can be: a channel needs its groups, a key its user."""
    yield from _groups(wishes, desk)
    yield from _models(wishes, desk)
    yield from _prices(wishes, desk)
    yield from _channels(wishes, desk)
    missing = {step.arguments["username"]: step for step in _users(wishes, desk)}
    yield from missing.values()
    for username, keys in wishes.keys.items():
        known = () if username in missing else desk.ask("key list", {"username": username})
        yield from _keys(username, keys, known)


def _groups(wishes: Wishes, desk: Desk) -> Iterator[Step]:
    known = _by_name(desk.ask("group list", {})) if wishes.groups else {}
    for name, wish in wishes.groups.items():
        ratio = decimal_of(wish.ratio)
        now = known.get(name)
        if now is None or Decimal(now["ratio"]) != ratio:
            before = "" if now is None else f"{now['ratio']} -> "
            yield Step(
                what=f"group {name}",
                new=now is None,
                differences=(f"ratio: {before}{ratio:f}",),
                operation="group set",
                arguments={"name": name, "ratio": f"{ratio:f}", "description": wish.description},
            )


def _models(wishes: Wishes, desk: Desk) -> Iterator[Step]:
    known = _by_name(desk.ask("model list", {})) if wishes.models else {}
    for name, wish in wishes.models.items():
        fields = {key: getattr(wish, key) for key in MODEL_FIELDS} | {
            "priced_as": wish.priced_as or wish.alias_of or name
        }
        now = known.get(name)
        if differences := _differences(now, fields):
            yield Step(
                what=f"model {name}",
                new=now is None,
                differences=differences,
                operation="model add",
                arguments=msgspec.structs.asdict(wish) | {"name": name},
            )


def _prices(wishes: Wishes, desk: Desk) -> Iterator[Step]:
    rows = desk.ask("price list", {}) if wishes.prices else ()
    known = {(row["model"], row["meter"]): Decimal(row["usd"]) for row in rows if not row["when"]}
    priced = {model for model, _ in known}
    for model, wish in wishes.prices.items():
        named: dict[str, Amount | None] = {name: getattr(wish, name) for name in METERS}
        wanted = {name: decimal_of(amount) for name, amount in named.items() if amount is not None}
        differences = tuple(
            f"{name}: {_before(known.get((model, METERS[name])))}{amount:f} USD"
            for name, amount in wanted.items()
            if known.get((model, METERS[name])) != amount
        )
        if differences:
            yield Step(
                what=f"price of {model}",
                new=model not in priced,
                differences=differences,
                operation="price set",
                arguments={"model": model} | {name: f"{amount:f}" for name, amount in wanted.items()},
            )


def _channels(wishes: Wishes, desk: Desk) -> Iterator[Step]:
    known = _by_name(desk.ask("channel list", {})) if wishes.channels else {}
    for name, wish in wishes.channels.items():
        now = known.get(name)
        fields = {key: getattr(wish, key) for key in CHANNEL_FIELDS} | {"models": _mapping(wish)} | _drain(wish)
        differences = _differences(now, fields)
        if now is None:
            made = {"name": name, "secrets": wish.secrets}
            yield Step(
                what=f"channel {name}",
                new=True,
                differences=(*differences, f"secrets: {len(wish.secrets)}"),
                operation="channel add",
                arguments=fields | made,
            )
            continue
        changed = {key: value for key, value in fields.items() if _plain(now.get(key)) != _plain(value)}
        if not _same_secrets(desk, now, wish):
            changed["secrets"] = wish.secrets
            differences = (*differences, "secrets: others than now")
        if changed:
            yield Step(
                what=f"channel {name}",
                new=False,
                differences=differences,
                operation="channel edit",
                arguments=changed | {"id": now["id"]},
            )
        if now["enabled"] != wish.enabled:
            yield _switch(name, now["id"], wish)


def _drain(wish: ChannelWish) -> dict[str, Any]:
    """What is said of reading on after a client left."""
    said = {} if wish.drain_s is None else {"drain_s": wish.drain_s}
    return said if wish.drain_cost is None else {**said, "drain_cost": f"{decimal_of(wish.drain_cost).normalize():f}"}


def _switch(name: str, number: int, wish: ChannelWish) -> Step:
    return Step(
        what=f"channel {name}",
        new=False,
        differences=(f"enabled: {'no -> yes' if wish.enabled else 'yes -> no'}",),
        operation="channel enable" if wish.enabled else "channel disable",
        arguments={"id": number},
    )


def _same_secrets(desk: Desk, now: Row, wish: ChannelWish) -> bool:
    """Asked, not read: secrets go into an installation and never come out."""
    if now["secrets"] != len(wish.secrets):
        return False
    try:
        return bool(desk.ask("channel matches", {"id": now["id"], "secrets": wish.secrets})["same"])
    except Refusal:
        sys.stderr.write(f"yescale: the secrets of channel {now['name']} cannot be compared; they stay as they are\n")
        return True


def _users(wishes: Wishes, desk: Desk) -> Iterator[Step]:
    for username, wish in wishes.users.items():
        found = desk.ask("user list", {"keyword": username, "page_size": 1_000})["items"]
        if not any(row["username"] == username for row in found):
            fields = {key: value for key, value in msgspec.structs.asdict(wish).items() if value}
            yield Step(
                what=f"user {username}",
                new=True,
                differences=tuple(f"{key}: {value}" for key, value in fields.items()),
                operation="user create",
                arguments=fields | {"username": username},
            )


def _keys(username: str, keys: Mapping[str, KeyWish], known: Sequence[Row]) -> Iterator[Step]:
    rows = _by_name(known)
    for name, wish in keys.items():
        now = rows.get(name)
        fields = {key: getattr(wish, key) for key in KEY_FIELDS}
        if now is None:
            limit = "unlimited" if wish.quota is None else str(wish.quota)
            yield Step(
                what=f"key {name} of {username}",
                new=True,
                differences=(*_differences(None, fields), f"quota: {limit}"),
                operation="key create",
                arguments=fields | {"username": username, "name": name, "quota": wish.quota},
            )
        elif differences := _differences(now, fields):
            yield Step(
                what=f"key {name} of {username}",
                new=False,
                differences=differences,
                operation="key edit",
                arguments=fields | {"id": now["id"]},
            )


def _by_name(rows: Sequence[Row]) -> dict[str, Row]:
    return {row["name"]: row for row in reversed(rows)}


def _mapping(wish: ChannelWish) -> dict[str, str]:
    return dict(wish.models) if isinstance(wish.models, dict) else {name: name for name in wish.models}


def _differences(now: Row | None, fields: Row) -> tuple[str, ...]:
    """A line for each field that is not as wished; for something new, each field that says anything."""
    if now is None:
        return tuple(f"{key}: {_said(value)}" for key, value in fields.items() if value not in ("", None, ()))
    return tuple(
        f"{key}: {_said(now.get(key))} -> {_said(value)}"
        for key, value in fields.items()
        if _plain(now.get(key)) != _plain(value)
    )


def _plain(value: Any) -> Any:
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)


def _before(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f} -> "
