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

from bot.clock import Instant, add_seconds, utc_day
from bot.handlers import commands
from bot.handlers.access import GROUP_ADMINS_TTL, SETTINGS_ACTIONS, AccessDecision, AccessPolicy, requires_group_admin
from bot.handlers.access_commands import change_access
from bot.handlers.addressed_to_bot import UpdateFilter
from bot.handlers.button_presses import PressLimits, handle_button_press
from bot.handlers.commands import request_stats
from bot.handlers.delete_my_data import ask_to_delete, is_about_own_data, is_deletion_confirmed
from bot.handlers.group_events import handle_bot_removed, handle_group_migrated, handle_membership_change
from bot.handlers.new_requests import handle_album_item, handle_image
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import answer_button_press, reply, reply_once
from bot.handlers.settings_menu import open_settings_menu
from bot.handlers.text_prompts import handle_edited_message, handle_text
from bot.handlers.update_parser import parse_update
from bot.handlers.update_types import (
    AlbumItemSent,
    BotMembershipChanged,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    GroupMigrated,
    ImageSent,
    MessageEdited,
    ParsedUpdate,
    TextSent,
    UpdateContent,
    UpdateOrigin,
)
from bot.i18n import DEFAULT_LANGUAGE, Sentence, SentenceList, sentence
from bot.logs import hide_message
from bot.settings import MustRestart
from bot.store.database import Database
from bot.store.inbox import StoredUpdate
from bot.store.outbox import MessageDraft, MessageKind
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds that some updates may take at most, on the slowest of disks.
HANGS_AFTER = 60.0

#: How often an update is tried when memory or file descriptors run out over it: an update may be the cause of that.
MAX_TRIES = 3

#: Updates that are handled in one transaction where so many wait, and seconds after which none is added to it: what
#: else has to be written, the plan above all, waits for it.
BATCH_SIZE, BATCH_SECONDS = 20, 0.01

#: Commands in answer to which everybody in a group reads the same.
SHARED_REPLY_COMMANDS = frozenset({"start", "help", "privacy"})


