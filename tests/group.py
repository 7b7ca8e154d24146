"""A group of people with the bot among them, in a house."""

from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.telegram import Group, Person
from bot.sandbox.telegram.door import Call
from tests.house import House

#: What a bot does in a chat that others see.
SEEN = ("sendMessage", "sendPhoto", "sendDocument", "setMessageReaction", "sendChatAction")


@dataclass
class Friends:
    """Ada, Grace, and the bot."""

    house: House
    group: Group
    ada: Person = field(init=False)
    grace: Person = field(init=False)

    def __post_init__(self) -> None:
        self.ada = self.house.ada
        self.grace = self.house.telegram.person(user_id=1002, first_name="Grace")
        for person in (self.ada, self.grace):
            self.group.join(person.user)

    def place(self, person: Person) -> None:
        """Let somebody add the bot to the group, from which somebody has removed it before."""
        self.group.set_bot("left", person.user)
        self.group.set_bot("member", person.user)

    async def hear(self) -> None:
        """Let everything in that waits, and take it as far as it gets at this moment."""
        await self.house.hear()

    async def answered(self) -> list[dict[str, Any]]:
        """Let everything in and finish, and return the pictures of the bot in the group."""
        await self.hear()
        await self.house.pass_time(4)  # in which an album closes, and what it needs is ordered
        await self.house.pass_time(36)
        return self.pictures()

    def pictures(self) -> list[dict[str, Any]]:
        """Return the pictures of the bot in the group."""
        return self.house.pictures(self.group.id)

    def texts(self) -> list[dict[str, Any]]:
        """Return the texts of the bot in the group."""
        return [message for message in self.house.telegram.bot_messages(self.group.id) if "text" in message]

    def words(self) -> list[str]:
        """Return what the bot says in the group."""
        return [message["text"] for message in self.texts()]

    def signs(self, message_id: int) -> list[str]:
        """Return the reactions of the bot on a message, as they are."""
        return self.house.telegram.reactions(self.group.id, message_id)

    def calls(self, *methods: str) -> list[Call]:
        """Return the calls of the bot that show in the group."""
        return [
            call
            for call in self.house.telegram.calls
            if call.method in (methods or SEEN) and str(call.params.get("chat_id")) == str(self.group.id)
        ]

    async def press(self, person: Person, message_id: int, label: str) -> str | None:
        """Let somebody press a button, and return what answers it."""
        press = person.press(message_id, label, chat=self.group)
        await self.hear()
        answer = person.answer_to(press)
        return None if answer is None else str(answer.get("text", ""))


def friends(house: House, chat_id: int | None = None, *, is_forum: bool = False) -> Friends:
    """Return a group, a supergroup unless its id says otherwise."""
    return Friends(house, house.telegram.group(chat_id, is_forum=is_forum))
