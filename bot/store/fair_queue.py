"""The fair queue: which job is prepared and ordered next, fair between chats and, within a chat, between users.

It is start-time fair queueing: the jobs of a chat get turns one apart, beginning no earlier than the turn served last
(the virtual time). So most jobs of a chat that sends 200 images have late turns, and a newcomer is served next. Within
a chat, the users share its turns in the same way.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import Job
from bot.store.base_table import DELETE_BATCH_SIZE, Table, Value

#: The user id of a lane for the chat as a whole.
CHAT_LANE = 0

#: The chat id of the users' lanes in the conversion queue.
CONVERSION_LANES = 0

#: The user id of the lane among those that stores the virtual time: the turn served last.
VIRTUAL_TIME_LANE = 0

#: Jobs per query of a plan.
JOBS_PER_PLAN = 100

#: Positions before this one are counted exactly.
EXACT_POSITIONS = 100

#: Milliseconds for which the snapshot for later positions is used.
SNAPSHOT_MAX_AGE = 10_000

_TO_PREPARE = "is_ready = 0 AND conversion_turn IS NULL AND due_at IS NULL"
_TO_CONVERT = "is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL"
_OF_OTHERS = (
    "job_id NOT IN (SELECT value FROM json_each(?))"
    " AND (SELECT charged_to FROM jobs WHERE id = job_id) NOT IN (SELECT value FROM json_each(?))"
)


@dataclass(frozen=True)
class _QueueEntry:
    job_id: int
    chat_id: int
    turn: float


class FairQueue(Table):
    """The queued jobs: those to prepare, and those that are ready to be ordered."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._snapshot: list[tuple[float, int]] = []
        self._snapshot_at: Instant = 0

    def enqueue(self, job_id: int, chat_id: int, user_id: int) -> None:
        """Put a job at the end of its lanes; a job that is in the queue keeps its turn."""
        if self._find("job_id = ?", job_id) is None:
            virtual_time = self._virtual_time()
            chat_turn = _next_turn(self._db, chat_id, CHAT_LANE, virtual_time)
            user_turn = _next_turn(self._db, chat_id, user_id, virtual_time)
            self._insert(job_id, chat_id, chat_turn, user_turn, is_ready=False)

    def enqueue_first(self, job_id: int, chat_id: int, *, is_ready: bool) -> None:
        """Put a job before the others, because it used up its turn without being ordered."""
        virtual_time = self._virtual_time()
        self._insert(job_id, chat_id, virtual_time, virtual_time, is_ready=is_ready)

    def list_to_prepare(self, now: Instant, limit: int) -> list[int]:
        """Return the ids of jobs to prepare, by turn, including those in progress.

        Postponed jobs and those in the conversion queue are left out.
        """
        self.release_due(now)
        return self._ints(
            f"SELECT job_id FROM fair_queue WHERE {_TO_PREPARE} ORDER BY chat_turn, job_id LIMIT ?",
            (limit,),
        )

    def get_next_to_prepare(self, under_way: Collection[int], saturated_users: Collection[int]) -> int | None:
        """Return the id of the next job to prepare, skipping those in progress and those of saturated users."""
        return self._int(
            f"SELECT job_id FROM fair_queue WHERE {_TO_PREPARE} AND {_OF_OTHERS} ORDER BY chat_turn, job_id LIMIT 1",
            (json.dumps(list(under_way)), json.dumps(list(saturated_users))),
        )

    def release_due(self, now: Instant) -> None:
        """Release some of the jobs whose preparation was postponed until now."""
        self._change(
            "UPDATE fair_queue SET due_at = NULL WHERE job_id IN"
            " (SELECT job_id FROM fair_queue WHERE is_ready = 0 AND due_at <= ? ORDER BY due_at LIMIT ?)",
            (now, JOBS_PER_PLAN),
        )

    def list_waiting_long(self, now: Instant) -> list[int]:
        """Return the ids of some prepared jobs whose users are to be notified that it takes long."""
        return self._ints(
            "SELECT job_id FROM fair_queue WHERE is_ready = 1 AND due_at <= ? LIMIT ?", (now, JOBS_PER_PLAN)
        )

    def set_ready(self, job_id: int, *, is_ready: bool) -> None:
        """Record that a job is prepared, or that it must be prepared again from the beginning."""
        self._change("UPDATE fair_queue SET is_ready = ?, conversion_turn = NULL WHERE job_id = ?", (is_ready, job_id))

    def get_position(self, job_id: int, now: Instant | None = None) -> int | None:
        """Return a job's position by chat turns, 1 for the next one; None if it is not in the queue.

        From `EXACT_POSITIONS` on it comes from a snapshot, at most `SNAPSHOT_MAX_AGE` old; without `now`, a fresh one.
        """
        mine = self._find("job_id = ?", job_id)
        if mine is None:
            return None
        position = self._count(
            "SELECT count(*) FROM (SELECT 1 FROM fair_queue WHERE (chat_turn, job_id) <= (?, ?)"
            " ORDER BY chat_turn, job_id LIMIT ?)",
            (mine.turn, mine.job_id, EXACT_POSITIONS),
        )
        if position < EXACT_POSITIONS:
            return position
        return max(EXACT_POSITIONS, bisect_right(self._read_snapshot(now), (mine.turn, mine.job_id)))

    def _read_snapshot(self, now: Instant | None) -> list[tuple[float, int]]:
        """Return the queue as it was a moment ago (a cache), so that it is not read for each position."""
        if now is None or not 0 <= now - self._snapshot_at < SNAPSHOT_MAX_AGE:
            rows = self._rows("SELECT chat_turn, job_id FROM fair_queue ORDER BY chat_turn, job_id")
            self._snapshot = [(turn, job_id) for turn, job_id in rows]
            self._snapshot_at = now or 0
        return self._snapshot

    def has_jobs(self) -> bool:
        """Say whether any job waits, prepared or not."""
        return self._exists("SELECT 1 FROM fair_queue LIMIT 1")

    def claim_unnotified_groups(self, outage: str) -> list[int]:
        """Return some groups with waiting jobs that were not notified of an outage yet; mark the jobs as notified."""
        rows = self._ints(
            "UPDATE fair_queue SET notified_outage = ?1 WHERE job_id IN"
            " (SELECT job_id FROM fair_queue INDEXED BY fair_queue_unnotified"
            " WHERE chat_id < 0 AND notified_outage < ?1 UNION ALL"
            " SELECT job_id FROM fair_queue INDEXED BY fair_queue_unnotified"
            " WHERE chat_id < 0 AND notified_outage > ?1 LIMIT ?2) RETURNING chat_id",
            (outage, JOBS_PER_PLAN),
        )
        return sorted(set(rows))

    def get_longest_waiting(self, chat_id: int) -> int | None:
        """Return the id of the oldest waiting job of a group."""
        return self._int("SELECT min(job_id) FROM fair_queue WHERE chat_id = ? AND chat_id < 0", (chat_id,))

    def get_next_to_order(self) -> int | None:
        """Return the id of the prepared job whose turn is next."""
        head = self._head()
        sql = "SELECT job_id FROM fair_queue WHERE is_ready = 1 AND chat_id = ? ORDER BY user_turn, job_id LIMIT 1"
        return None if head is None else self._int(sql, (head.chat_id,))

    def dequeue(self, job_id: int) -> None:
        """Take out the job whose turn it is; this uses up its chat's next turn."""
        head, mine = self._head(), self._find("job_id = ?", job_id)
        if head is None or mine is None:
            return
        if mine.chat_id == head.chat_id:
            self._change("UPDATE fair_queue SET chat_turn = ? WHERE job_id = ?", (mine.turn, head.job_id))
            self._change("UPDATE fair_queue_clock SET virtual_time = max(virtual_time, ?)", (head.turn,))
        self.remove(job_id)

    def remove(self, job_id: int) -> None:
        """Take out a job that will not be ordered; this uses up no turn."""
        self._change("DELETE FROM fair_queue WHERE job_id = ?", (job_id,))

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Move the jobs and turns of a group to the supergroup that it became."""
        self._change("UPDATE fair_queue SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
        self._change("UPDATE OR REPLACE fair_queue_lanes SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))

    def delete_stale_lanes(self) -> bool:
        """Delete some lanes without effect: their last turn has long passed, or the queue is empty.

        Returns whether there may be more.
        """
        deleted = self._change(
            "DELETE FROM fair_queue_lanes WHERE (chat_id, user_id) IN (SELECT chat_id, user_id FROM fair_queue_lanes"
            " WHERE NOT EXISTS (SELECT 1 FROM fair_queue) OR last_turn + 1 <= CASE chat_id"
            " WHEN ?1 THEN (SELECT last_turn FROM fair_queue_lanes WHERE chat_id = ?1 AND user_id = ?2)"
            " ELSE (SELECT virtual_time FROM fair_queue_clock) END LIMIT ?3)",
            (CONVERSION_LANES, VIRTUAL_TIME_LANE, DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE

    def _head(self) -> _QueueEntry | None:
        return self._find("is_ready = 1 ORDER BY chat_turn, job_id LIMIT 1")

    def _find(self, where: str, *values: Value) -> _QueueEntry | None:
        row = self._row(f"SELECT job_id, chat_id, chat_turn FROM fair_queue WHERE {where}", values)
        return None if row is None else _QueueEntry(*row)

    def _virtual_time(self) -> float:
        [row] = self._rows("SELECT virtual_time FROM fair_queue_clock")
        return float(row["virtual_time"])

    def _insert(self, job_id: int, chat_id: int, chat_turn: float, user_turn: float, *, is_ready: bool) -> None:
        self._change(
            "INSERT INTO fair_queue (job_id, chat_id, chat_turn, user_turn, is_ready) VALUES (?, ?, ?, ?, ?)",
            (job_id, chat_id, chat_turn, user_turn, is_ready),
        )


class ConversionQueue(Table):
    """The queued jobs with an image to be decoded, fair between users."""

    def enqueue(self, job: Job) -> None:
        """Give a job a turn for one image, after the turns of the same user."""
        turn = _next_turn(self._db, CONVERSION_LANES, job.charged_to, self._virtual_time())
        self._change("UPDATE fair_queue SET conversion_turn = ? WHERE job_id = ?", (turn, job.id))

    def list_due(self, limit: int) -> list[int]:
        """Return the ids of the jobs, by turn, including those in progress and without postponed ones."""
        return self._ints(
            f"SELECT job_id FROM fair_queue WHERE {_TO_CONVERT} ORDER BY conversion_turn, job_id LIMIT ?",
            (limit,),
        )

    def take_next(self, under_way: Collection[int], users: Collection[int]) -> int | None:
        """Begin the next turn, skipping jobs in progress and those charged to `users`, who have a turn already.

        Returns the id of the job, None if there is none.
        """
        row = self._row(
            f"SELECT job_id, conversion_turn FROM fair_queue WHERE {_TO_CONVERT} AND {_OF_OTHERS}"
            " ORDER BY conversion_turn, job_id LIMIT 1",
            (json.dumps(list(under_way)), json.dumps(list(users))),
        )
        if row is None:
            return None
        self._change(
            "INSERT INTO fair_queue_lanes (chat_id, user_id, last_turn) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last_turn = max(last_turn, excluded.last_turn)",
            (CONVERSION_LANES, VIRTUAL_TIME_LANE, row["conversion_turn"]),
        )
        return int(row["job_id"])

    def is_empty(self) -> bool:
        """Say whether no job waits for a conversion or is being converted in its turn."""
        return not self._exists("SELECT 1 FROM fair_queue WHERE is_ready = 0 AND conversion_turn IS NOT NULL LIMIT 1")

    def _virtual_time(self) -> float:
        row = self._row(
            "SELECT last_turn FROM fair_queue_lanes WHERE chat_id = ? AND user_id = ?",
            (CONVERSION_LANES, VIRTUAL_TIME_LANE),
        )
        return 0.0 if row is None else float(row["last_turn"])


def _next_turn(db: sqlite3.Connection, chat_id: int, user_id: int, virtual_time: float) -> float:
    """Assign and return the next turn of a lane."""
    [turn] = db.execute(
        "INSERT INTO fair_queue_lanes (chat_id, user_id, last_turn) VALUES (?1, ?2, ?3)"
        " ON CONFLICT DO UPDATE SET last_turn = max(last_turn + 1, ?3) RETURNING last_turn",
        (chat_id, user_id, virtual_time),
    ).fetchone()
    return float(turn)
