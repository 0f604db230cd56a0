"""What happened: calls with their tags, logs, tasks, kept responses."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from yescale.store.tables.columns import count, maybe, metadata, number, words

calls: Final = Table(
    "calls",
    metadata,
    number(),
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
    count("refunded"),
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
    number(),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("call_id", Text, nullable=False),
    Index("ix_call_tags_name_value_account_id", "name", "value", "account_id"),
)

logs: Final = Table(
    "logs",
    metadata,
    number(),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("type", SmallInteger, nullable=False),  # 1 top-up, 3 manage, 4 system, 5 error, 6 refund
    Column("account_id", BigInteger, nullable=False),
    words("username"),
    count("key_id"),
    words("key_name"),
    words("model"),
    words("group"),
    count("amount"),
    words("content"),
    words("request_id"),
    words("ip"),
    maybe("actor_id"),
    words("details", "{}"),
    Index("ix_logs_account_id_at_ms", "account_id", "at_ms"),
)

tasks: Final = Table(
    "tasks",
    metadata,
    number(),
    Column("task_id", Text, nullable=False, unique=True),
    Column("platform", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    words("username"),
    count("key_id"),
    words("key_name"),
    words("group"),
    count("channel_id"),
    words("upstream_model"),
    words("reference"),  # ours, sent to the provider, to find a lost submit again
    words("upstream_id"),
    Column("status", Text, nullable=False),
    words("fail_reason"),
    Column("progress", SmallInteger, nullable=False, server_default=text("0")),  # percent
    count("submit_ms"),
    count("start_ms"),
    count("finish_ms"),
    count("deadline_ms"),
    Column("next_poll_ms", BigInteger, index=True),
    words("properties", "{}"),
    words("data", "null"),
    words("result_url"),
    count("amount"),
    maybe("entry_id"),
    count("created_ms"),
    count("updated_ms"),
    Index("ix_tasks_account_id_submit_ms", "account_id", "submit_ms"),
)

responses: Final = Table(
    "responses",
    metadata,
    number(),
    Column("account_id", BigInteger, nullable=False),
    Column("response_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # encrypted
    count("size"),  # bytes of `sealed`
    count("created_ms"),
    Column("expires_ms", BigInteger, nullable=False, server_default=text("0"), index=True),
    UniqueConstraint("account_id", "response_id"),
    Index("ix_responses_account_id_created_ms", "account_id", "created_ms", "size"),
)
