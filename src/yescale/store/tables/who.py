"""Who calls: accounts and their API keys."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from yescale.store.tables.columns import count, maybe, metadata, number, words

accounts: Final = Table(
    "accounts",
    metadata,
    number(),
    Column("username", Text, nullable=False, unique=True),
    words("display_name"),
    words("email"),
    words("telegram_id"),
    Column("role", SmallInteger, nullable=False, server_default=text("1")),  # 1 common, 10 admin, 100 root
    Column("status", SmallInteger, nullable=False, server_default=text("1")),  # 1 enabled, 2 disabled
    words("group", "default"),
    Column("password_hash", Text),
    Column("access_hash", LargeBinary, unique=True),
    words("access_masked"),
    maybe("purse_id"),
    count("created_ms"),
    maybe("deleted_ms"),
)

keys: Final = Table(
    "keys",
    metadata,
    number(),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("masked", Text, nullable=False),
    words("name"),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    words("group", "default"),
    Column("status", SmallInteger, nullable=False, server_default=text("1")),  # 1 on, 2 off, 3 expired, 4 exhausted
    Column("models", Text),  # JSON list; NULL = any
    words("allow_ips"),  # one address or network per line; "" = any
    Column("purse_id", BigInteger, ForeignKey("purses.id"), nullable=False, unique=True),
    count("created_at"),
    count("expires_at", -1),
    maybe("deleted_ms"),
)
