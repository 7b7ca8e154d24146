"""Intake: turns each update of the inbox into rows, in one transaction.

That transaction also marks the update handled, so a crash at any instant
either finds it waiting or finds all that it caused, replies included. Nothing
slow happens here.
"""

import asyncio
import json
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.job import Instant, day_of, later
from bot.logs import without_words
from bot.settings import MustRestart
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk import commands
from bot.talk.access import ADMINS_BELIEVED, OF_CHAT, Access, Verdict, depends_on_admins
from bot.talk.address import Address
from bot.talk.admission import decided
from bot.talk.erasure import erasure_asked_for, is_about_oneself, is_erasure
from bot.talk.groups import bot_placed, bot_removed, group_moved
from bot.talk.meanings import (
    AlbumItemSent,
    BotPlaced,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    GroupMoved,
    Meaning,
    Origin,
    PictureSent,
    Reading,
    WordsChanged,
    WordsSent,
)
from bot.talk.preferences import settings_asked_for
from bot.talk.presses import PressLimits, button_pressed
from bot.talk.reading import read_update
from bot.talk.replying import reply, reply_once, toast
from bot.talk.requests import album_item_sent, picture_sent
from bot.talk.room import Room
from bot.talk.stats import stats_asked_for
from bot.talk.wishes import words_changed, words_sent
from bot.texts import DEFAULT, Lines, Sentence, sentence

log = logging.getLogger(__name__)

#: Seconds that some updates may take at most, on the slowest of disks.
GRACE = 60.0

#: How often an update is tried when memory or file descriptors run out over it: an update may be the cause of that.
MOST_TRIES = 3

#: Updates that are handled in one transaction where so many wait, and seconds after which none is added to it: what
#: else has to be written, the plan above all, waits for it.
AT_ONCE, SLICE = 20, 0.01

#: Commands in answer to which everybody in a group reads the same.
SAME_FOR_ALL = frozenset({"start", "help", "privacy"})


