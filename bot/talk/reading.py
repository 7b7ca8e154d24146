"""From an update to what it means: pure, and without a look at anything stored."""

import codecs
import re
import unicodedata
from dataclasses import replace
from typing import Any

from telegram import (
    CallbackQuery,
    ChatMember,
    ChatMemberRestricted,
    ChatMemberUpdated,
    Document,
    Message,
    MessageEntity,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginUser,
    PhotoSize,
    Update,
    User,
)

from bot.chat import buttons
from bot.chat.client import Me
from bot.job import Source
from bot.talk.meanings import (
    AlbumItemSent,
    BotPlaced,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    GroupMoved,
    Meaning,
    Origin,
    OtherSent,
    PictureSent,
    Reading,
    RepliedTo,
    Spoken,
    WordsChanged,
    WordsSent,
)
from bot.texts import closest

# Python reads a codec from disk when it is first used, and that is when the first mention of the bot is read
codecs.lookup("utf-16-le")

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+|$)")

#: The command that may stand before a wish, and means nothing more.
EDIT = "edit"

#: Commands that say about whom they are, by an id or as a reply.
ABOUT_SOMEBODY = ("allow", "deny", "block")

#: Commands behind which words mean something.
WITH_WORDS = ("stats",)

#: Kinds of content that a person sends, as against the service messages of Telegram itself.
OTHER_CONTENT = (
    "animation", "audio", "checklist", "contact", "dice", "game", "location", "paid_media", "poll", "sticker",
    "story", "venue", "video", "video_note", "voice",
)  # fmt: skip


def read_update(raw: dict[str, Any], me: Me) -> Reading | None:
    """Say what an update means to us, who are `me`; None when it asks for nothing.

    Raises whatever python-telegram-bot raises for an update that is malformed.
    """
    update = Update.de_json(raw, None)
    reading = _reading(update, me)
    if reading is None or not reading[0].is_group:
        return reading
    origin, meaning = reading
    return replace(origin, hears_all=me.hears_all), meaning


def _reading(update: Update, me: Me) -> Reading | None:
    if update.my_chat_member is not None:
        return _read_place(update.my_chat_member)
    if update.callback_query is not None:
        return _read_press(update.callback_query)
    if update.edited_message is not None:
        return _read(update.edited_message, _read_change(update.edited_message, me))
    return None if update.message is None else _read(update.message, _read_message(update.message, me))


def _read(message: Message, meaning: Meaning | None) -> Reading | None:
    user, speaker = message.from_user, _speaker(message)
    if user is None or speaker is None or meaning is None:
        return None
    # without a topic the thread id is only a chain of replies and must not be sent back
    thread_id = message.message_thread_id if message.is_topic_message else None
    return _origin(message.chat.id, speaker, message.message_id, thread_id, user), meaning


def _speaker(message: Message) -> int | None:
    """Return who wrote a message: a person, or the group or the channel in whose name it was written."""
    # who speaks in a group's or a channel's name has the same made-up user as everybody else who does
    if message.sender_chat is not None:
        return message.sender_chat.id
    return None if message.from_user is None else message.from_user.id


def _spoken(message: Message | None) -> Spoken | None:
    """Say whose a message is; one that was handed on to us alone is its author's."""
    if message is None or message.forum_topic_created is not None:
        return None
    # where others read along, the one who handed it on is there and the author may be nobody they know
    author = message.forward_origin if message.chat.type == "private" else None
    if author is None:
        return Spoken(message.message_id, _speaker(message))
    if isinstance(author, MessageOriginUser):
        return Spoken(message.message_id, author.sender_user.id)
    if isinstance(author, MessageOriginChat):
        return Spoken(message.message_id, author.sender_chat.id)
    return Spoken(message.message_id, author.chat.id if isinstance(author, MessageOriginChannel) else None)