class Dispatcher:
    """Handles the inbox, in the order of a fair queue, whenever it is woken."""

    def __init__(
        self,
        db: Database,
        address: UpdateFilter,
        access: AccessPolicy,
        room: QuotaPolicy,
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
        self._update_filter = address
        self._access_policy = access
        self._quotas = room
        self._press_limits = PressLimits(room, admits_original)
        self._privacy_notice = privacy
        self._album_window = album_window
        self._clock = clock
        self._monotonic = monotonic
        self._wake_worker = wake_worker
        self._wake_retention = wake_retention
        self._wakeup = woken
        #: after which moment of the monotonic clock this hangs, because an update should have been handled
        self.hang_deadline = math.inf

    def wake(self) -> None:
        """Say that the inbox may have something new."""
        self._wakeup.set()

    async def run(self) -> None:
        """Handle updates until cancelled. Raises MustRestart when the database fails."""
        while True:
            self._wakeup.clear()
            await self.handle_all()
            await self._wakeup.wait()

    async def handle_all(self) -> None:
        """Handle every update that waits."""
        are_more = True
        while are_more:
            self.hang_deadline = self._monotonic() + HANGS_AFTER
            are_more = await self._handle_batch()
            self._wake_worker()
        self.hang_deadline = math.inf

    async def _handle_batch(self) -> bool:
        """Handle the updates whose turn it is, if any; say whether more of them wait."""
        taken: list[StoredUpdate] = []
        try:
            erased, are_more = await self._db.transact(lambda tx: self._handle_in_transaction(tx, taken))
        except MustRestart:
            raise
        except Exception as error:  # whatever is wrong with an update must not stop those behind it
            if not taken:
                raise
            await self._handle_failure(taken[-1], error)  # those before it were undone with it, and are taken again
            return True
        if erased:
            self._wake_retention()
        return are_more

    async def _handle_failure(self, letter: StoredUpdate, error: Exception) -> None:
        """Set an update aside. Raises MustRestart instead for a trouble of the machine, until it was tried often."""
        fault, told = type(error).__name__, hide_message(error)  # the words may be those of the update
        may_pass = isinstance(error, OSError | MemoryError)
        if may_pass and await self._db.transact(lambda tx: tx.inbox.increment_tries(letter.update_id)) < MAX_TRIES:
            log.error("update %d could not be handled", letter.update_id, exc_info=told)
            raise MustRestart(f"update {letter.update_id} could not be handled ({fault}): it is tried after a restart")
        log.error("update %d could not be handled and is set aside", letter.update_id, exc_info=told)
        await self._db.transact(lambda tx: self._set_aside(tx, letter, fault))

    def _handle_in_transaction(self, tx: Transaction, taken: list[StoredUpdate]) -> tuple[bool, bool]:
        """Take the next updates out of the inbox; the last of `taken` says how far it got, also when that fails.

        Returns whether somebody has had everything of theirs deleted, and whether more updates wait.
        """
        erased = False
        until = self._monotonic() + BATCH_SECONDS
        while (letter := tx.inbox.get_next_waiting()) is not None:
            if len(taken) == BATCH_SIZE or (taken and self._monotonic() > until):
                return erased, True
            taken.append(letter)
            update = parse_update(json.loads(letter.body), self._update_filter.me)
            if update is not None and update.content is not None:
                erased = erased or is_deletion_confirmed(tx, update.origin, update.content)
            self._handle_update(tx, letter, update)
        return erased, False

    def _handle_update(self, tx: Transaction, letter: StoredUpdate, update: ParsedUpdate | None) -> None:
        now = self._clock()
        if update is not None and update.content is not None:
            origin, meaning = update.origin, update.content
            if _must_wait_for_group_admins(tx, origin, meaning, now):
                tx.chats.request_admins(origin.chat_id, now)
                tx.inbox.hold_for_admins(letter.update_id, origin.chat_id)
                return
            if origin.user_id in self._access_policy.admin_ids:
                tx.users.set_language(origin.user_id, tx.chats.get_language(origin.user_id) or origin.language)
            origin = replace(origin, language=tx.chats.get_language(origin.chat_id) or origin.language)
            verdict = self._access_policy.decide(tx, origin.user_id, origin.chat_id)
            if verdict is AccessDecision.ALLOWED or _is_open_to_everyone(meaning):
                self._dispatch(tx, origin, meaning, letter, now)
            else:
                _refuse_access(tx, origin, meaning, verdict, now)
        tx.inbox.mark_handled(letter.update_id, now)

    def _dispatch(
        self, tx: Transaction, origin: UpdateOrigin, meaning: UpdateContent, letter: StoredUpdate, now: Instant
    ) -> None:
        match meaning:
            case BotRemoved() | BotMembershipChanged() | GroupMigrated():
                self._handle_chat_event(tx, origin, meaning, now)
            case MessageEdited(words, anew):
                if anew is None or tx.request_messages.get(origin.chat_id, origin.message_id) is not None:
                    handle_edited_message(tx, self._quotas, origin, words, letter.update_id, now)
                else:
                    self._handle_message(tx, origin, anew, letter, now)
            case ButtonPressed():
                handle_button_press(tx, self._press_limits, origin, meaning, _known_group_admins(tx, origin, now), now)
            case CommandGiven():
                self._run_command(tx, origin, meaning, now)
            case _:
                self._handle_message(tx, origin, meaning, letter, now)

    def _handle_chat_event(
        self,
        tx: Transaction,
        origin: UpdateOrigin,
        meaning: BotRemoved | BotMembershipChanged | GroupMigrated,
        now: Instant,
    ) -> None:
        """Follow what happens to the bot in a chat, and to the chat."""
        match meaning:
            case BotRemoved():
                handle_bot_removed(tx, origin, now)
            case BotMembershipChanged():
                verdict = self._access_policy.decide(tx, origin.user_id, origin.chat_id)
                handle_membership_change(tx, origin, meaning, now, is_welcome=verdict is AccessDecision.ALLOWED)
            case GroupMigrated():
                handle_group_migrated(tx, meaning, self._access_policy.admin_ids, self._access_policy.allowed_ids, now)

    def _handle_message(
        self, tx: Transaction, origin: UpdateOrigin, meaning: UpdateContent, letter: StoredUpdate, now: Instant
    ) -> None:
        """Take what somebody sent."""
        match meaning:
            case ImageSent():
                handle_image(tx, self._quotas, origin, meaning, letter.received_at, now)
            case AlbumItemSent():
                handle_album_item(tx, self._quotas, origin, meaning, self._album_window, letter.received_at, now)
            case TextSent():
                handle_text(tx, self._quotas, origin, meaning, letter.received_at, now)
            case _:
                reply_once(tx, origin, sentence("unsupported"), now, about="unsupported")

    def _run_command(self, tx: Transaction, origin: UpdateOrigin, given: CommandGiven, now: Instant) -> None:
        told = self._command_reply(tx, origin, given, now)
        if told is not None and origin.is_group and given.name in SHARED_REPLY_COMMANDS:
            reply_once(tx, origin, told, now, about=f"{given.name}:{origin.thread_id or 0}")
        elif told is not None:
            reply(tx, origin, told, now)

    def _command_reply(
        self, tx: Transaction, origin: UpdateOrigin, given: CommandGiven, now: Instant
    ) -> Sentence | SentenceList | None:
        match given.name:
            case "start" | "help":
                return self._help_text(origin, given.name)
            case "cancel" | "status" | "usage":
                return commands.run_command(tx, self._quotas, origin, given.name, now)
            case "settings":
                return _open_settings(tx, origin, now)
            case "privacy":
                return self._privacy_notice
            case "delete":
                return ask_to_delete(tx, origin, now)
            case "allow" | "deny" | "block" if self._access_policy.is_admin(origin.user_id):
                return change_access(tx, self._access_policy, origin, given, self._update_filter.me.id, now)
            case "stats" if self._access_policy.is_admin(origin.user_id):
                return request_stats(tx, origin, given, now)
            case _:
                reply_once(tx, origin, sentence("unknown-command"), now, about="unknown-command")
                return None

    def _help_text(self, origin: UpdateOrigin, name: str) -> Sentence | SentenceList:
        told = sentence(name, where=origin.chat_type)
        if name == "help" and not origin.is_group and self._access_policy.is_admin(origin.user_id):
            return SentenceList((told, sentence("help-for-admins")), separator="\n\n")
        return told

    def _set_aside(self, tx: Transaction, letter: StoredUpdate, fault: str) -> None:
        now = self._clock()
        tx.inbox.quarantine(letter.update_id, fault, now)
        told = sentence("admin-poison", update=f"{letter.update_id}", fault=fault)
        # of very many the log tells
        admins = [
            admin_id
            for admin_id in self._access_policy.admin_ids
            if not tx.outbox.has_max_pending(admin_id, MessageKind.TEXT)
        ]
        tx.outbox.notify_admins(admins, f"poison:{letter.update_id}", told.translate, now)
        chat_id = _find_private_chat_id(letter.body)
        is_welcome = chat_id is not None and self._access_policy.decide(tx, chat_id, chat_id) is AccessDecision.ALLOWED
        if chat_id is not None and is_welcome and not tx.outbox.has_max_pending(chat_id, MessageKind.TEXT):
            tx.outbox.add(
                MessageDraft(
                    key=f"poison:{letter.update_id}",
                    chat_id=chat_id,
                    body=sentence("trouble").translate(DEFAULT_LANGUAGE),
                ),
                now,
            )


def _is_open_to_everyone(meaning: UpdateContent) -> bool:
    # whoever asks what happens to their data gets an answer (Telegram's terms, section 4)
    return is_about_own_data(meaning) or isinstance(meaning, BotRemoved | BotMembershipChanged | GroupMigrated)


def _open_settings(tx: Transaction, origin: UpdateOrigin, now: Instant) -> Sentence | None:
    is_admin = origin.user_id == origin.chat_id or origin.user_id in _known_group_admins(tx, origin, now)
    if origin.is_group and not is_admin:
        return sentence("settings-for-admins")
    open_settings_menu(tx, origin, now)
    return None


def _must_wait_for_group_admins(tx: Transaction, origin: UpdateOrigin, meaning: UpdateContent, now: Instant) -> bool:
    """Say whether something can only be decided once it is known who administers the group."""
    pressed = meaning.button if isinstance(meaning, ButtonPressed) else None
    job = None if pressed is None or pressed.action in SETTINGS_ACTIONS else tx.jobs.get(pressed.target)
    if not requires_group_admin(origin, meaning, job):
        return False
    return tx.chats.get_admins(origin.chat_id, add_seconds(now, -GROUP_ADMINS_TTL)) is None


def _known_group_admins(tx: Transaction, origin: UpdateOrigin, now: Instant) -> frozenset[int]:
    known = tx.chats.get_admins(origin.chat_id, add_seconds(now, -GROUP_ADMINS_TTL)) if origin.is_group else None
    return known or frozenset()


def _refuse_access(
    tx: Transaction, origin: UpdateOrigin, meaning: UpdateContent, verdict: AccessDecision, now: Instant
) -> None:
    """Tell a stranger so once a day; whoever is blocked only sees that a press of a button does nothing."""
    words = sentence("stranger", id=f"{origin.user_id}") if verdict is AccessDecision.NOT_ALLOWED else None
    if isinstance(meaning, ButtonPressed):
        answer_button_press(tx, origin, meaning.press_id, words, now)
    elif words is not None and not isinstance(meaning, MessageEdited):
        reply(tx, origin, words, now, once=f"stranger:{origin.user_id}:{utc_day(now)}")


def _find_private_chat_id(body: str) -> int | None:
    """Dig the chat out of an update that could not be read, to tell the person."""
    try:
        update: Any = json.loads(body)
        chat_id = update["message"]["chat"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    # a bool is an int as well, and ids of people are positive and fit into 52 bits
    return chat_id if type(chat_id) is int and 0 < chat_id < 1 << 52 else None