class Intake:
    """Handles the inbox, in the order of a fair queue, whenever it is woken."""

    def __init__(
        self,
        db: Database,
        address: Address,
        access: Access,
        room: Room,
        privacy: Sentence,
        *,
        admits_original: Callable[[int], bool],
        woken: asyncio.Event,
        album_window: float,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
        wake_worker: Callable[[], None],
        wake_retention: Callable[[], None],
    ) -> None:
        self._db = db
        self._address = address
        self._access = access
        self._room = room
        self._press_limits = PressLimits(room, admits_original)
        self._privacy = privacy
        self._album_window = album_window
        self._clock = clock
        self._monotonic = monotonic
        self._wake_worker = wake_worker
        self._wake_retention = wake_retention
        self._woken = woken
        #: after which moment of the monotonic clock this hangs, because an update should have been handled
        self.late_at = math.inf

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
        are_more = True
        while are_more:
            self.late_at = self._monotonic() + GRACE
            are_more = await self._handle_some()
            self._wake_worker()
        self.late_at = math.inf

    async def _handle_some(self) -> bool:
        """Handle the updates whose turn it is, if any; say whether more of them wait."""
        taken: list[Letter] = []
        try:
            erased, are_more = await self._db.unit(lambda tx: self._handle(tx, taken))
        except MustRestart:
            raise
        except Exception as error:  # whatever is wrong with an update must not stop those behind it
            if not taken:
                raise
            await self._failed(taken[-1], error)  # those before it were undone with it, and are taken again
            return True
        if erased:
            self._wake_retention()
        return are_more

    async def _failed(self, letter: Letter, error: Exception) -> None:
        """Set an update aside. Raises MustRestart instead for a trouble of the machine, until it was tried often."""
        fault, told = type(error).__name__, without_words(error)  # the words may be those of the update
        may_pass = isinstance(error, OSError | MemoryError)
        if may_pass and await self._db.unit(lambda tx: tx.inbox.count_try(letter.update_id)) < MOST_TRIES:
            log.error("update %d could not be handled", letter.update_id, exc_info=told)
            raise MustRestart(f"update {letter.update_id} could not be handled ({fault}): it is tried after a restart")
        log.error("update %d could not be handled and is set aside", letter.update_id, exc_info=told)
        await self._db.unit(lambda tx: self._set_aside(tx, letter, fault))

    def _handle(self, tx: Transaction, taken: list[Letter]) -> tuple[bool, bool]:
        """Take the next updates out of the inbox; the last of `taken` says how far it got, also when that fails.

        Returns whether somebody has had everything of theirs deleted, and whether more updates wait.
        """
        erased = False
        until = self._monotonic() + SLICE
        while (letter := tx.inbox.next_waiting()) is not None:
            if len(taken) == AT_ONCE or (taken and self._monotonic() > until):
                return erased, True
            taken.append(letter)
            reading = read_update(json.loads(letter.body), self._address.me)
            erased = erased or (reading is not None and is_erasure(tx, *reading))
            self._act(tx, letter, reading)
        return erased, False

    def _act(self, tx: Transaction, letter: Letter, reading: Reading | None) -> None:
        now = self._clock()
        if reading is not None and _waits_for_admins(tx, reading, now):
            tx.chats.want_admins(reading[0].chat_id, now)
            tx.inbox.hold(letter.update_id, reading[0].chat_id)
            return
        if reading is not None:
            origin, meaning = reading
            if origin.user_id in self._access.admins:
                tx.people.heard(origin.user_id, tx.chats.language_of(origin.user_id) or origin.language)
            origin = replace(origin, language=tx.chats.language_of(origin.chat_id) or origin.language)
            verdict = self._access.verdict(tx, origin.user_id, origin.chat_id)
            if verdict is Verdict.WELCOME or _is_for_everybody(meaning):
                self._answer(tx, origin, meaning, letter, now)
            else:
                _refuse(tx, origin, meaning, verdict, now)
        tx.inbox.handled(letter.update_id, now)

    def _answer(self, tx: Transaction, origin: Origin, meaning: Meaning, letter: Letter, now: Instant) -> None:
        match meaning:
            case BotRemoved() | BotPlaced() | GroupMoved():
                self._be_moved(tx, origin, meaning, now)
            case WordsChanged(words, anew):
                if anew is None or tx.parts.of(origin.chat_id, origin.message_id) is not None:
                    words_changed(tx, self._room, origin, words, letter.update_id, now)
                else:
                    self._take(tx, origin, anew, letter, now)
            case ButtonPressed():
                button_pressed(tx, self._press_limits, origin, meaning, _admins(tx, origin, now), now)
            case CommandGiven():
                self._obey(tx, origin, meaning, now)
            case _:
                self._take(tx, origin, meaning, letter, now)

    def _be_moved(
        self, tx: Transaction, origin: Origin, meaning: BotRemoved | BotPlaced | GroupMoved, now: Instant
    ) -> None:
        """Follow what happens to the bot in a chat, and to the chat."""
        match meaning:
            case BotRemoved():
                bot_removed(tx, origin, now)
            case BotPlaced():
                verdict = self._access.verdict(tx, origin.user_id, origin.chat_id)
                bot_placed(tx, origin, meaning, now, is_welcome=verdict is Verdict.WELCOME)
            case GroupMoved():
                group_moved(tx, meaning, self._access.admins, self._access.allowed, now)

    def _take(self, tx: Transaction, origin: Origin, meaning: Meaning, letter: Letter, now: Instant) -> None:
        """Take what somebody sent."""
        match meaning:
            case PictureSent():
                picture_sent(tx, self._room, origin, meaning, letter.received_at, now)
            case AlbumItemSent():
                album_item_sent(tx, self._room, origin, meaning, self._album_window, letter.received_at, now)
            case WordsSent():
                words_sent(tx, self._room, origin, meaning, letter.received_at, now)
            case _:
                reply_once(tx, origin, sentence("unsupported"), now, about="unsupported")

    def _obey(self, tx: Transaction, origin: Origin, given: CommandGiven, now: Instant) -> None:
        told = self._command(tx, origin, given, now)
        if told is not None and origin.is_group and given.name in SAME_FOR_ALL:
            reply_once(tx, origin, told, now, about=f"{given.name}:{origin.thread_id or 0}")
        elif told is not None:
            reply(tx, origin, told, now)

    def _command(self, tx: Transaction, origin: Origin, given: CommandGiven, now: Instant) -> Sentence | Lines | None:
        match given.name:
            case "start" | "help":
                return self._help(origin, given.name)
            case "cancel" | "status" | "usage":
                return commands.told(tx, self._room, origin, given.name, now)
            case "settings":
                return _settings(tx, origin, now)
            case "privacy":
                return self._privacy
            case "delete":
                return erasure_asked_for(tx, origin, now)
            case "allow" | "deny" | "block" if self._access.is_admin(origin.user_id):
                return decided(tx, self._access, origin, given, self._address.me.id, now)
            case "stats" if self._access.is_admin(origin.user_id):
                return stats_asked_for(tx, origin, given, now)
            case _:
                reply_once(tx, origin, sentence("unknown-command"), now, about="unknown-command")
                return None

    def _help(self, origin: Origin, name: str) -> Sentence | Lines:
        told = sentence(name, where=origin.where)
        if name == "help" and not origin.is_group and self._access.is_admin(origin.user_id):
            return Lines((told, sentence("help-for-admins")), between="\n\n")
        return told

    def _set_aside(self, tx: Transaction, letter: Letter, fault: str) -> None:
        now = self._clock()
        tx.inbox.set_aside(letter.update_id, fault, now)
        told = sentence("admin-poison", update=f"{letter.update_id}", fault=fault)
        # of very many the log tells
        admins = [admin_id for admin_id in self._access.admins if not tx.outbox.is_full(admin_id, Kind.TEXT)]
        tx.outbox.tell_admins(admins, f"poison:{letter.update_id}", told.into, now)
        chat_id = _private_chat(letter.body)
        is_welcome = chat_id is not None and self._access.verdict(tx, chat_id, chat_id) is Verdict.WELCOME
        if chat_id is not None and is_welcome and not tx.outbox.is_full(chat_id, Kind.TEXT):
            tx.outbox.add(
                Say(key=f"poison:{letter.update_id}", chat_id=chat_id, body=sentence("trouble").into(DEFAULT)), now
            )


