"""The client for Telegram's Bot API: calls, file downloads and the webhook. Its errors are those of `errors`.

File URLs contain the bot token, so `download_file` keeps them here; only `get_file_url` returns one.
"""

import asyncio
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from telegram import (
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

from bot.http_client import NoCookies, read_bounded, read_content_length
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
from bot.telegram.http_transport import (
    FILE_DOWNLOAD,
    NO_RESPONSE,
    OnTelegramCall,
    TelegramRequest,
    create_bot,
    ignore_call,
    status_label,
)

#: Bytes; bots can download no larger file from Telegram's own servers (20 << 20 in the Bot API server's source).
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024

#: Seconds for Telegram to answer.
RESPONSE_TIMEOUT = 30.0

#: Seconds for Telegram to answer after an upload, because it processes the file first.
MEDIA_TIMEOUT = 120.0

#: Seconds to download one file.
DOWNLOAD_TIMEOUT = 120.0

#: Seconds for which Telegram holds getUpdates open while there is no update.
POLL_TIMEOUT = 30

#: Seconds after which getUpdates has timed out, whatever the state of the connection.
POLL_DEADLINE = POLL_TIMEOUT + 15.0

#: The types of updates that the bot handles; Telegram remembers the list of the last call that had one.
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")

NO_LINK_PREVIEW = LinkPreviewOptions(is_disabled=True)


@dataclass(frozen=True)
class BotAccount:
    """The bot's own account."""

    id: int
    username: str
    #: its privacy mode is off: it receives every message of its groups
    can_read_all_group_messages: bool = False
    #: users may add it to groups
    can_join_groups: bool = True


@dataclass(frozen=True)
class WebhookStatus:
    """The result of getWebhookInfo."""

    #: empty if no webhook is set
    url: str
    pending_updates: int = 0
    #: when a delivery last failed, in seconds since 1970, and why; 0 for never
    last_error_at: int = 0
    last_error: str = ""


@dataclass(frozen=True)
class Destination:
    """Where to send a message: the chat, its forum topic, and the message to reply to."""

    chat_id: int
    thread_id: int | None = None
    reply_to: int | None = None


@dataclass(frozen=True)
class OutgoingImage:
    """An image to send, with its caption and buttons."""

    content: bytes
    filename: str
    caption: str
    buttons: tuple[Button, ...] = ()
    #: send it as a document, byte for byte, because Telegram compresses photos
    as_file: bool = False


class TelegramClient:
    """The Bot API for one bot; every call raises a TelegramApiError if it fails."""

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        tls: ssl.SSLContext,
        redact: Redact,
        on_call: OnTelegramCall = ignore_call,
        poll_timeout: float = POLL_TIMEOUT,
        poll_deadline: float = POLL_DEADLINE,
    ) -> None:
        self._redact = redact
        self._file_base_url = f"{api_url}/file/bot{token}/"
        self._on_call = on_call
        self._poll_timeout = poll_timeout
        self._poll_deadline = poll_deadline
        self._request = TelegramRequest(
            on_call,
            tls,
            connection_pool_size=64,
            read_timeout=RESPONSE_TIMEOUT,
            write_timeout=30,
            media_write_timeout=120,
            pool_timeout=10,
        )
        self._poll_request = TelegramRequest(on_call, tls, connection_pool_size=4, read_timeout=poll_deadline)
        self._bot = create_bot(token, api_url, self._request, self._poll_request)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(30, connect=10), verify=tls, cookies=NoCookies())

    async def aclose(self) -> None:
        """Close every connection."""
        await self._poll_request.shutdown()
        await self._request.shutdown()
        await self._http.aclose()

    async def _call(self, method: str, arguments: dict[str, Any], *, read_timeout: float = RESPONSE_TIMEOUT) -> Any:
        """Call a method and return its JSON result, because building python-telegram-bot's objects is slow."""
        with translate_errors(self._redact):
            return await self._bot.do_api_request(method, api_kwargs=arguments, read_timeout=read_timeout)

    async def _send(self, method: str, message: dict[str, Any], *, read_timeout: float = RESPONSE_TIMEOUT) -> int:
        """Send a message and return its id.

        The id is 0 for a message that Telegram will send later: it cannot be edited or deleted.
        """
        sent = read_object(await self._call(method, message, read_timeout=read_timeout))
        if "message_id" not in sent:
            raise DeliveryUncertain("the answer holds no id")
        return _read_count(sent["message_id"])

    async def get_updates(self, offset: int) -> list[Any]:
        """Long-poll for updates from `offset` on and return their JSON; this confirms all before `offset`.

        Raises DeliveryUncertain if no answer comes in time.
        """
        arguments = {"offset": offset, "timeout": self._poll_timeout, "allowed_updates": list(ALLOWED_UPDATES)}
        try:
            async with asyncio.timeout(self._poll_deadline):
                updates = await self._call("getUpdates", arguments, read_timeout=self._poll_deadline)
        except TimeoutError:
            self._on_call("getUpdates", NO_RESPONSE)
            raise DeliveryUncertain("the poll for updates stalled") from None
        if not isinstance(updates, list):
            raise DeliveryUncertain("the answer was not a list of updates")
        return updates

    async def reconnect_get_updates(self) -> None:
        """Replace the connections of `get_updates`.

        A half-closed one can block the pool for hours without an error (reported for several bots, 2024 to 2026).
        """
        try:
            await self._poll_request.shutdown()
        finally:
            await self._poll_request.initialize()

    async def get_me(self) -> BotAccount:
        """Return the bot's own account."""
        user = read_object(await self._call("getMe", {}))
        number = read_id(user.get("id"))
        return BotAccount(
            number,
            str(user.get("username") or number),
            can_read_all_group_messages=bool(user.get("can_read_all_group_messages")),
            can_join_groups=user.get("can_join_groups") is not False,
        )

    async def check_reachable(self) -> None:
        """Check with a harmless call that Telegram answers, before sending again what may have arrived.

        Raises RetryableError if it does not.
        """
        try:
            await self.get_me()
        except TelegramApiError as error:
            wait = error.retry_after if isinstance(error, RetryableError) else None
            raise RetryableError("Telegram does not answer at present", wait, applies_to_all_chats=True) from None

    async def get_webhook_status(self) -> WebhookStatus:
        """Return the webhook's state."""
        info = read_object(await self._call("getWebhookInfo", {}))
        return WebhookStatus(
            self._redact(str(info.get("url") or "")),
            _read_count(info.get("pending_update_count")),
            _read_count(info.get("last_error_date")),
            self._redact(str(info.get("last_error_message") or "")),
        )

    async def remove_webhook(self) -> bool:
        """Remove the webhook and keep pending updates; True if there was one."""
        is_set = bool((await self.get_webhook_status()).url)
        if is_set:
            with translate_errors(self._redact):
                await self._bot.delete_webhook(drop_pending_updates=False)
        return is_set

    async def set_webhook(self, url: str, secret: str) -> None:
        """Register a webhook; Telegram sends it pending updates as well, each with `secret` in a header."""
        with translate_errors(self._redact):
            await self._bot.set_webhook(
                url, secret_token=secret, allowed_updates=ALLOWED_UPDATES, drop_pending_updates=False
            )

    async def get_file_url(self, file_id: str) -> str:
        """Return a file's URL, valid for at least an hour. It contains the bot token, so it is as secret as that."""
        answer = await self._call("getFile", {"file_id": file_id})
        path = answer.get("file_path") if isinstance(answer, dict) else None
        if not isinstance(path, str):
            raise FileUnavailable("Telegram named no path for the file")
        return self._file_base_url + quote(path)

    async def download_file(self, file_id: str) -> bytes:
        """Download a file of at most MAX_DOWNLOAD_BYTES. Raises FileTooLarge."""
        url = await self.get_file_url(file_id)
        status = NO_RESPONSE
        try:
            async with asyncio.timeout(DOWNLOAD_TIMEOUT), self._http.stream("GET", url) as response:
                status = status_label(response.status_code)
                _raise_for_file_status(response.status_code)
                return await _read_file_body(response)
        except (httpx.HTTPError, TimeoutError):
            status = NO_RESPONSE
            raise RetryableError("the file could not be fetched from Telegram") from None
        finally:
            self._on_call(FILE_DOWNLOAD, status)

    async def send_message(self, destination: Destination, text: str, buttons: tuple[Button, ...] = ()) -> int:
        """Send plain text without a parse mode; return the message's id."""
        return await self._send("sendMessage", _text_arguments(text, buttons) | _destination_arguments(destination))

    async def edit_message_text(
        self, chat_id: int, message_id: int, text: str, buttons: tuple[Button, ...] = ()
    ) -> None:
        """Edit the text and the buttons of a message of ours. Idempotent."""
        with _ignore_not_modified():
            await self._call(
                "editMessageText", {"chat_id": chat_id, "message_id": message_id} | _text_arguments(text, buttons)
            )

    async def delete_message(self, chat_id: int, message_id: int) -> None:
        """Delete a message. Raises Rejected if it is gone, or too old for a bot to delete (48 hours)."""
        with translate_errors(self._redact):
            await self._bot.delete_message(chat_id, message_id)

    async def send_image(self, destination: Destination, image: OutgoingImage) -> int:
        """Send an image; return the message's id."""
        file = InputFile(image.content, filename=image.filename)
        message = {
            "caption": image.caption,
            "reply_markup": build_inline_keyboard(image.buttons),
        } | _destination_arguments(destination)
        if image.as_file:
            return await self._send("sendDocument", message | {"document": file}, read_timeout=MEDIA_TIMEOUT)
        return await self._send("sendPhoto", message | {"photo": file}, read_timeout=MEDIA_TIMEOUT)

    async def replace_with_image(self, chat_id: int, message_id: int, image: OutgoingImage) -> None:
        """Edit a message of ours into an image, which notifies nobody. Idempotent."""
        kind = InputMediaDocument if image.as_file else InputMediaPhoto
        arguments = {
            "media": kind(image.content, caption=image.caption, filename=image.filename),
            "chat_id": chat_id,
            "message_id": message_id,
            "reply_markup": build_inline_keyboard(image.buttons),
        }
        with _ignore_not_modified():
            await self._call("editMessageMedia", arguments, read_timeout=MEDIA_TIMEOUT)

    async def send_uploading_action(self, destination: Destination) -> None:
        """Show the action "sending a photo" in the chat, for five seconds at most."""
        with translate_errors(self._redact):
            await self._bot.send_chat_action(
                chat_id=destination.chat_id, action=ChatAction.UPLOAD_PHOTO, message_thread_id=destination.thread_id
            )

    async def answer_callback_query(self, query_id: str, text: str) -> None:
        """Answer a button press; a `text` is shown for a moment."""
        with translate_errors(self._redact):
            await self._bot.answer_callback_query(query_id, text=text or None)

    async def set_reaction(self, chat_id: int, message_id: int, emoji: str) -> None:
        """Set our reaction to a message, in place of the one before. Idempotent."""
        with translate_errors(self._redact):
            await self._bot.set_message_reaction(chat_id, message_id, reaction=[ReactionTypeEmoji(emoji)])

    async def get_administrators(self, chat_id: int) -> frozenset[int]:
        """Return the user ids of a group's administrators."""
        members = await self._call("getChatAdministrators", {"chat_id": chat_id})
        if not isinstance(members, list):
            raise DeliveryUncertain("the answer is no list of members")
        return frozenset(read_id(read_object(read_object(member).get("user")).get("id")) for member in members)

    async def set_commands(self, scope: str, language: str | None, commands: Mapping[str, str]) -> None:
        """Set the commands for a scope of the Bot API; with language None, for users of languages without their own."""
        await self._set_commands(BotCommandScope(BotCommandScopeType(scope)), language, commands)

    async def set_chat_commands(self, chat_id: int, language: str | None, commands: Mapping[str, str]) -> None:
        """Set the commands for one chat, in place of those for its scope."""
        await self._set_commands(BotCommandScopeChat(chat_id), language, commands)

    async def _set_commands(self, scope: BotCommandScope, language: str | None, commands: Mapping[str, str]) -> None:
        menu = [BotCommand(name, description) for name, description in commands.items()]
        with translate_errors(self._redact):
            await self._bot.set_my_commands(menu, scope=scope, language_code=language)


