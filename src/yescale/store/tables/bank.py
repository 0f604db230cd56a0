"""The bank: purses, limits, leases, holds, the journals of workers, entries and postings."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from yescale.store.tables.columns import count, maybe, metadata, number, words

purses: Final = Table(
    "purses",
    metadata,
    number(),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("scope", Text, nullable=False),  # account, key, team, budget
    words("unit", "nano"),
    words("period"),  # "" = for ever; otherwise the label of the window
    maybe("until_ms"),  # the window's end, by the database's clock
    Column("limited", Boolean, nullable=False, server_default=true()),  # false = counts, never refuses
    count("granted"),  # ever put in; granted - spent = balance - over
    count("spent"),
    count("balance"),
    count("held"),  # by leases and tasks
    count("over"),  # charged beyond the balance
    count("calls"),
    count("used_ms"),
    count("strained_ms"),  # since when held may exceed the balance (overrun, restore, lowered limit); 0 = never
    Column("closed", Boolean, nullable=False, server_default=false()),
    maybe("limit_id"),  # of a budget: one purse for each period of a limit
    CheckConstraint("balance >= 0", name="balance"),
    CheckConstraint("held >= 0", name="held"),
    Index("uq_purses_limit_id_period", "limit_id", "period", unique=True),
)

limits: Final = Table(
    "limits",
    metadata,
    number(),
    Column("scope", Text, nullable=False),  # account, key, group, model, channel
    Column("subject", Text, nullable=False),  # an id or a name
    Column("what", Text, nullable=False),  # money, tokens, requests, concurrency
    words("window"),  # minute, hour, day, week, month, total; "" = at once
    Column("amount", BigInteger, nullable=False),
    words("zone", "UTC"),  # whose midnight ends a day, a week or a month
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),  # whose the purses are
    count("created_ms"),
    count("updated_ms"),
    maybe("deleted_ms"),
    CheckConstraint("amount >= 0", name="amount"),
    UniqueConstraint("scope", "subject", "what", "window"),
)

leases: Final = Table(
    "leases",
    metadata,
    Column("purse_id", BigInteger, primary_key=True, autoincrement=False),
    Column("incarnation", Text, primary_key=True),
    count("granted"),
    count("settled"),
    count("returned"),
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
    words("node"),
    Column("slot", Integer, nullable=False, server_default=text("0")),
    words("program"),
    count("opened_ms"),
    maybe("closed_ms"),  # its leases are given back; it is refused draws
    maybe("ended_ms"),  # its journal is read to the end and its interrupted calls are written
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
    number(),
    Column("incarnation", Text, nullable=False),
    Column("file", Integer, nullable=False),
    count("off"),
    count("n"),  # of the last line settled
    count("ends"),  # end lines settled
    count("amount"),  # and the sum of their amounts
    count("grown_ms"),
    UniqueConstraint("incarnation", "file"),
)

quarantine: Final = Table(
    "quarantine",
    metadata,
    number(),
    Column("incarnation", Text, nullable=False),
    Column("file", Integer, nullable=False),
    Column("off", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    count("amount"),  # what the line would have charged, where it could be read
    count("at_ms"),
    maybe("resolved_ms"),
)

entries: Final = Table(
    "entries",
    metadata,
    number(),
    Column("kind", Text, nullable=False),  # calls, topup, redemption, trial, adjustment, refund, task
    Column("account_id", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("source", Text),  # with outside_id: what makes a repeated request the same one
    Column("outside_id", Text),
    Column("call_id", Text),
    words("note"),
    maybe("actor_id"),
    UniqueConstraint("source", "outside_id"),
    Index("ix_entries_account_id_at_ms", "account_id", "at_ms"),
)

postings: Final = Table(
    "postings",
    metadata,
    number(),
    Column("entry_id", BigInteger, nullable=False, index=True),
    Column("book", Text, nullable=False),  # account, revenue, shortfall, topup, redemption, trial, adjustment
    Column("account_id", BigInteger, index=True),  # whose, in the book `account`
    Column("amount", BigInteger, nullable=False),
)