def _is_for_everybody(meaning: Meaning) -> bool:
    # whoever asks what happens to their data gets an answer (Telegram's terms, section 4)
    return is_about_oneself(meaning) or isinstance(meaning, BotRemoved | BotPlaced | GroupMoved)


def _settings(tx: Transaction, origin: Origin, now: Instant) -> Sentence | None:
    is_admin = origin.user_id == origin.chat_id or origin.user_id in _admins(tx, origin, now)
    if origin.is_group and not is_admin:
        return sentence("settings-for-admins")
    settings_asked_for(tx, origin, now)
    return None


def _waits_for_admins(tx: Transaction, reading: Reading, now: Instant) -> bool:
    """Say whether something can only be decided once it is known who administers the group."""
    origin, meaning = reading
    pressed = meaning.pressed if isinstance(meaning, ButtonPressed) else None
    job = None if pressed is None or pressed.action in OF_CHAT else tx.jobs.get(pressed.about)
    if not depends_on_admins(origin, meaning, job):
        return False
    return tx.chats.admins(origin.chat_id, later(now, -ADMINS_BELIEVED)) is None


def _admins(tx: Transaction, origin: Origin, now: Instant) -> frozenset[int]:
    known = tx.chats.admins(origin.chat_id, later(now, -ADMINS_BELIEVED)) if origin.is_group else None
    return known or frozenset()


def _refuse(tx: Transaction, origin: Origin, meaning: Meaning, verdict: Verdict, now: Instant) -> None:
    """Tell a stranger so once a day; whoever is blocked only sees that a press of a button does nothing."""
    words = sentence("stranger", id=f"{origin.user_id}") if verdict is Verdict.STRANGER else None
    if isinstance(meaning, ButtonPressed):
        toast(tx, origin, meaning.press_id, words, now)
    elif words is not None and not isinstance(meaning, WordsChanged):
        reply(tx, origin, words, now, once=f"stranger:{origin.user_id}:{day_of(now)}")


def _private_chat(body: str) -> int | None:
    """Dig the chat out of an update that could not be read, to tell the person."""
    try:
        update: Any = json.loads(body)
        chat_id = update["message"]["chat"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    # a bool is an int as well, and ids of people are positive and fit into 52 bits
    return chat_id if type(chat_id) is int and 0 < chat_id < 1 << 52 else None
