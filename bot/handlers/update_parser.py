"""Parses Telegram's JSON into the bot's own types, without I/O.

The models name only the fields that are used, so that a new field or kind of content can never make an update
malformed. Source: Bot API 10.0, "Update" and "Message".
"""

import codecs
import re
import unicodedata
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from bot.handlers.update_types import (
    AlbumItemSent,
    BotMembershipChanged,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    CommandTarget,
    GroupMessage,
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
from bot.telegram.buttons import parse_callback_data
from bot.telegram.client import BotAccount

# Python reads a codec from disk at its first use: not when a mention is parsed, while file descriptors may be exhausted
codecs.lookup("utf-16-le")

COMMAND_PATTERN = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@(\w+))?(?:\s+|$)")

#: The optional command before a prompt.
EDIT_COMMAND = "edit"

#: Commands about a user or chat, who is named by id or by a reply.
COMMANDS_WITH_TARGET = ("allow", "deny", "block")

COMMANDS_WITH_ARGUMENTS = ("stats",)

#: Content that a user sends, in contrast to Telegram's service messages.
UNSUPPORTED_CONTENT = (
    "audio", "checklist", "contact", "dice", "game", "location", "paid_media", "poll", "sticker", "story", "venue",
    "video", "video_note", "voice",
)  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(strict=True)


class _User(_Model):
    id: int
    is_bot: bool = False
    language_code: str | None = None


class _Chat(_Model):
    id: int
    type: str

    @property
    def is_group(self) -> bool:
        return self.type in ("group", "supergroup")


class _File(_Model):
    file_id: str
    file_unique_id: str
    file_size: int | None = None
    width: int = 0
    height: int = 0


class _Entity(_Model):
    type: str
    offset: int
    length: int
    user: _User | None = None

    @property
    def end(self) -> int:
        return self.offset + self.length


class _Media(_Model):
    photo: list[_File] = []
    document: _File | None = None
    animation: object = None

    @property
    def has_file(self) -> bool:
        return bool(self.photo) or self.document is not None

    def image(self, position: int) -> SourceImage | None:
        """Return the still image, if any; `position` orders it among those of a request."""
        if self.photo:
            return _source_image(position, max(self.photo, key=lambda size: size.width * size.height), is_photo=True)
        # an animation comes with a document as well
        if self.document is not None and self.animation is None:
            return _source_image(position, self.document, is_photo=False)
        return None


class _Sent(_Media):
    message_id: int
    from_user: _User | None = Field(None, alias="from")
    sender_chat: _Chat | None = None

    @property
    def sender_id(self) -> int | None:
        """The user, or the group or channel in whose name they wrote: those all have the same placeholder user."""
        if self.sender_chat is not None:
            return self.sender_chat.id
        return None if self.from_user is None else self.from_user.id


class _ForwardOrigin(_Model):
    sender_user: _User | None = None
    sender_chat: _Chat | None = None
    chat: _Chat | None = None


class _RepliedMessage(_Sent):
    forward_origin: _ForwardOrigin | None = None
    #: in a topic every message seems to reply to the one that opened it
    forum_topic_created: object = None


class _Message(_Sent):
    model_config = ConfigDict(extra="allow")  # `UNSUPPORTED_CONTENT`

    chat: _Chat
    is_automatic_forward: bool = False
    message_thread_id: int | None = None
    is_topic_message: bool = False
    media_group_id: str | None = None
    text: str | None = None
    caption: str | None = None
    entities: list[_Entity] = []
    caption_entities: list[_Entity] = []
    reply_to_message: _RepliedMessage | None = None
    external_reply: _Media | None = None
    migrate_to_chat_id: int | None = None
    migrate_from_chat_id: int | None = None

    @property
    def words(self) -> str:
        return self.text or self.caption or ""


class _Button(_Model):
    callback_data: str | None = None


class _Keyboard(_Model):
    inline_keyboard: list[list[_Button]]


class _PressedMessage(_Model):
    message_id: int
    chat: _Chat
    reply_markup: _Keyboard | None = None


class _CallbackQuery(_Model):
    id: str
    from_user: _User = Field(alias="from")
    message: _PressedMessage | None = None
    data: str | None = None


class _ChatMember(_Model):
    status: str
    is_member: bool = False

    @property
    def is_there(self) -> bool:
        return self.is_member if self.status == "restricted" else self.status not in ("left", "kicked")


