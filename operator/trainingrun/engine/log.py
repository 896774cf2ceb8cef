"""Logs as JSON, one object a line on standard error. Bodies of objects and tokens are never logged."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

# What a record has before anyone adds fields to it.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET = {"kopf.objects": logging.WARNING, "kopf.activities.authentication": logging.WARNING}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, and the plain fields that the caller gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and (value is None or isinstance(value, str | int | float | bool)):
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logs(level: str) -> None:
    """Send every log of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
