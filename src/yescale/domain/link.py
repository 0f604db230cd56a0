"""The link seam: the messages between a worker and control, over one ordered Unix-socket connection per worker.

A frame is a 4-byte big-endian length and a msgpack map with a `type` tag. Every message about money states totals,
never differences: sent twice, late or lost, it does no harm. Unknown fields are ignored; fields are only added.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from yescale.domain.ids import AccountId, ChannelId, Incarnation, KeyId, LimitId, PurseId
from yescale.domain.limits import NO_LIMITS, Limits
from yescale.domain.memory import OpenMemory
from yescale.domain.money import Nano
from yescale.domain.snapshot import Snapshot
from yescale.domain.tags import NO_TAGS, Tags

LINK_FORMAT: Final = 1
AUTO: Final = "auto"  # the group of a key that is served by the first of several
MAX_FRAME: Final = 64 * 1024 * 1024
INCARNATION_CLOSED: Final = "incarnation_closed"  # refusal of a life that control has closed: drain and exit
PERIOD_OVER: Final = "period_over"  # refusal of a budget's purse whose time is over: ask for the current one
NO_LIMIT: Final = LimitId(0)


class KeyRecord(Struct, frozen=True, kw_only=True):
    """What a worker must know of an API key. Numbers of `status` are the contract's (section 5.4)."""

    id: KeyId
    name: str
    account: AccountId
    username: str
    group: str
    status: int  # 1 enabled, 2 disabled, 3 expired, 4 exhausted
    account_status: int  # 1 enabled, 2 disabled
    role: int  # 1 common, 10 admin, 100 root
    expires_at: int  # unix seconds, -1 never
    models: tuple[str, ...] | None  # None = any
    allow_ips: tuple[str, ...]  # addresses or networks; () = any
    account_purse: PurseId
    key_purse: PurseId  # charged always; limits only where `limited`
    limited: bool
    limits: Limits = NO_LIMITS  # the account's and its own
    groups: tuple[str, ...] = ()  # of a key whose group is `auto`: the first that can serve a call is charged
    operations: tuple[str, ...] | None = None  # None = any
    max_output: int = 0  # tokens of calls that declare no limit; 0 = as many as the model's
    tags: Tags = NO_TAGS  # of every call of it


class Want(Struct, frozen=True, kw_only=True):
    """One purse of a draw, in totals of this life: I was granted `have`; raise me to `least`, better to `want`.

    A budget's purse is named by its limit as well; `purse` 0 is then the one of the current period.
    """

    purse: PurseId
    have: Nano
    least: Nano
    want: Nano
    limit: LimitId = NO_LIMIT


class Granted(Struct, frozen=True, kw_only=True):
    """The new total of a lease. `valid_s`: how long a dated purse may still be spent, None = for ever."""

    purse: PurseId
    total: Nano
    valid_s: float | None = None
    limit: LimitId = NO_LIMIT


class Refused(Struct, frozen=True, kw_only=True):
    """Why a draw was refused, and by which purse. `available` = balance - held."""

    purse: PurseId
    # A code of domain.faults: insufficient_balance, key_exhausted, budget_exceeded, temporarily_unavailable;
    # rate_limit_exceeded; INCARNATION_CLOSED; PERIOD_OVER; or invalid_api_key for a purse that is closed or unknown.
    code: str
    balance: Nano = 0
    held: Nano = 0
    limit: LimitId = NO_LIMIT  # that refused
    valid_s: float | None = None  # until its window ends, or it has filled up again


# --- worker to control


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """The first message of a worker. Control answers Welcome and Publish."""

    incarnation: Incarnation
    slot: int
    pid: int
    program: str
    format: int = LINK_FORMAT


class AskKey(Struct, frozen=True, kw_only=True, tag="ask_key"):
    """Which key has this keyed hash?"""

    hash: bytes


class Draw(Struct, frozen=True, kw_only=True, tag="draw"):
    """Raise these leases, all or none. `id` comes back in Drawn."""

    id: int
    wants: tuple[Want, ...]


class Recalled(Struct, frozen=True, kw_only=True, tag="recalled"):
    """The idle money of these purses is given back: the journal holds the lines up to number `n`."""

    id: int
    n: int


class Ask(Struct, frozen=True, kw_only=True, gc=False):
    """What a worker needs of one limit, and would like. Of concurrency: how many calls it would then carry."""

    limit: LimitId
    amount: int  # the limit, as the worker knows it
    need: int
    want: int
    at_once: bool = False  # concurrency


class Take(Struct, frozen=True, kw_only=True, tag="take"):
    """Take from these limits, from all or none. `id` comes back in Taken."""

    id: int
    asks: tuple[Ask, ...]