class _ChatMemberUpdated(_Model):
    chat: _Chat
    from_user: _User = Field(alias="from")
    old_chat_member: _ChatMember
    new_chat_member: _ChatMember


def parse_update(raw: dict[str, object], me: BotAccount) -> ParsedUpdate | None:
    """Return what an update says to the bot, which is `me`; None for channels and for kinds that are not used.

    Raises ValueError for a malformed update.
    """
    if "callback_query" in raw:
        return _parse_button_press(_CallbackQuery.model_validate(raw["callback_query"]), me)
    if "message" in raw:
        return _parse_message(_Message.model_validate(raw["message"]), me, is_edited=False)
    if "edited_message" in raw:
        return _parse_message(_Message.model_validate(raw["edited_message"]), me, is_edited=True)
    if "my_chat_member" in raw:
        return _parse_membership_change(_ChatMemberUpdated.model_validate(raw["my_chat_member"]), me)
    return None


def _origin(
    me: BotAccount, chat_id: int, sender_id: int, user: _User | None, message_id: int, thread_id: int | None = None
) -> UpdateOrigin:
    language = closest_language(None if user is None else user.language_code)
    receives_all = chat_id > 0 or me.can_read_all_group_messages
    return UpdateOrigin(chat_id, sender_id, message_id, thread_id, language, language, receives_all)


def _parse_membership_change(change: _ChatMemberUpdated, me: BotAccount) -> ParsedUpdate | None:
    if change.chat.type == "channel":
        return None
    was_there, is_there = change.old_chat_member.is_there, change.new_chat_member.is_there
    content: UpdateContent | None = None
    if not is_there:
        content = BotRemoved()
    elif change.chat.is_group:
        content = BotMembershipChanged(not was_there, change.new_chat_member.status == "administrator")
    return ParsedUpdate(_origin(me, change.chat.id, change.from_user.id, change.from_user, 0), content)


def _parse_button_press(query: _CallbackQuery, me: BotAccount) -> ParsedUpdate | None:
    user, message = query.from_user, query.message
    if message is None:  # under an inline message, in a chat that the bot does not see
        return ParsedUpdate(_origin(me, user.id, user.id, user, 0), None)
    if message.chat.type == "channel":
        return None
    rows = () if message.reply_markup is None else message.reply_markup.inline_keyboard
    is_offered = any(button.callback_data == query.data for row in rows for button in row if query.data is not None)
    content = ButtonPressed(query.id, parse_callback_data(query.data), is_offered)
    return ParsedUpdate(_origin(me, message.chat.id, user.id, user, message.message_id), content)


def _parse_message(message: _Message, me: BotAccount, *, is_edited: bool) -> ParsedUpdate | None:
    if message.chat.type == "channel":
        return None
    mentions = _find_bot_mentions(message, me)
    words = _remove_entities(message.words, mentions).strip()
    content = _parse_edited(message, words) if is_edited else _parse_content(message, words)
    # without a topic the thread id is only a chain of replies and must not be sent back
    thread_id = message.message_thread_id if message.is_topic_message else None
    sender_id = message.chat.id if message.sender_id is None else message.sender_id
    return ParsedUpdate(
        _origin(me, message.chat.id, sender_id, message.from_user, message.message_id, thread_id),
        None if message.from_user is None else content,
        _parse_group_message(message, me, bool(mentions), is_edited) if message.chat.is_group else None,
    )


def _parse_edited(message: _Message, words: str) -> MessageEdited:
    as_new = _parse_content(message, words) if message.chat.type != "private" else None
    return MessageEdited(
        _split_command(words)[1], as_new if isinstance(as_new, ImageSent | AlbumItemSent | TextSent) else None
    )


def _parse_content(message: _Message, words: str) -> UpdateContent | None:
    if message.migrate_to_chat_id is not None:
        return GroupMigrated(message.chat.id, message.migrate_to_chat_id)
    if message.migrate_from_chat_id is not None:
        return GroupMigrated(message.migrate_from_chat_id, message.chat.id)
    command, rest = _split_command(words)
    source = message.image(message.message_id)
    if message.media_group_id is not None:
        return AlbumItemSent(message.media_group_id, source, rest)
    if command in COMMANDS_WITH_TARGET:
        return CommandGiven(command, rest, _command_target(message))
    if command is not None and command != EDIT_COMMAND:
        return CommandGiven(command, rest if command in COMMANDS_WITH_ARGUMENTS else "")
    if source is not None:
        return ImageSent(source, rest)
    if message.text is not None:
        return TextSent(rest, _reply_target(message))
    extra = message.model_extra or {}
    is_unsupported = message.animation is not None or any(extra.get(kind) for kind in UNSUPPORTED_CONTENT)
    return UnsupportedContentSent() if is_unsupported else None


