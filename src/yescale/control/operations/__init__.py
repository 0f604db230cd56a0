"""Every use case of an operator, as functions over the database, for `yescale admin` (over the link or offline)."""

from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.registry import OPERATIONS, Operation, operate

__all__ = ("OPERATIONS", "Operation", "OperationRefused", "operate")
