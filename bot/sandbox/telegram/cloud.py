"""The cloud: everything that bot and people share, and how a message gets into it.

People speak through `hear`, the bot through `post`; both end in the same chat,
and only what the bot may see becomes an update.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.changes import Changes
from bot.sandbox.telegram.chats import Chat, member
from bot.sandbox.telegram.files import Files
from bot.sandbox.telegram.floods import Floods
from bot.sandbox.telegram.refusals import Json, bad
from bot.sandbox.telegram.updates import Updates


@dataclass
class Cloud:
    """All state of this Telegram; it outlives restarts of the bot and of the door."""

    #: the bot's own User
    me: Json
    clock: Callable[[], float]
    changes: Changes
    updates: Updates
    files: Files = field(default_factory=Files)
    floods: Floods = field(default_factory=Floods)
    chats: dict[int, Chat] = field(default_factory=dict)
    #: whether flood control is on
    enforce_limits: bool = False
    #: whether groups show the bot only what is meant for it
    privacy_mode: bool = False
    #: callback query id to the bot's answer, None while it owes one
    presses: dict[str, Json | None] = field(default_factory=dict)
    #: what the bot says about itself, by setter name and language (and scope)
    profile: dict[tuple[str, ...], object] = field(default_factory=dict)
    #: the webhook as setWebhook was asked for it, None while there is none
    webhook: Json | None = None

    @property
    def date(self) -> int:
        """The time as messages carry it, in whole Unix seconds."""
        return int(self.clock())

    def chat(self, arguments: Arguments) -> Chat:
        """Return the chat a call is about; raise Refused when the bot may not act there."""
        chat = self.chats.get(arguments.number("chat_id") or 0)
        if chat is None:
            raise bad("chat not found")
        chat.admit()
        return chat

    def hear(self, chat: Chat, sender: Json, members: Json) -> Json:
        """Store what a person sent and show it to the bot if it may see it."""
        chat.started = True
        message = chat.add(sender, self.date, members)
        self._show("message", chat, message)
        return message

    def rephrase(self, chat: Chat, message: Json, content: Json) -> None:
        """Store what a person made of a message and show that to the bot if it may see it."""
        self._show("edited_message", chat, chat.replace(message, content, self.date))

    def move(self, chat: Chat, by: Json, standing: str) -> None:
        """Change the bot's place in a chat, as `by` (a User) wants it, and tell the bot."""
        change = {
            "chat": chat.shown,
            "from": by,
            "date": self.date,
            "old_chat_member": member(self.me, chat.standing),
            "new_chat_member": member(self.me, standing),
        }
        chat.standing = standing
        self.updates.offer("my_chat_member", change)
        self.changes.notify()

    def post(self, chat: Chat, content: Json) -> Json:
        """Store what the bot sends."""
        message = chat.add(self.me, self.date, content)
        self.changes.notify()
        return message

    def is_mine(self, message: Json) -> bool:
        """Whether the bot wrote this message."""
        return bool(message.get("from", {}).get("id") == self.me["id"])

    def _show(self, kind: str, chat: Chat, message: Json) -> None:
        if chat.standing in {"member", "administrator"} and self._is_visible(chat, message):
            self.updates.offer(kind, self._as_seen(chat, message))
        self.changes.notify()

    def _as_seen(self, chat: Chat, message: Json) -> Json:
        """Return a message without what privacy hides: in basic groups, what others wrote and somebody replies to."""
        replied = message.get("reply_to_message")
        if replied is None or chat.shown["type"] != "group" or self._is_visible(chat, replied) or self.is_mine(replied):
            return message
        return {name: value for name, value in message.items() if name != "reply_to_message"}

    def _is_visible(self, chat: Chat, message: Json) -> bool:
        if chat.is_private or not self.privacy_mode or chat.standing == "administrator":
            return True
        replied = message.get("reply_to_message", {})
        return self.is_mine(replied) or self._commands_me(chat, message) or _is_service(message)

    def _commands_me(self, chat: Chat, message: Json) -> bool:
        text = str(message.get("text", message.get("caption", "")))
        head = text.split(maxsplit=1)[0] if text.strip() else ""
        command, at, name = head.partition("@")
        if not command.startswith("/") or len(command) < 2:
            return False
        # a command for nobody in particular goes to the bot that spoke last; there is no other bot here
        return name.lower() == self.me["username"].lower() if at else any(map(self.is_mine, chat.messages.values()))


def _is_service(message: Json) -> bool:
    return any(name in message for name in ("new_chat_members", "left_chat_member", "migrate_to_chat_id"))
