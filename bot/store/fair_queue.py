"""The line: who is prepared and submitted next, fairly by chat and, within a chat, by person.

Start-time fair queueing: every chat's jobs get turns one apart, beginning no
earlier than the turn that was served last. So a chat that drops 200 pictures
has far turns for most of them, and whoever comes next is served next. Within
a chat the persons share the chat's turns in the same way.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import Job
from bot.store import DELETE_BATCH_SIZE

#: The lane of the chat as a whole, beside those of its persons.
CHAT_LANE = 0

#: Jobs that one plan looks at for the same reason.
JOBS_PER_PLAN = 100

#: Places that are counted one by one.
EXACT_POSITIONS = 100

#: Milliseconds for which those behind are as they were.
SNAPSHOT_MAX_AGE = 10_000


@dataclass(frozen=True)
class _QueueEntry:
    job_id: int
    chat_id: int
    turn: float


class FairQueue:
    """The queued jobs, those that have to be prepared and those that only wait for their turn at Kie."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._snapshot: list[tuple[float, int]] = []
        self._snapshot_at: Instant = 0

    def enqueue(self, job_id: int, chat_id: int, user_id: int) -> None:
        """Put a job at the end of its lanes; once it has a place it keeps it."""
        if self._find_entry(job_id) is None:
            turn = self._next_turn_in_lane(chat_id, CHAT_LANE)
            place = self._next_turn_in_lane(chat_id, user_id)
            self._insert(job_id, chat_id, turn, place, is_ready=False)

    def enqueue_first(self, job_id: int, chat_id: int, *, is_ready: bool) -> None:
        """Put a job that had its turn in vain before the others."""
        clock = self._virtual_time()
        self._insert(job_id, chat_id, clock, clock, is_ready=is_ready)

    def list_to_prepare(self, now: Instant, limit: int) -> list[int]:
        """Return the ids of jobs to prepare, in turn, be they under way or not.

        Left out are those that are to be tried again later, and those that wait in the conversion queue.
        """
        self.release_due(now)
        rows = self._db.execute(
            "SELECT job_id FROM fair_queue WHERE is_ready = 0 AND conversion_turn IS NULL AND due_at IS NULL"
            " ORDER BY chat_turn, job_id LIMIT ?",
            (limit,),
        ).fetchall()
        return [row["job_id"] for row in rows]

    def get_next_to_prepare(self, busy: Collection[int], sated: Collection[int]) -> int | None:
        """Return the id of the first of them that is not under way, and not of a person who is `sated` with others."""
        row = self._db.execute(
            "SELECT job_id FROM fair_queue WHERE is_ready = 0 AND conversion_turn IS NULL AND due_at IS NULL"
            " AND job_id NOT IN (SELECT value FROM json_each(?))"
            " AND (SELECT charged_to FROM jobs WHERE id = job_id) NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY chat_turn, job_id LIMIT 1",
            (json.dumps(list(busy)), json.dumps(list(sated))),
        ).fetchone()
        return None if row is None else int(row["job_id"])

    def release_due(self, now: Instant) -> None:
        """Let jobs whose preparation was put off until now wait for their turn again, some at a time."""
        self._db.execute(
            "UPDATE fair_queue SET due_at = NULL WHERE job_id IN"
            " (SELECT job_id FROM fair_queue WHERE is_ready = 0 AND due_at <= ? ORDER BY due_at LIMIT ?)",
            (now, JOBS_PER_PLAN),
        )

    def list_waiting_long(self, now: Instant) -> list[int]:
        """Return the ids of prepared jobs whose people are to be told that it takes long."""
        rows = self._db.execute(
            "SELECT job_id FROM fair_queue WHERE is_ready = 1 AND due_at <= ? LIMIT ?", (now, JOBS_PER_PLAN)
        ).fetchall()
        return [row["job_id"] for row in rows]

    def set_ready(self, job_id: int, *, is_ready: bool) -> None:
        """Note that a job only waits for its turn, or that it has to be prepared again, from the beginning."""
        self._db.execute(
            "UPDATE fair_queue SET is_ready = ?, conversion_turn = NULL WHERE job_id = ?", (is_ready, job_id)
        )

    def get_position(self, job_id: int, now: Instant | None = None) -> int | None:
        """Return how many would be served first, by the order of the chats, counted from 1 for the next.

        Beyond the first COUNTED it is that of a snapshot, at most SNAPSHOT_HOLDS old; without `now`, of a fresh one.
        """
        mine = self._find_entry(job_id)
        if mine is None:
            return None
        before = self._db.execute(
            "SELECT count(*) AS n FROM (SELECT 1 FROM fair_queue WHERE (chat_turn, job_id) <= (?, ?)"
            " ORDER BY chat_turn, job_id LIMIT ?)",
            (mine.turn, mine.job_id, EXACT_POSITIONS),
        ).fetchone()
        near = int(before["n"])
        return (
            near
            if near < EXACT_POSITIONS
            else max(EXACT_POSITIONS, bisect_right(self._read_snapshot(now), (mine.turn, mine.job_id)))
        )

    def _read_snapshot(self, now: Instant | None) -> list[tuple[float, int]]:
        """Return the queue as it was a moment ago: nobody sees the difference, and it need not be read for each."""
        if now is None or not 0 <= now - self._snapshot_at < SNAPSHOT_MAX_AGE:
            rows = self._db.execute("SELECT chat_turn, job_id FROM fair_queue ORDER BY chat_turn, job_id")
            self._snapshot = [(row["chat_turn"], row["job_id"]) for row in rows]
            self._snapshot_at = now or 0
        return self._snapshot

    def has_jobs(self) -> bool:
        """Say whether any job waits, prepared or not."""
        return self._db.execute("SELECT 1 FROM fair_queue LIMIT 1").fetchone() is not None

    def claim_unnotified_groups(self, what: str) -> list[int]:
        """Return some groups in which somebody waits and that were not told yet of a halt, and take them as told."""
        rows = self._db.execute(
            "UPDATE fair_queue SET notified_outage = ?1 WHERE job_id IN"
            " (SELECT job_id FROM fair_queue INDEXED BY fair_queue_unnotified WHERE chat_id < 0"
            " AND notified_outage < ?1 UNION ALL"
            " SELECT job_id FROM fair_queue INDEXED BY fair_queue_unnotified WHERE chat_id < 0"
            " AND notified_outage > ?1 LIMIT ?2)"
            " RETURNING chat_id",
            (what, JOBS_PER_PLAN),
        ).fetchall()
        return sorted({row["chat_id"] for row in rows})

    def get_longest_waiting(self, chat_id: int) -> int | None:
        """Return the id of the job that waits longest in a group."""
        row = self._db.execute(
            "SELECT min(job_id) AS job_id FROM fair_queue WHERE chat_id = ? AND chat_id < 0", (chat_id,)
        ).fetchone()
        first: int | None = row["job_id"]
        return first

    def get_next_to_order(self) -> int | None:
        """Return the id of the prepared job whose turn it is."""
        head = self._head()
        return None if head is None else self._first_in_chat(head.chat_id)

    def dequeue(self, job_id: int) -> None:
        """Take a job out; the one that `first` named uses up its chat's next turn."""
        head, mine = self._head(), self._find_entry(job_id)
        if head is None or mine is None:
            return
        if mine.chat_id == head.chat_id:
            self._db.execute("UPDATE fair_queue SET chat_turn = ? WHERE job_id = ?", (mine.turn, head.job_id))
            self._db.execute("UPDATE fair_queue_clock SET virtual_time = max(virtual_time, ?)", (head.turn,))
        self._db.execute("DELETE FROM fair_queue WHERE job_id = ?", (job_id,))

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Keep the places of a group that became a supergroup."""
        self._db.execute("UPDATE fair_queue SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
        self._db.execute("UPDATE OR REPLACE fair_queue_lanes SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))

    def delete_stale_lanes(self) -> bool:
        """Forget lanes that mean nothing more: their last place was passed long ago, or nobody waits at all.

        Returns whether there may be more.
        """
        forgotten = self._db.execute(
            "DELETE FROM fair_queue_lanes WHERE (chat_id, user_id) IN (SELECT chat_id, user_id FROM fair_queue_lanes"
            " WHERE NOT EXISTS (SELECT 1 FROM fair_queue) OR last_turn + 1 <= CASE chat_id"
            " WHEN ?1 THEN (SELECT last_turn FROM fair_queue_lanes WHERE chat_id = ?1 AND user_id = ?2)"
            " ELSE (SELECT virtual_time FROM fair_queue_clock) END LIMIT ?3)",
            (CONVERSION_LANES, VIRTUAL_TIME_LANE, DELETE_BATCH_SIZE),
        )
        return forgotten.rowcount == DELETE_BATCH_SIZE

    def remove(self, job_id: int) -> None:
        """Take a job out that will not be served; its turn is not used up."""
        self._db.execute("DELETE FROM fair_queue WHERE job_id = ?", (job_id,))

    def _head(self) -> _QueueEntry | None:
        row = self._db.execute(
            "SELECT job_id, chat_id, chat_turn FROM fair_queue WHERE is_ready = 1 ORDER BY chat_turn, job_id LIMIT 1"
        ).fetchone()
        return None if row is None else _QueueEntry(*row)

    def _first_in_chat(self, chat_id: int) -> int:
        row = self._db.execute(
            "SELECT job_id FROM fair_queue WHERE is_ready = 1 AND chat_id = ? ORDER BY user_turn, job_id LIMIT 1",
            (chat_id,),
        ).fetchone()
        return int(row["job_id"])

    def _find_entry(self, job_id: int) -> _QueueEntry | None:
        row = self._db.execute(
            "SELECT job_id, chat_id, chat_turn FROM fair_queue WHERE job_id = ?", (job_id,)
        ).fetchone()
        return None if row is None else _QueueEntry(*row)

    def _virtual_time(self) -> float:
        return float(self._db.execute("SELECT virtual_time FROM fair_queue_clock").fetchone()["virtual_time"])

    def _next_turn_in_lane(self, chat_id: int, user_id: int) -> float:
        row = self._db.execute(
            "INSERT INTO fair_queue_lanes (chat_id, user_id, last_turn) VALUES (?1, ?2, ?3)"
            " ON CONFLICT DO UPDATE SET last_turn = max(last_turn + 1, ?3) RETURNING last_turn",
            (chat_id, user_id, self._virtual_time()),
        ).fetchone()
        return float(row["last_turn"])

    def _insert(self, job_id: int, chat_id: int, turn: float, place: float, *, is_ready: bool) -> None:
        self._db.execute(
            "INSERT INTO fair_queue (job_id, chat_id, chat_turn, user_turn, is_ready) VALUES (?, ?, ?, ?, ?)",
            (job_id, chat_id, turn, place, is_ready),
        )


#: In `lanes`, in place of a chat: the lanes of persons in this queue.
CONVERSION_LANES = 0

#: Among them, in place of a person: the turn that was served last.
VIRTUAL_TIME_LANE = 0


class ConversionQueue:
    """The queued jobs that have a picture to be decoded."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def enqueue(self, job: Job) -> None:
        """Give a job a turn for one picture, behind those that its person has waiting."""
        row = self._db.execute(
            "INSERT INTO fair_queue_lanes (chat_id, user_id, last_turn) VALUES (?1, ?2, ?3)"
            " ON CONFLICT DO UPDATE SET last_turn = max(last_turn + 1, ?3) RETURNING last_turn",
            (CONVERSION_LANES, job.charged_to, self._virtual_time()),
        ).fetchone()
        self._db.execute("UPDATE fair_queue SET conversion_turn = ? WHERE job_id = ?", (row["last_turn"], job.id))

    def list_due(self, limit: int) -> list[int]:
        """Return the ids of the jobs that wait, in turn, be they under way or not, but for a later try."""
        rows = self._db.execute(
            "SELECT job_id FROM fair_queue WHERE is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL"
            " ORDER BY conversion_turn, job_id LIMIT ?",
            (limit,),
        ).fetchall()
        return [row["job_id"] for row in rows]

    def take_next(self, busy: Collection[int], persons: Collection[int]) -> int | None:
        """Begin the turn of the first of them that is not under way, and not of a person who has a turn already.

        Returns its id, None where there is none.
        """
        row = self._db.execute(
            "SELECT job_id, conversion_turn FROM fair_queue"
            " WHERE is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL"
            " AND job_id NOT IN (SELECT value FROM json_each(?))"
            " AND (SELECT charged_to FROM jobs WHERE id = job_id) NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY conversion_turn, job_id LIMIT 1",
            (json.dumps(list(busy)), json.dumps(list(persons))),
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "INSERT INTO fair_queue_lanes (chat_id, user_id, last_turn) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last_turn = max(last_turn, excluded.last_turn)",
            (CONVERSION_LANES, VIRTUAL_TIME_LANE, row["conversion_turn"]),
        )
        return int(row["job_id"])

    def is_empty(self) -> bool:
        """Say whether nobody waits for a turn, or has one."""
        row = self._db.execute(
            "SELECT 1 FROM fair_queue WHERE is_ready = 0 AND conversion_turn IS NOT NULL LIMIT 1"
        ).fetchone()
        return row is None

    def _virtual_time(self) -> float:
        row = self._db.execute(
            "SELECT last_turn FROM fair_queue_lanes WHERE chat_id = ? AND user_id = ?",
            (CONVERSION_LANES, VIRTUAL_TIME_LANE),
        ).fetchone()
        return 0.0 if row is None else float(row["last_turn"])
