"""Structured logs: one JSON object per line on standard error. No message may hold a secret."""

import logging
import sys
from typing import Final

import msgspec

_JSON: Final = msgspec.json.Encoder()
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class JsonLines(logging.Formatter):
    """time, level, process, logger, message, and the traceback where there is one."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, str | float] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _JSON.encode(line).decode()


def configure(process: str, level: str) -> None:
    """Send all logs of this process to standard error."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(JsonLines(process))
    logging.basicConfig(level=_LEVELS.get(level, logging.INFO), handlers=[stream], force=True)
