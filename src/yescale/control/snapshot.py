"""The snapshot that workers serve from: built whole from the database, with the providers' secrets opened."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from yescale.control.secrets import SecretUnusable, Vault, unseal
from yescale.domain.snapshot import Channel, Snapshot
from yescale.store.database import Database

_LOG: Final = logging.getLogger(__name__)
