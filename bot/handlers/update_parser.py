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

from bot.handlers.update_types import (
    AlbumItemSent,
    BotMembershipChanged,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    CommandTarget,
    GroupMigrated,
    ImageSent,
    MessageEdited,
    ParsedUpdate,
    ReplyTarget,
    TextSent,
    UnsupportedContentSent,
    UpdateContent,
    UpdateOrigin,
)
from bot.i18n import closest_language
from bot.job import SourceImage
from bot.telegram import buttons
from bot.telegram.client import BotAccount

# Python reads a codec from disk when it is first used, and that is when the first mention of the bot is read
codecs.lookup("utf-16-le")

COMMAND_PATTERN = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+|$)")

#: The command that may stand before a wish, and means nothing more.
EDIT_COMMAND = "edit"

#: Commands that say about whom they are, by an id or as a reply.
COMMANDS_WITH_TARGET = ("allow", "deny", "block")

#: Commands behind which words mean something.
COMMANDS_WITH_ARGUMENTS = ("stats",)

#: Kinds of content that a person sends, as against the service messages of Telegram itself.
UNSUPPORTED_CONTENT = (
    "animation", "audio", "checklist", "contact", "dice", "game", "location", "paid_media", "poll", "sticker",
    "story", "venue", "video", "video_note", "voice",
)  # fmt: skip


def parse_update(raw: dict[str, Any], me: BotAccount) -> ParsedUpdate | None:
    """Say what an update means to us, who are `me`; None when it asks for nothing.

    Raises whatever python-telegram-bot raises for an update that is malformed.
    """
    update = Update.de_json(raw, None)
    reading = _parse_any(update, me)
    if reading is None or not reading[0].is_group:
        return reading
    origin, meaning = reading
    return replace(origin, hears_all=me.can_read_all_group_messages), meaning


def _parse_any(update: Update, me: BotAccount) -> ParsedUpdate | None:
    if update.my_chat_member is not None:
        return _parse_membership_change(update.my_chat_member)
    if update.callback_query is not None:
        return _parse_button_press(update.callback_query)
    if update.edited_message is not None:
        return _with_origin(update.edited_message, _parse_edited_message(update.edited_message, me))
    return None if update.message is None else _with_origin(update.message, _parse_message(update.message, me))


def _with_origin(message: Message, meaning: UpdateContent | None) -> ParsedUpdate | None:
    user, speaker = message.from_user, _sender_id(message)
    if user is None or speaker is None or meaning is None:
        return None
    # without a topic the thread id is only a chain of replies and must not be sent back
    thread_id = message.message_thread_id if message.is_topic_message else None
    return _origin(message.chat.id, speaker, message.message_id, thread_id, user), meaning


def _sender_id(message: Message) -> int | None:
    """Return who wrote a message: a person, or the group or the channel in whose name it was written."""
    # who speaks in a group's or a channel's name has the same made-up user as everybody else who does
    if message.sender_chat is not None:
        return message.sender_chat.id
    return None if message.from_user is None else message.from_user.id


def _command_target(message: Message | None) -> CommandTarget | None:
    """Say whose a message is; one that was handed on to us alone is its author's."""
    if message is None or message.forum_topic_created is not None:
        return None
    # where others read along, the one who handed it on is there and the author may be nobody they know
    author = message.forward_origin if message.chat.type == "private" else None
    if author is None:
        return CommandTarget(message.message_id, _sender_id(message))
    if isinstance(author, MessageOriginUser):
        return CommandTarget(message.message_id, author.sender_user.id)
    if isinstance(author, MessageOriginChat):
        return CommandTarget(message.message_id, author.sender_chat.id)
    return CommandTarget(message.message_id, author.chat.id if isinstance(author, MessageOriginChannel) else None)


def _parse_membership_change(change: ChatMemberUpdated) -> ParsedUpdate | None:
    was_there, is_there = _is_member(change.old_chat_member), _is_member(change.new_chat_member)
    meaning: UpdateContent | None = None
    if not is_there:
        meaning = BotRemoved()
    elif change.chat.type in ("group", "supergroup"):
        meaning = BotMembershipChanged(not was_there, change.new_chat_member.status == ChatMember.ADMINISTRATOR)
    origin = _origin(change.chat.id, change.from_user.id, 0, None, change.from_user)
    return None if meaning is None else (origin, meaning)


def _is_member(member: ChatMember) -> bool:
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status not in (ChatMember.BANNED, ChatMember.LEFT)


def _parse_button_press(query: CallbackQuery) -> ParsedUpdate | None:
    if query.message is None:
        return None
    user = query.from_user
    origin = _origin(query.message.chat.id, user.id, query.message.message_id, None, user)
    markup = query.message.reply_markup if isinstance(query.message, Message) else None
    return origin, ButtonPressed(
        query.id, buttons.parse_callback_data(query.data), buttons.has_callback_data(markup, query.data)
    )