def load_tls_context() -> ssl.SSLContext:
    """Load the trusted certificates, from SSL_CERT_FILE or SSL_CERT_DIR if set. Takes 20 ms, so share the result.

    Raises CannotRun if they cannot be used.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise CannotRun(_describe_certificate_error(error)) from None


def _describe_certificate_error(error: OSError) -> str:
    reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
    name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
    return f"{name} {os.environ.get(name, '')} cannot be used ({reason}): name certificates in PEM form, or remove it"


@contextmanager
def _ignore_not_modified() -> Iterator[None]:
    try:
        yield
    except Rejected as error:
        if "message is not modified" not in str(error):
            raise


def _read_count(value: object) -> int:
    """Return a positive number that fits into a column; 0 for anything else."""
    return value if type(value) is int and 0 < value < ID_LIMIT else 0


def _text_arguments(text: str, buttons: tuple[Button, ...]) -> dict[str, Any]:
    return {"text": text, "link_preview_options": NO_LINK_PREVIEW, "reply_markup": build_inline_keyboard(buttons)}


def _destination_arguments(destination: Destination) -> dict[str, Any]:
    reply = (
        None
        if destination.reply_to is None
        else ReplyParameters(message_id=destination.reply_to, allow_sending_without_reply=True)
    )
    return {"chat_id": destination.chat_id, "message_thread_id": destination.thread_id, "reply_parameters": reply}


def _raise_for_file_status(status: int) -> None:
    if status in (401, 404):  # sometimes temporary (seen 2025)
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
