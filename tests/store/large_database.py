"""A large database, as a bot fills it over the years."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.store.database import _prepare_connection

DAY = 86_400_000

#: SQL that inserts everything that is stored about an answered edit, for each number in `n`.
_EDITS = (
    """INSERT INTO jobs (id, state, chat_id, user_id, message_id, prompt, received_at, queued_at, submitted_at,
        finished_at, answering_at, answered_at, task_id, result_url, credits, kie_duration_ms)
    SELECT i, 'succeeded', 1000 + i % $users, 1000 + i % $users, i, hex(randomblob($prompt_length / 2)), at, at, at,
        at + 20000, at + 20000, at + 21000, hex(randomblob(16)),
        'https://results.test/' || hex(randomblob(20)), 4, 1000
        FROM (SELECT i, $since + i * 1000 AS at FROM n)""",
    """INSERT INTO source_images (job_id, position, file_id, file_unique_id, is_photo, size, upload_url, uploaded_at)
    SELECT i, 0, hex(randomblob(40)), hex(randomblob(8)), 1, 100000, 'https://uploads.test/' || hex(randomblob(30)), 1
        FROM n""",
    """INSERT INTO request_messages (chat_id, message_id, job_id, text, kind)
    SELECT chat_id, message_id, id, prompt, 'image' FROM jobs""",
    """INSERT INTO attempts (job_id, reference, started_at, ended_at, outcome, task_id)
    SELECT id, hex(randomblob(16)), submitted_at, submitted_at + 500, 'accepted', task_id FROM jobs""",
    """INSERT INTO outbox (key, kind, chat_id, reply_to, body, job_id, is_answer, written_at, ended_at, outcome,
        message_id)
    SELECT 'job:' || id || ':answer', 'image', chat_id, message_id, 'Here it is.', id, 1, finished_at, answered_at,
        'sent', message_id * 2 FROM jobs""",
    """INSERT INTO outbox (key, kind, chat_id, reply_to, body, job_id, written_at, ended_at, outcome, message_id)
    SELECT 'job:' || id || ':progress:0', 'progress_message', chat_id, message_id, '', id, queued_at, answered_at,
        'sent',
        message_id * 2 + 1 FROM jobs""",
)


def create_large_database(path: Path, edits: int, *, since: int, prompt_length: int = 4000, users: int = 500) -> None:
    """Create a database with `edits` edits, one per second from `since` on, of the users 1000, 1001...

    With prompts of 4,000 characters an edit takes ten kilobytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        _prepare_connection(db)
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.execute("CREATE TEMP TABLE n (i INTEGER PRIMARY KEY)")
        db.execute(
            "INSERT INTO n WITH RECURSIVE up (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM up WHERE i < ?)"
            " SELECT i FROM up",
            (edits,),
        )
        for statement in _EDITS:
            db.execute(statement, {"since": since, "prompt_length": prompt_length, "users": users})
        db.execute("COMMIT")
