"""Intake: turns each update of the inbox into rows, in one transaction.

That transaction also marks the update handled, so a crash at any instant
either finds it waiting or finds all that it caused, replies included. Nothing
slow happens here.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from bot.job import Instant
from bot.settings import MustRestart
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.outbox import Say
from bot.store.transaction import Transaction
from bot.talk import commands
from bot.talk.access import Access
from bot.talk.presses import button_pressed
from bot.talk.reading import (
    AlbumItemSent,
    BotBlocked,
    ButtonPressed,
    CommandGiven,
    Meaning,
    Origin,
    PictureSent,
    Reading,
    WordsChanged,
    WordsSent,
    read_update,
)
from bot.talk.replying import reply, toast
from bot.talk.requests import album_item_sent, picture_sent
from bot.talk.wishes import words_changed, words_sent
from bot.texts import DEFAULT, Sentence, sentence

log = logging.getLogger(__name__)


class Intake:
    """Handles the inbox, oldest first, whenever it is woken."""

    def __init__(
        self,
        db: Database,
        access: Access,
        privacy: Sentence,
        *,
        album_window: float,
        clock: Callable[[], Instant],
        wake_worker: Callable[[], None],
    ) -> None:
        self._db = db
        self._access = access
        self._privacy = privacy
        self._album_window = album_window
        self._clock = clock
        self._wake_worker = wake_worker
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that the inbox may have something new."""
        self._woken.set()

    async def run(self) -> None:
        """Handle updates until cancelled. Raises MustRestart when the database fails."""
        while True:
            self._woken.clear()
            await self.handle_all()
            await self._woken.wait()

    async def handle_all(self) -> None:
        """Handle every update that waits."""
        while letter := await self._db.unit(lambda tx: tx.inbox.next_waiting()):
            await self._handle(letter)
            self._wake_worker()

    async def _handle(self, letter: Letter) -> None:
        try:
            reading = read_update(json.loads(letter.body))
            await self._db.unit(lambda tx: self._act(tx, letter, reading))
        except MustRestart:
            raise
        except Exception as error:  # whatever is wrong with an update must not stop those behind it
            log.exception("update %d could not be handled and is set aside", letter.update_id)
            fault = type(error).__name__
            await self._db.unit(lambda tx: self._set_aside(tx, letter, fault))

    def _act(self, tx: Transaction, letter: Letter, reading: Reading | None) -> None:
        now = self._clock()
        if reading is not None:
            origin, meaning = reading
            if origin.user_id in self._access.admins:
                tx.people.heard(origin.user_id, origin.language)
            if self._may(origin, meaning):
                self._answer(tx, origin, meaning, letter, now)
            else:
                _refuse_stranger(tx, origin, meaning, now)
        tx.inbox.handled(letter.update_id, now)

    def _may(self, origin: Origin, meaning: Meaning) -> bool:
        # whoever asks what happens to their data gets an answer (Telegram's terms, section 4)
        always = meaning == CommandGiven("privacy") or isinstance(meaning, BotBlocked)
        return always or self._access.admits(origin.user_id, origin.chat_id)

    def _answer(self, tx: Transaction, origin: Origin, meaning: Meaning, letter: Letter, now: Instant) -> None:
        match meaning:
            case PictureSent():
                picture_sent(tx, origin, meaning, letter.received_at, now)
            case AlbumItemSent():
                album_item_sent(tx, origin, meaning, self._album_window, letter.received_at, now)
            case WordsSent():
                words_sent(tx, origin, meaning, letter.received_at, now)
            case WordsChanged(words):
                words_changed(tx, origin, words, letter.update_id, now)
            case ButtonPressed():
                button_pressed(tx, origin, meaning, now)
            case BotBlocked():
                tx.lose_chat(origin.chat_id, now)
            case CommandGiven(name):
                self._obey(tx, origin, name, now)
            case _:
                reply(tx, origin, sentence("unsupported"), now)

    def _obey(self, tx: Transaction, origin: Origin, name: str, now: Instant) -> None:
        told = self._command(tx, origin, name, now)
        if told is not None:
            reply(tx, origin, told, now)

    def _command(self, tx: Transaction, origin: Origin, name: str, now: Instant) -> Sentence | None:
        match name:
            case "start" | "help":
                return sentence(name)
            case "cancel":
                return commands.cancel(tx, origin, now)
            case "status":
                return commands.status(tx, origin, now)
            case "privacy":
                return self._privacy
            case _:
                return sentence("unknown-command")

    def _set_aside(self, tx: Transaction, letter: Letter, fault: str) -> None:
        now = self._clock()
        tx.inbox.set_aside(letter.update_id, fault, now)
        told = sentence("admin-poison", update=f"{letter.update_id}", fault=fault)
        tx.outbox.tell_admins(self._access.admins, f"poison:{letter.update_id}", told.into, now)
        chat_id = _private_chat(letter.body)
        if chat_id is not None and self._access.admits(chat_id, chat_id):
            tx.outbox.add(
                Say(key=f"poison:{letter.update_id}", chat_id=chat_id, body=sentence("trouble").into(DEFAULT)), now
            )


def _refuse_stranger(tx: Transaction, origin: Origin, meaning: Meaning, now: Instant) -> None:
    words = sentence("stranger", id=f"{origin.user_id}")
    if isinstance(meaning, ButtonPressed):
        toast(tx, origin, meaning.press_id, words, now)
    elif not isinstance(meaning, WordsChanged):
        today = now // 86_400_000
        reply(tx, origin, words, now, once=f"stranger:{origin.user_id}:{today}")


def _private_chat(body: str) -> int | None:
    """Dig the chat out of an update that could not be read, to tell the person."""
    try:
        update: Any = json.loads(body)
        chat_id = update["message"]["chat"]["id"]
    except (ValueError, KeyError, TypeError):
        return None
    # a bool is an int as well, and ids of people are positive and fit into 52 bits
    return chat_id if type(chat_id) is int and 0 < chat_id < 1 << 52 else None