def _parse_group_message(message: _Message, me: BotAccount, mentions_bot: bool, is_edited: bool) -> GroupMessage:
    command = COMMAND_PATTERN.match(message.words.lstrip())
    replied, user = message.reply_to_message, message.from_user
    target = replied or message.external_reply
    is_reply_to_bot = replied is not None and replied.from_user is not None and replied.from_user.id == me.id
    # an emoji, or a command to another bot, is no prompt: an edit costs money
    is_prompt = message.text is not None and command is None and any(map(str.isalnum, message.text))
    return GroupMessage(
        is_edited=is_edited,
        media_group_id=message.media_group_id,
        is_from_member=not message.is_automatic_forward
        and (user is None or not user.is_bot or message.sender_chat is not None),
        command=None if command is None else command[1].lower(),
        is_command_for_bot=None
        if command is None or command[2] is None
        else command[2].casefold() == me.username.casefold(),
        mentions_bot=mentions_bot,
        is_media=message.text is None,
        is_reply_to_media=target is not None and target.has_file,
        prompt_for=replied.message_id if replied is not None and is_reply_to_bot and is_prompt else None,
    )


def _split_command(words: str) -> tuple[str | None, str]:
    """Return the command at the beginning, and the rest, or "" when nothing in the rest is visible."""
    command = COMMAND_PATTERN.match(words)
    rest = words[command.end() :].strip() if command else words
    is_visible = any(unicodedata.category(char)[0] not in "CZ" for char in rest)
    return command[1].lower() if command else None, rest if is_visible else ""


def _find_bot_mentions(message: _Message, me: BotAccount) -> list[_Entity]:
    units = _to_utf16(message.words)

    def is_bot(entity: _Entity) -> bool:
        if entity.type != "mention":
            return entity.user is not None and entity.user.id == me.id
        return _from_utf16(units[2 * entity.offset : 2 * entity.end]).casefold() == f"@{me.username}".casefold()

    return [entity for entity in (message.entities if message.text else message.caption_entities) if is_bot(entity)]


def _remove_entities(words: str, entities: Sequence[_Entity]) -> str:
    units = _to_utf16(words)
    for entity in sorted(entities, key=lambda each: each.end, reverse=True):
        before, after = _from_utf16(units[: 2 * entity.offset]), _from_utf16(units[2 * entity.end :])
        units = _to_utf16(f"{before.rstrip()} {after.lstrip(' ,:;')}")
    return _from_utf16(units)


def _to_utf16(words: str) -> bytes:
    """Encode a text in UTF-16, because Telegram counts entities in its code units."""
    return words.encode("utf-16-le", "surrogatepass")


def _from_utf16(units: bytes) -> str:
    return units.decode("utf-16-le", "surrogatepass")


def _command_target(message: _Message) -> CommandTarget | None:
    """Return the message that a command replies to; in a private chat, a forwarded one is its author's."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created is not None:
        return None
    # in a group the member who forwarded it is meant, because the author may be unknown there
    if message.chat.type != "private" or replied.forward_origin is None:
        return CommandTarget(replied.message_id, replied.sender_id)
    origin = replied.forward_origin
    author = origin.sender_user or origin.sender_chat or origin.chat
    return CommandTarget(replied.message_id, None if author is None else author.id)


def _reply_target(message: _Message) -> ReplyTarget | None:
    replied, external = message.reply_to_message, message.external_reply
    if replied is not None and replied.forum_topic_created is None:
        return ReplyTarget(replied.message_id, replied.image(replied.message_id))
    return None if external is None else ReplyTarget(None, external.image(message.message_id))


def _source_image(position: int, file: _File, *, is_photo: bool) -> SourceImage:
    return SourceImage(position, file.file_id, file.file_unique_id, is_photo, file.file_size)
