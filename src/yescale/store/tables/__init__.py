"""Every table, in SQLAlchemy Core, the same for SQLite and PostgreSQL.

Money is BIGINT nano-dollars; `*_ms` are unix milliseconds, `*_at` unix seconds; JSON is text that the query modules
encode. Hot tables (calls, leases, entries) carry no foreign keys: their writers hold the locks that make them true.
"""

from yescale.store.tables.bank import (
    entries,
    holds,
    incarnations,
    journals,
    leases,
    limits,
    postings,
    purses,
    quarantine,
)
from yescale.store.tables.codes import code_tries, codes
from yescale.store.tables.columns import metadata
from yescale.store.tables.events import call_tags, calls, logs, responses, tasks
from yescale.store.tables.nodes import changes, counters, idempotency, nodes, settings
from yescale.store.tables.offers import channels, groups, models, prices, ratios
from yescale.store.tables.statistics import model_hours
from yescale.store.tables.usage import rollups, tag_rollups
from yescale.store.tables.who import accounts, keys, old_secrets

__all__ = [
    "accounts",
    "call_tags",
    "calls",
    "changes",
    "channels",
    "code_tries",
    "codes",
    "counters",
    "entries",
    "groups",
    "holds",
    "idempotency",
    "incarnations",
    "journals",
    "keys",
    "leases",
    "limits",
    "logs",
    "metadata",
    "model_hours",
    "models",
    "nodes",
    "old_secrets",
    "postings",
    "prices",
    "purses",
    "quarantine",
    "ratios",
    "responses",
    "rollups",
    "settings",
    "tag_rollups",
    "tasks",
]
