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

from bot.chat.client import MAX_DOWNLOAD
from bot.job import MAX_PROMPT, Instant, Request, State
from bot.settings import MustRestart
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk import commands
from bot.talk.access import Access
from bot.talk.reading import (
    AlbumItemSent,
    BotBlocked,
    CommandGiven,
    Meaning,
    Origin,
    OtherSent,
    PictureSent,
    TextSent,
    read_update,
)
from bot.texts import en

log = logging.getLogger(__name__)

ACCEPTED = "👀"


class Intake:
    """Handles the inbox, oldest first, whenever it is woken."""

    def __init__(
        self,
        db: Database,
        access: Access,
        privacy: str,
        *,
        clock: Callable[[], Instant],
        wake_worker: Callable[[], None],
    ) -> None:
        self._db = db
        self._access = access
        self._privacy = privacy
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

    def _act(self, tx: Transaction, letter: Letter, reading: tuple[Origin, Meaning] | None) -> None:
        now = self._clock()
        if reading is not None:
            origin, meaning = reading
            self._answer(tx, origin, meaning, letter.received_at, now)
        tx.inbox.handled(letter.update_id, now)

    def _answer(self, tx: Transaction, origin: Origin, meaning: Meaning, received_at: Instant, now: Instant) -> None:
        if isinstance(meaning, BotBlocked):
            tx.lose_chat(origin.chat_id, now)
        elif not self._may(origin, meaning):
            _refuse_stranger(tx, origin, now)
        elif isinstance(meaning, PictureSent):
            _picture_sent(tx, origin, meaning, received_at, now)
        else:
            _reply(tx, origin, self._words(tx, origin, meaning, now), now, once=_once(origin, meaning))

    def _may(self, origin: Origin, meaning: Meaning) -> bool:
        # whoever asks what happens to their data gets an answer (Telegram's terms, section 4)
        return meaning == CommandGiven("privacy") or self._access.admits(origin.user_id, origin.chat_id)

    def _words(self, tx: Transaction, origin: Origin, meaning: Meaning, now: Instant) -> str:
        match meaning:
            case CommandGiven(name):
                return self._command(tx, origin, name, now)
            case AlbumItemSent():
                return en.ALBUM
            case TextSent():
                return en.NO_PICTURE
            case OtherSent() | _:
                return en.UNSUPPORTED

    def _command(self, tx: Transaction, origin: Origin, name: str, now: Instant) -> str:
        match name:
            case "start":
                return en.START
            case "help":
                return en.HELP
            case "privacy":
                return self._privacy
            case "cancel":
                return commands.cancel(tx, origin, now)
            case "edit":
                return en.NO_PICTURE
            case _:
                return en.UNKNOWN_COMMAND

    def _set_aside(self, tx: Transaction, letter: Letter, fault: str) -> None:
        now = self._clock()
        tx.inbox.set_aside(letter.update_id, fault, now)
        words = en.ADMIN_POISON.format(update_id=letter.update_id, fault=fault)
        tx.outbox.tell_admins(self._access.admins, f"poison:{letter.update_id}", words, now)
        chat_id = _private_chat(letter.body)
        if chat_id is not None and self._access.admits(chat_id, chat_id):
            tx.outbox.add(Say(key=f"poison:{letter.update_id}", chat_id=chat_id, body=en.TROUBLE), now)


def _picture_sent(tx: Transaction, origin: Origin, sent: PictureSent, received_at: Instant, now: Instant) -> None:
    refusal = _refusal(sent)
    if refusal is not None:
        _reply(tx, origin, refusal, now)
        return
    request = Request(
        chat_id=origin.chat_id,
        user_id=origin.user_id,
        message_id=origin.message_id,
        thread_id=origin.thread_id,
        prompt=sent.caption,
        sources=(sent.source,),
        received_at=received_at,
    )
    job_id = tx.jobs.add(request, State.QUEUED)
    if job_id is not None:
        tx.line.enter(job_id, request.chat_id, request.user_id)
        tx.outbox.add(_accepted(request, job_id), now)


def _refusal(sent: PictureSent) -> str | None:
    if not sent.caption:
        return en.NO_CAPTION
    if len(sent.caption) > MAX_PROMPT:
        return en.prompt_too_long(len(sent.caption), MAX_PROMPT)
    if sent.source.size is not None and sent.source.size > MAX_DOWNLOAD:
        return en.FILE_TOO_LARGE
    return None


def _accepted(request: Request, job_id: int) -> Say:
    return Say(
        key=f"job:{job_id}:accepted",
        kind=Kind.REACTION,
        chat_id=request.chat_id,
        reply_to=request.message_id,
        body=ACCEPTED,
        job_id=job_id,
    )


def _refuse_stranger(tx: Transaction, origin: Origin, now: Instant) -> None:
    today = now // 86_400_000
    words = en.STRANGER.format(user_id=origin.user_id)
    _reply(tx, origin, words, now, once=f"stranger:{origin.user_id}:{today}")


def _once(origin: Origin, meaning: Meaning) -> str | None:
    """Return the key of what is said once for several messages."""
    return f"album:{origin.chat_id}:{meaning.group}" if isinstance(meaning, AlbumItemSent) else None


def _reply(tx: Transaction, origin: Origin, words: str, now: Instant, once: str | None = None) -> None:
    say = Say(
        key=once or f"reply:{origin.chat_id}:{origin.message_id}",
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=words,
    )
    tx.outbox.add(say, now)


def _private_chat(body: str) -> int | None:
    """Dig the chat out of an update that could not be read, to tell the person."""
    try:
        update: Any = json.loads(body)
        chat_id = update["message"]["chat"]["id"]
    except (ValueError, KeyError, TypeError):
        return None
    # a bool is an int as well, and ids of people are positive and fit into 52 bits
    return chat_id if type(chat_id) is int and 0 < chat_id < 1 << 52 else None
