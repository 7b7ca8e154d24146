"""From an update to what it means: pure, and without a look at anything stored."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from telegram import CallbackQuery, ChatMember, Document, Message, PhotoSize, Update, User

from bot.chat import buttons
from bot.chat.buttons import Pressed
from bot.job import Source
from bot.texts import DEFAULT, closest

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+|$)")

#: The command that may stand before a wish, and means nothing more.
EDIT = "edit"

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
    #: that we have and that is closest to the one of the person's app
    language: str = DEFAULT


@dataclass(frozen=True)
class PictureSent:
    """One picture, as photo or file, with its caption; empty when there was none."""

    source: Source
    caption: str


@dataclass(frozen=True)
class AlbumItemSent:
    """One of several things that were sent together; without a source it is no still picture."""

    group: str
    source: Source | None
    caption: str


@dataclass(frozen=True)
class RepliedTo:
    """What a message replies to, as far as Telegram shows it."""

    #: None for a message of another chat
    message_id: int | None
    source: Source | None


@dataclass(frozen=True)
class WordsSent:
    """Words without a picture; empty when there is nothing to read in them."""

    words: str
    reply_to: RepliedTo | None = None


@dataclass(frozen=True)
class WordsChanged:
    """A message that a person has edited, with its words as they are now."""

    words: str


@dataclass(frozen=True)
class ButtonPressed:
    """A press of a button under a message of ours; None behind it when it is none that we know."""

    press_id: str
    pressed: Pressed | None


@dataclass(frozen=True)
class CommandGiven:
    """A command, in lower case and without its slash."""

    name: str


@dataclass(frozen=True)
class OtherSent:
    """A video, a sticker, a voice message: anything that is neither picture nor text."""


@dataclass(frozen=True)
class BotBlocked:
    """The person has stopped the bot."""


Meaning = PictureSent | AlbumItemSent | WordsSent | WordsChanged | ButtonPressed | CommandGiven | OtherSent | BotBlocked
Reading = tuple[Origin, Meaning]


def read_update(raw: dict[str, Any]) -> Reading | None:
    """Say what an update means, None when it asks for nothing.

    Raises whatever python-telegram-bot raises for an update that is malformed.
    """
    update = Update.de_json(raw, None)
    if update.my_chat_member is not None:
        change = update.my_chat_member
        if change.new_chat_member.status != ChatMember.BANNED:
            return None
        return Origin(change.chat.id, change.from_user.id, 0, None, _language(change.from_user)), BotBlocked()
    if update.callback_query is not None:
        return _read_press(update.callback_query)
    if update.edited_message is not None:
        return _read(update.edited_message, WordsChanged(_wish(update.edited_message)[1]))
    return None if update.message is None else _read(update.message, _read_message(update.message))


def _read(message: Message, meaning: Meaning | None) -> Reading | None:
    if message.from_user is None or meaning is None:
        return None
    # without a topic the thread id is only a chain of replies and must not be sent back
    thread_id = message.message_thread_id if message.is_topic_message else None
    user = message.from_user
    return Origin(message.chat.id, user.id, message.message_id, thread_id, _language(user)), meaning


def _read_press(query: CallbackQuery) -> Reading | None:
    if query.message is None:
        return None
    user = query.from_user
    origin = Origin(query.message.chat.id, user.id, query.message.message_id, None, _language(user))
    return origin, ButtonPressed(query.id, buttons.read(query.data))


def _language(user: User) -> str:
    return closest(user.language_code)


def _read_message(message: Message) -> Meaning | None:
    command, words = _wish(message)
    source = _source(message)
    if message.media_group_id is not None:
        return AlbumItemSent(message.media_group_id, source, words)
    if command is not None and command != EDIT:
        return CommandGiven(command)
    if source is not None:
        return PictureSent(source, words)
    if message.text is not None:
        return WordsSent(words, _replied_to(message))
    return OtherSent() if any(getattr(message, kind, None) for kind in OTHER_CONTENT) else None


def _wish(message: Message) -> tuple[str | None, str]:
    """Return the command that a message begins with, if any, and the words that can be read in the rest."""
    words = (message.text or message.caption or "").strip()
    command = COMMAND.match(words)
    rest = words[command.end() :].strip() if command else words
    return command.group(1).lower() if command else None, rest if _is_visible(rest) else ""


def _is_visible(words: str) -> bool:
    """Say whether there is anything to read: not only spaces, joiners and control characters."""
    return any(unicodedata.category(char)[0] not in "CZ" for char in words)


def _replied_to(message: Message) -> RepliedTo | None:
    if message.reply_to_message is not None:
        return RepliedTo(message.reply_to_message.message_id, _source(message.reply_to_message))
    outside = message.external_reply
    if outside is None:
        return None
    return RepliedTo(None, _attached(message.message_id, outside.photo, outside.document, outside.animation))


def _source(message: Message) -> Source | None:
    return _attached(message.message_id, message.photo, message.document, message.animation)


def _attached(
    place: int, photo: tuple[PhotoSize, ...] | None, document: Document | None, animation: object
) -> Source | None:
    # an animation comes with a document as well, a live photo with a photo
    if photo:
        return _file(place, max(photo, key=lambda size: size.width * size.height), is_photo=True)
    if document is not None and animation is None:
        return _file(place, document, is_photo=False)
    return None


def _file(place: int, file: PhotoSize | Document, *, is_photo: bool) -> Source:
    return Source(place, file.file_id, file.file_unique_id, is_photo, file.file_size)
