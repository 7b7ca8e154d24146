"""The command menus of Telegram's apps: sent to Telegram (setMyCommands) whenever they have changed."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

from bot.backoff import backoff
from bot.i18n import DEFAULT_LANGUAGE, languages, sentence
from bot.settings import MustRestart
from bot.store.database import Database
from bot.telegram.client import TelegramClient
from bot.telegram.errors import ChatGone, Rejected, TelegramApiError

log = logging.getLogger(__name__)

#: By scope of the Bot API. A menu only offers commands; `handlers` decides who may use them.
OFFERED_COMMANDS: Mapping[str, Sequence[str]] = {
    "all_private_chats": ("help", "status", "cancel", "usage", "settings", "privacy", "delete"),
    "all_group_chats": ("edit", "status", "cancel", "usage", "help", "privacy"),
    "all_chat_administrators": ("edit", "status", "cancel", "usage", "settings", "help", "privacy"),
}

#: Offered to the bot's admins, in their private chat with it.
ADMIN_COMMANDS = (*OFFERED_COMMANDS["all_private_chats"], "stats")

#: Seconds between two attempts: exponential backoff.
FIRST_DELAY, MAX_DELAY = 5.0, 3600.0


class BotCommands:
    """Publishes the command menus in every language."""

    def __init__(self, db: Database, telegram: TelegramClient, admins: frozenset[int]) -> None:
        self._db = db
        self._telegram = telegram
        self._admins = admins

    async def run(self) -> None:
        """Publish the menus if they changed, and retry until that works. Raises MustRestart."""
        tries = 0
        while True:
            delay = backoff(tries, FIRST_DELAY, MAX_DELAY)
            try:
                return await self.publish()
            except TelegramApiError as error:
                log.warning("the bot commands could not be set, next try in %.0f s: %s", delay, error)
            except MustRestart:
                raise
            except Exception:
                log.exception("the bot commands could not be set because of a bug, next try in %.0f s", delay)
            await asyncio.sleep(delay)
            tries += 1

    async def publish(self) -> None:
        """Publish the menus if they changed. Raises TelegramApiError."""
        # None stands for every language without a catalogue
        spoken = (None, *(each for each in languages() if each != DEFAULT_LANGUAGE))
        general = [
            (scope, language, _describe_commands(names, language))
            for scope, names in OFFERED_COMMANDS.items()
            for language in spoken
        ]
        for_admins = [
            (admin, language, _describe_commands(ADMIN_COMMANDS, language))
            for admin in sorted(self._admins)
            for language in spoken
        ]
        published = await self._db.transact(lambda tx: tx.bot_identity.get_command_menus_digest())
        if published == _digest(general, for_admins):
            return
        for scope, language, commands in general:
            await self._telegram.set_commands(scope, language, commands)
        # an admin whose chat does not exist yet stays out of the digest, so the next start tries again
        done = [each for each in for_admins if await self._publish_for_admin(*each)]
        await self._db.transact(lambda tx: tx.bot_identity.set_command_menus_digest(_digest(general, done)))
        log.info("set the bot commands in %d languages", len(spoken))

    async def _publish_for_admin(self, admin: int, language: str | None, commands: Mapping[str, str]) -> bool:
        """Publish the menu of an admin; return False if the bot has no chat with the admin yet."""
        try:
            await self._telegram.set_chat_commands(admin, language, commands)
        except (ChatGone, Rejected) as error:
            log.info("the bot commands of admin %d could not be set: %s", admin, error)
            return False
        return True


def _describe_commands(names: Sequence[str], language: str | None) -> dict[str, str]:
    return {name: sentence(f"command-{name}").translate(language or DEFAULT_LANGUAGE) for name in names}


def _digest(*menus: object) -> str:
    return hashlib.sha256(json.dumps(menus).encode()).hexdigest()
