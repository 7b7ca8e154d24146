"""The ledger: what people did, by words and colours that no two messages have in common.

So it can be told of everything that Kie was paid for which message it is for.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.kie.tasks import LocalKieTask
from bot.sandbox.telegram import LocalTelegram
from bot.telegram.buttons import ButtonAction, parse_callback_data
from tests.process_harness import make_photo

#: A message, by its chat and its id there.
MessageKey = tuple[int, int]


@dataclass
class UserActions:
    """What is known of people, from their own side."""

    #: by the words that were written, at first or later
    message_by_text: dict[str, MessageKey] = field(default_factory=dict)
    #: by the picture as Telegram keeps it
    message_by_picture: dict[bytes, MessageKey] = field(default_factory=dict)
    #: the questions of each job that were answered with "try again"
    retries_pressed: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: how often another variation of each job was asked for
    variations: Counter[int] = field(default_factory=Counter)
    #: chats that could not be written to, at some time
    lost_chats: set[int] = field(default_factory=set)
    #: whether the bot's clock was ever set
    clock_was_set: bool = False
    serial: int = 0

    def next_text(self) -> str:
        """Return words that nobody has said before."""
        self.serial += 1
        return f"wish {self.serial}"

    def next_photo(self) -> bytes:
        """Return a photo that nobody has sent before."""
        self.serial += 1
        return make_photo(f"#{(self.serial * 0x1F3D5B) % 0x1000000:06x}", (48, 32))

    def record_text(self, chat_id: int, message_id: int, words: str | None) -> None:
        """Note which words a message has, or had at some time."""
        if words:
            self.message_by_text[words] = (chat_id, message_id)

    def record_picture(self, telegram: LocalTelegram, chat_id: int, message_id: int) -> None:
        """Note which picture a message has."""
        message = telegram.state.chats[chat_id].messages[message_id]
        self.message_by_picture[telegram.message_photo_bytes(message)] = (chat_id, message_id)

    def record_press(self, data: str) -> None:
        """Note a press of a button."""
        pressed = parse_callback_data(data)
        if pressed is not None and pressed.action is ButtonAction.ORDER_AGAIN:
            self.retries_pressed[pressed.target].add(pressed.number)
        if pressed is not None and pressed.action is ButtonAction.VARIATION:
            self.variations[pressed.target] += 1

    def find_message(self, task: LocalKieTask) -> MessageKey | None:
        """Return the message that a task is for: by its words or, where those are an idea of ours, by its picture."""
        by_words = self.message_by_text.get(task.prompt)
        return by_words or self.message_by_picture.get(task.inputs[0] if task.inputs else b"")


def list_buttons(messages: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return the buttons under messages, each with the message's id and what stands behind it."""
    return [
        (message["message_id"], button["callback_data"])
        for message in messages
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
    ]
