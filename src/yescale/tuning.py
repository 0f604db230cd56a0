"""Tuning: the limits, deadlines and paces of each part, as frozen values with defaults. `settings` reads them in.

The comment behind a field is its documentation.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from yescale.wire.limits import ClientLimits, Deadlines, Limits, TunnelLimits

Count = Annotated[int, Meta(ge=0)]
Some = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Days = Annotated[float, Meta(ge=0, le=36_500)]
FrameBytes = Annotated[int, Meta(ge=1, le=2**30)]
Refusal = Annotated[int, Meta(ge=400, le=499)]  # an HTTP status


class JournalSettings(Struct, frozen=True, kw_only=True):
    """Limits of the journal files."""

    file_bytes: Some = 64 * 1024 * 1024  # a file goes on in the next one past this
    free_floor_bytes: Count = 1024 * 1024 * 1024  # no call is admitted below this much free disk
    unsettled_bytes: Some = 10 * 1024 * 1024 * 1024  # nor above this much unsettled journal
    keep_days: Count = 7  # settled files are kept, to mend a restored database
    open_delay_s: Seconds = 0.1  # a call stands in the journal this long after it went upstream, at latest
    refusals_per_s: Count = 10  # refusal lines per key and second; the rest are counted


class MoneySettings(Struct, frozen=True, kw_only=True):
    """Reservations and leases."""

    least_output_tokens: Count = 1_024  # reserved at least, where the client declared no limit
    ahead_s: Seconds = 2.0  # of a worker's spending, drawn ahead
    idle_return_s: Seconds = 5.0  # money that lay idle this long goes back to its purse
    recall_s: Seconds = 1.0  # how long a refusal waits for money that others hold
    refusal_s: Seconds = 1.0  # a worker repeats a refusal by itself this long
    restart_s: Seconds = 10.0  # calls wait for a control that is away, if its last heartbeat is no older
    stale_for_s: Seconds = 600.0  # known keys go on while control is away
    alive_for_s: Seconds = 600.0  # a worker without a heartbeat of its node admits nothing
    insufficient_funds_status: Refusal = 402  # of a call that the account cannot pay
    minimum_balance: Count = 0  # nano-dollars; below it no call is admitted
    lost_node_s: Seconds = 900.0  # the leases of a node that was not seen this long are closed


class RelaySettings(Struct, frozen=True, kw_only=True):
    """How a call is carried to a provider and back."""

    max_body_bytes: Some = 64 * 1024 * 1024  # of a request
    max_answer_bytes: Some = 64 * 1024 * 1024  # a whole (not streamed) answer
    max_event_bytes: Some = 8 * 1024 * 1024  # one event of a stream
    max_attempts: Some = 4  # channels tried for one call, of each model that may answer it
    total_s: Seconds = 3_600.0  # of a call, over all attempts
    keepalive_s: Seconds = 15.0  # an SSE comment after this much silence
    breaker_failures: Some = 5  # consecutive failures that rest a channel
    breaker_rest_s: Seconds = 10.0  # doubled with each further failure, with jitter
    breaker_rest_max_s: Seconds = 300.0  # but never longer than this
    secret_rest_s: Seconds = 60.0  # after an upstream 401, 402 or 403; doubled with each further one, with jitter
    deadlines: Deadlines = Deadlines()
    connections: ClientLimits = ClientLimits()
    tunnels: TunnelLimits = TunnelLimits()


class RoutingSettings(Struct, frozen=True, kw_only=True):
    """The choice among channels of equal priority."""

    prefer: Literal["load", "latency"] = "load"  # the one that is less busy, or the one that answers sooner
    stick: bool = True  # a conversation goes to the channel and the secret whose provider may have cached it


class ServerSettings(Struct, frozen=True, kw_only=True):
    """What a listener bears, and how processes are kept alive."""

    limits: Limits = Limits()
    trusted_proxies: str = ""  # networks, separated by commas, whose X-Forwarded-For and Forwarded are believed
    drain_timeout_s: Seconds = 600.0  # SIGTERM: calls in flight may go on this long
    drain_linger_s: Seconds = 2.0  # of these, an idle connection may still bring one more request
    files: Some = 65_536  # file descriptors asked for
    files_least: Some = 1_024  # with fewer, the server does not start
    backlog: Some = 4_096  # connections that wait in the kernel, per worker
    start_s: Seconds = 60.0  # a new process that is not ready after this long is given up
    control_stop_s: Seconds = 60.0  # control may settle this long after the last worker left
    restart_s: Seconds = 0.1  # before a dead process is started again: doubled each time, with jitter
    restart_max_s: Seconds = 10.0  # but never longer than this
    steady_s: Seconds = 10.0  # a process that lived this long begins again at `restart_s`

    @property
    def proxies(self) -> tuple[str, ...]:
        """The networks of `trusted_proxies`, one by one."""
        return tuple(part.strip() for part in self.trusted_proxies.split(",") if part.strip())


class ControlSettings(Struct, frozen=True, kw_only=True):
    """The control process."""

    settle_s: Seconds = 0.5  # how long a line of a journal waits for others to be settled with, at most
    settle_lines: Some = 1_000  # journal lines in one transaction; as many wait no longer
    sync_s: Seconds = 1.0  # fdatasync of the journals
    poll_s: Seconds = 1.0  # the change feed
    heartbeat_s: Seconds = 5.0  # of this node, written to the database
    trial_nano: Count = 1_000_000_000  # credit of a new account: $1
    guard_s: Annotated[float, Meta(gt=0)] = 5.0  # how often channels are looked after
    refused_s: Seconds = 600.0  # a channel whose every secret is refused for this long is disabled; 0 = never
    probe_s: Seconds = 300.0  # between small calls that try whether such a channel works again
    auto_groups: str = "default"  # in order, separated by commas: the groups of keys whose group is `auto`

    @property
    def groups_in_order(self) -> tuple[str, ...]:
        """The names of `auto_groups`, one by one."""
        return tuple(part.strip() for part in self.auto_groups.split(",") if part.strip())


class StatisticsSettings(Struct, frozen=True, kw_only=True):
    """The figures that the catalogue shows of models."""

    days: Annotated[int, Meta(ge=1, le=36_500)] = 7  # whose calls they are of
    every_s: Annotated[float, Meta(gt=0)] = 20.0  # how often new calls are counted; they show at the next count


class MarketSettings(Struct, frozen=True, kw_only=True):
    """What credit and dollars cost in dong, for the savings that the catalogue shows."""

    vnd_per_credit: Some = 8_000  # top-up price of one US dollar of credit
    vnd_per_usd: Some = 26_000  # the market's rate of one US dollar


class MemorySettings(Struct, frozen=True, kw_only=True):
    """Responses that are kept, to be read again and gone on from."""

    keep_days: Days = 30.0  # from the answer on; 0 = none are kept
    response_bytes: FrameBytes = 8 * 1024 * 1024  # of a response and the conversation before it; larger: not kept
    account_responses: Some = 10_000  # of one account; with more, the oldest go
    account_bytes: Some = 256 * 1024 * 1024  # of one account, as stored; with more, the oldest go
    wait_s: Seconds = 5.0  # a call waits this long for what it goes on from
    unkept_bytes: Some = 64 * 1024 * 1024  # of one worker: answers that control has not stored yet; further: not kept
    sweep_s: Annotated[float, Meta(gt=0)] = 60.0  # how often what has expired is removed
