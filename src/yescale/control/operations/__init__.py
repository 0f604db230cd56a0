"""Every use case of an operator, as functions over the database: for `yescale admin` (over the link or offline) and the console."""

from yescale.control.operations.registry import OPERATIONS, Operation, operate
from yescale.control.operations.refusals import OperationRefused

__all__ = ("OPERATIONS", "Operation", "OperationRefused", "operate")
