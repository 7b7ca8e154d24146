"""Records what the simulated users did, with unique texts and colours, so that each of Kie's tasks has one message."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.kie.tasks import LocalKieTask
from bot.sandbox.telegram import LocalTelegram
from bot.telegram.buttons import ButtonAction, parse_callback_data
from tests.process_harness import make_photo

#: (chat_id, message_id)
MessageKey = tuple[int, int]


@dataclass
class UserActions:
    """The record of what the users did."""

    #: by every text that a message has or had
    message_by_text: dict[str, MessageKey] = field(default_factory=dict)
    #: by the picture as Telegram stores it
    message_by_picture: dict[bytes, MessageKey] = field(default_factory=dict)
    #: by job, the questions that were answered with "Try again"
    retries_pressed: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: by job, how often "Again" was pressed
    variations: Counter[int] = field(default_factory=Counter)
    #: chats that have blocked the bot at some time
    lost_chats: set[int] = field(default_factory=set)
    #: whether the bot's wall clock was ever changed
    clock_was_set: bool = False
    serial: int = 0

    def next_text(self) -> str:
        """Return a unique text."""
        self.serial += 1
        return f"prompt {self.serial}"

    def next_photo(self) -> bytes:
        """Return a unique photo."""
        self.serial += 1
        return make_photo(f"#{(self.serial * 0x1F3D5B) % 0x1000000:06x}", (48, 32))

    def record_text(self, chat_id: int, message_id: int, text: str | None) -> None:
        """Record the text of a message."""
        if text:
            self.message_by_text[text] = (chat_id, message_id)

    def record_picture(self, telegram: LocalTelegram, chat_id: int, message_id: int) -> None:
        """Record the picture of a message."""
        message = telegram.state.chats[chat_id].messages[message_id]
        self.message_by_picture[telegram.message_photo_bytes(message)] = (chat_id, message_id)

    def record_press(self, data: str) -> None:
        """Record a button press."""
        pressed = parse_callback_data(data)
        if pressed is not None and pressed.action is ButtonAction.ORDER_AGAIN:
            self.retries_pressed[pressed.target].add(pressed.number)
        if pressed is not None and pressed.action is ButtonAction.VARIATION:
            self.variations[pressed.target] += 1

    def find_message(self, task: LocalKieTask) -> MessageKey | None:
        """Return a task's message: by its prompt or, if that is a suggestion of the bot, by its picture."""
        by_text = self.message_by_text.get(task.prompt)
        return by_text or self.message_by_picture.get(task.inputs[0] if task.inputs else b"")


def list_buttons(messages: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return the buttons of messages, each with the message's id and its callback data."""
    return [
        (message["message_id"], button["callback_data"])
        for message in messages
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
    ]
