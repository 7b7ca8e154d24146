"""Handles the updates of the inbox: each becomes rows, replies included, in one transaction.

The same transaction marks the update handled, so its effects are stored exactly once, even if the bot crashes. Nothing
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
from bot.handlers.access import GROUP_ADMINS_TTL, SETTINGS_ACTIONS, AccessDecision, AccessPolicy, requires_group_admin
from bot.handlers.access_commands import RULE_BY_COMMAND, change_access
from bot.handlers.addressed_to_bot import UpdateFilter
from bot.handlers.button_presses import PressLimits, handle_button_press
from bot.handlers.commands import cancel_edits, describe_usage, request_stats, show_status
from bot.handlers.delete_my_data import ask_to_delete, is_about_own_data, is_deletion_confirmed
from bot.handlers.edited_captions import handle_edited_message
from bot.handlers.group_events import handle_bot_removed, handle_group_migrated, handle_membership_change
from bot.handlers.new_requests import handle_album_item, handle_image
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import answer_button_press, reply, reply_once
from bot.handlers.settings_menu import open_settings_menu
from bot.handlers.text_prompts import handle_text
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
    UpdateContext,
)
from bot.i18n import DEFAULT_LANGUAGE, Sentence, SentenceList, sentence
from bot.logs import hide_message
from bot.settings import MustRestart
from bot.store.database import Database, Transaction
from bot.store.inbox import StoredUpdate
from bot.store.outbox import MessageDraft, MessageKind

log = logging.getLogger(__name__)

#: Seconds after which a batch of updates counts as hanging, even on the slowest disk.
HANGS_AFTER = 60.0

#: Attempts at an update while memory or file descriptors run out, since the update may be the cause.
MAX_TRIES = 3

#: Updates handled in one transaction, and seconds after which no further one is added to it: other writers wait for it.
BATCH_SIZE, BATCH_SECONDS = 20, 0.01

#: Commands whose replies are the same for everybody in a group.
SHARED_REPLY_COMMANDS = frozenset({"start", "help", "privacy"})


class Dispatcher:
    """Handles the inbox whenever it is woken, in turn by chat (fair queue)."""

    def __init__(
        self,
        db: Database,
        update_filter: UpdateFilter,
        access_policy: AccessPolicy,
        quotas: QuotaPolicy,
        privacy_notice: Sentence,
        *,
        allows_resend: Callable[[int], bool],
        wakeup: asyncio.Event,
        album_window: float,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
        wake_worker: Callable[[], None],
        wake_retention: Callable[[], None],
    ) -> None:
        self._db = db
        self._update_filter = update_filter
        self._access_policy = access_policy
        self._quotas = quotas
        self._press_limits = PressLimits(quotas, allows_resend)
        self._privacy_notice = privacy_notice
        self._album_window = album_window
        self._clock = clock
        self._monotonic = monotonic
        self._wake_worker = wake_worker
        self._wake_retention = wake_retention
        self._wakeup = wakeup
        #: seconds of the monotonic clock after which the dispatcher counts as hanging
        self.hang_deadline = math.inf

    def wake(self) -> None:
        """Wake the dispatcher when the inbox may hold a new update."""
        self._wakeup.set()

    async def run(self) -> None:
        """Handle updates until cancelled. Raises MustRestart when the database fails."""
        while True:
            self._wakeup.clear()
            await self.handle_all()
            await self._wakeup.wait()

    async def handle_all(self) -> None:
        """Handle every waiting update."""
        has_more = True
        while has_more:
            self.hang_deadline = self._monotonic() + HANGS_AFTER
            has_more = await self._handle_batch()
            self._wake_worker()
        self.hang_deadline = math.inf

    async def _handle_batch(self) -> bool:
        """Handle the next updates, if any; return whether more are waiting."""
        taken: list[StoredUpdate] = []
        try:
            has_erased, has_more = await self._db.transact(lambda tx: self._handle_in_transaction(tx, taken))
        except MustRestart:
            raise
        except Exception as error:  # a poison message must not block the updates behind it
            if not taken:
                raise
            # those before it were rolled back as well, and are handled again
            await self._handle_failure(taken[-1], error)
            return True
        if has_erased:
            self._wake_retention()
        return has_more

    async def _handle_failure(self, stored: StoredUpdate, error: Exception) -> None:
        """Quarantine an update. If the machine may be at fault, raise MustRestart instead, `MAX_TRIES` - 1 times."""
        fault, exc_info = type(error).__name__, hide_message(error)  # the message may quote the update
        may_pass = isinstance(error, OSError | MemoryError)
        if may_pass and await self._db.transact(lambda tx: tx.inbox.increment_tries(stored.update_id)) < MAX_TRIES:
            log.error("update %d could not be handled", stored.update_id, exc_info=exc_info)
            raise MustRestart(f"update {stored.update_id} could not be handled ({fault}): it is tried after a restart")
        log.error("update %d could not be handled and is set aside", stored.update_id, exc_info=exc_info)
        await self._db.transact(lambda tx: self._set_aside(tx, stored, fault))

    def _handle_in_transaction(self, tx: Transaction, taken: list[StoredUpdate]) -> tuple[bool, bool]:
        """Handle the next updates, adding each to `taken` first, so that the last one is the one that failed.

        Returns whether a user's data was deleted, and whether more updates are waiting.
        """
        has_erased = False
        until = self._monotonic() + BATCH_SECONDS
        while (stored := tx.inbox.get_next_waiting()) is not None:
            if len(taken) == BATCH_SIZE or (taken and self._monotonic() > until):
                return has_erased, True
            taken.append(stored)
            update = parse_update(json.loads(stored.body), self._update_filter.me)
            if update is not None and update.content is not None:
                has_erased = has_erased or is_deletion_confirmed(tx, update.origin, update.content)
            self._handle_update(tx, stored, update)
        return has_erased, False

    def _handle_update(self, tx: Transaction, stored: StoredUpdate, update: ParsedUpdate | None) -> None:
        now = self._clock()
        if update is not None and update.content is not None:
            origin, content = update.origin, update.content
            if _must_wait_for_group_admins(tx, update, now):
                tx.chats.request_admins(origin.chat_id, now)
                tx.inbox.hold_for_admins(stored.update_id, origin.chat_id)
                return
            if self._access_policy.is_admin(origin.user_id):
                tx.users.set_language(origin.user_id, tx.chats.get_language(origin.user_id) or origin.language)
            origin = replace(origin, language=tx.chats.get_language(origin.chat_id) or origin.language)
            ctx = UpdateContext(tx, origin, stored.update_id, stored.received_at, now)
            decision = self._access_policy.decide(tx, origin.user_id, origin.chat_id)
            if decision is AccessDecision.ALLOWED or _is_open_to_everyone(content):
                self._dispatch(ctx, content, is_allowed=decision is AccessDecision.ALLOWED)
            else:
                _refuse_access(ctx, content, decision)
        tx.inbox.mark_handled(stored.update_id, now)

    def _dispatch(self, ctx: UpdateContext, content: UpdateContent, *, is_allowed: bool) -> None:
        match content:
            case BotRemoved():
                handle_bot_removed(ctx)
            case BotMembershipChanged():
                handle_membership_change(ctx, content, is_allowed=is_allowed)
            case GroupMigrated():
                handle_group_migrated(ctx, content, self._access_policy)
            case ButtonPressed():
                handle_button_press(ctx, self._press_limits, content, _known_group_admins(ctx))
            case CommandGiven():
                self._run_command(ctx, content)
            case _:
                self._handle_message(ctx, content)

    def _handle_message(self, ctx: UpdateContext, content: UpdateContent) -> None:
        match content:
            case MessageEdited(text, as_new):
                message = ctx.tx.request_messages.get(ctx.origin.chat_id, ctx.origin.message_id)
                if as_new is None or message is not None:
                    handle_edited_message(ctx, self._quotas, text)
                else:
                    self._handle_message(ctx, as_new)
            case ImageSent():
                handle_image(ctx, self._quotas, content)
            case AlbumItemSent():
                handle_album_item(ctx, self._quotas, content, self._album_window)
            case TextSent():
                handle_text(ctx, self._quotas, content)
            case _:
                reply_once(ctx, sentence("unsupported"), about="unsupported")

    def _run_command(self, ctx: UpdateContext, command: CommandGiven) -> None:
        text = self._command_reply(ctx, command)
        if text is not None and ctx.origin.is_group and command.name in SHARED_REPLY_COMMANDS:
            reply_once(ctx, text, about=f"{command.name}:{ctx.origin.thread_id or 0}")
        elif text is not None:
            reply(ctx, text)

    def _command_reply(self, ctx: UpdateContext, command: CommandGiven) -> Sentence | SentenceList | None:
        match command.name:
            case "start" | "help":
                return self._help_text(ctx, command.name)
            case "cancel":
                return cancel_edits(ctx)
            case "status":
                return show_status(ctx)
            case "usage":
                return describe_usage(ctx, self._quotas)
            case "settings":
                return _open_settings(ctx)
            case "privacy":
                return self._privacy_notice
            case "delete":
                return ask_to_delete(ctx)
            case _:
                return self._admin_command_reply(ctx, command)

    def _help_text(self, ctx: UpdateContext, name: str) -> Sentence | SentenceList:
        text = sentence(name, where=ctx.origin.chat_type)
        if name == "help" and not ctx.origin.is_group and self._access_policy.is_admin(ctx.origin.user_id):
            return SentenceList((text, sentence("help-for-admins")), separator="\n\n")
        return text

    def _admin_command_reply(self, ctx: UpdateContext, command: CommandGiven) -> Sentence | None:
        is_admin = self._access_policy.is_admin(ctx.origin.user_id)
        if is_admin and command.name in RULE_BY_COMMAND:
            return change_access(ctx, self._access_policy, command, self._update_filter.me.id)
        if is_admin and command.name == "stats":
            return request_stats(ctx, command)
        reply_once(ctx, sentence("unknown-command"), about="unknown-command")
        return None

    def _set_aside(self, tx: Transaction, stored: StoredUpdate, fault: str) -> None:
        """Quarantine an update, and notify the admins and its sender, unless too many messages are pending for them."""
        now, key = self._clock(), f"poison:{stored.update_id}"
        tx.inbox.quarantine(stored.update_id, fault, now)
        admins = [
            each for each in self._access_policy.admin_ids if not tx.outbox.has_max_pending(each, MessageKind.TEXT)
        ]
        text = sentence("admin-poison", update=f"{stored.update_id}", fault=fault)
        tx.outbox.notify_admins(admins, key, text.translate, now)
        chat_id = _find_private_chat_id(stored.body)
        is_allowed = chat_id is not None and self._access_policy.decide(tx, chat_id, chat_id) is AccessDecision.ALLOWED
        if chat_id is not None and is_allowed and not tx.outbox.has_max_pending(chat_id, MessageKind.TEXT):
            tx.outbox.add(MessageDraft(key, chat_id, sentence("trouble").translate(DEFAULT_LANGUAGE)), now)


def _is_open_to_everyone(content: UpdateContent) -> bool:
    # everybody may ask what happens to their data (Telegram's terms for bots, section 4)
    return is_about_own_data(content) or isinstance(content, BotRemoved | BotMembershipChanged | GroupMigrated)


def _open_settings(ctx: UpdateContext) -> Sentence | None:
    is_admin = ctx.origin.user_id == ctx.origin.chat_id or ctx.origin.user_id in _known_group_admins(ctx)
    if ctx.origin.is_group and not is_admin:
        return sentence("settings-for-admins")
    open_settings_menu(ctx)
    return None


def _must_wait_for_group_admins(tx: Transaction, update: ParsedUpdate, now: Instant) -> bool:
    """Return whether an update can only be handled once the group's admins are known."""
    origin, content = update.origin, update.content
    button = content.button if isinstance(content, ButtonPressed) else None
    job = None if button is None or button.action in SETTINGS_ACTIONS else tx.jobs.get(button.target)
    if content is None or not requires_group_admin(origin, content, job):
        return False
    return tx.chats.get_admins(origin.chat_id, add_seconds(now, -GROUP_ADMINS_TTL)) is None


def _known_group_admins(ctx: UpdateContext) -> frozenset[int]:
    if not ctx.origin.is_group:
        return frozenset()
    return ctx.tx.chats.get_admins(ctx.origin.chat_id, add_seconds(ctx.now, -GROUP_ADMINS_TTL)) or frozenset()


def _refuse_access(ctx: UpdateContext, content: UpdateContent, decision: AccessDecision) -> None:
    """Reply once a day to users who are not allowed; blocked ones only get an empty answer to a button press."""
    user_id = ctx.origin.user_id
    text = sentence("stranger", id=f"{user_id}") if decision is AccessDecision.NOT_ALLOWED else None
    if isinstance(content, ButtonPressed):
        answer_button_press(ctx, content.press_id, text)
    elif text is not None and not isinstance(content, MessageEdited):
        reply(ctx, text, once=f"stranger:{user_id}:{utc_day(ctx.now)}")


def _find_private_chat_id(body: str) -> int | None:
    """Find the private chat of an update that could not be handled, so that its sender can be notified."""
    try:
        update: Any = json.loads(body)
        chat_id = update["message"]["chat"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    # a bool is an int as well; ids of users are positive and have at most 52 bits
    return chat_id if type(chat_id) is int and 0 < chat_id < 1 << 52 else None
