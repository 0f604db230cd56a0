"""The snapshot seam: what a worker must know to admit, route and price a call, as one immutable value.

Control pushes a whole new snapshot on every change; keys are not in it, they are asked for over the link.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct, field

from yescale.domain.ids import ChannelId, ModelName, ProviderId
from yescale.domain.limits import NO_LIMITS, Limits
from yescale.domain.money import NANO_PER_USD, Nano, Ratio
from yescale.domain.price import PriceRule

SNAPSHOT_FORMAT: Final = 1

NO_MODEL: Final = ModelName("")
GOING: Final = 1  # a model's deprecation: it will go
GONE: Final = 2  # it answers no more


class Group(Struct, frozen=True, kw_only=True):
    """Which users see which channels, at which multiplier. `ratio_id` names the immutable ratio row."""

    name: str
    ratio: Ratio
    ratio_id: int


class Model(Struct, frozen=True, kw_only=True):
    """A catalogue entry as calls need it. A name that ends in `*` lets every suffix through (sandbox only)."""

    name: ModelName
    priced_as: ModelName  # whose price rows apply; the name itself but for wildcards and aliases
    owner: str  # "openai": `owned_by` in the model list
    created: int  # unix seconds
    context_window: int  # tokens; 0 = not stated
    max_output: int  # tokens; 0 = not stated
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    operations: tuple[str, ...] = ("chat",)
    deprecation: int = 0  # GOING, GONE
    alternative: str = ""  # what the operator names instead of it
    alias_of: ModelName = NO_MODEL  # another name of that model, which says everything else
    fallbacks: tuple[ModelName, ...] = ()  # what is tried, in order, where no channel of it can answer


class Overrides(Struct, frozen=True, kw_only=True):
    """What a channel changes in the fields of a body on its way up: top-level names, and values of JSON."""

    set: Mapping[str, Any] = field(default_factory=dict[str, Any])
    default: Mapping[str, Any] = field(default_factory=dict[str, Any])  # where the body does not say it
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.default or self.remove)


NO_OVERRIDES: Final = Overrides()


class Channel(Struct, frozen=True, kw_only=True):
    """Our account at a provider. `models` maps our name to the provider's; a `*` in both carries the suffix over."""

    id: ChannelId
    name: str
    provider: ProviderId
    base_url: str
    secrets: tuple[str, ...]
    models: Mapping[ModelName, str]
    groups: tuple[str, ...]
    priority: int = 0  # higher first
    weight: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # in place of the gateway's; "" takes one away
    drain_s: float = 30.0  # how long to read on for the usage after a client left
    drain_cost: Nano = NANO_PER_USD // 20  # and how much of further output that may cost
    body: Overrides | None = None
    proxy: str = ""  # http://user:password@host:port, through which it is reached
    max_attempts: int = 0  # times that one call may try it; 0 = as often as the setting lets it
    total_s: float = 0.0  # of one attempt; 0 = as long as the setting lets it
    bills_failures: bool = False  # its provider charges for what it reports of an attempt that failed

    def __repr__(self) -> str:  # secrets must not reach a log through a representation
        return f"Channel(id={self.id}, name={self.name!r}, provider={self.provider!r})"


def fingerprint(secret: str) -> str:
    """What a secret is called where it must not be told."""
    return sha256(secret.encode()).hexdigest()[:12]


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything of one instant. Prices of superseded rows are absent; settled calls name theirs by id."""

    version: int
    format: int = SNAPSHOT_FORMAT
    groups: tuple[Group, ...] = ()
    models: tuple[Model, ...] = ()
    channels: tuple[Channel, ...] = ()  # enabled ones only
    prices: tuple[PriceRule, ...] = ()
    insufficient_funds_status: int = 402
    minimum_balance: Nano = 0  # below it no call is admitted
    limits: Limits = NO_LIMITS  # of groups, models and channels; those of accounts and keys come with the key
