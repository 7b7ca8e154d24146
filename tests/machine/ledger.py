"""The ledger: what people did, by words and colours that no two messages have in common.

So it can be told of everything that Kie was paid for which message it is for.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from bot.chat.buttons import Action, read
from bot.sandbox.kie_tasks import Task
from bot.sandbox.telegram import LocalTelegram
from tests.world import a_photo

#: A message, by its chat and its id there.
Key = tuple[int, int]


@dataclass
class Ledger:
    """What is known of people, from their own side."""

    #: by the words that were written, at first or later
    by_words: dict[str, Key] = field(default_factory=dict)
    #: by the picture as Telegram keeps it
    by_picture: dict[bytes, Key] = field(default_factory=dict)
    #: the questions of each job that were answered with "try again"
    agains: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: how often another variation of each job was asked for
    variations: Counter[int] = field(default_factory=Counter)
    #: chats that could not be written to, at some time
    lost_chats: set[int] = field(default_factory=set)
    #: whether the bot's clock was ever set
    clock_was_set: bool = False
    serial: int = 0

    def next_words(self) -> str:
        """Return words that nobody has said before."""
        self.serial += 1
        return f"wish {self.serial}"

    def next_photo(self) -> bytes:
        """Return a photo that nobody has sent before."""
        self.serial += 1
        return a_photo(f"#{(self.serial * 0x1F3D5B) % 0x1000000:06x}", (48, 32))

    def wrote(self, chat_id: int, message_id: int, words: str | None) -> None:
        """Note which words a message has, or had at some time."""
        if words:
            self.by_words[words] = (chat_id, message_id)

    def sent(self, telegram: LocalTelegram, chat_id: int, message_id: int) -> None:
        """Note which picture a message has."""
        message = telegram.cloud.chats[chat_id].messages[message_id]
        self.by_picture[telegram.message_photo_bytes(message)] = (chat_id, message_id)

    def pressed(self, data: str) -> None:
        """Note a press of a button."""
        pressed = read(data)
        if pressed is not None and pressed.action is Action.AGAIN:
            self.agains[pressed.about].add(pressed.number)
        if pressed is not None and pressed.action is Action.VARIATION:
            self.variations[pressed.about] += 1

    def message_of(self, task: Task) -> Key | None:
        """Return the message that a task is for: by its words or, where those are an idea of ours, by its picture."""
        by_words = self.by_words.get(task.prompt)
        return by_words or self.by_picture.get(task.inputs[0] if task.inputs else b"")


def buttons_of(messages: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return the buttons under messages, each with the message's id and what stands behind it."""
    return [
        (message["message_id"], button["callback_data"])
        for message in messages
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
    ]
