"""Callbacks of calls: run so that one call's failure does not take the others that wait with it."""

import logging
from collections.abc import Callable
from typing import Final, ParamSpec

P = ParamSpec("P")

_LOG: Final = logging.getLogger(__name__)


def run(callback: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
    """Go on with a request; whatever it raises is logged and ends here."""
    try:
        callback(*arguments, **named)
    except Exception:
        _LOG.exception("a callback failed")


def say_nothing() -> None:
    """Where nobody is there to hear the end."""
