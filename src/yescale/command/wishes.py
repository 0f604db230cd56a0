"""The file of `yescale apply`: what an installation shall have, and how the file is read.

Things that the file does not name are left alone. Secrets stand in it only as `${NAME}`: it is meant to be reviewed.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import Meta, Struct, field

from yescale.settings import SetupError

REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
Amount = str | int | float  # US dollars or a ratio, as it is written; never computed with as a float


class GroupWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A group and the multiplier of its prices."""

    ratio: Amount
    description: str = ""


class ModelWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A catalogue entry."""

    owner: str = ""
    priced_as: str = ""
    context_window: int = 0
    max_output: int = 0
    operations: tuple[str, ...] = ("chat",)
    fallbacks: tuple[str, ...] = ()
    alias_of: str = ""


class PriceWish(Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens, or per request. What is not named stays as it is."""

    input: Amount | None = None
    output: Amount | None = None
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    request: Amount | None = None


class ChannelWish(Struct, frozen=True, forbid_unknown_fields=True):
    """An account at a provider. `models`: a list, or our names to the provider's."""

    base_url: str
    secrets: Annotated[tuple[str, ...], Meta(min_length=1)]
    models: tuple[str, ...] | dict[str, str]
    provider: str = "openai"
    groups: tuple[str, ...] = ("default",)
    priority: int = 0
    weight: int = 1
    drain_s: float | None = None  # None: as it is
    drain_cost: Amount | None = None
    enabled: bool = True


class UserWish(Struct, frozen=True, forbid_unknown_fields=True):
    """An account; what it is made with does not change it later."""

    display_name: str = ""
    email: str = ""
    group: str = "default"


class KeyWish(Struct, frozen=True, forbid_unknown_fields=True):
    """An API key, known by its name. `quota` is what it is made with; afterwards it falls as the key spends."""

    group: str = "default"
    quota: int | None = None
    models: tuple[str, ...] | None = None
    allow_ips: tuple[str, ...] = ()


class Wishes(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file, by name; keys by username and then by name."""

    groups: dict[str, GroupWish] = field(default_factory=dict[str, GroupWish])
    models: dict[str, ModelWish] = field(default_factory=dict[str, ModelWish])
    prices: dict[str, PriceWish] = field(default_factory=dict[str, PriceWish])
    channels: dict[str, ChannelWish] = field(default_factory=dict[str, ChannelWish])
    users: dict[str, UserWish] = field(default_factory=dict[str, UserWish])
    keys: dict[str, dict[str, KeyWish]] = field(default_factory=dict[str, dict[str, KeyWish]])


def read_wishes(path: Path, environ: Mapping[str, str]) -> Wishes:
    """The file with its references filled in. Raises SetupError."""
    try:
        document = msgspec.yaml.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        place = re.search(r"line \d+", str(error))
        raise SetupError(f"{path} is no valid YAML{f' ({place[0]})' if place else ''}") from error
    except OSError as error:
        raise SetupError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        written = msgspec.convert(document or {}, Wishes)
        _refuse_secrets(written)
        return msgspec.convert(_filled(document or {}, environ), Wishes)
    except (msgspec.ValidationError, ValueError) as error:
        raise SetupError(f"{path}: {error}") from error


def decimal_of(amount: Amount) -> Decimal:
    """An amount exactly as it is written. Raises decimal.InvalidOperation."""
    return Decimal(str(amount))


def _refuse_secrets(wishes: Wishes) -> None:
    for name, channel in wishes.channels.items():
        for secret in channel.secrets:
            if not REFERENCE.fullmatch(secret):
                raise ValueError(f"channels.{name}.secrets: write ${{NAME}}, and put the secret into that variable")


def _filled(node: Any, environ: Mapping[str, str]) -> Any:
    match node:
        case str():
            return REFERENCE.sub(lambda found: _value(found[1], environ), node)
        case list():
            return [_filled(each, environ) for each in cast("list[Any]", node)]
        case dict():
            return {key: _filled(value, environ) for key, value in cast("dict[Any, Any]", node).items()}
        case _:
            return node


def _value(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise ValueError(f"the environment variable {name} is not set, or empty")
    return environ[name]
