"""A chat's state: its members, messages, reactions and topics.

Stored messages are immutable: an edit replaces the message, so updates that refer to the old one do not change.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.sandbox.telegram.errors import BotApiError, JsonObject, bad_request_error

#: fields of a message that an edit replaces
CONTENT_FIELDS = (
    "text", "entities", "caption", "caption_entities", "photo", "document", "reply_markup", "link_preview_options",
    "show_caption_above_media",
)  # fmt: skip

_ADMIN_RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
    "can_edit_stories", "can_delete_stories", "can_send_welcome_messages",
)  # fmt: skip


class ShownChatAction(NamedTuple):
    """A chat action ("typing", ...) of the bot; `at` in Unix seconds."""

    at: float
    action: str
    thread: int | None


@dataclass
class ChatState:
    """One chat; `api_object` is the Bot API's Chat."""

    api_object: JsonObject
    members: dict[int, JsonObject] = field(default_factory=dict)
    messages: dict[int, JsonObject] = field(default_factory=dict)
    reactions: dict[int, list[JsonObject]] = field(default_factory=lambda: defaultdict(list))
    actions: list[ShownChatAction] = field(default_factory=list)
    #: user ids of the administrators
    admins: set[int] = field(default_factory=set)
    #: topics of a forum: thread id to "open" or "closed"
    topics: dict[int, str] = field(default_factory=dict)
    #: the bot's ChatMember status: "member", "administrator", "kicked" or "left"
    bot_status: str = "member"
    #: false until the user has pressed Start
    is_started: bool = True
    migrated_to: int | None = None
    last_message_id: int = 0

    @property
    def id(self) -> int:
        """The chat's id; negative for groups."""
        return int(self.api_object["id"])

    @property
    def is_private(self) -> bool:
        return bool(self.api_object["type"] == "private")

    def check_bot_may_act(self) -> None:
        """Raise BotApiError where the bot must not act."""
        if self.migrated_to is not None:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise BotApiError(400, text, migrate_to_chat_id=self.migrated_to)
        if self.bot_status == "kicked":
            gone = "blocked by the user" if self.is_private else f"kicked from the {self.api_object['type']} chat"
            raise BotApiError(403, f"Forbidden: bot was {gone}")
        if self.bot_status == "left":
            raise BotApiError(403, f"Forbidden: bot is not a member of the {self.api_object['type']} chat")
        if not self.is_started:
            raise BotApiError(403, "Forbidden: bot can't initiate conversation with a user")

    def topic_fields(self, thread: int | None) -> JsonObject:
        """Return a message's topic fields; raises BotApiError for an unknown or closed topic."""
        if thread is None:
            return {}
        if thread not in self.topics:
            raise bad_request_error("message thread not found")
        if self.topics[thread] == "closed":
            raise bad_request_error("TOPIC_CLOSED")
        return {"message_thread_id": thread, "is_topic_message": True}

    def add_message(self, sender: JsonObject, date: int, members: JsonObject) -> JsonObject:
        """Store a message; return it with its message_id."""
        self.last_message_id += 1
        frame = {"message_id": self.last_message_id, "from": sender, "chat": self.api_object, "date": date}
        self.messages[self.last_message_id] = frame | members
        return self.messages[self.last_message_id]

    def replace_content(self, message: JsonObject, content: JsonObject, date: int) -> JsonObject:
        """Replace a message's content and return the new message."""
        kept = {name: value for name, value in message.items() if name not in CONTENT_FIELDS}
        self.messages[message["message_id"]] = kept | content | {"edit_date": date}
        return self.messages[message["message_id"]]

    def reply_fields(self, message_id: int | None) -> JsonObject:
        """Return a reply's `reply_to_message`, without further nesting; empty if there is no such message."""
        message = self.messages.get(message_id or 0)
        if message is None:
            return {}
        flat = {name: value for name, value in message.items() if name != "reply_to_message"}
        return {"reply_to_message": flat}


def editable_content(message: JsonObject) -> JsonObject:
    """Return the fields of a message that an edit replaces."""
    return {name: message[name] for name in CONTENT_FIELDS if name in message}


def chat_member(user: JsonObject, status: str) -> JsonObject:
    """Return a ChatMember with this status: "member", "administrator", "kicked" or "left"."""
    extra: JsonObject = {}
    if status == "administrator":
        extra = {name: name in {"can_manage_chat", "can_delete_messages"} for name in _ADMIN_RIGHTS}
    elif status == "kicked":
        extra = {"until_date": 0}
    return {"status": status, "user": user} | extra
