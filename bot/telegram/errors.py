"""Errors of the Bot API, grouped by what the caller should do next.

TelegramApiError
├── RetryableError     certainly no effect: retry, after `retry_after` seconds if given
│   └── FileUnavailable  no such file, or not available at present: Telegram does not say which
├── DeliveryUncertain  may have taken effect: no answer came, or one that is not the Bot API's
├── ChatMigrated       the group became a supergroup with another id: send to that
├── ChatGone           the bot cannot write to this chat: blocked, removed, deleted
├── Rejected           never accepted as it is: do not retry
│   ├── PermissionDenied    the chat does not allow the bot to do this
│   ├── FileTooLarge        larger than bots can download
│   └── InvalidDestination  may be accepted elsewhere in the chat
│       ├── TopicUnavailable        the topic was closed or deleted
│       └── RepliedMessageNotFound  the message to reply to is gone, or in another topic
├── Unauthorized       Telegram does not know the token: final only if it lasts
└── PollingConflict    another program receives the bot's updates
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from telegram import error as ptb

from bot.logs import Redact
from bot.telegram.http_transport import InvalidResponseError


class TelegramApiError(Exception):
    """A call to Telegram failed."""


class RetryableError(TelegramApiError):
    """The call had no effect and may be repeated.

    `retry_after` is in seconds, if Telegram asks for a pause; with `applies_to_all_chats` every chat has to wait.
    """

    def __init__(self, text: str, retry_after: float | None = None, *, applies_to_all_chats: bool = False) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.applies_to_all_chats = applies_to_all_chats


class FileUnavailable(RetryableError):
    """Telegram has no such file, or cannot reach it at the moment."""


class DeliveryUncertain(TelegramApiError):
    """The request was sent and no clear answer came, so it may have taken effect."""


class ChatGone(TelegramApiError):
    """The bot was blocked or removed, or the chat no longer exists."""


class ChatMigrated(TelegramApiError):
    """The call had no effect: `new_chat_id` is the chat to send to."""

    def __init__(self, new_id: int) -> None:
        super().__init__("the group became a supergroup")
        self.new_chat_id = new_id


class Rejected(TelegramApiError):
    """Telegram will never accept the request unchanged."""


class PermissionDenied(Rejected):
    """The chat does not allow the bot to do this."""


class FileTooLarge(Rejected):
    """The file has more than 20 MB."""


class InvalidDestination(Rejected):
    """Telegram may accept the message elsewhere in the chat."""


class TopicUnavailable(InvalidDestination):
    """The topic was closed or deleted."""


class RepliedMessageNotFound(InvalidDestination):
    """The message to reply to does not exist."""


class Unauthorized(TelegramApiError):
    """401 or 404 in the Bot API's own JSON; the same from a gateway is DeliveryUncertain."""


class PollingConflict(TelegramApiError):
    """HTTP 409: another long poller, or a webhook, receives the updates."""


#: After these errors the request cannot have arrived completely, so it had no effect.
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    # a truncated body cannot be processed
    httpx.WriteError,
    httpx.WriteTimeout,
)

#: Seconds; the longest pause that Telegram can ask for.
MAX_RETRY_AFTER = 3600.0

#: Ids of chats and users have at most 52 significant bits (Bot API), those of messages fewer.
ID_LIMIT = 1 << 52

#: The error for each text that the description of HTTP 400 may contain; the Bot API has no finer codes.
ERRORS_BY_TEXT: dict[type[TelegramApiError], tuple[str, ...]] = {
    # for a wrong file_id, but also for any internal failure (source of the Bot API server, 2026)
    FileUnavailable: ("temporarily unavailable",),
    FileTooLarge: ("file is too big",),
    ChatGone: ("chat not found", "user is deactivated", "bot was kicked", "peer_id_invalid"),
    TopicUnavailable: ("message thread not found", "topic_closed", "topic_deleted"),
    PermissionDenied: ("not enough rights", "have no rights", "no write access", "_forbidden"),
    RepliedMessageNotFound: (
        "message to be replied not found", "message to reply not found", "reply message not found",
    ),
}  # fmt: skip


@contextmanager
def translate_errors(redact: Redact) -> Iterator[None]:
    """Translate the errors of python-telegram-bot, without chaining.

    Telegram's text may contain the token and is redacted; the library's own text is dropped.
    """
    try:
        yield
    except ptb.TelegramError as error:
        raise translate_error(error, redact) from None


def read_id(value: object) -> int:
    """Return an id that fits into a column. Raises DeliveryUncertain for anything else."""
    if type(value) is not int or abs(value) >= ID_LIMIT:
        raise DeliveryUncertain("the answer holds no id")
    return value


def read_object(value: object) -> dict[str, Any]:
    """Return a JSON object. Raises DeliveryUncertain for anything else."""
    if not isinstance(value, dict):
        raise DeliveryUncertain("the answer is not one that Telegram gives")
    return value


def translate_error(error: ptb.TelegramError, redact: Redact) -> TelegramApiError:
    """Return our error for one of python-telegram-bot. Raises DeliveryUncertain for an impossible chat id."""
    text = redact(error.message).lower()
    match error:
        case ptb.RetryAfter():
            return RetryableError("too many requests", _retry_after_seconds(error))
        case ptb.InvalidToken() | ptb.EndPointNotFound():
            return Unauthorized("Telegram does not know this bot token")
        case ptb.Conflict():
            return PollingConflict("another program receives the updates of this bot")
        case ptb.Forbidden():
            return ChatGone(text)
        case ptb.ChatMigrated():
            return ChatMigrated(read_id(error.new_chat_id))
        case ptb.BadRequest():
            kinds = (kind for kind, texts in ERRORS_BY_TEXT.items() if any(each in text for each in texts))
            return next(kinds, Rejected)(text)
        case _:
            return _translate_network_error(error, text)


def _retry_after_seconds(error: ptb.RetryAfter) -> float | None:
    wait = error.retry_after  # seconds or a timedelta, depending on the environment (python-telegram-bot 22)
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
    return min(seconds, MAX_RETRY_AFTER) if seconds > 0 else None


def _translate_network_error(error: ptb.TelegramError, text: str) -> TelegramApiError:
    if isinstance(error.__cause__, NEVER_SENT):
        return RetryableError("Telegram could not be reached")
    gateway_status = error.status if isinstance(error, InvalidResponseError) else None
    if gateway_status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or "request entity too large" in text:
        return Rejected("request entity too large")
    if text.startswith("too many requests"):  # without retry_after
        return RetryableError("too many requests")
    return DeliveryUncertain("Telegram gave no clear answer" if gateway_status is None else error.message)
