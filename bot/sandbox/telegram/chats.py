"""Chats as the server keeps them: who is there, what was said, what happened to it.

A stored message is never changed in place: an edit puts another one in its
room, so an update that already left still shows what it showed.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.sandbox.telegram.refusals import Json, Refused, bad

#: Members of a message that an edit replaces; everything else stays.
CONTENT = (
    "text", "entities", "caption", "caption_entities", "photo", "document", "reply_markup", "link_preview_options",
    "show_caption_above_media",
)  # fmt: skip

_RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
    "can_edit_stories", "can_delete_stories", "can_send_welcome_messages",
)  # fmt: skip


class Action(NamedTuple):
    """A chat action ("typing", ...) that the bot showed; `at` in Unix seconds."""

    at: float
    action: str
    thread: int | None


@dataclass
class Chat:
    """One chat: its face for the Bot API, its members, messages, and its moods."""

    shown: Json
    members: dict[int, Json] = field(default_factory=dict)
    messages: dict[int, Json] = field(default_factory=dict)
    reactions: dict[int, list[Json]] = field(default_factory=lambda: defaultdict(list))
    actions: list[Action] = field(default_factory=list)
    #: ids of the members who are administrators
    admins: set[int] = field(default_factory=set)
    #: threads of a forum: id to "open" or "closed"
    topics: dict[int, str] = field(default_factory=dict)
    #: the bot's place here as ChatMember says it: "member", "administrator", "kicked" or "left"
    standing: str = "member"
    #: false until the person has pressed Start
    started: bool = True
    migrated_to: int | None = None
    last_id: int = 0

    @property
    def id(self) -> int:
        """The chat's id, negative for groups."""
        return int(self.shown["id"])

    @property
    def is_private(self) -> bool:
        """Whether this is a chat with one person."""
        return bool(self.shown["type"] == "private")

    def admit(self) -> None:
        """Let the bot act here; raise Refused in Telegram's words otherwise."""
        if self.migrated_to is not None:
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, words, migrate_to_chat_id=self.migrated_to)
        if self.standing == "kicked":
            gone = "blocked by the user" if self.is_private else f"kicked from the {self.shown['type']} chat"
            raise Refused(403, f"Forbidden: bot was {gone}")
        if self.standing == "left":
            raise Refused(403, f"Forbidden: bot is not a member of the {self.shown['type']} chat")
        if not self.started:
            raise Refused(403, "Forbidden: bot can't initiate conversation with a user")

    def place(self, thread: int | None) -> Json:
        """Return what a message says about its topic; raise Refused for a topic that takes none."""
        if thread is None:
            return {}
        if thread not in self.topics:
            raise bad("message thread not found")
        if self.topics[thread] == "closed":
            raise bad("TOPIC_CLOSED")
        return {"message_thread_id": thread, "is_topic_message": True}

    def add(self, sender: Json, date: int, members: Json) -> Json:
        """Store a message; return it with its message_id."""
        self.last_id += 1
        frame = {"message_id": self.last_id, "from": sender, "chat": self.shown, "date": date}
        self.messages[self.last_id] = frame | members
        return self.messages[self.last_id]

    def replace(self, message: Json, content: Json, date: int) -> Json:
        """Give a message other content; return it as it is shown from here on."""
        kept = {name: value for name, value in message.items() if name not in CONTENT}
        self.messages[message["message_id"]] = kept | content | {"edit_date": date}
        return self.messages[message["message_id"]]

    def quoted(self, message_id: int | None) -> Json:
        """Return what a reply shows of its target; nothing when there is no such message.

        The shown message shows no further replies.
        """
        message = self.messages.get(message_id or 0)
        if message is None:
            return {}
        flat = {name: value for name, value in message.items() if name != "reply_to_message"}
        return {"reply_to_message": flat}


def content_of(message: Json) -> Json:
    """Return the members of a message that an edit replaces."""
    return {name: message[name] for name in CONTENT if name in message}


def member(user: Json, standing: str) -> Json:
    """Return a ChatMember: "member", "administrator", "kicked" or "left"."""
    extra: Json = {}
    if standing == "administrator":
        extra = {name: name in {"can_manage_chat", "can_delete_messages"} for name in _RIGHTS}
    elif standing == "kicked":
        extra = {"until_date": 0}
    return {"status": standing, "user": user} | extra
