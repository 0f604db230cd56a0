"""What a key may be: checked before it is stored, whoever asks."""

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.operations.refusals import OperationRefused
from yescale.domain.addresses import read_network
from yescale.domain.link import AUTO
from yescale.domain.money import Nano
from yescale.domain.tags import MOST_CHARACTERS, NAMES
from yescale.store.groups import list_groups

NAME_BYTES: Final = 30
OPERATIONS: Final = ("chat", "complete", "embed", "moderate", "realtime", "rerank")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]+")
_MOST: Final = 1_000  # of a list
_MOST_GROUPS: Final = 16
_MOST_OUTPUT: Final = 1 << 31


class Terms(Struct, frozen=True, kw_only=True):
    """What a new key may do. `remaining`: nano; None = unlimited. `models`, `operations`: None = any. `groups`: of a
    key whose group is `auto`, in order; None = the installation's.
    """

    name: str
    group: str = "default"
    remaining: Nano | None = None
    expires_at: int = -1
    models: tuple[str, ...] | None = None
    allow_ips: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    max_output: int = 0
    tags: dict[str, str] = {}


async def check_terms(connection: AsyncConnection, fields: Mapping[str, Any]) -> None:
    """Whether a key may be as asked. Raises OperationRefused."""
    if "name" in fields and (not _NAME.fullmatch(fields["name"]) or len(fields["name"].encode()) > NAME_BYTES):
        raise OperationRefused(f"name: a key's name has 1 to {NAME_BYTES} bytes without control characters.")
    await _check_groups(connection, fields)
    if "expires_at" in fields and fields["expires_at"] != -1 and fields["expires_at"] <= time.time():
        raise OperationRefused("expired_time: that time is past; -1 means never.")
    models = fields.get("models")
    if models is not None and not (1 <= len(models) <= _MOST and all(_NAME.fullmatch(name) for name in models)):
        raise OperationRefused("model_limits: name at least one model, each without control characters.")
    allow_ips = fields.get("allow_ips", ())
    for network in allow_ips:
        if read_network(network) is None or len(allow_ips) > _MOST:
            raise OperationRefused(f"allow_ips: {network!r} is no address or network, or there are over {_MOST}.")
    _check_defaults(fields)


async def _check_groups(connection: AsyncConnection, fields: Mapping[str, Any]) -> None:
    asked = tuple(fields.get("groups") or ())
    if "group" in fields and fields["group"] != AUTO:
        asked = (*asked, fields["group"])
    if fields.get("groups") is not None and not 1 <= len(fields["groups"]) <= _MOST_GROUPS:
        raise OperationRefused(f"groups: name 1 to {_MOST_GROUPS} groups, the first to be tried first.")
    if asked:
        known = {group.name for group in await list_groups(connection)}
        for name in asked:
            if name not in known:
                raise OperationRefused(f"group: there is no group {name!r}.")


def _check_defaults(fields: Mapping[str, Any]) -> None:
    operations = fields.get("operations")
    if operations is not None and (not operations or not set(operations) <= set(OPERATIONS)):
        raise OperationRefused(f"operations: name some of {', '.join(OPERATIONS)}.")
    if not 0 <= fields.get("max_output", 0) <= _MOST_OUTPUT:
        raise OperationRefused(f"max_output: a whole number between 0, for none, and {_MOST_OUTPUT}.")
    for name, value in fields.get("tags", {}).items():
        if name not in NAMES:
            raise OperationRefused(f"tags: there is no tag {name[:100]!r}; there are {', '.join(NAMES)}.")
        if not 1 <= len(value) <= MOST_CHARACTERS or not value.isprintable():
            raise OperationRefused(f"tags: {name} takes 1 to {MOST_CHARACTERS} printable characters.")
