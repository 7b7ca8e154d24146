"""A group of people with the bot among them, in a house."""

from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.telegram import Group, Person
from bot.sandbox.telegram.bot_api_server import TelegramCall
from tests.bot_harness import BotHarness

#: What a bot does in a chat that others see.
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
        """Let somebody add the bot to the group, from which somebody has removed it before."""
        self.group.set_bot_status("left", person.user)
        self.group.set_bot_status("member", person.user)

    async def process_updates(self) -> None:
        """Let everything in that waits, and take it as far as it gets at this moment."""
        await self.harness.process_updates()

    async def finish_edits(self) -> list[dict[str, Any]]:
        """Let everything in and finish, and return the pictures of the bot in the group."""
        await self.process_updates()
        await self.harness.advance_time(4)  # in which an album closes, and what it needs is ordered
        await self.harness.advance_time(36)
        return self.pictures()

    def pictures(self) -> list[dict[str, Any]]:
        """Return the pictures of the bot in the group."""
        return self.harness.pictures(self.group.id)

    def text_messages(self) -> list[dict[str, Any]]:
        """Return the texts of the bot in the group."""
        return [message for message in self.harness.telegram.bot_messages(self.group.id) if "text" in message]

    def sent_texts(self) -> list[str]:
        """Return what the bot says in the group."""
        return [message["text"] for message in self.text_messages()]

    def bot_reactions(self, message_id: int) -> list[str]:
        """Return the reactions of the bot on a message, as they are."""
        return self.harness.telegram.reactions(self.group.id, message_id)

    def visible_calls(self, *methods: str) -> list[TelegramCall]:
        """Return the calls of the bot that show in the group."""
        return [
            call
            for call in self.harness.telegram.calls
            if call.method in (methods or VISIBLE_METHODS) and str(call.params.get("chat_id")) == str(self.group.id)
        ]

    async def press_button(self, person: Person, message_id: int, label: str) -> str | None:
        """Let somebody press a button, and return what answers it."""
        press = person.press_button(message_id, label, chat=self.group)
        await self.process_updates()
        answer = person.callback_answer(press)
        return None if answer is None else str(answer.get("text", ""))


def create_group(house: BotHarness, chat_id: int | None = None, *, is_forum: bool = False) -> GroupHarness:
    """Return a group, a supergroup unless its id says otherwise."""
    return GroupHarness(house, house.telegram.group(chat_id, is_forum=is_forum))
