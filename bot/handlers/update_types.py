"""What an update from Telegram says, in the bot's own types."""

from dataclasses import dataclass

from bot.clock import Instant
from bot.i18n import DEFAULT_LANGUAGE
from bot.job import SourceImage
from bot.store.database import Transaction
from bot.telegram.buttons import ButtonPress


@dataclass(frozen=True)
class UpdateOrigin:
    """Who sent an update, and where a reply goes."""

    chat_id: int
    #: a user; or the group or channel in whose name somebody wrote
    user_id: int
    message_id: int
    thread_id: int | None
    #: the language of replies here
    language: str = DEFAULT_LANGUAGE
    #: the available language that is closest to the one of the user's app
    app_language: str = DEFAULT_LANGUAGE
    #: whether Telegram delivers every message of this chat; in a group the bot's rights there may matter as well
    receives_all: bool = True

    @property
    def is_group(self) -> bool:
        """Whether the chat is a group."""
        return self.chat_id < 0

    @property
    def is_sender_chat(self) -> bool:
        """Whether somebody wrote in the name of a group or channel."""
        return self.user_id < 0

    @property
    def chat_type(self) -> str:
        """The variant of a sentence that suits the chat."""
        return "group" if self.is_group else "private"


@dataclass(frozen=True)
class ImageSent:
    """A photo or an image file, with its caption or ""."""

    source: SourceImage
    caption: str


@dataclass(frozen=True)
class AlbumItemSent:
    """An item of an album; `source` is None when it is not a still image."""

    media_group_id: str
    source: SourceImage | None
    caption: str


@dataclass(frozen=True)
class ReplyTarget:
    """The message that another one replies to, as far as Telegram shows it."""

    #: None for a message of another chat
    message_id: int | None
    source: SourceImage | None


@dataclass(frozen=True)
class TextSent:
    """A text; "" when nothing in it is visible."""

    text: str
    reply_to: ReplyTarget | None = None


@dataclass(frozen=True)
class MessageEdited:
    """A message that its author has edited, with its new text."""

    text: str
    #: in a group: what the message asks for if the bot has not seen it before
    as_new: ImageSent | AlbumItemSent | TextSent | None = None


@dataclass(frozen=True)
class ButtonPressed:
    """A press of a button; `button` is None when the callback data is not the bot's."""

    press_id: str
    button: ButtonPress | None
    #: whether Telegram shows the message with such a button, which no client can forge
    is_offered: bool = False


@dataclass(frozen=True)
class CommandTarget:
    """A message that a command is about, and its author; None when they hide their account."""

    message_id: int
    author_id: int | None


@dataclass(frozen=True)
class CommandGiven:
    """A command, in lower case and without its slash; `arguments` and `target` only where the command takes them."""

    name: str
    arguments: str = ""
    target: CommandTarget | None = None


@dataclass(frozen=True)
class UnsupportedContentSent:
    """A video, a sticker, a voice message: neither image nor text."""


@dataclass(frozen=True)
class BotRemoved:
    """A user has blocked the bot, or somebody has removed it from a group."""


@dataclass(frozen=True)
class BotMembershipChanged:
    """Somebody has added the bot to a group, or changed its rights there."""

    #: whether it was not a member before
    is_new: bool
    is_admin: bool


@dataclass(frozen=True)
class GroupMigrated:
    """A group has become a supergroup, with another id."""

    old_id: int
    new_id: int


UpdateContent = (
    ImageSent | AlbumItemSent | TextSent | MessageEdited | ButtonPressed | CommandGiven | UnsupportedContentSent
    | BotRemoved | BotMembershipChanged | GroupMigrated
)  # fmt: skip


@dataclass(frozen=True)
class GroupMessage:
    """What shows whether a message in a group is meant for the bot."""

    is_edited: bool
    media_group_id: str | None
    #: written here by a member: not by another bot, and not forwarded by Telegram from the linked channel
    is_from_member: bool
    #: the command at its beginning, in lower case
    command: str | None
    #: whether the command names this bot, like /edit@darkroom_bot; None when it names no bot
    is_command_for_bot: bool | None
    mentions_bot: bool
    #: a photo, a video, a sticker: anything but a text
    is_media: bool
    #: whether the message that it replies to has a photo or a file
    is_reply_to_media: bool
    #: the message of the bot that it answers with a text that may be a prompt
    prompt_for: int | None


@dataclass(frozen=True)
class ParsedUpdate:
    """An update: where it comes from, and what it asks for."""

    origin: UpdateOrigin
    #: None when it asks for nothing
    content: UpdateContent | None
    #: None outside groups, where everything is meant for the bot
    group_message: GroupMessage | None = None


@dataclass(frozen=True)
class UpdateContext:
    """An update that is being handled, and the transaction for everything that it causes."""

    tx: Transaction
    origin: UpdateOrigin
    update_id: int
    received_at: Instant
    now: Instant
