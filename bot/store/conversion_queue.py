"""The conversion queue: whose picture is decoded next, fairly by person.

Start-time fair queueing, as in `line`, with one turn for each picture: who has many waiting, in however many chats,
gets one decoded in each round of all who wait. It holds jobs of the line whose preparation has found pictures that no
model takes as they are, and all of them survive a restart.
"""

import json
import sqlite3
from collections.abc import Collection

from bot.job import Job

#: In `lanes`, in place of a chat: the lanes of persons in this queue.
CONVERSIONS = 0

#: Among them, in place of a person: the turn that was served last.
CLOCK = 0


class ConversionQueue:
    """The queued jobs that have a picture to be decoded."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def enter(self, job: Job) -> None:
        """Give a job a turn for one picture, behind those that its person has waiting."""
        row = self._db.execute(
            "INSERT INTO lanes (chat_id, user_id, last) VALUES (?1, ?2, ?3)"
            " ON CONFLICT DO UPDATE SET last = max(last + 1, ?3) RETURNING last",
            (CONVERSIONS, job.person, self._clock()),
        ).fetchone()
        self._db.execute("UPDATE line SET conversion_turn = ? WHERE job_id = ?", (row["last"], job.id))

    def due(self, limit: int) -> list[int]:
        """Return the ids of the jobs that wait, in turn, be they under way or not, but for a later try."""
        rows = self._db.execute(
            "SELECT job_id FROM line WHERE is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL"
            " ORDER BY conversion_turn, job_id LIMIT ?",
            (limit,),
        ).fetchall()
        return [row["job_id"] for row in rows]

    def serve(self, busy: Collection[int], persons: Collection[int]) -> int | None:
        """Begin the turn of the first of them that is not under way, and not of a person who has a turn already.

        Returns its id, None where there is none.
        """
        row = self._db.execute(
            "SELECT job_id, conversion_turn FROM line"
            " WHERE is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL"
            " AND job_id NOT IN (SELECT value FROM json_each(?))"
            " AND (SELECT charged_to FROM jobs WHERE id = job_id) NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY conversion_turn, job_id LIMIT 1",
            (json.dumps(list(busy)), json.dumps(list(persons))),
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "INSERT INTO lanes (chat_id, user_id, last) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
            (CONVERSIONS, CLOCK, row["conversion_turn"]),
        )
        return int(row["job_id"])

    def is_empty(self) -> bool:
        """Say whether nobody waits for a turn, or has one."""
        row = self._db.execute(
            "SELECT 1 FROM line WHERE is_ready = 0 AND conversion_turn IS NOT NULL LIMIT 1"
        ).fetchone()
        return row is None

    def _clock(self) -> float:
        row = self._db.execute(
            "SELECT last FROM lanes WHERE chat_id = ? AND user_id = ?", (CONVERSIONS, CLOCK)
        ).fetchone()
        return 0.0 if row is None else float(row["last"])
