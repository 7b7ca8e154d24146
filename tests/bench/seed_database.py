"""Fills a database with very many jobs: copies of the rows that the bot wrote for one job."""

import sqlite3
from contextlib import closing
from pathlib import Path

#: What belongs to a job, by the name of the column that holds its id.
TABLES = {
    "jobs": "id",
    "source_images": "job_id",
    "request_messages": "job_id",
    "attempts": "job_id",
    "outbox": "job_id",
}

#: What is different in each copy; columns that are not named are the same.
CHANGED_COLUMNS = {
    "jobs": {"id": "id + n", "chat_id": "? + n", "user_id": "? + n"},
    "source_images": {"job_id": "job_id + n"},
    "request_messages": {"job_id": "job_id + n", "chat_id": "? + n"},
    "attempts": {
        "id": "NULL",
        "job_id": "job_id + n",
        "task_id": "task_id || ':' || n",
        "reference": "reference || ':' || n",
    },
    "outbox": {"id": "NULL", "key": "key || ':' || n", "chat_id": "? + n", "job_id": "job_id + n"},
}

COUNT_UP_SQL = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?)"


def copy_job(database: Path, job_id: int, count: int, first_chat: int) -> None:
    """Copy a job that many times, for the users whose chats follow `first_chat`."""
    with closing(sqlite3.connect(database)) as db, db:
        for table, key in TABLES.items():
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            values = [CHANGED_COLUMNS[table].get(column, column) for column in columns]
            chats = [first_chat] * sum("?" in value for value in values)
            db.execute(
                f"{COUNT_UP_SQL} INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - names of the schema
                f" SELECT {', '.join(values)} FROM counted, {table} WHERE {key} = ?",
                (count, *chats, job_id),
            )
        # the messages of the copies stand in no chat; what tells of them is told when there is something to tell
        db.execute("UPDATE outbox SET message_id = NULL, shown = NULL, due_at = NULL WHERE job_id > ?", (job_id,))
        db.execute(
            f"{COUNT_UP_SQL} INSERT INTO fair_queue (job_id, chat_id, chat_turn, user_turn, is_ready)"  # noqa: S608 - no data
            " SELECT job_id + n, ? + n, chat_turn + n * 0.0, user_turn, is_ready"
            " FROM counted, fair_queue WHERE job_id = ?",
            (count, first_chat, job_id),
        )


def mark_running(database: Path, job_id: int, share: int) -> None:
    """Turn every nth copy of a waiting job into a running one."""
    with closing(sqlite3.connect(database)) as db, db:
        which = (job_id, share)
        db.execute(
            "UPDATE jobs SET state = 'running', submitted_at = queued_at, task_id = 'task-' || id, due_at = NULL"
            " WHERE id > ? AND id % ? = 0",
            which,
        )
        db.execute("DELETE FROM fair_queue WHERE job_id > ? AND job_id % ? = 0", which)
