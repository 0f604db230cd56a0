"""Who may call what: credentials, the key's checks in the contract's order, the worst case that money must cover."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.addresses import Networks, read_address
from yescale.domain.faults import Fault
from yescale.domain.ids import ChannelId
from yescale.domain.limits import Limits
from yescale.domain.link import KeyRecord, Refused
from yescale.domain.money import NANO_PER_USD, Nano, quota_balance, quota_of
from yescale.domain.names import Names
from yescale.domain.snapshot import GONE, Model
from yescale.domain.tags import NO_TAGS, Tags
from yescale.gateway.demand import Demand
from yescale.gateway.surfaces import Surface
from yescale.pricing.ceiling import Ask, Ceiling
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.passthrough import Peek
from yescale.routing.table import Offer, Table, Tier
from yescale.wire.server import Exchange

UNSTATED_CONTEXT: Final = 1_048_576  # tokens; where the catalogue states no context window
LEAST_THINKING: Final = 1_280  # output tokens that a model gets that is asked to think
NO_CEILING: Final = Ceiling(0, 0, 0, 0, 1)
_ADMIN: Final = 10
_USUAL: Final = b"Bearer sk-"
_USUAL_PLACES: Final = (b"authorization",)
_LONGEST_KEY: Final = 128
_KNOWN_LISTS: Final = 1_024  # of addresses and of models, read once
_LONGEST_CHANNEL: Final = 9  # digits
_ENABLED: Final = 1
_EXPIRED: Final = 3
_EXHAUSTED: Final = 4

CHANNEL_NOT_ALLOWED: Final = Fault(
    status=403,
    type="permission_error",
    code="channel_not_allowed",
    message="Only administrators may name a channel behind their API key.",
    blame="caller",
)
_REFUSALS: Final = {
    fault.code: fault
    for fault in (
        faults.INSUFFICIENT_BALANCE,
        faults.KEY_EXHAUSTED,
        faults.BUDGET_EXCEEDED,
        faults.INVALID_KEY,
        faults.KEY_DISABLED,
        faults.KEY_EXPIRED,
        faults.ACCOUNT_DISABLED,
    )
}


class Credentials(Struct, frozen=True, gc=False):
    """An API key as it is looked up, without `sk-`; `channel` is an administrator's suffix."""

    key: bytes
    channel: ChannelId | None = None


class Order(Struct, frozen=True, kw_only=True):
    """An allowed call: what was asked, what is offered for it, what it may cost.

    `stick`: the number of the conversation, which goes where it went before; 0 = anywhere.
    """

    peek: Peek
    offer: Offer
    ceiling: Ceiling
    table: Table
    operation: str = ""  # what the provider is to do
    words: PathWords = NO_WORDS
    free: bool = False  # it costs nothing, whatever it uses
    tags: Tags = NO_TAGS  # the key's own, and those of the head; the body's are in `peek`
    most_output: int = 0  # tokens that the key gives a call that declares no limit; 0 = as many as the model's
    stick: int = 0
    rest: tuple["Order", ...] = ()  # what is tried where no channel of this can answer: other models


def find_credentials(exchange: Exchange, surface: Surface) -> Credentials | Fault:
    """The API key of a request, where its surface lets it stand."""
    if surface.key_headers == _USUAL_PLACES and not surface.key_query:
        value = exchange.fields.get(b"authorization")  # which the wire lets come once
        found = None if value is None else _read_key(value)
        if found is not None and found.key:
            return found
    said = _said(exchange, surface) if surface.key_query or surface.key_protocol else exchange.headers
    return read_credentials(said, surface.key_headers)


def read_credentials(headers: Iterable[tuple[bytes, bytes]], places: tuple[bytes, ...]) -> Credentials | Fault:
    """The API key of a request: `Bearer sk-...`, bare `sk-...` or without `sk-`, in the headers that may hold it."""
    found: Credentials | None = None
    for name, value in headers:
        if name not in places:
            continue
        credentials = _read_key(value)
        if credentials is None:
            return faults.INVALID_KEY
        if credentials.key and found is not None and credentials != found:
            return faults.TWO_KEYS
        found = credentials if credentials.key else found
    return faults.MISSING_KEY if found is None else found


def _said(exchange: Exchange, surface: Surface) -> Iterable[tuple[bytes, bytes]]:
    """The headers, and as if they were some the query's parameter and the subprotocols that may hold a key."""
    for name, value in exchange.headers:
        if surface.key_protocol and name == b"sec-websocket-protocol":
            yield from ((name, key) for key in _keys_among(value, surface.key_protocol))
        else:
            yield name, value
    if not surface.key_query:
        return
    for part in exchange.query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == surface.key_query:
            yield surface.key_headers[0], unquote_to_bytes(value)


def _keys_among(protocols: bytes, prefix: bytes) -> Iterable[bytes]:
    names = (name.strip() for name in protocols.split(b","))
    return (name.removeprefix(prefix) for name in names if name.startswith(prefix))


