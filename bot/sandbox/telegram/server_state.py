"""The server's state, and the rules about which messages become updates for the bot."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.chats import ChatState, chat_member
from bot.sandbox.telegram.errors import JsonObject, bad_request_error
from bot.sandbox.telegram.files import TelegramFileStore
from bot.sandbox.telegram.flood_control import FloodControl
from bot.sandbox.telegram.update_queue import ChangeNotifier, UpdateQueue


@dataclass
class TelegramState:
    """All state of the local Telegram; it outlives restarts of the bot and of the HTTP server."""

    #: the bot's User
    bot_user: JsonObject
    clock: Callable[[], float]
    changes: ChangeNotifier
    updates: UpdateQueue
    files: TelegramFileStore = field(default_factory=TelegramFileStore)
    flood_control: FloodControl = field(default_factory=FloodControl)
    chats: dict[int, ChatState] = field(default_factory=dict)
    enforce_flood_control: bool = False
    #: Group Privacy: whether the bot gets only commands and replies to it in groups
    privacy_mode: bool = False
    #: callback query id to the bot's answer, None before it
    callback_answers: dict[str, JsonObject | None] = field(default_factory=dict)
    #: the bot's commands and descriptions, by kind and language (and scope)
    profile: dict[tuple[str, ...], object] = field(default_factory=dict)
    #: the parameters of setWebhook, None without a webhook
    webhook: JsonObject | None = None

    @property
    def date(self) -> int:
        """The current Unix time in whole seconds, as in messages."""
        return int(self.clock())

    def require_chat(self, arguments: Arguments) -> ChatState:
        """Return the chat of a call; raises BotApiError when the bot may not act there."""
        chat = self.chats.get(arguments.number("chat_id") or 0)
        if chat is None:
            raise bad_request_error("chat not found")
        chat.check_bot_may_act()
        return chat

    def receive_from_person(self, chat: ChatState, sender: JsonObject, members: JsonObject) -> JsonObject:
        """Store a person's message; it becomes an update if the bot may see it."""
        chat.is_started = True
        message = chat.add_message(sender, self.date, members)
        self._offer_update("message", chat, message)
        return message

    def edit_by_person(self, chat: ChatState, message: JsonObject, content: JsonObject) -> None:
        """Store a person's edit; it becomes an update if the bot may see it."""
        self._offer_update("edited_message", chat, chat.replace_content(message, content, self.date))

    def set_bot_status(self, chat: ChatState, by: JsonObject, status: str) -> None:
        """Change the bot's status in a chat, as the user `by`; sends a my_chat_member update."""
        change = {
            "chat": chat.api_object,
            "from": by,
            "date": self.date,
            "old_chat_member": chat_member(self.bot_user, chat.bot_status),
            "new_chat_member": chat_member(self.bot_user, status),
        }
        chat.bot_status = status
        self.updates.offer("my_chat_member", change)
        self.changes.notify()

    def add_bot_message(self, chat: ChatState, content: JsonObject) -> JsonObject:
        message = chat.add_message(self.bot_user, self.date, content)
        self.changes.notify()
        return message

    def is_from_bot(self, message: JsonObject) -> bool:
        return bool(message.get("from", {}).get("id") == self.bot_user["id"])

    def _offer_update(self, kind: str, chat: ChatState, message: JsonObject) -> None:
        if chat.bot_status in {"member", "administrator"} and self._is_visible_to_bot(chat, message):
            self.updates.offer(kind, self._without_hidden_reply(chat, message))
        self.changes.notify()

    def _without_hidden_reply(self, chat: ChatState, message: JsonObject) -> JsonObject:
        """Remove what Group Privacy hides: in basic groups, the replied-to message of somebody else."""
        replied = message.get("reply_to_message")
        if (
            replied is None
            or chat.api_object["type"] != "group"
            or self._is_visible_to_bot(chat, replied)
            or self.is_from_bot(replied)
        ):
            return message
        return {name: value for name, value in message.items() if name != "reply_to_message"}

    def _is_visible_to_bot(self, chat: ChatState, message: JsonObject) -> bool:
        if chat.is_private or not self.privacy_mode or chat.bot_status == "administrator":
            return True
        replied = message.get("reply_to_message", {})
        return self.is_from_bot(replied) or self._is_command_for_bot(chat, message) or _is_service_message(message)

    def _is_command_for_bot(self, chat: ChatState, message: JsonObject) -> bool:
        text = str(message.get("text", message.get("caption", "")))
        head = text.split(maxsplit=1)[0] if text.strip() else ""
        command, at, name = head.partition("@")
        if not command.startswith("/") or len(command) < 2:
            return False
        # an unaddressed command goes to the bot that wrote last; this is the only bot here
        return (
            name.lower() == self.bot_user["username"].lower()
            if at
            else any(map(self.is_from_bot, chat.messages.values()))
        )


def _is_service_message(message: JsonObject) -> bool:
    return any(name in message for name in ("new_chat_members", "left_chat_member", "migrate_to_chat_id"))
