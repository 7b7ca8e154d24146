"""Logging that cannot print a secret.

Every line is redacted as a whole after it was formatted, so arguments,
exception texts and tracebacks of any library are covered alike.
"""

import json
import logging
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType

from bot.redaction import Redact, Redaction

#: Libraries that write addresses or bodies at INFO and DEBUG; a bot token is part of its addresses.
CHATTY = ("httpx", "httpcore", "telegram", "aiosqlite", "asyncio", "PIL", "aiohttp.access")

#: What a record may say in fields of its own, beside its message; docs/operating.md says what they mean.
FIELDS = ("job", "from", "to", "milestone", "task", "reason", "seconds", "credits")


class Mistake(Exception):
    """Stands for an error whose words may be somebody's own."""


def without_words(error: Exception) -> Exception:
    """Return an error to be logged in the place of another one: its kind and its way, but not its text."""
    return Mistake(type(error).__name__).with_traceback(error.__traceback__)


class TextFormatter(logging.Formatter):
    """One line per record for people; tracebacks follow on lines of their own."""

    def __init__(self, redact: Redact) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted line."""
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object per record for machines: time, level, logger, message, those of FIELDS that it has, error."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted object on one line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                entry[name] = self._redact(value) if isinstance(value, str) else value
        if record.exc_info:
            entry["error"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str, form: str, secrets: Iterable[str]) -> None:
    """Send everything that is logged, warned or uncaught to stderr, redacted."""
    redact = Redaction(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if form == "json" else TextFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    # no line tells where in the code, or in which thread, it was written: finding that out takes longer than writing it
    logging._srcfile = None  # noqa: SLF001 - the documented way to say so
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # a log call with wrong arguments would print them past the formatter
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("bot").critical("uncaught error", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