def _read_key(value: bytes) -> Credentials | None:
    """None = no API key has this shape. An empty key = the header is there but empty."""
    if value.startswith(_USUAL):
        key = value[len(_USUAL) :]
        if key.isalnum() and len(key) <= _LONGEST_KEY:
            return Credentials(key)
    key = value.strip()
    if key[:6].lower() == b"bearer" and (len(key) == len(b"bearer") or key[6:7] in (b" ", b"\t")):
        key = key[6:].strip()
    key, dash, suffix = key.removeprefix(b"sk-").partition(b"-")
    if dash and not (suffix.isdigit() and len(suffix) <= _LONGEST_CHANNEL):
        return None
    if key and not (key.isalnum() and len(key) <= _LONGEST_KEY):
        return None
    return Credentials(key, ChannelId(int(suffix)) if suffix else None)


def check_key(key: KeyRecord, credentials: Credentials, ip: str, now_s: float) -> Fault | None:
    """Why this key may not call anything right now, or None."""
    if key.status == _EXHAUSTED:
        return faults.KEY_EXHAUSTED
    if key.status == _EXPIRED or 0 <= key.expires_at <= now_s:
        return faults.KEY_EXPIRED
    if key.status != _ENABLED:
        return faults.KEY_DISABLED
    if key.account_status != _ENABLED:
        return faults.ACCOUNT_DISABLED
    if key.allow_ips and not _allows(key.allow_ips, ip):
        return faults.IP_NOT_ALLOWED
    if credentials.channel is not None and key.role < _ADMIN:
        return CHANNEL_NOT_ALLOWED
    return None


def may_use(key: KeyRecord, name: str) -> bool:
    """Whether the key's list of models, if it has one, holds this name."""
    return key.models is None or _names(key.models).hold(name)


def is_admin(key: KeyRecord) -> bool:
    """Whether the key's account may see channels."""
    return key.role >= _ADMIN


def _allows(networks: tuple[str, ...], ip: str) -> bool:
    return ip in networks or _networks(networks).hold(read_address(ip))


@lru_cache(maxsize=_KNOWN_LISTS)
def _names(listed: tuple[str, ...]) -> Names:
    return Names(listed)


@lru_cache(maxsize=_KNOWN_LISTS)
def _networks(texts: tuple[str, ...]) -> Networks:
    return Networks(texts)


def judge(
    peek: Peek, key: KeyRecord, table: Table, surface: Surface, least_output: int, words: PathWords = NO_WORDS
) -> Order | Fault:
    """What an asked-for call is allowed to be, or why not: model, key's list, group, price, in this order."""
    operation = surface.operation
    if key.operations is not None and not _does(key.operations, surface):
        return faults.OPERATION_NOT_ALLOWED.saying(
            f"This API key may not be used for '{operation}'; it may for: {', '.join(key.operations)}."
        )
    offer = table.offer(key.group, peek.model, operation, surface.format.id)
    if offer is None or (key.models is not None and not may_use(key, peek.model)):
        return _not_allowed(peek, key, table)
    model = offer.model
    if model.deprecation == GONE:
        return _gone(model)
    if (surface.needs or operation) not in model.operations:
        if surface.instead not in model.operations:
            return _cannot(peek, operation, model)
        operation = surface.instead
        offer = table.offer(key.group, peek.model, operation, surface.format.id) or offer
    if offer.tariff is None:
        return faults.MODEL_NOT_PRICED
    prompt_tokens = min(peek.prompt_tokens, model.context_window or UNSTATED_CONTEXT)
    declared = peek.declared
    if declared is not None and declared < LEAST_THINKING and _thinks(offer):
        declared = LEAST_THINKING
    ask = Ask(prompt_tokens, declared, peek.n, peek.outputs)
    tariff, most_output = offer.tariff, 0
    if key.max_output and declared is None and peek.outputs and not surface.whole:
        most_output = min(tariff.max_output, max(key.max_output, LEAST_THINKING if _thinks(offer) else 1))
        tariff = replace(tariff, max_output=most_output)
    least_output = tariff.max_output if surface.whole else least_output
    ceiling = NO_CEILING if surface.free else tariff.bound(ask, least_output)
    return Order(
        peek=peek,
        offer=offer,
        ceiling=ceiling,
        table=table,
        operation=operation,
        words=words,
        free=surface.free,
        tags=key.tags,
        most_output=most_output,
    )


def _does(operations: tuple[str, ...], surface: Surface) -> bool:
    """Whether a key that is for these may use a surface; what stands in for another counts as that."""
    return any(name in operations for name in (surface.operation, surface.needs, surface.instead))


def output_limit(order: Order, granted: Nano) -> int | None:
    """The output limit that must go upstream with a call: what the grant pays for, where that is less than the most, or
    the key's own; None where the client declared one, or no limit is needed.
    """
    ceiling = order.ceiling
    if order.peek.declared is not None or (granted >= ceiling.most and not order.most_output):
        return None
    paid = max(1, ceiling.output_tokens(granted))
    return min(paid, order.most_output) if order.most_output else paid


def add_tags(known: Tags, more: Tags) -> Tags:
    """All of them; what is known already stands."""
    names = {name for name, _ in known}
    return known + tuple((name, value) for name, value in more if name not in names)


