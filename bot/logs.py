"""Redaction of secrets, and logging that redacts every line.

What Kie, Telegram or a library returns is redacted on entry, before it can become a message, a row, a metric or an
error; and everything that is logged or printed is redacted again. Users' own texts are not changed.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType

#: Returns a text with every secret in it replaced.
Redact = Callable[[str], str]

#: Replaces a secret.
REDACTED = "[secret]"

#: Characters; shorter values protect nothing, and would match parts of ordinary words.
_MIN_SECRET_LENGTH = 6

#: Escaped characters: in URLs (perhaps twice), in JSON (perhaps nested), in HTML. Characters that no token contains may
#: also be escaped by a backslash alone.
_ESCAPED_CHARACTER = re.compile(r"%(?:25)*[2-7][0-9a-f]|\\u00[2-7][0-9a-f]|&#", re.IGNORECASE)
_ANY_ESCAPED_CHARACTER = re.compile(rf"{_ESCAPED_CHARACTER.pattern}|\\[^a-z0-9]", re.IGNORECASE)
_BACKSLASH_FREE = re.compile(r"[A-Za-z0-9_:-]*")


def _spellings_pattern(char: str) -> str:
    """Return a pattern for a character as it is and in every escaped form."""
    code = ord(char)
    in_address = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    plain = r"\\{1,4}" if char == "\\" else re.escape(char) if char.isalnum() else rf"\\{{0,8}}{re.escape(char)}"
    return rf"(?:{plain}|{in_address}|\\{{1,8}}u{code:04x}|&#(?:0*{code}|x0*{code:x});)"


#: The form of a bot token, for tokens of other bots; in a URL it may have any length. The match begins only at the
#: start of a run of digits, which keeps it linear on long runs.
_BOT_TOKEN = re.compile(rf"[0-9](?<![0-9]{{2}})[0-9]{{5,}}+{_spellings_pattern(':')}[a-z0-9_-]{{30,}}", re.IGNORECASE)
_BOT_TOKEN_IN_URL = re.compile(rf"bot(?<=[/f]bot)[0-9]++{_spellings_pattern(':')}[a-z0-9_-]+", re.IGNORECASE)


class Redaction:
    """Replaces the known secrets, in any case and escaped form, and whatever looks like a bot token."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {
            form for secret in secrets for form in (secret, _secret_part(secret)) if len(form) >= _MIN_SECRET_LENGTH
        }
        longest_first = sorted(known, key=len, reverse=True)
        is_harmless = all(map(_BACKSLASH_FREE.fullmatch, longest_first))
        self._escapes = _ESCAPED_CHARACTER if is_harmless else _ANY_ESCAPED_CHARACTER
        self._lowered = [secret.lower() for secret in longest_first]
        self._known = re.compile(
            "|".join("".join(map(_spellings_pattern, each)) for each in longest_first), re.IGNORECASE
        )

    def __call__(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if self._lowered and self._may_contain_secret(text):
            text = self._known.sub(REDACTED, text)
        return _BOT_TOKEN.sub(REDACTED, _BOT_TOKEN_IN_URL.sub(f"bot{REDACTED}", text))

    def _may_contain_secret(self, text: str) -> bool:
        """Return whether the slow pattern has to run, which is rare."""
        lowered = text.lower()
        return any(secret in lowered for secret in self._lowered) or self._escapes.search(text) is not None


def _secret_part(secret: str) -> str:
    """Return the part of a bot token after the bot's id; any other secret as a whole."""
    return secret.partition(":")[2] or secret


#: Libraries that log URLs or bodies at INFO and DEBUG; the URLs of the Bot API contain the token.
NOISY_LOGGERS = ("httpx", "httpcore", "telegram", "aiosqlite", "asyncio", "PIL", "aiohttp.access")

#: Extra fields of JSON records, described in docs/operating.md.
EXTRA_FIELDS = ("job", "from", "to", "milestone", "task", "reason", "seconds", "credits")


class HiddenMessageError(Exception):
    """Replaces an error whose message may contain a user's text."""


def hide_message(error: Exception) -> Exception:
    """Return an error to log instead of another: same type name and traceback, without the message."""
    return HiddenMessageError(type(error).__name__).with_traceback(error.__traceback__)


class TextFormatter(logging.Formatter):
    """One line per record; a traceback follows on further lines."""

    def __init__(self, redact: Redact) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted line."""
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, message, the EXTRA_FIELDS that are set, error."""

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
        for name in EXTRA_FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                entry[name] = self._redact(value) if isinstance(value, str) else value
        if record.exc_info:
            entry["error"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(level: str, log_format: str, secrets: Iterable[str]) -> None:
    """Send log records, warnings and uncaught errors to stderr, redacted."""
    redact = Redaction(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if log_format == "json" else TextFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    # no line shows its place in the code or its thread, which take longer to find than the line takes to write
    logging._srcfile = None  # noqa: SLF001 - the documented way to turn it off
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # otherwise a log call with wrong arguments would print them unredacted
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("bot").critical("uncaught error", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