def _origin(chat_id: int, speaker: int, message_id: int, thread_id: int | None, user: User) -> UpdateOrigin:
    language = closest_language(user.language_code)
    return UpdateOrigin(chat_id, speaker, message_id, thread_id, language, language)


def _parse_edited_message(message: Message, me: BotAccount) -> MessageEdited:
    anew = None if message.chat.type == "private" else _parse_message(message, me)
    words = _split_command(message, me)[1]
    return MessageEdited(words, anew if isinstance(anew, ImageSent | AlbumItemSent | TextSent) else None)


def _parse_message(message: Message, me: BotAccount) -> UpdateContent | None:
    if message.migrate_to_chat_id is not None:
        return GroupMigrated(message.chat.id, message.migrate_to_chat_id)
    if message.migrate_from_chat_id is not None:
        return GroupMigrated(message.migrate_from_chat_id, message.chat.id)
    command, words = _split_command(message, me)
    source = _message_image(message)
    if message.media_group_id is not None:
        return AlbumItemSent(message.media_group_id, source, words)
    if command in COMMANDS_WITH_TARGET:
        return CommandGiven(command, words, _command_target(message.reply_to_message))
    if command is not None and command != EDIT_COMMAND:
        return CommandGiven(command, words if command in COMMANDS_WITH_ARGUMENTS else "")
    if source is not None:
        return ImageSent(source, words)
    if message.text is not None:
        return TextSent(words, _reply_target(message))
    return UnsupportedContentSent() if any(getattr(message, kind, None) for kind in UNSUPPORTED_CONTENT) else None


def _split_command(message: Message, me: BotAccount) -> tuple[str | None, str]:
    """Return the command that a message begins with, if any, and the words that can be read in the rest."""
    words = _strip_bot_mentions(message, me).strip()
    command = COMMAND_PATTERN.match(words)
    rest = words[command.end() :].strip() if command else words
    return command.group(1).lower() if command else None, rest if _has_visible_characters(rest) else ""


def _strip_bot_mentions(message: Message, me: BotAccount) -> str:
    """Return the words of a message without the mentions of us, which are no part of a wish."""
    found = message.parse_entities() if message.text else message.parse_caption_entities()
    # in UTF-16, in whose units entities are counted
    units = (message.text or message.caption or "").encode("utf-16-le", "surrogatepass")
    for entity in sorted(
        (each for each, name in found.items() if _is_bot_mention(each, name, me)), key=_entity_end, reverse=True
    ):
        before = units[: 2 * entity.offset].decode("utf-16-le", "surrogatepass")
        after = units[2 * _entity_end(entity) :].decode("utf-16-le", "surrogatepass")
        units = f"{before.rstrip()} {after.lstrip(' ,:;')}".encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "surrogatepass")


def _is_bot_mention(entity: MessageEntity, name: str, me: BotAccount) -> bool:
    if entity.type == MessageEntity.MENTION:
        return name.casefold() == f"@{me.username}".casefold()
    return entity.user is not None and entity.user.id == me.id


def _entity_end(entity: MessageEntity) -> int:
    return entity.offset + entity.length


def _has_visible_characters(words: str) -> bool:
    """Say whether there is anything to read: not only spaces, joiners and control characters."""
    return any(unicodedata.category(char)[0] not in "CZ" for char in words)


def _reply_target(message: Message) -> ReplyTarget | None:
    # in a topic every message seems to reply to the one that opened it
    if message.reply_to_message is not None and message.reply_to_message.forum_topic_created is None:
        return ReplyTarget(message.reply_to_message.message_id, _message_image(message.reply_to_message))
    outside = message.external_reply
    if outside is None:
        return None
    return ReplyTarget(None, _attached_image(message.message_id, outside.photo, outside.document, outside.animation))


def _message_image(message: Message) -> SourceImage | None:
    return _attached_image(message.message_id, message.photo, message.document, message.animation)


def _attached_image(
    place: int, photo: tuple[PhotoSize, ...] | None, document: Document | None, animation: object
) -> SourceImage | None:
    # an animation comes with a document as well, a live photo with a photo
    if photo:
        return _image_source(place, max(photo, key=lambda size: size.width * size.height), is_photo=True)
    if document is not None and animation is None:
        return _image_source(place, document, is_photo=False)
    return None


def _image_source(place: int, file: PhotoSize | Document, *, is_photo: bool) -> SourceImage:
    return SourceImage(place, file.file_id, file.file_unique_id, is_photo, file.file_size)
