"""What every long-running process does first: structured lines to stderr, and a stop that signals set."""

import logging
import re
import signal
import sys
import threading
from typing import Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET_NAME = re.compile(r"token|password|secret|authorization|dsn|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"(?<=://)[^@/\s]*@|(?<=password=)\S+|(?<=Bearer )\S+", re.IGNORECASE)
_MASK = "***"


def started(log_format: Literal["json", "console"]) -> threading.Event:
    """Configure the log of this process; the event returned is set by SIGTERM and SIGINT."""
    last = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redacted,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


def redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Masks what is named like a secret, and passwords within addresses and connection strings.

    >>> redacted(None, "info", {"event": "to valkey://u:p@host", "token": "t", "dsn": "x"})
    {'event': 'to valkey://***host', 'token': '***', 'dsn': '***'}
    """
    return {
        name: _MASK if _SECRET_NAME.search(name)
        else _SECRET_TEXT.sub(_MASK, value) if isinstance(value, str)
        else value
        for name, value in event.items()
    }  # fmt: skip