def _read_place(change: ChatMemberUpdated) -> Reading | None:
    was_there, is_there = _is_there(change.old_chat_member), _is_there(change.new_chat_member)
    meaning: Meaning | None = None
    if not is_there:
        meaning = BotRemoved()
    elif change.chat.type in ("group", "supergroup"):
        meaning = BotPlaced(not was_there, change.new_chat_member.status == ChatMember.ADMINISTRATOR)
    origin = _origin(change.chat.id, change.from_user.id, 0, None, change.from_user)
    return None if meaning is None else (origin, meaning)


def _is_there(member: ChatMember) -> bool:
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status not in (ChatMember.BANNED, ChatMember.LEFT)


def _read_press(query: CallbackQuery) -> Reading | None:
    if query.message is None:
        return None
    user = query.from_user
    origin = _origin(query.message.chat.id, user.id, query.message.message_id, None, user)
    markup = query.message.reply_markup if isinstance(query.message, Message) else None
    return origin, ButtonPressed(query.id, buttons.read(query.data), buttons.is_offered(markup, query.data))


def _origin(chat_id: int, speaker: int, message_id: int, thread_id: int | None, user: User) -> Origin:
    language = closest(user.language_code)
    return Origin(chat_id, speaker, message_id, thread_id, language, language)


def _read_change(message: Message, me: Me) -> WordsChanged:
    anew = None if message.chat.type == "private" else _read_message(message, me)
    words = _wish(message, me)[1]
    return WordsChanged(words, anew if isinstance(anew, PictureSent | AlbumItemSent | WordsSent) else None)


def _read_message(message: Message, me: Me) -> Meaning | None:
    if message.migrate_to_chat_id is not None:
        return GroupMoved(message.chat.id, message.migrate_to_chat_id)
    if message.migrate_from_chat_id is not None:
        return GroupMoved(message.migrate_from_chat_id, message.chat.id)
    command, words = _wish(message, me)
    source = _source(message)
    if message.media_group_id is not None:
        return AlbumItemSent(message.media_group_id, source, words)
    if command in ABOUT_SOMEBODY:
        return CommandGiven(command, words, _spoken(message.reply_to_message))
    if command is not None and command != EDIT:
        return CommandGiven(command, words if command in WITH_WORDS else "")
    if source is not None:
        return PictureSent(source, words)
    if message.text is not None:
        return WordsSent(words, _replied_to(message))
    return OtherSent() if any(getattr(message, kind, None) for kind in OTHER_CONTENT) else None


def _wish(message: Message, me: Me) -> tuple[str | None, str]:
    """Return the command that a message begins with, if any, and the words that can be read in the rest."""
    words = _without_our_name(message, me).strip()
    command = COMMAND.match(words)
    rest = words[command.end() :].strip() if command else words
    return command.group(1).lower() if command else None, rest if _is_visible(rest) else ""


def _without_our_name(message: Message, me: Me) -> str:
    """Return the words of a message without the mentions of us, which are no part of a wish."""
    found = message.parse_entities() if message.text else message.parse_caption_entities()
    # in UTF-16, in whose units entities are counted
    units = (message.text or message.caption or "").encode("utf-16-le", "surrogatepass")
    for entity in sorted((each for each, name in found.items() if _is_us(each, name, me)), key=_end, reverse=True):
        before = units[: 2 * entity.offset].decode("utf-16-le", "surrogatepass")
        after = units[2 * _end(entity) :].decode("utf-16-le", "surrogatepass")
        units = f"{before.rstrip()} {after.lstrip(' ,:;')}".encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "surrogatepass")


def _is_us(entity: MessageEntity, name: str, me: Me) -> bool:
    if entity.type == MessageEntity.MENTION:
        return name.casefold() == f"@{me.username}".casefold()
    return entity.user is not None and entity.user.id == me.id


def _end(entity: MessageEntity) -> int:
    return entity.offset + entity.length


def _is_visible(words: str) -> bool:
    """Say whether there is anything to read: not only spaces, joiners and control characters."""
    return any(unicodedata.category(char)[0] not in "CZ" for char in words)


def _replied_to(message: Message) -> RepliedTo | None:
    # in a topic every message seems to reply to the one that opened it
    if message.reply_to_message is not None and message.reply_to_message.forum_topic_created is None:
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
