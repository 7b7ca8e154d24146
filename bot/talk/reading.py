"""From an update to what it means: pure, and without a look at anything stored."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from telegram import ChatMember, Document, Message, PhotoSize, Update

from bot.job import Source

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+|$)")

#: Kinds of content that a person sends, as against the service messages of Telegram itself.
OTHER_CONTENT = (
    "animation", "audio", "checklist", "contact", "dice", "game", "location", "paid_media", "poll", "sticker",
    "story", "venue", "video", "video_note", "voice",
)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Who spoke, and where a reply goes."""

    chat_id: int
    user_id: int
    message_id: int
    thread_id: int | None


@dataclass(frozen=True)
class PictureSent:
    """One picture, as photo or file, with its caption; empty when there was none."""

    source: Source
    caption: str


@dataclass(frozen=True)
class AlbumItemSent:
    """One of several pictures that were sent together."""

    group: str


@dataclass(frozen=True)
class CommandGiven:
    """A command, in lower case and without its slash."""

    name: str


@dataclass(frozen=True)
class TextSent:
    """Words without a picture."""


@dataclass(frozen=True)
class OtherSent:
    """A video, a sticker, a voice message: anything that is neither picture nor text."""


@dataclass(frozen=True)
class BotBlocked:
    """The person has stopped the bot."""


Meaning = PictureSent | AlbumItemSent | CommandGiven | TextSent | OtherSent | BotBlocked


def read_update(raw: dict[str, Any]) -> tuple[Origin, Meaning] | None:
    """Say what an update means, None when it asks for nothing.

    Raises whatever python-telegram-bot raises for an update that is malformed.
    """
    update = Update.de_json(raw, None)
    if update.my_chat_member is not None:
        change = update.my_chat_member
        if change.new_chat_member.status != ChatMember.BANNED:
            return None
        return Origin(change.chat.id, change.from_user.id, 0, None), BotBlocked()
    if update.message is None or update.message.from_user is None:
        return None
    meaning = _read_message(update.message)
    return None if meaning is None else (_origin(update.message, update.message.from_user.id), meaning)


def _origin(message: Message, user_id: int) -> Origin:
    # without a topic the thread id is only a chain of replies and must not be sent back
    thread_id = message.message_thread_id if message.is_topic_message else None
    return Origin(message.chat.id, user_id, message.message_id, thread_id)


def _read_message(message: Message) -> Meaning | None:
    words = (message.text or message.caption or "").strip()
    command = COMMAND.match(words)
    name = command.group(1).lower() if command else None
    source = _source(message)
    if name is not None and not (source and name == "edit"):
        return CommandGiven(name)
    if source is not None:
        caption = words[command.end() :].strip() if command else words
        return _picture(message, source, caption if _is_visible(caption) else "")
    if message.text is not None:
        return TextSent()
    return OtherSent() if any(getattr(message, kind, None) for kind in OTHER_CONTENT) else None


def _is_visible(words: str) -> bool:
    """Say whether there is anything to read: not only spaces, joiners and control characters."""
    return any(unicodedata.category(char)[0] not in "CZ" for char in words)


def _picture(message: Message, source: Source, caption: str) -> Meaning:
    if message.media_group_id is not None:
        return AlbumItemSent(message.media_group_id)
    return PictureSent(source, caption)


def _source(message: Message) -> Source | None:
    # an animation comes with a document as well, a live photo with a photo
    if message.photo:
        return _file(max(message.photo, key=lambda size: size.width * size.height), is_photo=True)
    if message.document is not None and message.animation is None:
        return _file(message.document, is_photo=False)
    return None


def _file(file: PhotoSize | Document, *, is_photo: bool) -> Source:
    return Source(file.file_id, file.file_unique_id, is_photo, file.file_size)
