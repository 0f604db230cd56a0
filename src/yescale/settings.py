"""Settings: frozen values with defaults; the only reader of the environment.

Every field can be set as `YESCALE_<SECTION>_<FIELD>` (the section `main` has no name of its own: `YESCALE_PORT`), or in
`<home>/settings.yaml`; the command line wins over the environment, the environment over the file.
"""

from pathlib import Path

from msgspec import Struct

from yescale.wire.client import ClientLimits, Deadlines
from yescale.wire.server import Limits


class JournalSettings(Struct, frozen=True, kw_only=True):
    """Limits of the journal files."""

    file_bytes: int = 64 * 1024 * 1024  # a file goes on in the next one past this
    free_floor_bytes: int = 1024 * 1024 * 1024  # no call is admitted below this much free disk
    unsettled_bytes: int = 10 * 1024 * 1024 * 1024  # nor above this much unsettled journal
    keep_days: int = 7  # settled files are kept, to mend a restored database
    open_delay_s: float = 0.1  # a call stands in the journal this long after it went upstream, at latest
    refusals_per_s: int = 10  # refusal lines per key and second; the rest are counted


class MoneySettings(Struct, frozen=True, kw_only=True):
    """Reservations and leases."""

    least_output_tokens: int = 1_024  # reserved at least, where the client declared no limit
    ahead_s: float = 2.0  # of a worker's spending, drawn ahead
    idle_return_s: float = 5.0
    recall_s: float = 1.0  # how long a refusal waits for money that others hold
    refusal_s: float = 1.0  # a worker repeats a refusal by itself this long
    stale_for_s: float = 600.0  # known keys go on while control is away
    alive_for_s: float = 600.0  # a worker without a heartbeat of its node admits nothing
    lost_node_s: float = 900.0


class RelaySettings(Struct, frozen=True, kw_only=True):
    """How a call is carried to a provider and back."""

    max_body_bytes: int = 32 * 1024 * 1024
    max_answer_bytes: int = 64 * 1024 * 1024  # a whole (not streamed) answer
    max_event_bytes: int = 8 * 1024 * 1024  # one event of a stream
    max_attempts: int = 4
    total_s: float = 3_600.0  # of a call, over all attempts
    keepalive_s: float = 15.0  # an SSE comment after this much silence
    breaker_failures: int = 5  # consecutive failures that rest a channel
    breaker_rest_s: float = 10.0  # doubled with each further failure, with jitter
    breaker_rest_max_s: float = 300.0
    secret_rest_s: float = 60.0  # after an upstream 401, 402 or 403
    deadlines: Deadlines = Deadlines()
    connections: ClientLimits = ClientLimits()


class ServerSettings(Struct, frozen=True, kw_only=True):
    """What a listener bears."""

    limits: Limits = Limits()
    drain_timeout_s: float = 600.0  # SIGTERM: calls in flight may go on this long
    files: int = 65_536  # file descriptors asked for


class ControlSettings(Struct, frozen=True, kw_only=True):
    """The control process."""

    settle_s: float = 0.05
    settle_lines: int = 500
    sync_s: float = 1.0  # fdatasync of the journals
    poll_s: float = 1.0  # the change feed
    heartbeat_s: float = 5.0
    trial_nano: int = 1_000_000_000  # credit of a new account: $1


class Settings(Struct, frozen=True, kw_only=True):
    """One installation."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 0  # 0 = one per core
    database: str = ""  # "" = SQLite in the home
    sandbox: bool = False
    sandbox_port: int = 0  # 0 = any free
    master_secret: str = ""  # "" = the home's own; needed in a cluster
    cert_file: str = ""
    key_file: str = ""
    journal: JournalSettings = JournalSettings()
    money: MoneySettings = MoneySettings()
    relay: RelaySettings = RelaySettings()
    server: ServerSettings = ServerSettings()
    control: ControlSettings = ControlSettings()
    log_level: str = "info"

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database or f"sqlite+aiosqlite:///{self.home / 'yescale.db'}"

    @property
    def journals(self) -> Path:
        """The folder of the workers' journals."""
        return self.home / "journals"

    @property
    def run(self) -> Path:
        """The folder (mode 0700) of the two sockets."""
        return self.home / "run"

    @property
    def public_socket(self) -> Path:
        """HTTP: what the port's clients may reach of control."""
        return self.run / "public.sock"

    @property
    def internal_socket(self) -> Path:
        """The link: workers and `yescale admin`, never HTTP."""
        return self.run / "internal.sock"
