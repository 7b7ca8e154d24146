"""The local Telegram for one bot: simulated users and groups, recorded calls, and fault injection.

The state outlives the HTTP server, which can be stopped and started again as in an outage.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from bot.sandbox.fault_injection import FaultInjector
from bot.sandbox.telegram.bot_api_server import BotApiServer, CallCheck, TelegramCall
from bot.sandbox.telegram.chats import ChatState, ShownChatAction
from bot.sandbox.telegram.errors import JsonObject
from bot.sandbox.telegram.people_and_groups import SUPERGROUP_IDS_BELOW, Group, Person, create_group
from bot.sandbox.telegram.server_state import TelegramState
from bot.sandbox.telegram.update_queue import ChangeNotifier, UpdateQueue

T = TypeVar("T")


class LocalTelegram:
    """A Telegram on 127.0.0.1.

    `check` validates every call's decoded parameters and files; what it raises
    goes to `check_failures`, and the call fails with 500. Faults are named after
    methods; those of file downloads are named "file".
    """

    def __init__(
        self,
        *,
        token: str,
        username: str = "darkroom_bot",
        clock: Callable[[], float] = time.time,
        check: CallCheck | None = None,
    ) -> None:
        bot_id = int(token.partition(":")[0])
        me: JsonObject = {"id": bot_id, "is_bot": True, "first_name": "Darkroom", "username": username}
        changes = ChangeNotifier()
        #: with the switches `enforce_flood_control` and `privacy_mode`, both off by default
        self.state = TelegramState(bot_user=me, clock=clock, changes=changes, updates=UpdateQueue(changes, clock))
        self.faults = FaultInjector()
        self._server = BotApiServer(self.state, token, self.faults, check)

    @property
    def url(self) -> str:
        """The base URL of `/bot{token}/METHOD` and `/file/bot{token}/PATH`."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def calls(self) -> list[TelegramCall]:
        """Every call of the bot, in order of arrival, getUpdates included."""
        return self._server.calls

    @property
    def check_failures(self) -> list[str]:
        """Errors of `check` and of this server itself."""
        return self._server.check_failures

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes the previous one, or any free one."""
        await self._server.open(port)

    async def stop(self) -> None:
        """Stop listening and close every connection; the state is kept."""
        await self._server.close()

    def person(
        self,
        user_id: int | None = None,
        first_name: str = "Ada",
        language_code: str | None = "en",
        started: bool = True,
    ) -> Person:
        """Return a user, who has pressed Start unless `started` is false."""
        chats = self.state.chats
        one = 1_000_001 + len(chats) if user_id is None else user_id
        user: JsonObject = {"id": one, "is_bot": False, "first_name": first_name}
        user |= {"language_code": language_code} if language_code else {}
        api_object: JsonObject = {"id": one, "first_name": first_name, "type": "private"}
        chat_state = chats.setdefault(one, ChatState(api_object, members={one: user}, is_started=started))
        return Person(self.state, user, chat_state)

    def group(
        self, chat_id: int | None = None, title: str = "Friends", members: Sequence[Person] = (), is_forum: bool = False
    ) -> Group:
        """Return a group with these members and the bot; a supergroup unless the id is a basic group's."""
        one = SUPERGROUP_IDS_BELOW - 2_000_001 - len(self.state.chats) if chat_id is None else chat_id
        group = create_group(self.state, one, title, is_forum)
        for person in members:
            group.join(person.user)
        return group

    def push(self, raw: JsonObject) -> int:
        """Queue any update, valid or not; return its update_id."""
        return self.state.updates.push(raw)

    def redeliver(self, update_id: int) -> None:
        """Deliver an update again, even after it was confirmed."""
        self.state.updates.redeliver(update_id)

    def messages(self, chat_id: int) -> list[JsonObject]:
        """Return a chat's messages, oldest first."""
        return list(self.state.chats[chat_id].messages.values())

    def bot_messages(self, chat_id: int) -> list[JsonObject]:
        """Return the bot's messages in a chat, oldest first."""
        return [message for message in self.messages(chat_id) if self.state.is_from_bot(message)]

    def reactions(self, chat_id: int, message_id: int) -> list[str]:
        """Return the bot's reactions to a message, as emoji."""
        return [one["emoji"] for one in self.state.chats[chat_id].reactions.get(message_id, [])]

    def actions(self, chat_id: int) -> list[ShownChatAction]:
        """Return the bot's chat actions, oldest first."""
        return self.state.chats[chat_id].actions

    def file_bytes(self, file_id: str) -> bytes:
        """Return a stored file; raises KeyError for an unknown one."""
        return self.state.files.get(file_id).content

    def message_photo_bytes(self, message: JsonObject) -> bytes:
        """Return a message's largest photo, or its document."""
        if "photo" not in message:
            return self.file_bytes(message["document"]["file_id"])
        largest = max(message["photo"], key=lambda size: size["width"] * size["height"])
        return self.file_bytes(largest["file_id"])

    async def wait_for(
        self,
        condition: "Callable[[LocalTelegram], T | None]",
        timeout: float,  # noqa: ASYNC109 - a bound on waiting, worded like asyncio.wait_for
    ) -> T:
        """Return the first true value of `condition(self)`, which is evaluated after every change.

        Raises TimeoutError, with the latest calls in its text, after `timeout` seconds.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not (value := condition(self)):
                    await self.state.changes.wait()
                return value
        raise TimeoutError(f"not within {timeout} s; {self._describe_latest_calls()}")

    def _describe_latest_calls(self) -> str:
        lines = [f"{call.method} {dict(call.params)} -> {call.error or call.result}" for call in self.calls]
        calls = "".join(f"\n  {line:.300}" for line in lines[-10:])
        return f"check failures: {self.check_failures or 'none'}; latest calls: {calls or 'none'}"
