"""What an update can mean, and where it came from."""

from dataclasses import dataclass

from bot.i18n import DEFAULT_LANGUAGE
from bot.job import SourceImage
from bot.telegram.buttons import ButtonPress


@dataclass(frozen=True)
class UpdateOrigin:
    """Who spoke, and where a reply goes."""

    chat_id: int
    #: a person; or the group, or the channel, in whose name somebody spoke
    user_id: int
    message_id: int
    thread_id: int | None
    #: in which the person is spoken to here
    language: str = DEFAULT_LANGUAGE
    #: that we have and that is closest to the one of the person's app
    app_language: str = DEFAULT_LANGUAGE
    #: whether Telegram shows us also what is not meant for us; in a group that may depend on more
    hears_all: bool = True

    @property
    def is_group(self) -> bool:
        """Whether others read along."""
        return self.chat_id < 0

    @property
    def is_sender_chat(self) -> bool:
        """Whether somebody spoke in the name of a group or a channel."""
        return self.user_id < 0

    @property
    def chat_type(self) -> str:
        """What kind of chat it is, for sentences that differ."""
        return "group" if self.is_group else "private"


@dataclass(frozen=True)
class ImageSent:
    """One picture, as photo or file, with its caption; empty when there was none."""

    source: SourceImage
    caption: str


@dataclass(frozen=True)
class AlbumItemSent:
    """One of several things that were sent together; without a source it is no still picture."""

    media_group_id: str
    source: SourceImage | None
    caption: str


@dataclass(frozen=True)
class ReplyTarget:
    """What a message replies to, as far as Telegram shows it."""

    #: None for a message of another chat
    message_id: int | None
    source: SourceImage | None


@dataclass(frozen=True)
class TextSent:
    """Words without a picture; empty when there is nothing to read in them."""

    text: str
    reply_to: ReplyTarget | None = None


@dataclass(frozen=True)
class MessageEdited:
    """A message that a person has edited, with its words as they are now."""

    text: str
    #: what it asks for, should it not have concerned us before
    as_new: "ImageSent | AlbumItemSent | TextSent | None" = None


@dataclass(frozen=True)
class ButtonPressed:
    """A press of a button under a message of ours; None behind it when it is none that we know."""

    press_id: str
    button: ButtonPress | None
    #: whether the message has such a button at present, as Telegram shows it to us: no client can make that up
    is_offered: bool = False


@dataclass(frozen=True)
class CommandTarget:
    """A message that somebody refers to, and whose it is; None where the one who wrote it hides that."""

    message_id: int
    author_id: int | None


@dataclass(frozen=True)
class CommandGiven:
    """A command, in lower case and without its slash; with those about somebody, what says whom they mean."""

    name: str
    arguments: str = ""
    target: CommandTarget | None = None


@dataclass(frozen=True)
class UnsupportedContentSent:
    """A video, a sticker, a voice message: anything that is neither picture nor text."""


@dataclass(frozen=True)
class BotRemoved:
    """A person has stopped the bot, or somebody has removed it from a group."""


@dataclass(frozen=True)
class BotMembershipChanged:
    """Somebody has taken the bot into a group, or made something else of it there."""

    #: whether it was not there before
    is_new: bool
    is_admin: bool


@dataclass(frozen=True)
class GroupMigrated:
    """A group became a supergroup, and has another id."""

    old_id: int
    new_id: int


UpdateContent = (
    ImageSent | AlbumItemSent | TextSent | MessageEdited | ButtonPressed | CommandGiven | UnsupportedContentSent
    | BotRemoved | BotMembershipChanged | GroupMigrated
)  # fmt: skip
ParsedUpdate = tuple[UpdateOrigin, UpdateContent]
