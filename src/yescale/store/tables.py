"""Every table, in SQLAlchemy Core, the same for SQLite and PostgreSQL.

Money is BIGINT nano-dollars; `*_ms` are unix milliseconds, `*_at` unix seconds; JSON is text that the query modules
encode. Hot tables (calls, leases, entries) carry no foreign keys: their writers hold the locks that make them true.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only INTEGER keys by itself


def _id() -> Column[int]:
    return Column("id", _ID, primary_key=True)


def _words(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=text(f"'{default}'"))


def _count(name: str, default: int = 0) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


def _maybe(name: str) -> Column[int | None]:
    return Column(name, BigInteger)


# --- who


accounts: Final = Table(
    "accounts",
    metadata,
    _id(),
    Column("username", Text, nullable=False, unique=True),
    _words("display_name"),
    _words("email"),
    _words("telegram_id"),
    Column("role", SmallInteger, nullable=False, server_default=text("1")),  # 1 common, 10 admin, 100 root
    Column("status", SmallInteger, nullable=False, server_default=text("1")),  # 1 enabled, 2 disabled
    _words("group", "default"),
    Column("password_hash", Text),
    Column("access_hash", LargeBinary, unique=True),
    _words("access_masked"),
    _maybe("purse_id"),
    _count("created_ms"),
    _maybe("deleted_ms"),
)

keys: Final = Table(
    "keys",
    metadata,
    _id(),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("masked", Text, nullable=False),
    _words("name"),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    _words("group", "default"),
    Column("status", SmallInteger, nullable=False, server_default=text("1")),  # 1 on, 2 off, 3 expired, 4 exhausted
    Column("models", Text),  # JSON list; NULL = any
    _words("allow_ips"),  # one address or network per line; "" = any
    Column("purse_id", BigInteger, ForeignKey("purses.id"), nullable=False, unique=True),
    _count("created_at"),
    _count("expires_at", -1),
    _maybe("deleted_ms"),
)


# --- the bank


purses: Final = Table(
    "purses",
    metadata,
    _id(),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("scope", Text, nullable=False),  # account, key, team, budget
    _words("unit", "nano"),
    _words("period"),  # "" = for ever; otherwise the label of the window
    _maybe("until_ms"),  # the window's end, by the database's clock
    Column("limited", Boolean, nullable=False, server_default=true()),  # false = counts, never refuses
    _count("granted"),  # ever put in; granted - spent = balance - over
    _count("spent"),
    _count("balance"),
    _count("held"),  # by leases and tasks
    _count("over"),  # charged beyond the balance
    _count("calls"),
    _count("used_ms"),
    _count("strained_ms"),  # since when held may exceed the balance (overrun, restore, lowered limit); 0 = never
    Column("closed", Boolean, nullable=False, server_default=false()),
    CheckConstraint("balance >= 0", name="balance"),
    CheckConstraint("held >= 0", name="held"),
)

leases: Final = Table(
    "leases",
    metadata,
    Column("purse_id", BigInteger, primary_key=True, autoincrement=False),
    Column("incarnation", Text, primary_key=True),
    _count("granted"),
    _count("settled"),
    _count("returned"),
    Index("ix_leases_incarnation", "incarnation"),
    sqlite_with_rowid=False,  # settlement reads and writes thousands at a time by this key: one tree, not two
)

holds: Final = Table(
    "holds",
    metadata,
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("purse_id", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
)

incarnations: Final = Table(
    "incarnations",
    metadata,
    Column("id", Text, primary_key=True),
    _words("node"),
    Column("slot", Integer, nullable=False, server_default=text("0")),
    _words("program"),
    _count("opened_ms"),
    _maybe("closed_ms"),  # its leases are given back; it is refused draws
    _maybe("ended_ms"),  # its journal is read to the end and its interrupted calls are written
    Index(
        "ix_incarnations_unended",
        "node",
        sqlite_where=text("ended_ms IS NULL"),
        postgresql_where=text("ended_ms IS NULL"),
    ),
)

journals: Final = Table(
    "journals",
    metadata,
    _id(),
    Column("incarnation", Text, nullable=False),
    Column("file", Integer, nullable=False),
    _count("off"),
    _count("n"),  # of the last line settled
    _count("ends"),  # end lines settled
    _count("amount"),  # and the sum of their amounts
    _count("grown_ms"),
    UniqueConstraint("incarnation", "file"),
)

quarantine: Final = Table(
    "quarantine",
    metadata,
    _id(),
    Column("incarnation", Text, nullable=False),
    Column("file", Integer, nullable=False),
    Column("off", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    _count("amount"),  # what the line would have charged, where it could be read
    _count("at_ms"),
    _maybe("resolved_ms"),
)

entries: Final = Table(
    "entries",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),  # calls, topup, redemption, trial, adjustment, refund, task
    Column("account_id", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("source", Text),  # with outside_id: what makes a repeated request the same one
    Column("outside_id", Text),
    Column("call_id", Text),
    _words("note"),
    _maybe("actor_id"),
    UniqueConstraint("source", "outside_id"),
    Index("ix_entries_account_id_at_ms", "account_id", "at_ms"),
)

postings: Final = Table(
    "postings",
    metadata,
    _id(),
    Column("entry_id", BigInteger, nullable=False, index=True),
    Column("book", Text, nullable=False),  # account, revenue, shortfall, topup, redemption, trial, adjustment
    Column("account_id", BigInteger, index=True),  # whose, in the book `account`
    Column("amount", BigInteger, nullable=False),
)


# --- what happened


calls: Final = Table(
    "calls",
    metadata,
    _id(),
    Column("call_id", Text, nullable=False, index=True),
    Column("type", SmallInteger, nullable=False),  # 2 consumed, 5 failed
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("account_id", BigInteger, nullable=False),
    Column("username", Text, nullable=False),
    Column("key_id", BigInteger, nullable=False),
    Column("key_name", Text, nullable=False),
    Column("group", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("paid", BigInteger, nullable=False),
    _count("refunded"),
    Column("entry_id", BigInteger),
    Column("journal_id", BigInteger),  # of control's own calls (tasks): none
    Column("first_ms", BigInteger, nullable=False),
    Column("total_ms", BigInteger, nullable=False),
    Column("ip", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON: usage, quote lines, attempts ...
    CheckConstraint("refunded <= paid", name="refunded"),
    Index("ix_calls_account_id_at_ms", "account_id", "at_ms"),
)

call_tags: Final = Table(
    "call_tags",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("call_id", Text, nullable=False),
    Index("ix_call_tags_name_value_account_id", "name", "value", "account_id"),
)

logs: Final = Table(
    "logs",
    metadata,
    _id(),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("type", SmallInteger, nullable=False),  # 1 top-up, 3 manage, 4 system, 5 error, 6 refund
    Column("account_id", BigInteger, nullable=False),
    _words("username"),
    _count("key_id"),
    _words("key_name"),
    _words("model"),
    _words("group"),
    _count("amount"),
    _words("content"),
    _words("request_id"),
    _words("ip"),
    _maybe("actor_id"),
    _words("details", "{}"),
    Index("ix_logs_account_id_at_ms", "account_id", "at_ms"),
)

tasks: Final = Table(
    "tasks",
    metadata,
    _id(),
    Column("task_id", Text, nullable=False, unique=True),
    Column("platform", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    _words("username"),
    _count("key_id"),
    _words("key_name"),
    _words("group"),
    _count("channel_id"),
    _words("upstream_model"),
    _words("reference"),  # ours, sent to the provider, to find a lost submit again
    _words("upstream_id"),
    Column("status", Text, nullable=False),
    _words("fail_reason"),
    Column("progress", SmallInteger, nullable=False, server_default=text("0")),  # percent
    _count("submit_ms"),
    _count("start_ms"),
    _count("finish_ms"),
    _count("deadline_ms"),
    Column("next_poll_ms", BigInteger, index=True),
    _words("properties", "{}"),
    _words("data", "null"),
    _words("result_url"),
    _count("amount"),
    _maybe("entry_id"),
    _count("created_ms"),
    _count("updated_ms"),
    Index("ix_tasks_account_id_submit_ms", "account_id", "submit_ms"),
)

responses: Final = Table(
    "responses",
    metadata,
    _id(),
    Column("account_id", BigInteger, nullable=False),
    Column("response_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # encrypted
    _count("size"),  # bytes of `sealed`
    _count("created_ms"),
    Column("expires_ms", BigInteger, nullable=False, server_default=text("0"), index=True),
    UniqueConstraint("account_id", "response_id"),
    Index("ix_responses_account_id_created_ms", "account_id", "created_ms", "size"),
)


# --- what is offered


groups: Final = Table(
    "groups",
    metadata,
    Column("name", Text, primary_key=True),
    _words("description"),
    _count("created_ms"),
    _maybe("deleted_ms"),
)

ratios: Final = Table(
    "ratios",
    metadata,
    _id(),
    Column("group", Text, ForeignKey("groups.name"), nullable=False),
    Column("ratio", BigInteger, nullable=False),  # millionths
    _count("created_ms"),
    _maybe("superseded_ms"),
    CheckConstraint("ratio >= 0", name="ratio"),
    Index(
        "uq_ratios_current",
        "group",
        unique=True,
        sqlite_where=text("superseded_ms IS NULL"),
        postgresql_where=text("superseded_ms IS NULL"),
    ),
)

models: Final = Table(
    "models",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _words("priced_as"),  # "" = its own name
    _words("owner"),
    _count("created_at"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    _count("context_window"),
    _count("max_output"),
    _words("input_modalities", '["text"]'),
    _words("output_modalities", '["text"]'),
    _words("operations", '["chat"]'),
    _words("provider_name"),
    _words("provider_logo"),
    _words("category"),
    _words("endpoint"),
    _words("docs"),
    _words("billing_type", "pay-per-token"),
    _words("group"),
    _maybe("official_request"),
    _maybe("official_input"),  # nano per million tokens
    _maybe("official_output"),
    _maybe("list_request"),
    _maybe("list_input"),
    _maybe("list_output"),
    Column("uptime", SmallInteger, nullable=False, server_default=text("1")),
    Column("is_deprecation", SmallInteger, nullable=False, server_default=text("0")),
    Column("is_hot", Boolean, nullable=False, server_default=false()),
    Column("is_image", Boolean, nullable=False, server_default=false()),
    Column("is_web_access", Boolean, nullable=False, server_default=false()),
    Column("quality_api", Float, nullable=False, server_default=text("0")),
    Column("avg_time_low", Float, nullable=False, server_default=text("0")),
    Column("avg_time_normal", Float, nullable=False, server_default=text("0")),
    Column("avg_time_high", Float, nullable=False, server_default=text("0")),
    Column("throughput", Float),
    Column("max_input", BigInteger),
    Column("knowledge_cutoff", Text),
    Column("release_date", Text),
    Column("alternative_info", Text),
    _words("notes"),
    _count("created_ms"),
    _count("updated_ms"),
)

prices: Final = Table(
    "prices",
    metadata,
    _id(),
    Column("model", Text, nullable=False, index=True),
    Column("meter", Text, nullable=False),
    Column("per", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    _words("conditions", "[]"),  # JSON
    _count("created_ms"),
    _maybe("superseded_ms"),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint("per > 0", name="per"),
)

channels: Final = Table(
    "channels",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("secrets", LargeBinary, nullable=False),  # encrypted
    _words("models", "{}"),
    _words("groups", "[]"),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    _words("headers", "{}"),
    Column("status", SmallInteger, nullable=False, server_default=text("1")),  # 1 enabled, 2 disabled
    Column("drain_s", Float, nullable=False, server_default=text("30")),
    _count("drain_cost", 50_000_000),
    _count("created_ms"),
    _count("updated_ms"),
    _maybe("deleted_ms"),
)


# --- how the nodes keep together


counters: Final = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    _count("value"),
)

changes: Final = Table(
    "changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # key, account, purse, snapshot
    Column("key_hash", LargeBinary),
    _maybe("account_id"),
    _maybe("purse_id"),
    _count("at_ms"),
)

nodes: Final = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("boot_id", Text, nullable=False),
    _words("program"),
    _count("started_ms"),
    _count("seen_ms"),
    _maybe("left_ms"),
)

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    _count("created_ms"),
)

settings: Final = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    _count("updated_ms"),
)