class Give(Struct, frozen=True, kw_only=True, tag="give"):
    """What was taken and is not needed (below zero: what was used beyond it), and how many calls are carried now."""

    unused: tuple[tuple[LimitId, int], ...] = ()
    at_once: tuple[tuple[LimitId, int], ...] = ()


class Rested(Struct, frozen=True, kw_only=True, tag="rested"):
    """A channel's secret was refused by its provider (401, 402, 403): the operator is told."""

    channel: int
    secret: int  # its index
    status: int
    fingerprint: str = ""


class SecretFelt(Struct, frozen=True):
    """What a worker knows of a channel's secret that rests. `status`: what refused it; 0 = it was asked to wait."""

    fingerprint: str
    status: int
    rest_s: float  # from now on
    since_s: float  # ago: since when it was refused without an answer in between


class ChannelFelt(Struct, frozen=True, kw_only=True):
    """What a worker knows of a channel."""

    channel: ChannelId
    rest_s: float = 0.0  # from now on; 0 = calls go there
    failures: int = 0  # one after the other
    load: int = 0  # calls under way
    secrets: tuple[SecretFelt, ...] = ()
    speeds: Mapping[str, float] = field(default_factory=dict[str, float])  # seconds to the first byte, by its models


class Felt(Struct, frozen=True, kw_only=True, tag="felt"):
    """All that a worker knows of its channels now: it takes the place of what it said before."""

    channels: tuple[ChannelFelt, ...]


class Unpriced(Struct, frozen=True, kw_only=True, tag="unpriced"):
    """A call was refused since this model has no price: the operator is told."""

    model: str


class AskAdmin(Struct, frozen=True, kw_only=True, tag="ask_admin"):
    """An operation of `yescale admin`, on the same socket but never from a worker."""

    id: int
    operation: str
    arguments: Mapping[str, Any]


# --- control to worker


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome"):
    """The worker may start. `key_pepper` is the purpose key under which API keys are hashed (HMAC-SHA-256)."""

    node: str
    key_pepper: bytes
    format: int = LINK_FORMAT


class Publish(Struct, frozen=True, kw_only=True, tag="publish"):
    """A new snapshot, whole."""

    snapshot: Snapshot


class KeyAnswer(Struct, frozen=True, kw_only=True, tag="key"):
    """The key of a hash, or None where there is none. `unavailable`: the database is away, ask again."""

    hash: bytes
    key: KeyRecord | None
    unavailable: bool = False


class Drawn(Struct, frozen=True, kw_only=True, tag="drawn"):
    """The answer to a Draw: the new totals, or who refused."""

    id: int
    granted: tuple[Granted, ...] = ()
    refused: Refused | None = None


class Given(Struct, frozen=True, kw_only=True, gc=False):
    """What was taken of one limit, and what is left of it on this node."""

    limit: LimitId
    amount: int
    left: int


class Taken(Struct, frozen=True, kw_only=True, tag="taken"):
    """The answer to a Take: all of it, or the limit that refused and in how many seconds it might not."""

    id: int
    given: tuple[Given, ...] = ()
    refused: LimitId = NO_LIMIT
    left: int = 0  # of the limit that refused
    after_s: float = 0.0


class Peers(Struct, frozen=True, kw_only=True, tag="peers"):
    """Among how many a limit is shared out while nobody can be asked: workers of this node, and nodes."""

    workers: int
    nodes: int


class Recall(Struct, frozen=True, kw_only=True, tag="recall"):
    """Give back what is idle of these purses (a `back` line in the journal), then answer Recalled."""

    id: int
    purses: tuple[PurseId, ...]


class Changed(Struct, frozen=True, kw_only=True, tag="changed"):
    """These keys (by hash), or all keys of these accounts, changed or are gone: forget them.

    Purses in `closed` give all back.
    """

    hashes: tuple[bytes, ...] = ()
    accounts: tuple[AccountId, ...] = ()
    closed: tuple[PurseId, ...] = ()


class Alive(Struct, frozen=True, kw_only=True, tag="alive"):
    """This node's heartbeat reached the database."""


class AnswerAdmin(Struct, frozen=True, kw_only=True, tag="answer_admin"):
    """The result of an operation, or the one sentence why not."""

    id: int
    result: Any = None
    error: str | None = None


# The first message of a connection may be another seam's: then all that follow are.
FromWorker = Hello | AskKey | Draw | Recalled | Take | Give | Rested | Felt | Unpriced | AskAdmin | OpenMemory
FromControl = Welcome | Publish | KeyAnswer | Drawn | Taken | Peers | Recall | Changed | Alive | AnswerAdmin