def tags_of(order: Order) -> Tags:
    """The key's and the head's, then those of the body."""
    return add_tags(order.tags, order.peek.tags)


def _cannot(peek: Peek, operation: str, model: Model) -> Fault:
    return faults.MALFORMED.saying(
        f"The model '{peek.model}' does not do '{operation}'; it does: {', '.join(model.operations)}.", param="model"
    )


def _gone(model: Model) -> Fault:
    instead = f"use '{model.alternative}' instead" if model.alternative else "GET /v1/models lists those that do"
    message = f"The model '{model.name}' answers no more; {instead}."
    return faults.MODEL_DEPRECATED.saying(message, param="model")


def _thinks(offer: Offer) -> bool:
    """Whether the model was asked to think by its name, for which its output limit is raised."""
    return bool(offer.tiers) and offer.tiers[0].candidates[0].thinking


def pin(order: Order, channel: ChannelId) -> Order:
    """The same call, on one channel only: what an administrator's suffix asks for."""
    found = (c for tier in order.offer.tiers for c in tier.candidates if c.channel.id == channel)
    tiers = tuple(Tier((candidate,), (1,)) for candidate in found)
    return replace(order, offer=replace(order.offer, tiers=tiers), rest=())


def visible_models(key: KeyRecord, table: Table) -> list[str]:
    """The names that a key may use, sorted."""
    names = table.names(key.group)
    if key.groups:
        names = sorted({name for group in key.groups for name in table.names(group)})
    return [name for name in names if may_use(key, name)]


def not_found(name: str, key: KeyRecord, table: Table) -> Fault:
    """Nobody serves that name; up to three close ones that the key may use."""
    close = table.close_names(name, visible_models(key, table))
    hint = f" Did you mean {' or '.join(repr(other) for other in close)}?" if close else ""
    return faults.MODEL_NOT_FOUND.saying(f"The model '{name[:100]}' does not exist.{hint}", param="model")


def _not_allowed(peek: Peek, key: KeyRecord, table: Table) -> Fault:
    """There is no such model; or the key's list does not name it; or no channel of the key's group serves it, while
    another group's may; or there is none at all right now.
    """
    if table.model(peek.model) is None:
        return not_found(peek.model, key, table)
    if not may_use(key, peek.model):
        return faults.MODEL_NOT_ALLOWED.saying(f"This API key may not use the model '{peek.model}'.", param="model")
    if table.group(key.group) is None:
        return faults.MODEL_NOT_ALLOWED.saying(f"The group '{key.group}' of this API key does not exist any more.")
    elsewhere = any(table.tiers(group.name, peek.model) for group in table.snapshot.groups)
    if not elsewhere:
        model = table.model(peek.model)
        return _gone(model) if model is not None and model.deprecation == GONE else faults.NO_CHANNEL
    return faults.MODEL_NOT_ALLOWED.saying(
        f"The model '{peek.model}' is not open to the group '{key.group}' of this API key.", param="model"
    )


def demand_of(order: Order, limits: tuple[Limits, ...], least_output: int) -> Demand:
    """What an allowed call takes of its limits: its worst case in money, and in tokens."""
    peek, offer, ceiling = order.peek, order.offer, order.ceiling
    floor = order.table.snapshot.minimum_balance
    least, most = max(floor, ceiling.least), max(floor, ceiling.most)
    if order.free or offer.tariff is None:
        return Demand(least, most, limits)
    prompt = min(peek.prompt_tokens, offer.model.context_window or UNSTATED_CONTEXT)
    lower = upper = 0
    if peek.outputs and peek.declared is not None:
        lower = upper = max(peek.declared, LEAST_THINKING) if _thinks(offer) else peek.declared
    elif peek.outputs:
        upper = order.most_output or offer.tariff.max_output
        lower = min(least_output, upper)
    return Demand(least, most, limits, prompt + lower * peek.n, prompt + upper * peek.n, prompt, peek.n)


def explain_refusal(refused: Refused, least: Nano, status: int) -> Fault:
    """Why money did not cover a call. `status` is what the installation answers to an empty account."""
    fault = _REFUSALS.get(refused.code)
    if fault is None:
        return faults.UNAVAILABLE
    if fault is not faults.INSUFFICIENT_BALANCE:
        return fault
    available = refused.balance - refused.held
    said = fault.saying(
        f"The account's balance does not cover this call: it may cost up to {_dollars(least)}, "
        f"{_dollars(max(0, available))} is available; top up, or lower max_tokens.",
        available_quota=quota_balance(available),
        min_required_quota=quota_of(least),
        min_required_credit=_dollars(least),
        held=quota_of(refused.held),
    )
    return said if status == said.status else _with_status(said, status)


def _with_status(fault: Fault, status: int) -> Fault:
    return Fault(
        status=status,
        type=fault.type,
        code=fault.code,
        message=fault.message,
        blame=fault.blame,
        details=fault.details,
    )


def _dollars(amount: Nano) -> str:
    """Dollars with six decimals, rounded up: `$0.010000`."""
    micro = -(-amount * 1_000_000 // NANO_PER_USD)
    return f"${micro // 1_000_000}.{micro % 1_000_000:06d}"
