"""The bot is added to a group, gets other rights there, is removed or blocked; a group becomes a supergroup."""

from bot import job_operations
from bot.clock import add_seconds
from bot.handlers.access import AccessPolicy
from bot.handlers.update_types import BotMembershipChanged, GroupMigrated, UpdateContext
from bot.i18n import sentence
from bot.store.chats import greeting_key
from bot.store.outbox import MessageDraft

#: Seconds before the greeting: a group that becomes a supergroup looks like a new one for a moment.
GREETING_DELAY = 1.0


def handle_membership_change(ctx: UpdateContext, change: BotMembershipChanged, *, is_allowed: bool) -> None:
    """Store what the bot may do in a group and who added it; greet a new group in which it may be used."""
    tx, origin = ctx.tx, ctx.origin
    tx.chats.set_receives_all_messages(origin.chat_id, receives_all=change.is_admin)
    if change.is_new:
        # an anonymous admin is the same placeholder user in every group: ANONYMOUS_SENDER_ID
        tx.chats.set_added_by(origin.chat_id, origin.user_id)
    if not change.is_new or not is_allowed or not tx.chats.mark_greeted(origin.chat_id, ctx.now):
        return
    text = sentence("hello", hearing="all" if change.is_admin or origin.receives_all else "some")
    draft = MessageDraft(key=greeting_key(origin.chat_id), chat_id=origin.chat_id, body=text.translate(origin.language))
    tx.outbox.add(draft, ctx.now, due_at=add_seconds(ctx.now, GREETING_DELAY))


def handle_bot_removed(ctx: UpdateContext) -> None:
    """Drop the jobs and messages of a chat in which the bot can no longer write."""
    chat_id = ctx.origin.chat_id
    if ctx.origin.is_group:
        ctx.tx.chats.set_receives_all_messages(chat_id, receives_all=False)
        ctx.tx.chats.clear_added_by(chat_id)
    job_operations.drop_chat(ctx.tx, chat_id, ctx.now)


def handle_group_migrated(ctx: UpdateContext, migration: GroupMigrated, policy: AccessPolicy) -> None:
    """Continue in the supergroup, and notify the admins if the settings allow the group by its old id."""
    job_operations.migrate_chat(ctx.tx, migration.old_id, migration.new_id, ctx.now)
    if migration.old_id in policy.allowed_ids:
        text = sentence("admin-moved", old=f"{migration.old_id}", new=f"{migration.new_id}")
        ctx.tx.outbox.notify_admins(policy.admin_ids, f"moved:{migration.old_id}", text.translate, ctx.now)
