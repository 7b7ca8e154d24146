"""What we ask of Telegram, in our words and with our errors.

Nothing outside this room sees a file's address, because the bot token is part of it.
"""

import asyncio
import os
import ssl
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeChat,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    ReactionTypeEmoji,
    ReplyParameters,
)
from telegram.constants import BotCommandScopeType, ChatAction
from telegram.request import HTTPXRequest
from telegram.warnings import PTBDeprecationWarning, PTBUserWarning

from bot.http_client import HttpClient, buffer_small_body, close_response, read_bounded, read_content_length
from bot.logs import Redact
from bot.settings import CannotRun
from bot.telegram.buttons import Button, build_inline_keyboard
from bot.telegram.errors import (
    ID_LIMIT,
    DeliveryUncertain,
    FileTooLarge,
    FileUnavailable,
    Rejected,
    RetryableError,
    TelegramApiError,
    read_id,
    read_object,
    translate_errors,
)
from bot.telegram.http_request import (
    FILE_DOWNLOAD,
    NO_RESPONSE,
    CountingRequest,
    OnTelegramCall,
    ignore_call,
    status_label,
)

#: Bytes; the cloud API hands out no larger file (20 << 20 in the server's source).
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024

#: Seconds for Telegram to answer.
RESPONSE_TIMEOUT = 30.0

#: Seconds for Telegram to answer after a file was sent; it looks at the file first.
MEDIA_TIMEOUT = 120.0

#: Seconds for fetching one file.
DOWNLOAD_TIMEOUT = 120.0

#: The kinds of updates that can matter; whoever names none gets those that were named before.
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")

NO_LINK_PREVIEW = LinkPreviewOptions(is_disabled=True)


@dataclass(frozen=True)
class BotAccount:
    """The bot's own account."""

    id: int
    username: str
    #: whether groups show it what is not meant for it: its privacy mode is off
    can_read_all_group_messages: bool = False
    #: whether people may add it to groups
    can_join_groups: bool = True


@dataclass(frozen=True)
class WebhookStatus:
    """Where Telegram brings updates, and how it gets on."""

    #: empty where it brings none
    url: str
    #: updates that wait to be brought
    pending_updates: int = 0
    #: when it last failed, in seconds since 1970, and why; 0 for never
    last_error_at: int = 0
    last_error: str = ""


@dataclass(frozen=True)
class Destination:
    """Where something is said: a chat, a topic of it, in reply to a message."""

    chat_id: int
    thread_id: int | None = None
    reply_to: int | None = None


@dataclass(frozen=True)
class OutgoingImage:
    """A picture to be sent, with what stands under it."""

    content: bytes
    filename: str
    caption: str
    buttons: tuple[Button, ...] = ()
    #: byte for byte, as against a photo, which Telegram may compress
    as_file: bool = False


