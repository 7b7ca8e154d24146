"""Menus: tells Telegram which commands an app offers, in which chats and languages.

They are told when they are others than those that were told last, and never
keep anything else waiting.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

from bot.chat.client import Chat
from bot.chat.errors import ChatError
from bot.store.connection import Database
from bot.texts import DEFAULT, languages, sentence

log = logging.getLogger(__name__)

#: By scope of the Bot API. What stands here is only offered; who may do what is decided elsewhere.
OFFERED: Mapping[str, Sequence[str]] = {
    "all_private_chats": ("help", "status", "cancel", "usage", "settings", "privacy", "delete"),
    "all_group_chats": ("edit", "status", "cancel", "usage", "help", "privacy"),
    "all_chat_administrators": ("edit", "status", "cancel", "usage", "settings", "help", "privacy"),
}

#: Seconds; the pause doubles from the first to the longest one.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0


class Menus:
    """The menus of commands, in every language that there is."""

    def __init__(self, db: Database, chat: Chat) -> None:
        self._db = db
        self._chat = chat

    async def run(self) -> None:
        """Tell Telegram, for as long as it takes, if there is anything new."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self.tell()
            except ChatError as error:
                log.warning("the menus of commands could not be set, again in %.0f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def tell(self) -> None:
        """Tell Telegram if there is anything new. Raises a ChatError."""
        # None stands for all those languages that there is no menu for
        spoken = (None, *(each for each in languages() if each != DEFAULT))
        menus = [(scope, language, _menu(scope, language)) for scope in OFFERED for language in spoken]
        digest = hashlib.sha256(json.dumps(menus).encode()).hexdigest()
        if await self._db.unit(lambda tx: tx.owner.menus()) == digest:
            return
        for scope, language, commands in menus:
            await self._chat.set_menu(scope, language, commands)
        await self._db.unit(lambda tx: tx.owner.note_menus(digest))
        log.info("set the menus of commands in %d languages", len(spoken))


def _menu(scope: str, language: str | None) -> dict[str, str]:
    return {name: sentence(f"command-{name}").into(language or DEFAULT) for name in OFFERED[scope]}
