"""The line: who is prepared and submitted next, fairly by chat and, within a chat, by person.

Start-time fair queueing: every chat's jobs get turns one apart, beginning no
earlier than the turn that was served last. So a chat that drops 200 pictures
has far turns for most of them, and whoever comes next is served next. Within
a chat the persons share the chat's turns in the same way.
"""

import sqlite3
from dataclasses import dataclass

from bot.job import Instant
from bot.store.portion import PORTION

#: The lane of the chat as a whole, beside those of its persons.
WHOLE_CHAT = 0


@dataclass(frozen=True)
class _Place:
    job_id: int
    chat_id: int
    turn: float


class Line:
    """The queued jobs, those that have to be prepared and those that only wait for their turn at Kie."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def enter(self, job_id: int, chat_id: int, user_id: int) -> None:
        """Put a job at the end of its lanes; once it has a place it keeps it."""
        if self._place_of(job_id) is None:
            turn = self._next_in_lane(chat_id, WHOLE_CHAT)
            place = self._next_in_lane(chat_id, user_id)
            self._insert(job_id, chat_id, turn, place, is_ready=False)

    def enter_first(self, job_id: int, chat_id: int, *, is_ready: bool) -> None:
        """Put a job that had its turn in vain before the others."""
        clock = self._clock()
        self._insert(job_id, chat_id, clock, clock, is_ready=is_ready)

    def to_prepare(self, now: Instant, limit: int) -> list[int]:
        """Return the ids of jobs to prepare, in turn, leaving out those that are to be tried again later."""
        rows = self._db.execute(
            "SELECT line.job_id FROM line JOIN jobs ON jobs.id = line.job_id"
            " WHERE line.is_ready = 0 AND (jobs.due_at IS NULL OR jobs.due_at <= ?)"
            " ORDER BY line.turn, line.job_id LIMIT ?",
            (now, limit),
        ).fetchall()
        return [row["job_id"] for row in rows]

    def waiting_long(self, now: Instant) -> list[int]:
        """Return the ids of prepared jobs whose people are to be told that it takes long."""
        rows = self._db.execute(
            "SELECT jobs.id FROM jobs JOIN line ON line.job_id = jobs.id"
            " WHERE jobs.due_at <= ? AND line.is_ready = 1 LIMIT 100",
            (now,),
        ).fetchall()
        return [row["id"] for row in rows]

    def mark(self, job_id: int, *, is_ready: bool) -> None:
        """Note that a job only waits for its turn, or that it has to be prepared again."""
        self._db.execute("UPDATE line SET is_ready = ? WHERE job_id = ?", (is_ready, job_id))

    def place_of(self, job_id: int) -> int | None:
        """Return how many would be served first, by the order of the chats, counted from 1 for the next."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM line WHERE (turn, job_id) <= (mine.turn, mine.job_id)) AS place"
            " FROM line AS mine WHERE mine.job_id = ?",
            (job_id,),
        ).fetchone()
        return None if row is None else int(row["place"])

    def is_waited_in(self) -> bool:
        """Say whether any job waits, prepared or not."""
        return self._db.execute("SELECT 1 FROM line LIMIT 1").fetchone() is not None

    def first_of_groups(self) -> list[int]:
        """Return the id of the job that waits longest in each group."""
        rows = self._db.execute("SELECT min(job_id) AS job_id FROM line WHERE chat_id < 0 GROUP BY chat_id").fetchall()
        return [row["job_id"] for row in rows]

    def first(self) -> int | None:
        """Return the id of the prepared job whose turn it is."""
        head = self._head()
        return None if head is None else self._first_in_chat(head.chat_id)

    def leave(self, job_id: int) -> None:
        """Take a job out; the one that `first` named uses up its chat's next turn."""
        head, mine = self._head(), self._place_of(job_id)
        if head is None or mine is None:
            return
        if mine.chat_id == head.chat_id:
            self._db.execute("UPDATE line SET turn = ? WHERE job_id = ?", (mine.turn, head.job_id))
            self._db.execute("UPDATE line_clock SET turn = max(turn, ?)", (head.turn,))
        self._db.execute("DELETE FROM line WHERE job_id = ?", (job_id,))

    def move_chat(self, old_id: int, new_id: int) -> None:
        """Keep the places of a group that became a supergroup."""
        self._db.execute("UPDATE line SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
        self._db.execute("UPDATE OR REPLACE lanes SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))

    def forget(self) -> bool:
        """Forget lanes that mean nothing more: their last place was passed long ago, or nobody waits at all.

        Returns whether there may be more.
        """
        forgotten = self._db.execute(
            "DELETE FROM lanes WHERE (chat_id, user_id) IN (SELECT chat_id, user_id FROM lanes"
            " WHERE last + 1 <= (SELECT turn FROM line_clock) OR NOT EXISTS (SELECT 1 FROM line) LIMIT ?)",
            (PORTION,),
        )
        return forgotten.rowcount == PORTION

    def drop(self, job_id: int) -> None:
        """Take a job out that will not be served; its turn is not used up."""
        self._db.execute("DELETE FROM line WHERE job_id = ?", (job_id,))

    def _head(self) -> _Place | None:
        row = self._db.execute(
            "SELECT job_id, chat_id, turn FROM line WHERE is_ready = 1 ORDER BY turn, job_id LIMIT 1"
        ).fetchone()
        return None if row is None else _Place(*row)

    def _first_in_chat(self, chat_id: int) -> int:
        row = self._db.execute(
            "SELECT job_id FROM line WHERE is_ready = 1 AND chat_id = ? ORDER BY place, job_id LIMIT 1", (chat_id,)
        ).fetchone()
        return int(row["job_id"])

    def _place_of(self, job_id: int) -> _Place | None:
        row = self._db.execute("SELECT job_id, chat_id, turn FROM line WHERE job_id = ?", (job_id,)).fetchone()
        return None if row is None else _Place(*row)

    def _clock(self) -> float:
        return float(self._db.execute("SELECT turn FROM line_clock").fetchone()["turn"])

    def _next_in_lane(self, chat_id: int, user_id: int) -> float:
        row = self._db.execute(
            "INSERT INTO lanes (chat_id, user_id, last) VALUES (?1, ?2, ?3)"
            " ON CONFLICT DO UPDATE SET last = max(last + 1, ?3) RETURNING last",
            (chat_id, user_id, self._clock()),
        ).fetchone()
        return float(row["last"])

    def _insert(self, job_id: int, chat_id: int, turn: float, place: float, *, is_ready: bool) -> None:
        self._db.execute(
            "INSERT INTO line (job_id, chat_id, turn, place, is_ready) VALUES (?, ?, ?, ?, ?)",
            (job_id, chat_id, turn, place, is_ready),
        )