class TelegramClient:
    """Telegram's Bot API for one bot. Every method raises a ChatError."""

    def __init__(
        self, *, token: str, api_url: str, tls: ssl.SSLContext, redact: Redact, told: OnTelegramCall = ignore_call
    ) -> None:
        self._redact = redact
        self._file_base_url = f"{api_url}/file/bot{token}/"
        self._on_call = told
        self._request = CountingRequest(
            told,
            connection_pool_size=64,
            connect_timeout=10,
            read_timeout=RESPONSE_TIMEOUT,
            write_timeout=30,
            media_write_timeout=120,
            pool_timeout=10,
            httpx_kwargs={"verify": tls, "event_hooks": {"request": [buffer_small_body]}},
        )
        self._bot = create_bot(token, api_url, self._request)
        self._http = HttpClient(timeout=httpx.Timeout(30, connect=10), verify=tls)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._request.shutdown()
        await self._http.aclose()

    async def _send(self, method: str, message: dict[str, Any], *, within: float = RESPONSE_TIMEOUT) -> int:
        """Send something; return the message's id, which is all that anybody wants to know of it.

        It is 0 for a message that nothing can be done about: Telegram says so of some that it sends later.
        """
        sent = read_object(await self._call(method, message, within=within))
        if "message_id" not in sent:
            raise DeliveryUncertain("the answer holds no id")
        return _read_count(sent["message_id"])

    async def _call(self, method: str, arguments: dict[str, Any], *, within: float = RESPONSE_TIMEOUT) -> Any:
        """Call a method for the plain answer: to make one of the library's messages of it takes long."""
        with translate_errors(self._redact):
            return await self._bot.do_api_request(method, api_kwargs=arguments, read_timeout=within)

    async def get_me(self) -> BotAccount:
        """Ask who we are."""
        user = read_object(await self._call("getMe", {}))
        number = read_id(user.get("id"))
        return BotAccount(
            number,
            str(user.get("username") or number),
            can_read_all_group_messages=bool(user.get("can_read_all_group_messages")),
            can_join_groups=user.get("can_join_groups") is not False,
        )

    async def check_reachable(self) -> None:
        """Ask a question that changes nothing: what may have arrived is not to be repeated before it is answered.

        Raises Later when it is not.
        """
        try:
            await self.get_me()
        except TelegramApiError as error:
            wait = error.retry_after if isinstance(error, RetryableError) else None
            raise RetryableError("Telegram does not answer at present", wait, applies_to_all_chats=True) from None

    async def get_webhook_status(self) -> WebhookStatus:
        """Ask where Telegram brings updates."""
        info = read_object(await self._call("getWebhookInfo", {}))
        return WebhookStatus(
            self._redact(str(info.get("url") or "")),
            _read_count(info.get("pending_update_count")),
            _read_count(info.get("last_error_date")),
            self._redact(str(info.get("last_error_message") or "")),
        )

    async def remove_webhook(self) -> bool:
        """Switch a webhook off, keeping the updates that wait; True if there was one."""
        known = await self.get_webhook_status()
        if known.url:
            with translate_errors(self._redact):
                await self._bot.delete_webhook(drop_pending_updates=False)
        return bool(known.url)

    async def set_webhook(self, url: str, secret: str) -> None:
        """Have updates brought to an address, those that wait as well; `secret` is said with each of them."""
        with translate_errors(self._redact):
            await self._bot.set_webhook(
                url, secret_token=secret, allowed_updates=ALLOWED_UPDATES, drop_pending_updates=False
            )

    async def get_file_url(self, file_id: str) -> str:
        """Return a file's address, good for an hour at least. It holds the bot token: handle it like the token."""
        answer = await self._call("getFile", {"file_id": file_id})
        path = answer.get("file_path") if isinstance(answer, dict) else None
        if not isinstance(path, str):
            raise FileUnavailable("Telegram named no path for the file")
        return self._file_base_url + quote(path)

    async def download_file(self, file_id: str) -> bytes:
        """Fetch a file of at most MAX_DOWNLOAD bytes. Raises TooBig when it is larger."""
        url = await self.get_file_url(file_id)
        code = NO_RESPONSE
        try:
            async with asyncio.timeout(DOWNLOAD_TIMEOUT):
                response = await self._http.send(self._http.build_request("GET", url), stream=True)
                try:
                    code = status_label(response.status_code)
                    _raise_for_file_status(response.status_code)
                    return await _read_file_body(response)
                finally:
                    await close_response(response)
        except (httpx.HTTPError, TimeoutError):
            code = NO_RESPONSE
            raise RetryableError("the file could not be fetched from Telegram") from None
        finally:
            self._on_call(FILE_DOWNLOAD, code)

    async def send_message(self, place: Destination, text: str, buttons: tuple[Button, ...] = ()) -> int:
        """Send a text as it is, without any markup; return the message's id."""
        return await self._send("sendMessage", _text_arguments(text, buttons) | _destination_arguments(place))

    async def edit_message_text(
        self, chat_id: int, message_id: int, text: str, buttons: tuple[Button, ...] = ()
    ) -> None:
        """Change a text of ours and its buttons; the same twice is no error."""
        which = {"chat_id": chat_id, "message_id": message_id}
        with _ignore_not_modified():
            await self._call("editMessageText", _text_arguments(text, buttons) | which)

    async def delete_message(self, chat_id: int, message_id: int) -> None:
        """Delete a message of ours; one that is gone already is no error."""
        with translate_errors(self._redact):
            await self._bot.delete_message(chat_id, message_id)

    async def send_image(self, place: Destination, media: OutgoingImage) -> int:
        """Send a picture; return the message's id."""
        file = InputFile(media.content, filename=media.filename)
        message = {
            "caption": media.caption,
            "reply_markup": build_inline_keyboard(media.buttons),
        } | _destination_arguments(place)
        if media.as_file:
            return await self._send("sendDocument", message | {"document": file}, within=MEDIA_TIMEOUT)
        return await self._send("sendPhoto", message | {"photo": file}, within=MEDIA_TIMEOUT)

    async def replace_with_image(self, chat_id: int, message_id: int, media: OutgoingImage) -> None:
        """Put a picture in the place of a message of ours; the same twice is no error, and nobody is notified."""
        kind = InputMediaDocument if media.as_file else InputMediaPhoto
        what = {
            "media": kind(media.content, caption=media.caption, filename=media.filename),
            "chat_id": chat_id,
            "message_id": message_id,
            "reply_markup": build_inline_keyboard(media.buttons),
        }
        with _ignore_not_modified():
            await self._call("editMessageMedia", what, within=MEDIA_TIMEOUT)

    async def send_uploading_action(self, place: Destination) -> None:
        """Show "sending a photo" in the chat, for five seconds at most."""
        with translate_errors(self._redact):
            await self._bot.send_chat_action(
                chat_id=place.chat_id, action=ChatAction.UPLOAD_PHOTO, message_thread_id=place.thread_id
            )

    async def answer_callback_query(self, press_id: str, text: str) -> None:
        """Tell somebody who pressed a button that it was noticed; `text`, if any, appears for a moment."""
        with translate_errors(self._redact):
            await self._bot.answer_callback_query(press_id, text=text or None)

    async def set_reaction(self, chat_id: int, message_id: int, emoji: str) -> None:
        """Put a reaction on a message; the same twice is no error."""
        with translate_errors(self._redact):
            await self._bot.set_message_reaction(chat_id, message_id, reaction=[ReactionTypeEmoji(emoji)])

    async def get_administrators(self, chat_id: int) -> frozenset[int]:
        """Ask who administers a group; return the ids of the people."""
        members = await self._call("getChatAdministrators", {"chat_id": chat_id})
        if not isinstance(members, list):
            raise DeliveryUncertain("the answer is no list of members")
        return frozenset(read_id(read_object(read_object(member).get("user")).get("id")) for member in members)

    async def set_commands(self, scope: str, language: str | None, commands: Mapping[str, str]) -> None:
        """Say which commands an app offers in chats of a kind (a scope of the Bot API); None: in any other language."""
        with translate_errors(self._redact):
            await self._bot.set_my_commands(
                [BotCommand(name, description) for name, description in commands.items()],
                scope=BotCommandScope(BotCommandScopeType(scope)),
                language_code=language,
            )

    async def set_chat_commands(self, chat_id: int, language: str | None, commands: Mapping[str, str]) -> None:
        """Say which commands an app offers in one chat, in place of those for chats of its kind."""
        with translate_errors(self._redact):
            await self._bot.set_my_commands(
                [BotCommand(name, description) for name, description in commands.items()],
                scope=BotCommandScopeChat(chat_id),
                language_code=language,
            )


