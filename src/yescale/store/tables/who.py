"""Who calls: accounts, their API keys, and the secrets that keys had before."""

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
    Column("groups", Text),  # JSON list, of a key whose group is `auto`; NULL = the installation's
    Column("operations", Text),  # JSON list; NULL = any
    count("max_output"),  # tokens, of calls that declare none; 0 = as the model's
    words("tags", "{}"),  # JSON object: of every call of it
    maybe("deleted_ms"),
)

old_secrets: Final = Table(
    "old_secrets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("key_id", BigInteger, ForeignKey("keys.id"), nullable=False, unique=True),  # two live ones at most
    Column("until_ms", BigInteger, nullable=False),  # by the database's clock
)
