"""The inbox: every update that concerns us, from its arrival until it was handled.

It grows on the disk only: a poll brings a hundred at most and the next one waits until they are
stored, and whoever handles them has a few in memory at a time.

It is a fair queue over chats: however many updates of one chat wait, the first of another chat is
handled as one of the next. Those of one chat are handled in Telegram's order.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from bot.clock import Instant
from bot.store import DELETE_BATCH_SIZE


@dataclass(frozen=True)
class StoredUpdate:
    """An update that waits to be handled; `body` is Telegram's JSON."""

    update_id: int
    body: str
    received_at: Instant


#: Which updates wait to be handled. The indexes of the table say the same.
WAITING_SQL = "handled_at IS NULL AND waits_for_admins_of IS NULL"


class Inbox:
    """Updates by their id; the same one twice is kept once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, letters: Iterable[StoredUpdate]) -> int:
        """Keep each update, unless one of its id was kept before; return how many are new."""
        cursor = self._db.executemany(
            "INSERT INTO inbox (update_id, body, received_at, queue_turn)"  # noqa: S608 - no data in it
            f" SELECT ?1, ?2, ?3, max(coalesce((SELECT min(queue_turn) FROM inbox WHERE {WAITING_SQL}), 0),"
            f" coalesce((SELECT queue_turn + 1 FROM inbox WHERE {WAITING_SQL} AND chat_id = {_chat_id_sql('?2')}"
            " ORDER BY update_id DESC LIMIT 1), 0)) WHERE true ON CONFLICT DO NOTHING",
            [(letter.update_id, letter.body, letter.received_at) for letter in letters],
        )
        return max(0, cursor.rowcount)

    def get_next_waiting(self) -> StoredUpdate | None:
        """Return the oldest update that was not handled of the chat whose turn it is."""
        row = self._db.execute(
            f"SELECT update_id, body, received_at FROM inbox WHERE {WAITING_SQL} AND chat_id ="  # noqa: S608 - no data in it
            f" (SELECT chat_id FROM inbox WHERE {WAITING_SQL} ORDER BY queue_turn, update_id LIMIT 1)"
            " ORDER BY update_id LIMIT 1"
        ).fetchone()
        return None if row is None else StoredUpdate(*row)

    def hold_for_admins(self, update_id: int, chat_id: int) -> None:
        """Leave an update until the administrators of a group are known; those behind it do not wait."""
        self._db.execute("UPDATE inbox SET waits_for_admins_of = ? WHERE update_id = ?", (chat_id, update_id))

    def has_held(self, chat_id: int) -> bool:
        """Say whether an update waits for the administrators of a group."""
        row = self._db.execute(
            "SELECT 1 FROM inbox WHERE handled_at IS NULL AND waits_for_admins_of = ? LIMIT 1", (chat_id,)
        )
        return row.fetchone() is not None

    def release_held(self, chat_id: int) -> None:
        """Let the updates be handled that waited for a group's administrators."""
        self._db.execute(
            "UPDATE inbox SET waits_for_admins_of = NULL WHERE handled_at IS NULL AND waits_for_admins_of = ?",
            (chat_id,),
        )

    def has_waiting(self, chat_id: int, *, message_id: int | None = None, album: str | None = None) -> bool:
        """Say whether a message, or an item of an album, waits to be handled."""
        what, value = ("media_group_id", album) if message_id is None else ("message_id", message_id)
        row = self._db.execute(
            f"SELECT 1 FROM inbox WHERE {WAITING_SQL} AND chat_id = ? AND {_json_extract_sql('message', what)} = ?",  # noqa: S608 - no data in it
            (chat_id, value),
        ).fetchone()
        return row is not None

    def mark_handled(self, update_id: int, now: Instant) -> None:
        """Mark it handled and erase its body; the id stays, so that a redelivery is recognised."""
        self._db.execute("UPDATE inbox SET handled_at = ?, body = NULL WHERE update_id = ?", (now, update_id))

    def increment_tries(self, update_id: int) -> int:
        """Count a failed try to handle an update that stays in the inbox; return how many there were."""
        row = self._db.execute("UPDATE inbox SET tries = tries + 1 WHERE update_id = ? RETURNING tries", (update_id,))
        return int(row.fetchone()[0])

    def quarantine(self, update_id: int, fault: str, now: Instant) -> None:
        """Put an update that cannot be handled out of the way, with its body, for somebody to look at."""
        self._db.execute(
            "UPDATE inbox SET handled_at = ?, quarantine_reason = ? WHERE update_id = ?", (now, fault, update_id)
        )

    def delete_handled(self, handled_before: Instant, set_aside_before: Instant) -> bool:
        """Delete some of what was handled, or set aside, before these moments; return whether there may be more.

        Telegram keeps an update for a day at most and picks a random id after a
        quiet week, so ids must not be remembered for long.
        """
        forgotten = [
            self._db.execute(
                f"DELETE FROM inbox WHERE update_id IN"  # noqa: S608 - no data in it
                f" (SELECT update_id FROM inbox WHERE handled_at < ? AND quarantine_reason {which} LIMIT ?)",
                (before, DELETE_BATCH_SIZE),
            ).rowcount
            for which, before in (("IS NULL", handled_before), ("IS NOT NULL", set_aside_before))
        ]
        return max(forgotten) == DELETE_BATCH_SIZE


def _json_extract_sql(kind: str, path: str, body: str = "body") -> str:
    """Return what finds a member of an update, in just the words in which some of them are indexed."""
    return f"json_extract(iif(json_valid({body}), {body}, NULL), '$.{kind}.{path}')"


def _chat_id_sql(body: str) -> str:
    """Return what finds the chat of an update, as the column of the table does."""
    kinds = ("message", "edited_message", "callback_query.message", "my_chat_member")
    return f"coalesce({', '.join(_json_extract_sql(kind, 'chat.id', body) for kind in kinds)}, 0)"
