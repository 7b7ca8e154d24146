"""Simulated users, who also answer every question about an uncertain order with "Try again"."""

from collections.abc import Callable
from typing import Any, TypeVar

from bot.sandbox.telegram import Group, LocalTelegram, Person
from bot.telegram.buttons import ButtonAction, parse_callback_data
from tests.process_harness import TIMEOUT_SECONDS, ProcessHarness
from tests.stateful.user_actions import list_buttons

T = TypeVar("T")

#: counts unfinished jobs, unsent messages, and unhandled updates
REMAINING_WORK = """
    SELECT (SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled'))
        + (SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND ended_at IS NULL)
        + (SELECT count(*) FROM inbox WHERE handled_at IS NULL)"""


class SimulatedUsers:
    """Ada and Grace, each in a private chat, and in a group whose administrator is Grace."""

    def __init__(self, harness: ProcessHarness, timeout: float = TIMEOUT_SECONDS) -> None:
        self.harness = harness
        self.timeout = timeout
        self.ada = harness.telegram.person()
        self.grace = harness.telegram.person(first_name="Grace")
        self.group = harness.telegram.group(members=[self.ada, self.grace])
        self.group.promote(self.grace.user)
        #: the callback data of the pressed "Try again" buttons
        self.retries_pressed: set[str] = set()

    @property
    def chats(self) -> dict[int, Group | None]:
        """The chats, by id, each with its group, if any."""
        return {self.ada.id: None, self.grace.id: None, self.group.id: self.group}

    async def wait_until(self, condition: Callable[[LocalTelegram], T | None]) -> T:
        """Wait until a condition on Telegram holds, and press every "Try again"."""

        def holds(telegram: LocalTelegram) -> T | None:
            self._press_try_again()
            return condition(telegram)

        return await self.harness.telegram.wait_for(holds, self.timeout)

    async def wait_for_pictures(self, chat_id: int, count: int = 1) -> None:
        """Wait until the bot has sent so many pictures and files to a chat."""
        await self.wait_until(lambda telegram: len(list_pictures(telegram, chat_id)) >= count)

    async def wait_for_text(self, chat_id: int, words: str) -> None:
        """Wait until the bot has sent a text to a chat."""
        await self.wait_until(
            lambda telegram: any(words in message_text(each) for each in telegram.bot_messages(chat_id))
        )

    async def press_button(self, person: Person, label: str, chat: Group | None = None) -> int:
        """Wait for a button, press its latest occurrence, and return the message's id."""
        chat_id = person.id if chat is None else chat.id
        message_id = await self.wait_until(lambda telegram: _find_button(telegram, chat_id, label))
        person.press_button(message_id, label, chat)
        return message_id

    async def press_until(self, person: Person, label: str, then: str) -> None:
        """Press a button on every message that has it, until another button appears.

        A message that the bot did not store, because it crashed while sending it, is sent again.
        """
        pressed: set[int] = set()

        def holds(telegram: LocalTelegram) -> int | None:
            found = _find_button(telegram, person.id, label)
            if found is not None and found not in pressed:
                pressed.add(found)
                person.press_button(found, label)
            return _find_button(telegram, person.id, then)

        await self.wait_until(holds)

    async def wait_until_idle(self) -> None:
        """Wait until no work remains."""
        await self.wait_until(lambda telegram: not telegram.state.updates.pending and not self._count_remaining_work())

    def _count_remaining_work(self) -> int:
        return int(self.harness.query(REMAINING_WORK)[0][0])

    def _press_try_again(self) -> None:
        for chat_id, group in self.chats.items():
            for message in self.harness.telegram.bot_messages(chat_id):
                for message_id, data in list_buttons([message]):
                    pressed = parse_callback_data(data)
                    if (
                        pressed is not None
                        and pressed.action is ButtonAction.ORDER_AGAIN
                        and data not in self.retries_pressed
                    ):
                        self.retries_pressed.add(data)
                        self._addressee(message).press_button(message_id, data, group)

    def _addressee(self, message: dict[str, Any]) -> Person:
        """Return the user whom a question is for: in private always the chat's, whatever it replies to."""
        chat_id = message["chat"]["id"]
        asked = chat_id if chat_id > 0 else message.get("reply_to_message", {}).get("from", {}).get("id", chat_id)
        return self.grace if asked == self.grace.id else self.ada


def message_text(message: dict[str, Any]) -> str:
    """Return the text or caption of a message."""
    return str(message.get("text", message.get("caption", "")))


def list_pictures(telegram: LocalTelegram, chat_id: int) -> list[dict[str, Any]]:
    """Return the bot's pictures and files in a chat."""
    return [each for each in telegram.bot_messages(chat_id) if "photo" in each or "document" in each]


def _find_button(telegram: LocalTelegram, chat_id: int, label: str) -> int | None:
    found = [
        message["message_id"]
        for message in telegram.bot_messages(chat_id)
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
        if button["text"] == label
    ]
    return found[-1] if found else None
