"""What can go wrong when we ask Telegram for something, grouped by what to do next.

ChatError
├── Later        certainly no effect: repeat it, after `retry_after` seconds where given
│   └── NoFile   the file is not to be had, at present or for ever: Telegram does not tell which
├── Doubtful     it may have happened: no answer came, or none of Telegram's; a message may have been delivered
├── Migrated     the group became a supergroup, which has another id
├── ChatGone     this chat cannot be written to: blocked, kicked, deleted
├── Rejected     Telegram will never take it as it is
│   ├── NotAllowed  the chat does not let the bot do this
│   ├── TooBig   the file is larger than Telegram hands out
│   └── Misplaced
│       ├── NoTopic  the topic was closed or deleted
│       └── NoReply  the message that it replies to is gone, or is in another topic
├── WrongToken   Telegram says that it does not know the token, which is final only when it lasts
└── Rival        somebody else receives this bot's updates
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx
from telegram import error as ptb

from bot.logs import Redact
from bot.telegram.http_request import InvalidResponseError


class TelegramApiError(Exception):
    """Telegram, or the way to it, said no."""


class RetryableError(TelegramApiError):
    """Certainly no effect; worth repeating.

    `retry_after` is what Telegram asks for, in seconds; `applies_to_all_chats`: it is not about one chat only.
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
    """Certainly no effect: what is to be said there has to go to `new_id`."""

    def __init__(self, new_id: int) -> None:
        super().__init__("the group became a supergroup")
        self.new_chat_id = new_id


class Rejected(TelegramApiError):
    """Repeating it unchanged cannot help."""


class PermissionDenied(Rejected):
    """Those who administer the chat have decided so."""


class FileTooLarge(Rejected):
    """A file of more than 20 MB."""


class InvalidDestination(Rejected):
    """It may be taken elsewhere in the chat."""


class TopicUnavailable(InvalidDestination):
    """The topic was closed or deleted."""


class RepliedMessageNotFound(InvalidDestination):
    """There is no such message to reply to."""


class Unauthorized(TelegramApiError):
    """401 or 404 from the API, in its own JSON; a page of a gateway is Doubtful."""


class PollingConflict(TelegramApiError):
    """409: another poller, or a webhook, receives the updates."""


#: With these causes the request never arrived as a whole.
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

CHAT_GONE_TEXTS = ("chat not found", "user is deactivated", "bot was kicked", "peer_id_invalid")

TOPIC_UNAVAILABLE_TEXTS = ("message thread not found", "topic_closed", "topic_deleted")

PERMISSION_DENIED_TEXTS = ("not enough rights", "have no rights", "no write access", "_forbidden")

REPLY_NOT_FOUND_TEXTS = ("message to be replied not found", "message to reply not found", "reply message not found")

#: Seconds; the longest wait that Telegram can ask for: whatever it names, it is asked again after that.
MAX_RETRY_AFTER = 3600.0

#: Ids of chats and people have at most 52 significant bits (the Bot API), those of messages fewer.
ID_LIMIT = 1 << 52

#: The server says this of a wrong file_id, but also of any trouble behind it (its source, 2026).
FILE_UNAVAILABLE_TEXT = "temporarily unavailable"


ERRORS_BY_TEXT: tuple[tuple[tuple[str, ...], type[TelegramApiError]], ...] = (
    (CHAT_GONE_TEXTS, ChatGone),
    (TOPIC_UNAVAILABLE_TEXTS, TopicUnavailable),
    (PERMISSION_DENIED_TEXTS, PermissionDenied),
    (REPLY_NOT_FOUND_TEXTS, RepliedMessageNotFound),
)


@contextmanager
def translate_errors(redact: Redact) -> Iterator[None]:
    """Turn whatever python-telegram-bot raises into one of the errors above.

    What Telegram says may hold the token, so it is carried over redacted, and what the library says is not.
    """
    try:
        yield
    except ptb.TelegramError as error:
        raise translate_error(error, redact) from None


def read_id(value: object) -> int:
    """Read an id that can be kept; raises Doubtful for what is none."""
    if type(value) is not int or abs(value) >= ID_LIMIT:
        raise DeliveryUncertain("the answer holds no id")
    return value


def read_object(value: object) -> dict[str, Any]:
    """Read an object; raises Doubtful for what is none."""
    if not isinstance(value, dict):
        raise DeliveryUncertain("the answer is not one that Telegram gives")
    return value


def translate_error(error: ptb.TelegramError, redact: Redact) -> TelegramApiError:
    """Say what an error of python-telegram-bot means for us; raises Doubtful for an id that cannot be one."""
    text = redact(error.message).lower()
    match error:
        case ptb.RetryAfter():
            return RetryableError("too many requests", _retry_after_seconds(error))
        case InvalidResponseError():
            return _translate_gateway_response(error)
        case ptb.InvalidToken() | ptb.EndPointNotFound():
            return Unauthorized("Telegram does not know this bot token")
        case ptb.Conflict():
            return PollingConflict("another program receives the updates of this bot")
        case ptb.Forbidden():
            return ChatGone(text)
        case ptb.ChatMigrated():
            return ChatMigrated(read_id(error.new_chat_id))
        case ptb.BadRequest():
            return _translate_bad_request(text)
        case _:
            return _translate_network_error(error, text)


def _translate_gateway_response(error: InvalidResponseError) -> TelegramApiError:
    """Say what the page of a gateway means: that it took no such body, or nothing at all."""
    is_too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Rejected("request entity too large") if is_too_large else DeliveryUncertain(error.message)


def _retry_after_seconds(error: ptb.RetryAfter) -> float | None:
    # the attribute `retry_after` is int or timedelta depending on the environment, and warns
    wait = error._retry_after.total_seconds()  # noqa: SLF001 - always a timedelta
    return min(wait, MAX_RETRY_AFTER) if wait > 0 else None


def _translate_bad_request(text: str) -> TelegramApiError:
    if FILE_UNAVAILABLE_TEXT in text:
        return FileUnavailable(text)
    if "file is too big" in text:
        return FileTooLarge(text)
    found = (kind for texts, kind in ERRORS_BY_TEXT if any(each in text for each in texts))
    return next(found, Rejected)(text)


def _translate_network_error(error: ptb.TelegramError, text: str) -> TelegramApiError:
    if isinstance(error.__cause__, NEVER_SENT):
        return RetryableError("Telegram could not be reached")
    if "request entity too large" in text:
        return Rejected(text)
    if text.startswith("too many requests"):  # without saying for how long
        return RetryableError("too many requests")
    return DeliveryUncertain("Telegram gave no clear answer")
