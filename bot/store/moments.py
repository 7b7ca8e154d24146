"""Moments: what is stored about the time to come, and a clock that was set back.

Everything that waits does so until a moment. Where the clock was set back while the
bot was stopped, all of it would wait for as long as the clock was set back, and the
orders that left would seem to be still to leave.
"""

import sqlite3

from bot.job import Instant, later

#: Seconds; less than that is no reason to touch anything.
NOTEWORTHY = 5.0

#: Columns that hold a moment to wait for, or from which one is counted; and in which rows, where no index knows.
WAITED_FOR = (
    ("jobs", "due_at", ""),
    ("jobs", "closes_by", " AND state = 'gathering'"),
    ("outbox", "due_at", ""),
    ("chat_queues", "served_at", ""),
    ("breakers", "until", ""),
    ("attempts", "ended_at", ""),
    ("account", "asked_at", ""),
    ("account", "due_at", ""),
)


class Moments:
    """The moments of every table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def turn_back(self, now: Instant) -> float:
        """Let everything wait as long as it would have if the clock had not been set back; return by how many seconds.

        The latest thing that was written down is taken to have happened just now.
        """
        ahead = self._latest() - now
        if ahead <= later(0, NOTEWORTHY):
            return 0.0
        for table, column, where in WAITED_FOR:
            self._db.execute(
                f"UPDATE {table} SET {column} = {column} - ?1 WHERE {column} > ?2{where}",  # noqa: S608 - from above
                (ahead, now),
            )
        return ahead / 1000

    def _latest(self) -> Instant:
        row = self._db.execute(
            "SELECT max(coalesce((SELECT max(handled_at) FROM inbox WHERE handled_at IS NOT NULL), 0),"
            " coalesce((SELECT max(ended_at) FROM attempts WHERE ended_at IS NOT NULL), 0),"
            " coalesce((SELECT max(ended_at) FROM outbox WHERE ended_at IS NOT NULL), 0)) AS latest"
        ).fetchone()
        return int(row["latest"])
