"""What may be amiss in the fields of a channel: a sentence each, "" where nothing is."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from yescale.control.accounts import is_account
from yescale.control.catalogue import parse_usd
from yescale.domain.snapshot import Overrides
from yescale.providers.registry import PROVIDERS
from yescale.wire.proxy import Proxy

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_QUERY: Final = re.compile(r"[\w.-]+=[\w.-]+(?:&[\w.-]+=[\w.-]+)*", re.ASCII)  # as Azure's api-version
_MOST_WEIGHT: Final = 1_000_000
_MOST_ATTEMPTS: Final = 100
_LONGEST_S: Final = 86_400
_MOST_FIELDS: Final = 64
_MOST_BODY: Final = 16 * 1024  # bytes
_OURS: Final = frozenset(  # price, route and tap depend on them
    {
        "model", "stream", "stream_options", "messages", "contents", "input", "n", "max_tokens",
        "max_completion_tokens", "max_output_tokens", "generationConfig", "inferenceConfig",
    }
)  # fmt: skip


def _amiss_in_name(name: str) -> str:
    return "" if name.strip() and "\x00" not in name else "A channel needs a name."


def _amiss_in_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return f"{url!r} is not a URL."
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_fits:
        return f"{url!r} is not a URL of the form https://host/path."
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "A base URL holds no user, password or fragment; secrets have a field of their own."
    if parts.query and not _QUERY.fullmatch(parts.query):
        return "The query of a base URL is of the form name=value; secrets have a field of their own."
    if any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in url):
        return "A base URL holds no spaces and no characters beyond ASCII."
    return ""


def _amiss_in_secrets(secrets: tuple[str, ...]) -> str:
    fit = secrets and all(secret and (_VALUE.fullmatch(secret) or is_account(secret)) for secret in secrets)
    return "" if fit else "A channel needs at least one secret, of printable ASCII characters or a service account."


def _amiss_in_models(models: Mapping[str, str]) -> str:
    if not models:
        return "A channel needs at least one model."
    for name, upstream in models.items():
        if not name or not upstream or "\x00" in name + upstream:
            return "A model's name is empty."
        if "*" in name.removesuffix("*") or upstream.count("*") > 1:
            return f"{name!r}: one * at the end stands for any ending."
        if "*" in upstream and not name.endswith("*"):
            return f"{upstream!r} carries an ending over, so {name!r} must end in *."
    return ""


def _amiss_in_headers(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"{name!r} is not a header that can be sent."
        if name.lower() in {"host", "content-length", "transfer-encoding", "connection", "authorization"}:
            return f"The header {name!r} is the gateway's own."
    return ""


def _amiss_in_weight(weight: int) -> str:
    return "" if 1 <= weight <= _MOST_WEIGHT else f"A weight lies between 1 and {_MOST_WEIGHT}."


def _amiss_in_priority(priority: int) -> str:
    return "" if abs(priority) <= _MOST_WEIGHT else f"A priority lies between -{_MOST_WEIGHT} and {_MOST_WEIGHT}."


def _amiss_in_drain(seconds: float) -> str:
    return "" if 0 <= seconds <= 3_600 else "drain_s lies between 0 and 3600 seconds."


def _amiss_in_drain_cost(usd: str) -> str:
    try:
        parse_usd(usd)
    except ValueError as error:
        return f"drain_cost: {error}."
    return ""


def _amiss_in_provider(provider: str) -> str:
    known = ", ".join(PROVIDERS)
    return "" if provider in PROVIDERS else f"There is no provider {provider[:40]!r}; this version knows: {known}."


def _amiss_in_body(body: Overrides) -> str:
    names = [*body.set, *body.default, *body.remove]
    if len(names) != len(set(names)):
        return "A field of a body is set, given a default or removed: one of them."
    if len(names) > _MOST_FIELDS or len(msgspec.json.encode(body)) > _MOST_BODY:
        return f"A channel overrides {_MOST_FIELDS} fields at most, in {_MOST_BODY} bytes."
    ours = next((name for name in names if name in _OURS or not name), None)
    return "" if ours is None else f"The field {ours!r} is the gateway's own: prices and routes are read from it."


def _amiss_in_proxy(proxy: str) -> str:
    if not proxy:
        return ""
    try:
        Proxy.parse(proxy)
    except ValueError as error:
        return f"The proxy cannot be used: {error}."
    return ""


def _amiss_in_attempts(most: int) -> str:
    return (
        ""
        if 0 <= most <= _MOST_ATTEMPTS
        else f"max_attempts lies between 0 (no bound of its own) and {_MOST_ATTEMPTS}."
    )


def _amiss_in_total(seconds: float) -> str:
    return (
        "" if 0 <= seconds <= _LONGEST_S else f"total_s lies between 0 (no bound of its own) and {_LONGEST_S} seconds."
    )


CHECKS: Final[Mapping[str, Callable[[Any], str]]] = {
    "name": _amiss_in_name,
    "provider": _amiss_in_provider,
    "base_url": _amiss_in_url,
    "secrets": _amiss_in_secrets,
    "models": _amiss_in_models,
    "headers": _amiss_in_headers,
    "weight": _amiss_in_weight,
    "priority": _amiss_in_priority,
    "drain_s": _amiss_in_drain,
    "drain_cost": _amiss_in_drain_cost,
    "body": _amiss_in_body,
    "proxy": _amiss_in_proxy,
    "max_attempts": _amiss_in_attempts,
    "total_s": _amiss_in_total,
}
