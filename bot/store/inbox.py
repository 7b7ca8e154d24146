"""The inbox (inbox pattern): every update that concerns the bot, from its arrival until it is handled.

It grows only on disk: a poll brings at most a hundred updates, and the next poll waits until they are stored; the
dispatcher holds only a few in memory. Redeliveries are recognised by id (deduplication).

It is a fair queue over chats: however many updates of one chat wait, the first update of another chat is among the next
to be handled. The updates of one chat are handled in Telegram's order.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.clock import Instant
from bot.store.base_table import DELETE_BATCH_SIZE, Table


@dataclass(frozen=True)
class StoredUpdate:
    """An update to be handled; `body` is Telegram's JSON."""

    update_id: int
    body: str
    received_at: Instant


#: The condition for updates that wait to be handled, spelled as in the partial indexes so that SQLite uses these.
WAITING_SQL = "handled_at IS NULL AND waits_for_admins_of IS NULL"


class Inbox(Table):
    """Updates by their id."""

    def add(self, updates: Iterable[StoredUpdate]) -> int:
        """Store each update unless its id is known; return how many are new."""
        cursor = self._db.executemany(
            "INSERT INTO inbox (update_id, body, received_at, queue_turn)"
            f" SELECT ?1, ?2, ?3, max(coalesce((SELECT min(queue_turn) FROM inbox WHERE {WAITING_SQL}), 0),"
            f" coalesce((SELECT queue_turn + 1 FROM inbox WHERE {WAITING_SQL} AND chat_id = {_chat_id_sql('?2')}"
            " ORDER BY update_id DESC LIMIT 1), 0)) WHERE true ON CONFLICT DO NOTHING",
            [(update.update_id, update.body, update.received_at) for update in updates],
        )
        return max(0, cursor.rowcount)

    def get_next_waiting(self) -> StoredUpdate | None:
        """Return the oldest waiting update of the chat whose turn it is."""
        row = self._row(
            f"SELECT update_id, body, received_at FROM inbox WHERE {WAITING_SQL} AND chat_id ="
            f" (SELECT chat_id FROM inbox WHERE {WAITING_SQL} ORDER BY queue_turn, update_id LIMIT 1)"
            " ORDER BY update_id LIMIT 1"
        )
        return None if row is None else StoredUpdate(*row)

    def hold_for_admins(self, update_id: int, chat_id: int) -> None:
        """Hold an update until the administrators of a group are looked up; later updates do not wait for it."""
        self._change("UPDATE inbox SET waits_for_admins_of = ? WHERE update_id = ?", (chat_id, update_id))

    def has_held(self, chat_id: int) -> bool:
        """Say whether an update is held for the administrators of a group."""
        return self._exists(
            "SELECT 1 FROM inbox WHERE handled_at IS NULL AND waits_for_admins_of = ? LIMIT 1", (chat_id,)
        )

    def release_held(self, chat_id: int) -> None:
        """Release the updates held for the administrators of a group."""
        self._change(
            "UPDATE inbox SET waits_for_admins_of = NULL WHERE handled_at IS NULL AND waits_for_admins_of = ?",
            (chat_id,),
        )

    def has_waiting(self, chat_id: int, *, message_id: int | None = None, album: str | None = None) -> bool:
        """Say whether a message, or an item of an album (by its media_group_id), waits to be handled."""
        field, value = ("media_group_id", album) if message_id is None else ("message_id", message_id)
        return self._exists(
            f"SELECT 1 FROM inbox WHERE {WAITING_SQL} AND chat_id = ? AND {_json_extract_sql('message', field)} = ?",
            (chat_id, value),
        )

    def mark_handled(self, update_id: int, now: Instant) -> None:
        """Mark an update as handled and erase its body; the id stays to recognise a redelivery."""
        self._change("UPDATE inbox SET handled_at = ?, body = NULL WHERE update_id = ?", (now, update_id))

    def increment_tries(self, update_id: int) -> int:
        """Count a failed try to handle an update; return how many there were."""
        return self._count("UPDATE inbox SET tries = tries + 1 WHERE update_id = ? RETURNING tries", (update_id,))

    def quarantine(self, update_id: int, reason: str, now: Instant) -> None:
        """Set aside an update that cannot be handled (a poison message), with its body, for the operator."""
        self._change(
            "UPDATE inbox SET handled_at = ?, quarantine_reason = ? WHERE update_id = ?", (now, reason, update_id)
        )

    def delete_handled(self, handled_before: Instant, quarantined_before: Instant) -> bool:
        """Delete some of the updates handled, or quarantined, before these moments; return whether there may be more.

        Ids must not be remembered for long: Telegram keeps an update for at most 24 hours, and picks a random id after
        a week without updates (Bot API, "Getting updates" and "Update").
        """
        deleted = [
            self._change(
                "DELETE FROM inbox WHERE update_id IN"
                f" (SELECT update_id FROM inbox WHERE handled_at < ? AND quarantine_reason {condition} LIMIT ?)",
                (before, DELETE_BATCH_SIZE),
            )
            for condition, before in (("IS NULL", handled_before), ("IS NOT NULL", quarantined_before))
        ]
        return max(deleted) == DELETE_BATCH_SIZE


def _json_extract_sql(kind: str, path: str, body: str = "body") -> str:
    """Return the SQL for a member of an update, spelled exactly as in the indexes."""
    return f"json_extract(iif(json_valid({body}), {body}, NULL), '$.{kind}.{path}')"


def _chat_id_sql(body: str) -> str:
    """Return the SQL for the chat of an update, like the table's generated column."""
    kinds = ("message", "edited_message", "callback_query.message", "my_chat_member")
    return f"coalesce({', '.join(_json_extract_sql(kind, 'chat.id', body) for kind in kinds)}, 0)"
