"""What is offered: groups, models, prices, channels."""

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
    SmallInteger,
    Table,
    Text,
    false,
    text,
    true,
)

from yescale.store.tables.columns import count, maybe, metadata, number, words

groups: Final = Table(
    "groups",
    metadata,
    Column("name", Text, primary_key=True),
    words("description"),
    count("created_ms"),
    maybe("deleted_ms"),
)

ratios: Final = Table(
    "ratios",
    metadata,
    number(),
    Column("group", Text, ForeignKey("groups.name"), nullable=False),
    Column("ratio", BigInteger, nullable=False),  # millionths
    count("created_ms"),
    maybe("superseded_ms"),
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
    number(),
    Column("name", Text, nullable=False, unique=True),
    words("priced_as"),  # "" = its own name
    words("owner"),
    count("created_at"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    count("context_window"),
    count("max_output"),
    words("input_modalities", '["text"]'),
    words("output_modalities", '["text"]'),
    words("operations", '["chat"]'),
    words("provider_name"),
    words("provider_logo"),
    words("category"),
    words("endpoint"),
    words("docs"),
    words("billing_type", "pay-per-token"),
    words("group"),
    maybe("official_request"),
    maybe("official_input"),  # nano per million tokens
    maybe("official_output"),
    maybe("list_request"),
    maybe("list_input"),
    maybe("list_output"),
    Column("uptime", SmallInteger, nullable=False, server_default=text("1")),
    Column("is_deprecation", SmallInteger, nullable=False, server_default=text("0")),
    Column("is_hot", Boolean, nullable=False, server_default=false()),
    Column("is_image", Boolean, nullable=False, server_default=false()),
    Column("is_web_access", Boolean, nullable=False, server_default=false()),
    Column("max_input", BigInteger),
    Column("knowledge_cutoff", Text),
    Column("release_date", Text),
    Column("alternative_info", Text),
    words("notes"),
    words("source"),  # where its facts and prices were read
    words("read_on"),  # the day of that
    words("fallbacks", "[]"),
    words("alias_of"),
    count("created_ms"),
    count("updated_ms"),
)

prices: Final = Table(
    "prices",
    metadata,
    number(),
    Column("model", Text, nullable=False, index=True),
    Column("meter", Text, nullable=False),
    Column("per", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    words("conditions", "[]"),  # JSON
    count("created_ms"),
    maybe("superseded_ms"),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint("per > 0", name="per"),
)

channels: Final = Table(
    "channels",
    metadata,
    number(),
    Column("name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("secrets", LargeBinary, nullable=False),  # encrypted
    words("models", "{}"),
    words("groups", "[]"),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    words("headers", "{}"),  # of an older version, in clear; the next start moves them into `sealed`
    Column("sealed", LargeBinary),  # headers and proxy, encrypted
    words("body", "{}"),  # what it overrides of a body
    Column("status", SmallInteger, nullable=False, server_default=text("1")),  # 1 enabled, 2 disabled, 3 refused
    words("reason"),  # why it is 3
    Column("drain_s", Float, nullable=False, server_default=text("30")),
    count("drain_cost", 50_000_000),
    count("max_attempts"),
    Column("total_s", Float, nullable=False, server_default=text("0")),
    Column("bills_failures", Boolean, nullable=False, server_default=false()),
    count("created_ms"),
    count("updated_ms"),
    maybe("deleted_ms"),
)
