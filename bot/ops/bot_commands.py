"""Menus: tells Telegram which commands an app offers, in which chats and languages.

They are told when they are others than those that were told last, and never
keep anything else waiting.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

from bot.i18n import DEFAULT_LANGUAGE, languages, sentence
from bot.settings import MustRestart
from bot.store.database import Database
from bot.telegram.client import TelegramClient
from bot.telegram.errors import ChatGone, Rejected, TelegramApiError

log = logging.getLogger(__name__)

#: By scope of the Bot API. What stands here is only offered; who may do what is decided elsewhere.
OFFERED_COMMANDS: Mapping[str, Sequence[str]] = {
    "all_private_chats": ("help", "status", "cancel", "usage", "settings", "privacy", "delete"),
    "all_group_chats": ("edit", "status", "cancel", "usage", "help", "privacy"),
    "all_chat_administrators": ("edit", "status", "cancel", "usage", "settings", "help", "privacy"),
}

#: What every admin of the bot is offered in the private chat, and nobody else.
ADMIN_COMMANDS = (*OFFERED_COMMANDS["all_private_chats"], "stats")

#: Seconds; the pause doubles from the first to the longest one.
FIRST_RETRY_DELAY, MAX_RETRY_DELAY = 5.0, 3600.0


class BotCommands:
    """The menus of commands, in every language that there is."""

    def __init__(self, db: Database, chat: TelegramClient, admins: frozenset[int]) -> None:
        self._db = db
        self._chat = chat
        self._admins = admins

    async def run(self) -> None:
        """Tell Telegram, for as long as it takes, if there is anything new."""
        pause = FIRST_RETRY_DELAY
        while True:
            try:
                return await self.publish()
            except TelegramApiError as error:
                log.warning("the menus of commands could not be set, again in %.0f s: %s", pause, error)
            except MustRestart:
                raise
            except Exception:
                log.exception("the menus of commands could not be set, again in %.0f s: a mistake in the bot", pause)
            await asyncio.sleep(pause)
            pause = min(MAX_RETRY_DELAY, pause * 2)

    async def publish(self) -> None:
        """Tell Telegram if there is anything new. Raises a ChatError."""
        # None stands for all those languages that there is no menu for
        spoken = (None, *(each for each in languages() if each != DEFAULT_LANGUAGE))
        menus = [
            (scope, language, _describe_commands(names, language))
            for scope, names in OFFERED_COMMANDS.items()
            for language in spoken
        ]
        own = [
            (admin, language, _describe_commands(ADMIN_COMMANDS, language))
            for admin in sorted(self._admins)
            for language in spoken
        ]
        if await self._db.transact(lambda tx: tx.bot_identity.get_command_menus_digest()) == _digest(menus, own):
            return
        for scope, language, commands in menus:
            await self._chat.set_commands(scope, language, commands)
        told = [each for each in own if await self._publish_for_admin(*each)]
        # the menu of an admin who was not there is told at the next start
        await self._db.transact(lambda tx: tx.bot_identity.set_command_menus_digest(_digest(menus, told)))
        log.info("set the menus of commands in %d languages", len(spoken))

    async def _publish_for_admin(self, admin: int, language: str | None, commands: Mapping[str, str]) -> bool:
        """Tell the menu of one admin; False for one who has not written to the bot yet, whose chat is not there."""
        try:
            await self._chat.set_chat_commands(admin, language, commands)
        except (ChatGone, Rejected) as error:
            log.info("the menu of admin %d could not be set: %s", admin, error)
            return False
        return True


def _describe_commands(names: Sequence[str], language: str | None) -> dict[str, str]:
    return {name: sentence(f"command-{name}").translate(language or DEFAULT_LANGUAGE) for name in names}


def _digest(*menus: object) -> str:
    return hashlib.sha256(json.dumps(menus).encode()).hexdigest()
