"""Groups: what happens to the bot there, and to the group."""

from bot import job_actions
from bot.clock import Instant, add_seconds
from bot.handlers.update_types import BotMembershipChanged, GroupMigrated, UpdateOrigin
from bot.i18n import sentence
from bot.store.chats import greeting_key
from bot.store.outbox import MessageDraft
from bot.store.transaction import Transaction

#: Seconds; a group that becomes a supergroup looks like a new one for a moment.
GREETING_DELAY = 1.0


def handle_membership_change(
    tx: Transaction, origin: UpdateOrigin, placed: BotMembershipChanged, now: Instant, *, is_welcome: bool
) -> None:
    """Note what the bot may do in a group, and who added it; say hello where it is new, but not to strangers."""
    tx.chats.set_receives_all_messages(origin.chat_id, receives_all=placed.is_admin)
    if placed.is_new:
        # an administrator who remains anonymous is the same made-up user everywhere: `NAMELESS`
        tx.chats.set_added_by(origin.chat_id, origin.user_id)
    if not placed.is_new or not is_welcome or not tx.chats.mark_greeted(origin.chat_id, now):
        return
    hearing = "all" if placed.is_admin or origin.hears_all else "some"
    words = sentence("hello", hearing=hearing).translate(origin.language)
    say = MessageDraft(key=greeting_key(origin.chat_id), chat_id=origin.chat_id, body=words)
    tx.outbox.add(say, now, due_at=add_seconds(now, GREETING_DELAY))


def handle_bot_removed(tx: Transaction, origin: UpdateOrigin, now: Instant) -> None:
    """Drop what waits for a chat that cannot be written to any more."""
    if origin.is_group:
        tx.chats.set_receives_all_messages(origin.chat_id, receives_all=False)
        tx.chats.clear_added_by(origin.chat_id)
    job_actions.drop_chat(tx, origin.chat_id, now)


def handle_group_migrated(
    tx: Transaction, moved: GroupMigrated, admins: frozenset[int], allowed: frozenset[int], now: Instant
) -> None:
    """Go on in the supergroup; whoever admitted the group by its id is told that it has another one."""
    job_actions.migrate_chat(tx, moved.old_id, moved.new_id, now)
    if moved.old_id in allowed:
        words = sentence("admin-moved", old=f"{moved.old_id}", new=f"{moved.new_id}")
        tx.outbox.notify_admins(admins, f"moved:{moved.old_id}", words.translate, now)
