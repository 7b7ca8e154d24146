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

from bot.chat.counted import NotTelegramsAnswer
from bot.redaction import Redact


class ChatError(Exception):
    """Telegram, or the way to it, said no."""


class Later(ChatError):
    """Certainly no effect; worth repeating.

    `retry_after` is Telegram's wish in seconds; `of_bot` says that it is about all chats, and not about one.
    """

    def __init__(self, text: str, retry_after: float | None = None, *, of_bot: bool = False) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.of_bot = of_bot


class NoFile(Later):
    """Telegram has no such file, or cannot reach it at the moment."""


class Doubtful(ChatError):
    """The request left and no clear answer came: it may have been carried out."""


class ChatGone(ChatError):
    """The bot was blocked or removed, or the chat no longer exists."""


class Migrated(ChatError):
    """Certainly no effect: what is to be said there has to go to `new_id`."""

    def __init__(self, new_id: int) -> None:
        super().__init__("the group became a supergroup")
        self.new_id = new_id


class Rejected(ChatError):
    """Repeating it unchanged cannot help."""


class NotAllowed(Rejected):
    """Those who administer the chat have decided so."""


class TooBig(Rejected):
    """A file of more than 20 MB."""


class Misplaced(Rejected):
    """It may be taken elsewhere in the chat."""


class NoTopic(Misplaced):
    """The topic was closed or deleted."""


class NoReply(Misplaced):
    """There is no such message to reply to."""


class WrongToken(ChatError):
    """401 or 404 from the API, in its own JSON; a page of a gateway is Doubtful."""


class Rival(ChatError):
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

GONE_TEXTS = ("chat not found", "user is deactivated", "bot was kicked", "peer_id_invalid")

NO_TOPIC_TEXTS = ("message thread not found", "topic_closed", "topic_deleted")

NOT_ALLOWED_TEXTS = ("not enough rights", "have no rights", "no write access", "_forbidden")

NO_REPLY_TEXTS = ("message to be replied not found", "message to reply not found", "reply message not found")

#: Seconds; the longest wait that Telegram can ask for: whatever it names, it is asked again after that.
LONGEST_WISH = 3600.0

#: Ids of chats and people have at most 52 significant bits (the Bot API), those of messages fewer.
MOST_OF_AN_ID = 1 << 52

#: The server says this of a wrong file_id, but also of any trouble behind it (its source, 2026).
NO_FILE = "temporarily unavailable"


KINDS_OF_REFUSAL: tuple[tuple[tuple[str, ...], type[ChatError]], ...] = (
    (GONE_TEXTS, ChatGone),
    (NO_TOPIC_TEXTS, NoTopic),
    (NOT_ALLOWED_TEXTS, NotAllowed),
    (NO_REPLY_TEXTS, NoReply),
)


@contextmanager
def in_our_words(redact: Redact) -> Iterator[None]:
    """Turn whatever python-telegram-bot raises into one of the errors above.

    What Telegram says may hold the token, so it is carried over redacted, and what the library says is not.
    """
    try:
        yield
    except ptb.TelegramError as error:
        raise understood(error, redact) from None


def id_from(value: object) -> int:
    """Read an id that can be kept; raises Doubtful for what is none."""
    if type(value) is not int or abs(value) >= MOST_OF_AN_ID:
        raise Doubtful("the answer holds no id")
    return value


def fields_of(value: object) -> dict[str, Any]:
    """Read an object; raises Doubtful for what is none."""
    if not isinstance(value, dict):
        raise Doubtful("the answer is not one that Telegram gives")
    return value


def understood(error: ptb.TelegramError, redact: Redact) -> ChatError:
    """Say what an error of python-telegram-bot means for us; raises Doubtful for an id that cannot be one."""
    text = redact(error.message).lower()
    match error:
        case ptb.RetryAfter():
            return Later("too many requests", _seconds(error))
        case NotTelegramsAnswer():
            return _gateways(error)
        case ptb.InvalidToken() | ptb.EndPointNotFound():
            return WrongToken("Telegram does not know this bot token")
        case ptb.Conflict():
            return Rival("another program receives the updates of this bot")
        case ptb.Forbidden():
            return ChatGone(text)
        case ptb.ChatMigrated():
            return Migrated(id_from(error.new_chat_id))
        case ptb.BadRequest():
            return _bad_request(text)
        case _:
            return _network(error, text)


def _gateways(error: NotTelegramsAnswer) -> ChatError:
    """Say what the page of a gateway means: that it took no such body, or nothing at all."""
    is_too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Rejected("request entity too large") if is_too_large else Doubtful(error.message)


def _seconds(error: ptb.RetryAfter) -> float | None:
    # the attribute `retry_after` is int or timedelta depending on the environment, and warns
    wait = error._retry_after.total_seconds()  # noqa: SLF001 - always a timedelta
    return min(wait, LONGEST_WISH) if wait > 0 else None


def _bad_request(text: str) -> ChatError:
    if NO_FILE in text:
        return NoFile(text)
    if "file is too big" in text:
        return TooBig(text)
    found = (kind for texts, kind in KINDS_OF_REFUSAL if any(each in text for each in texts))
    return next(found, Rejected)(text)


def _network(error: ptb.TelegramError, text: str) -> ChatError:
    if isinstance(error.__cause__, NEVER_SENT):
        return Later("Telegram could not be reached")
    if "request entity too large" in text:
        return Rejected(text)
    if text.startswith("too many requests"):  # without saying for how long
        return Later("too many requests")
    return Doubtful("Telegram gave no clear answer")
