"""A group with two users and the bot."""

from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.telegram import Group, Person
from bot.sandbox.telegram.bot_api_server import TelegramCall
from tests.bot_harness import BotHarness

#: Methods of the Bot API whose effect other members see.
VISIBLE_METHODS = ("sendMessage", "sendPhoto", "sendDocument", "setMessageReaction", "sendChatAction")


@dataclass
class GroupHarness:
    """Ada, Grace, and the bot."""

    harness: BotHarness
    group: Group
    ada: Person = field(init=False)
    grace: Person = field(init=False)

    def __post_init__(self) -> None:
        self.ada = self.harness.ada
        self.grace = self.harness.telegram.person(user_id=1002, first_name="Grace")
        for person in (self.ada, self.grace):
            self.group.join(person.user)

    def add_bot(self, person: Person) -> None:
        """Remove the bot from the group, and let a user add it again."""
        self.group.set_bot_status("left", person.user)
        self.group.set_bot_status("member", person.user)

    async def process_updates(self) -> None:
        """Receive and handle the pending updates, and run all work that is due."""
        await self.harness.process_updates()

    async def finish_edits(self) -> list[dict[str, Any]]:
        """Finish all edits, and return the bot's images in the group."""
        await self.process_updates()
        await self.harness.advance_time(4)  # until an album is closed and ordered
        await self.harness.advance_time(36)
        return self.pictures()

    def pictures(self) -> list[dict[str, Any]]:
        """Return the bot's images in the group."""
        return self.harness.pictures(self.group.id)

    def text_messages(self) -> list[dict[str, Any]]:
        """Return the bot's texts in the group."""
        return [message for message in self.harness.telegram.bot_messages(self.group.id) if "text" in message]

    def sent_texts(self) -> list[str]:
        """Return the bot's messages in the group."""
        return [message["text"] for message in self.text_messages()]

    def bot_reactions(self, message_id: int) -> list[str]:
        """Return the bot's current reactions to a message."""
        return self.harness.telegram.reactions(self.group.id, message_id)

    def visible_calls(self, *methods: str) -> list[TelegramCall]:
        """Return the bot's calls that members of the group see."""
        return [
            call
            for call in self.harness.telegram.calls
            if call.method in (methods or VISIBLE_METHODS) and str(call.params.get("chat_id")) == str(self.group.id)
        ]

    async def press_button(self, person: Person, message_id: int, label: str) -> str | None:
        """Let a user press a button, and return the callback answer."""
        press = person.press_button(message_id, label, chat=self.group)
        await self.process_updates()
        answer = person.callback_answer(press)
        return None if answer is None else str(answer.get("text", ""))


def create_group(house: BotHarness, chat_id: int | None = None, *, is_forum: bool = False) -> GroupHarness:
    """Return a group, a supergroup unless its id says otherwise."""
    return GroupHarness(house, house.telegram.group(chat_id, is_forum=is_forum))
