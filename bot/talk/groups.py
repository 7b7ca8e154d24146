"""Groups: what happens to the bot there, and to the group."""

from bot.job import Instant, later
from bot.store.chats import hello_key
from bot.store.outbox import Say
from bot.store.transaction import Transaction
from bot.talk.meanings import BotPlaced, GroupMoved, Origin
from bot.texts import sentence

#: Seconds; a group that becomes a supergroup looks like a new one for a moment.
HELLO_AFTER = 1.0


def bot_placed(tx: Transaction, origin: Origin, placed: BotPlaced, now: Instant, *, is_welcome: bool) -> None:
    """Note what the bot may do in a group, and who added it; say hello where it is new, but not to strangers."""
    tx.chats.note_hearing(origin.chat_id, hears_all=placed.is_admin)
    if placed.is_new:
        # an administrator who remains anonymous is the same made-up user everywhere: `NAMELESS`
        tx.chats.note_placed(origin.chat_id, origin.user_id)
    if not placed.is_new or not is_welcome or not tx.chats.greet(origin.chat_id, now):
        return
    hearing = "all" if placed.is_admin or origin.hears_all else "some"
    words = sentence("hello", hearing=hearing).into(origin.language)
    say = Say(key=hello_key(origin.chat_id), chat_id=origin.chat_id, body=words)
    tx.outbox.add(say, now, due_at=later(now, HELLO_AFTER))


def bot_removed(tx: Transaction, origin: Origin, now: Instant) -> None:
    """Drop what waits for a chat that cannot be written to any more."""
    if origin.is_group:
        tx.chats.note_hearing(origin.chat_id, hears_all=False)
        tx.chats.forget_placed(origin.chat_id)
    tx.lose_chat(origin.chat_id, now)


def group_moved(
    tx: Transaction, moved: GroupMoved, admins: frozenset[int], allowed: frozenset[int], now: Instant
) -> None:
    """Go on in the supergroup; whoever admitted the group by its id is told that it has another one."""
    tx.move_chat(moved.old_id, moved.new_id, now)
    if moved.old_id in allowed:
        words = sentence("admin-moved", old=f"{moved.old_id}", new=f"{moved.new_id}")
        tx.outbox.tell_admins(admins, f"moved:{moved.old_id}", words.into, now)