def load_tls_context() -> ssl.SSLContext:
    """Load whom to trust: SSL_CERT_FILE or SSL_CERT_DIR where they say so. It takes 20 ms, so once is enough.

    Raises CannotRun where that cannot be used.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # among them all of ssl's
        raise CannotRun(_describe_certificate_error(error)) from None


def _describe_certificate_error(error: OSError) -> str:
    why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
    name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
    return f"{name} {os.environ.get(name, '')} cannot be used ({why}): name certificates in PEM form, or remove it"


def create_bot(token: str, api_url: str, request: HTTPXRequest) -> Bot:
    """Return python-telegram-bot's Bot on one connection pool, for raw calls too."""
    # raw answers are wanted: an Update that cannot be parsed must not stop those behind it,
    # a File would carry the token in its repr, and of a Message nothing but the id is read
    warnings.filterwarnings("ignore", r"Please use 'Bot\.", PTBUserWarning)
    # its classes warn about attributes of their own that we do not read (22.8)
    warnings.filterwarnings("ignore", r".*`datetime\.timedelta`", PTBDeprecationWarning)
    return Bot(
        token,
        base_url=f"{api_url}/bot",
        base_file_url=f"{api_url}/file/bot",
        request=request,
        get_updates_request=request,
    )


@contextmanager
def _ignore_not_modified() -> Iterator[None]:
    """Take it for done when Telegram says that a message shows this already."""
    try:
        yield
    except Rejected as error:
        if "message is not modified" not in str(error):
            raise


def _read_count(value: object) -> int:
    """Read a number from zero on; 0 for one that cannot be."""
    return value if type(value) is int and 0 < value < ID_LIMIT else 0


def _text_arguments(text: str, buttons: tuple[Button, ...]) -> dict[str, Any]:
    return {"text": text, "link_preview_options": NO_LINK_PREVIEW, "reply_markup": build_inline_keyboard(buttons)}


def _destination_arguments(place: Destination) -> dict[str, Any]:
    reply = (
        None if place.reply_to is None else ReplyParameters(message_id=place.reply_to, allow_sending_without_reply=True)
    )
    return {"chat_id": place.chat_id, "message_thread_id": place.thread_id, "reply_parameters": reply}


def _raise_for_file_status(status: int) -> None:
    if status in (401, 404):  # which it also answers for a while now and then (seen 2025)
        raise FileUnavailable(f"Telegram's file host answered {status}")
    if status != httpx.codes.OK:
        raise RetryableError(f"Telegram's file host answered {status}")


async def _read_file_body(response: httpx.Response) -> bytes:
    content = await read_bounded(response.aiter_bytes(), MAX_DOWNLOAD_BYTES)
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise FileTooLarge("the file is larger than 20 MB")
    expected = read_content_length(response)
    if expected is not None and "Content-Encoding" not in response.headers and len(content) != expected:
        raise RetryableError("the file arrived incomplete")
    return content
