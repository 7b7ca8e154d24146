"""Errors of the Bot API, grouped by what the caller should do next.

TelegramApiError
├── RetryableError     certainly no effect: repeat, after `retry_after` seconds where given
│   └── FileUnavailable  the file cannot be had, now or ever: Telegram does not say which
├── DeliveryUncertain  it may have been carried out: no answer came, or none of the Bot API
├── ChatMigrated       the group became a supergroup, which has another id
├── ChatGone           the bot cannot write to this chat: blocked, removed, deleted
├── Rejected           Telegram will never accept this request as it is
│   ├── PermissionDenied    the chat does not let the bot do this
│   ├── FileTooLarge        the file is larger than bots may download
│   └── InvalidDestination  it may be accepted elsewhere in the chat
│       ├── TopicUnavailable        the topic was closed or deleted
│       └── RepliedMessageNotFound  the message to reply to is gone, or in another topic
├── Unauthorized       Telegram does not know the token, which is final only if it lasts
└── PollingConflict    another program receives this bot's updates
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
    """Certainly no effect; worth repeating.

    `retry_after`: seconds that Telegram asks for; `applies_to_all_chats`: not only this chat has to wait.
    """

    def __init__(self, text: str, retry_after: float | None = None, *, applies_to_all_chats: bool = False) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.applies_to_all_chats = applies_to_all_chats


class FileUnavailable(RetryableError):
    """Telegram has no such file, or cannot reach it at the moment."""


class DeliveryUncertain(TelegramApiError):
    """The request left and no clear answer came: it may have been carried out."""


class ChatGone(TelegramApiError):
    """The bot was blocked or removed, or the chat no longer exists."""


class ChatMigrated(TelegramApiError):
    """Certainly no effect: messages have to go to `new_chat_id` instead."""

    def __init__(self, new_id: int) -> None:
        super().__init__("the group became a supergroup")
        self.new_chat_id = new_id


class Rejected(TelegramApiError):
    """Repeating it unchanged cannot help."""


class PermissionDenied(Rejected):
    """The chat's administrators do not allow it."""


class FileTooLarge(Rejected):
    """A file of more than 20 MB."""


class InvalidDestination(Rejected):
    """Telegram may accept the message elsewhere in the chat."""


class TopicUnavailable(InvalidDestination):
    """The topic was closed or deleted."""


class RepliedMessageNotFound(InvalidDestination):
    """The message to reply to does not exist."""


class Unauthorized(TelegramApiError):
    """401 or 404 in the Bot API's own JSON; the same from a gateway is DeliveryUncertain."""


class PollingConflict(TelegramApiError):
    """409: another poller or a webhook receives the updates."""


#: With these causes the request never arrived completely, so it had no effect.
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    # a request whose body broke off cannot be carried out
    httpx.WriteError,
    httpx.WriteTimeout,
)

#: Seconds; a longer wait that Telegram asks for is cut to this.
MAX_RETRY_AFTER = 3600.0

#: Ids of chats and users have at most 52 significant bits (Bot API), those of messages fewer.
ID_LIMIT = 1 << 52

#: What Telegram's description of a 400 contains, and what that means.
ERRORS_BY_TEXT: dict[type[TelegramApiError], tuple[str, ...]] = {
    # for a wrong file_id, but also for any failure of its own (source of the Bot API server, 2026)
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
    """Turn the errors of python-telegram-bot into those above.

    Telegram's text may contain the token, so it is redacted; the library's own text is dropped.
    """
    try:
        yield
    except ptb.TelegramError as error:
        raise translate_error(error, redact) from None


def read_id(value: object) -> int:
    """Read an id that fits into a column; raises DeliveryUncertain for anything else."""
    if type(value) is not int or abs(value) >= ID_LIMIT:
        raise DeliveryUncertain("the answer holds no id")
    return value


def read_object(value: object) -> dict[str, Any]:
    """Read a JSON object; raises DeliveryUncertain for anything else."""
    if not isinstance(value, dict):
        raise DeliveryUncertain("the answer is not one that Telegram gives")
    return value


def translate_error(error: ptb.TelegramError, redact: Redact) -> TelegramApiError:
    """Return our error for one of python-telegram-bot; raises DeliveryUncertain for an impossible chat id."""
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
    wait = error.retry_after  # which of the two depends on the environment (python-telegram-bot 22)
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
    return min(seconds, MAX_RETRY_AFTER) if seconds > 0 else None


def _translate_network_error(error: ptb.TelegramError, text: str) -> TelegramApiError:
    if isinstance(error.__cause__, NEVER_SENT):
        return RetryableError("Telegram could not be reached")
    gateway_status = error.status if isinstance(error, InvalidResponseError) else None
    if gateway_status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or "request entity too large" in text:
        return Rejected("request entity too large")
    if text.startswith("too many requests"):  # without saying for how long
        return RetryableError("too many requests")
    return DeliveryUncertain("Telegram gave no clear answer" if gateway_status is None else error.message)
