"""How the nodes keep together: counters, changes, heartbeats, idempotency, settings."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from yescale.store.tables.columns import count, maybe, metadata, words

counters: Final = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    count("value"),
)

changes: Final = Table(
    "changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # key, account, purse, snapshot
    Column("key_hash", LargeBinary),
    maybe("account_id"),
    maybe("purse_id"),
    count("at_ms"),
)

nodes: Final = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("boot_id", Text, nullable=False),
    words("program"),
    count("started_ms"),
    count("seen_ms"),
    maybe("left_ms"),
)

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    count("created_ms"),
)

settings: Final = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    count("updated_ms"),
)
