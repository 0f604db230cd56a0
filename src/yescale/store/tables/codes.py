"""Redemption codes, and how many were tried."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, Table, Text

from yescale.store.tables.columns import count, maybe, metadata, number

codes: Final = Table(
    "codes",
    metadata,
    number(),
    Column("hash", LargeBinary, nullable=False, unique=True),  # the code itself is nowhere
    Column("masked", Text, nullable=False),
    Column("batch", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    maybe("expires_ms"),  # NULL = never
    count("created_ms"),
    maybe("actor_id"),  # who made it; NULL = the command line
    maybe("voided_ms"),
    maybe("redeemed_ms"),
    maybe("account_id"),  # whose it became
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_codes_batch", "batch"),
    Index("ix_codes_account_id", "account_id"),
)

code_tries: Final = Table(
    "code_tries",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    count("since_ms"),
    count("tries"),  # since then, of codes that were none
)
