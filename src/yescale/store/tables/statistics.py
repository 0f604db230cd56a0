"""What is counted of calls beside their rows."""

from typing import Final

from sqlalchemy import BigInteger, Column, Table, Text

from yescale.store.tables.columns import count, metadata, words

model_hours: Final = Table(
    "model_hours",
    metadata,
    Column("model", Text, primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False, index=True),  # unix hours
    count("calls"),  # that reached a provider and were no mistake of the client
    count("good"),  # of them, those that were answered
    count("tokens"),  # of output, of good calls
    count("tokens_ms"),  # and how long they took
    words("times", "[]"),  # JSON: how many good calls took how long, by step
)
