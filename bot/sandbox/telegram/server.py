"""A Telegram on this machine: a bot on one side, people to play on the other, faults to switch on.

The state lives here and not in the door, so the door can close and open again
as in an outage, and the bot can be killed at any time.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from bot.sandbox.faults import Faults
from bot.sandbox.telegram.changes import Changes
from bot.sandbox.telegram.chats import Action, Chat
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.door import Call, Check, Door
from bot.sandbox.telegram.groups import SUPERGROUPS, Group, new_group
from bot.sandbox.telegram.people import Person
from bot.sandbox.telegram.refusals import Json
from bot.sandbox.telegram.updates import Updates

T = TypeVar("T")


class LocalTelegram:
    """Telegram for one bot, on 127.0.0.1.

    `check` sees every call's decoded parameters and files; what it raises is
    kept in `complaints`, and the call fails with 500. Faults are named after
    methods; those of file downloads are named "file".
    """

    def __init__(
        self,
        *,
        token: str,
        username: str = "darkroom_bot",
        clock: Callable[[], float] = time.time,
        check: Check | None = None,
    ) -> None:
        bot_id = int(token.partition(":")[0])
        me: Json = {"id": bot_id, "is_bot": True, "first_name": "Darkroom", "username": username}
        changes = Changes()
        #: all state; its switches are `enforce_limits` and `privacy_mode`, both off at first
        self.cloud = Cloud(me=me, clock=clock, changes=changes, updates=Updates(changes, clock))
        self.faults = Faults()
        self._door = Door(self.cloud, token, self.faults, check)

    @property
    def url(self) -> str:
        """The address to put before `/bot{token}/METHOD` and `/file/bot{token}/PATH`."""
        return f"http://127.0.0.1:{self._door.port}"

    @property
    def calls(self) -> list[Call]:
        """Every call of the bot, in order of arrival, getUpdates included."""
        return self._door.calls

    @property
    def complaints(self) -> list[str]:
        """What `check` disliked, and mistakes of this server; empty when all is well."""
        return self._door.complaints

    async def start(self, port: int = 0) -> None:
        """Open the door; port 0 takes the one used before, or any that is free."""
        await self._door.open(port)

    async def stop(self) -> None:
        """Close the door and every connection; what is known stays known."""
        await self._door.close()

    def person(
        self,
        user_id: int | None = None,
        first_name: str = "Ada",
        language_code: str | None = "en",
        started: bool = True,
    ) -> Person:
        """Return somebody with an app; unless `started` is false, they have pressed Start before."""
        chats = self.cloud.chats
        one = 1_000_001 + len(chats) if user_id is None else user_id
        user: Json = {"id": one, "is_bot": False, "first_name": first_name}
        user |= {"language_code": language_code} if language_code else {}
        shown: Json = {"id": one, "first_name": first_name, "type": "private"}
        room = chats.setdefault(one, Chat(shown, members={one: user}, started=started))
        return Person(self.cloud, user, room)

    def group(
        self,
        chat_id: int | None = None,
        title: str = "Friends",
        members: Sequence[Person] = (),
        is_forum: bool = False,
    ) -> Group:
        """Return a group with these members and the bot; a supergroup unless the id says otherwise."""
        one = SUPERGROUPS - 2_000_001 - len(self.cloud.chats) if chat_id is None else chat_id
        group = new_group(self.cloud, one, title, is_forum)
        for person in members:
            group.join(person.user)
        return group

    def push(self, raw: Json) -> int:
        """Queue any update, however odd; return its update_id."""
        return self.cloud.updates.push(raw)

    def redeliver(self, update_id: int) -> None:
        """Deliver an update once more, even after it was confirmed."""
        self.cloud.updates.redeliver(update_id)

    def messages(self, chat_id: int) -> list[Json]:
        """Return what stands in a chat, both directions, oldest first."""
        return list(self.cloud.chats[chat_id].messages.values())

    def bot_messages(self, chat_id: int) -> list[Json]:
        """Return what stands in a chat and came from the bot, oldest first."""
        return [message for message in self.messages(chat_id) if self.cloud.is_mine(message)]

    def reactions(self, chat_id: int, message_id: int) -> list[str]:
        """Return the emoji that the bot put on a message."""
        return [one["emoji"] for one in self.cloud.chats[chat_id].reactions.get(message_id, [])]

    def actions(self, chat_id: int) -> list[Action]:
        """Return the chat actions that the bot showed, oldest first."""
        return self.cloud.chats[chat_id].actions

    def file_bytes(self, file_id: str) -> bytes:
        """Return a stored file; raise KeyError for an unknown one."""
        return self.cloud.files.get(file_id).content

    def message_photo_bytes(self, message: Json) -> bytes:
        """Return the picture of a message: its largest photo, or its document."""
        if "photo" not in message:
            return self.file_bytes(message["document"]["file_id"])
        largest = max(message["photo"], key=lambda size: size["width"] * size["height"])
        return self.file_bytes(largest["file_id"])

    async def wait_for(
        self,
        condition: "Callable[[LocalTelegram], T | None]",
        timeout: float,  # noqa: ASYNC109 - a bound on waiting, worded like asyncio.wait_for
    ) -> T:
        """Return the first true value of `condition(self)`, asked again after every change.

        Raises TimeoutError after `timeout` seconds, with the latest calls in its text.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not (value := condition(self)):
                    await self.cloud.changes.wait()
                return value
        raise TimeoutError(f"not within {timeout} s; {self._latest()}")

    def _latest(self) -> str:
        lines = [f"{call.method} {dict(call.params)} -> {call.error or call.result}" for call in self.calls]
        calls = "".join(f"\n  {line:.300}" for line in lines[-10:])
        return f"complaints: {self.complaints or 'none'}; latest calls: {calls or 'none'}"
