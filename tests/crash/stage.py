"""A stage: people who talk to the bot, and who answer what it asks about an order in doubt."""

from collections.abc import Callable
from typing import Any, TypeVar

from bot.chat.buttons import Action, read
from bot.sandbox.telegram import Group, LocalTelegram, Person
from tests.machine.ledger import buttons_of
from tests.world import PATIENCE, World

T = TypeVar("T")

#: Counts what is left to do: unfinished jobs, things to be said, and updates that nobody has handled.
LEFT = """
    SELECT (SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled'))
        + (SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND ended_at IS NULL)
        + (SELECT count(*) FROM inbox WHERE handled_at IS NULL)"""


class Stage:
    """Ada and Grace, each in private and in a group whose administrator is Grace."""

    def __init__(self, world: World, patience: float = PATIENCE) -> None:
        self.world = world
        self.patience = patience
        self.ada = world.telegram.person()
        self.grace = world.telegram.person(first_name="Grace")
        self.group = world.telegram.group(members=[self.ada, self.grace])
        self.group.promote(self.grace.user)
        #: the questions about an order in doubt that were answered with "Try again", by what stands behind the button
        self.agains: set[str] = set()

    @property
    def chats(self) -> dict[int, Group | None]:
        """The chats, each with the group that it is, if any."""
        return {self.ada.id: None, self.grace.id: None, self.group.id: self.group}

    async def until(self, condition: Callable[[LocalTelegram], T | None]) -> T:
        """Wait until something can be seen in Telegram, and let every question be answered with "Try again"."""

        def holds(telegram: LocalTelegram) -> T | None:
            self._try_again()
            return condition(telegram)

        return await self.world.telegram.wait_for(holds, self.patience)

    async def pictures(self, chat_id: int, count: int = 1) -> None:
        """Wait until so many pictures and files from the bot stand in a chat."""
        await self.until(lambda telegram: len(pictures_in(telegram, chat_id)) >= count)

    async def says(self, chat_id: int, words: str) -> None:
        """Wait until the bot says something in a chat."""
        await self.until(lambda telegram: any(words in text_of(each) for each in telegram.bot_messages(chat_id)))

    async def press(self, person: Person, label: str, chat: Group | None = None) -> int:
        """Wait for a button and press it where it stands last; return the message's id."""
        chat_id = person.id if chat is None else chat.id
        message_id = await self.until(lambda telegram: _with_button(telegram, chat_id, label))
        person.press(message_id, label, chat)
        return message_id

    async def press_until(self, person: Person, label: str, then: str) -> None:
        """Press a button, and wait for another one that this leads to.

        A message that the bot has forgotten, because it died as it sent it, comes once more: so the button is
        pressed wherever it stands.
        """
        pressed: set[int] = set()

        def holds(telegram: LocalTelegram) -> int | None:
            found = _with_button(telegram, person.id, label)
            if found is not None and found not in pressed:
                pressed.add(found)
                person.press(found, label)
            return _with_button(telegram, person.id, then)

        await self.until(holds)

    async def settles(self) -> None:
        """Wait until nothing is left to do."""
        await self.until(lambda telegram: not telegram.cloud.updates.pending and not self._left())

    def _left(self) -> int:
        return int(self.world.rows(LEFT)[0][0])

    def _try_again(self) -> None:
        for chat_id, group in self.chats.items():
            for message in self.world.telegram.bot_messages(chat_id):
                for message_id, data in buttons_of([message]):
                    pressed = read(data)
                    if pressed is not None and pressed.action is Action.AGAIN and data not in self.agains:
                        self.agains.add(data)
                        self._asked(message).press(message_id, data, group)

    def _asked(self, message: dict[str, Any]) -> Person:
        """Return whom a question is for: in private whose chat it is, even where it replies to the bot's own answer."""
        chat_id = message["chat"]["id"]
        asked = chat_id if chat_id > 0 else message.get("reply_to_message", {}).get("from", {}).get("id", chat_id)
        return self.grace if asked == self.grace.id else self.ada


def text_of(message: dict[str, Any]) -> str:
    """Return the words of a message, or under a picture."""
    return str(message.get("text", message.get("caption", "")))


def pictures_in(telegram: LocalTelegram, chat_id: int) -> list[dict[str, Any]]:
    """Return the pictures and files that the bot sent to a chat."""
    return [each for each in telegram.bot_messages(chat_id) if "photo" in each or "document" in each]


def _with_button(telegram: LocalTelegram, chat_id: int, label: str) -> int | None:
    found = [
        message["message_id"]
        for message in telegram.bot_messages(chat_id)
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
        if button["text"] == label
    ]
    return found[-1] if found else None
