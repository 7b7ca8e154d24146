"""Erasure: what is stored about a person, and how it goes.

Of a request stays what has no name on it: when it was ordered, under which task, what it cost, how it
ended. A message that has still to be taken away, and the last word, are kept under a key that begins with
`LAST`: the moment that ends them forgets them. Which column is erased by whom is said in
`tests/privacy/column_classification.py`, where a test asks for it.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import ERASED_ID, State
from bot.store import DELETE_BATCH_SIZE
from bot.store.chats import Preference
from bot.store.jobs import UNORDERED_STATES
from bot.store.outbox import EPHEMERAL_KEY_PREFIX, MessageKind

#: Beginnings of keys behind which the id of a person stands.
USER_KEY_PREFIXES = ("full", "stranger")

#: Messages that stand in a chat and only tell how things stand: with what they tell of, they go.
EDITABLE_KINDS = (MessageKind.PROGRESS_MESSAGE, MessageKind.MENU)

#: What ends the matter in a chat, and holds nothing of the person's: a sign, and a message that is taken away.
CLEANUP_KINDS = (MessageKind.REACTION, MessageKind.DELETION)

#: No further than to so many edits, and so many messages, is it counted what is stored about somebody.
MAX_COUNTED = 1000

#: What is in a list of ids, as JSON.
_IN_JSON_LIST = "IN (SELECT value FROM json_each(?))"

#: All requests that are other variations of some.
_VARIATIONS_CTE = (
    "WITH RECURSIVE variations (id) AS (SELECT id FROM jobs WHERE variation_of IS NOT NULL"
    " AND variation_of IN (SELECT value FROM json_each(?))"
    " UNION SELECT jobs.id FROM jobs JOIN variations ON jobs.variation_of = variations.id)"
)


#: Says of a request that something about it is still to be sent.
_HAS_PENDING_MESSAGE = (
    "EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND ended_at IS NULL"
    " AND kind NOT IN ('progress_message', 'menu'))"
)

#: Groups to which somebody added the bot. Of those whom an admin has shut out it stays, like that decision itself: who
#: speaks there in the name of the group would be let in again otherwise.
_ADDED_BY_USER = (
    "added_by = ?1 AND NOT EXISTS (SELECT 1 FROM access_rules WHERE principal_id = ?1 AND rule <> 'allowed')"
)

#: Requests of groups and channels that somebody answers for.
_CHARGED_TO_USER = "charged_to = ?1 AND charged_to <> user_id"

_GROUPS_OF_USER = (
    f"SELECT chat_id FROM chats WHERE {_ADDED_BY_USER} UNION SELECT chat_id FROM jobs WHERE {_CHARGED_TO_USER}"  # noqa: S608 - no data
)


@dataclass(frozen=True)
class StoredPersonalData:
    """What is stored about a person, counted over all chats."""

    #: requests, and of them those that are not ordered yet, and those that are and have not ended
    edits: int
    unordered: int
    ordered: int
    #: captions and other words; references to pictures; messages of ours that are remembered
    texts: int
    images: int
    messages: int
    #: whether something was chosen in /settings, or a language is remembered
    has_settings: bool
    #: groups to which they added the bot
    groups: int
    #: whether there is more than was counted
    is_truncated: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to erase."""
        return not (self.edits or self.messages or self.has_settings or self.groups)


class Erasure:
    """What is stored about people, in every table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def count_stored_data(self, user_id: int) -> StoredPersonalData:
        """Count what is stored about a person; where it is very much, of the latest of it."""
        rows = self._db.execute(
            "SELECT id, state FROM jobs WHERE user_id = ? ORDER BY id DESC LIMIT ?", (user_id, MAX_COUNTED)
        ).fetchall()
        theirs, states = json.dumps([row["id"] for row in rows]), [row["state"] for row in rows]
        messages = self._count(
            f"FROM (SELECT 1 FROM outbox WHERE (chat_id = ? OR job_id {_IN_JSON_LIST})"  # noqa: S608 - no data in it
            f" AND key NOT GLOB '{EPHEMERAL_KEY_PREFIX}*' LIMIT {MAX_COUNTED})",
            user_id,
            theirs,
        )
        chosen = self._count(f"FROM chats WHERE chat_id = ? AND coalesce({', '.join(Preference)}) NOTNULL", user_id)
        return StoredPersonalData(
            edits=len(states),
            unordered=sum(state in UNORDERED_STATES for state in states),
            ordered=sum(state in (State.SUBMITTING, State.RUNNING) for state in states),
            texts=self._count(f"FROM request_messages WHERE job_id {_IN_JSON_LIST} AND text <> ''", theirs),
            images=self._count(f"FROM source_images WHERE job_id {_IN_JSON_LIST}", theirs),
            messages=messages,
            has_settings=chosen + self._count("FROM users WHERE user_id = ?", user_id) > 0,
            groups=self._count(f"FROM ({_GROUPS_OF_USER})", user_id),
            is_truncated=MAX_COUNTED in (len(states), messages),
        )

    def _count(self, of: str, *values: int | str) -> int:
        return int(self._db.execute(f"SELECT count(*) AS n {of}", values).fetchone()["n"])

    def list_ended_before(self, moment: Instant) -> list[int]:
        """Return the ids of requests that ended before a moment, and have nothing on its way; some of them."""
        rows = self._db.execute(
            f"SELECT id FROM jobs WHERE finished_at < ? AND erased_at IS NULL AND NOT {_HAS_PENDING_MESSAGE} LIMIT ?",  # noqa: S608 - no data
            (moment, DELETE_BATCH_SIZE),
        ).fetchall()
        return [row["id"] for row in rows]

    def erase_requests(self, ids: Sequence[int], now: Instant) -> None:
        """Forget of ended requests what was wished, by whom, where, and with which pictures, and what was said."""
        for job_id in ids:
            self._db.execute(
                "UPDATE jobs SET chat_id = ?1, user_id = ?1, charged_to = ?1, message_id = NULL, thread_id = NULL,"
                " media_group_id = NULL, language = 'en', due_at = NULL, closes_by = NULL, erased_at = ?2"
                " WHERE id = ?3",
                (ERASED_ID, now, job_id),
            )
            self._erase_content(job_id)
            self._erase_all_messages("job_id = ?", (job_id,), now)
        self._mark_variations(ids)
        self.erase_variations()

    def erase_variations(self) -> bool:
        """Forget of other variations of erased requests, whoever ordered them, what they are made of.

        One that somebody else still waits for is forgotten once it is answered. Returns whether there may be more.
        """
        rows = self._db.execute(
            "SELECT id FROM jobs WHERE erase_when_ended = 1 AND finished_at IS NOT NULL"  # noqa: S608 - no data
            f" AND NOT {_HAS_PENDING_MESSAGE} LIMIT ?",
            (DELETE_BATCH_SIZE,),
        ).fetchall()
        ids = [row["id"] for row in rows]
        for job_id in ids:
            self._erase_content(job_id)
        self._mark_variations(ids)  # of one that has just ended, another one may have been ordered
        return len(ids) == DELETE_BATCH_SIZE

    def _mark_variations(self, ids: Sequence[int]) -> None:
        """Let all further variations of some requests lose what they are made of, when they have ended."""
        self._db.execute(
            f"{_VARIATIONS_CTE} UPDATE jobs SET erase_when_ended = 1"  # noqa: S608 - no data in it
            " WHERE id IN (SELECT id FROM variations) AND prompt <> ''",
            (json.dumps(list(ids)),),
        )

    def erase_user(self, user_id: int, now: Instant) -> None:
        """Forget what is stored about a person; what is too much for one transaction, by and by with `go_on`.

        What is stored about them from now on stays.
        """
        self._db.execute(
            "INSERT OR REPLACE INTO erasures (user_id, asked_at, last_job_id) SELECT ?, ?, coalesce(max(id), 0)"
            " FROM jobs",
            (user_id, now),
        )
        for beginning in USER_KEY_PREFIXES:
            self._erase_all_messages(
                "key >= ? AND key < ?", (f"{beginning}:{user_id}:", f"{beginning}:{user_id};"), now
            )
        self._db.execute("DELETE FROM fair_queue_lanes WHERE user_id = ?1 OR chat_id = ?1", (user_id,))
        self._db.execute("DELETE FROM users WHERE user_id = ?", (user_id,))
        self._db.execute("DELETE FROM chats WHERE chat_id = ?", (user_id,))
        self._db.execute(f"UPDATE chats SET added_by = NULL WHERE {_ADDED_BY_USER}", (user_id,))  # noqa: S608 - no data in it
        # they stay counted, as all that somebody asked for
        self._db.execute(f"UPDATE jobs SET charged_to = user_id WHERE {_CHARGED_TO_USER}", (user_id,))  # noqa: S608 - the same
        # who administers a group is asked again whenever it matters
        self._db.execute("UPDATE chats SET admins = NULL, admins_known_at = NULL WHERE admins_known_at IS NOT NULL")
        self._db.execute(
            "UPDATE inbox SET body = NULL WHERE quarantine_reason IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM json_tree(inbox.body) WHERE atom = ?)",
            (user_id,),
        )
        # what waits for the administrators of a group is not done any more
        self._db.execute(
            "UPDATE inbox SET body = NULL, waits_for_admins_of = NULL, handled_at = ?2 WHERE handled_at IS NULL"
            " AND waits_for_admins_of NOTNULL"
            " AND ?1 IN (json_extract(body, '$.message.from.id'), json_extract(body, '$.callback_query.from.id'))",
            (user_id, now),
        )
        self._continue_erasure_of(user_id, now)

    def continue_erasure(self, now: Instant) -> bool:
        """Forget some more of what is stored about people who have had it deleted; False if there is nothing left."""
        row = self._db.execute("SELECT user_id FROM erasures LIMIT 1").fetchone()
        if row is not None:
            self._continue_erasure_of(row["user_id"], now)
        return row is not None

    def _continue_erasure_of(self, user_id: int, now: Instant) -> None:
        asked_at, last_job_id = self._db.execute(
            "SELECT asked_at, last_job_id FROM erasures WHERE user_id = ?", (user_id,)
        ).fetchone()
        rows = self._db.execute(
            "SELECT id FROM jobs WHERE user_id = ? AND id <= ? ORDER BY id DESC LIMIT ?",
            (user_id, last_job_id, DELETE_BATCH_SIZE),
        ).fetchall()
        self.erase_requests([row["id"] for row in rows], now)
        if (
            len(rows) < DELETE_BATCH_SIZE
            and self._erase_messages("chat_id = ? AND written_at <= ?", (user_id, asked_at), now) < DELETE_BATCH_SIZE
        ):
            self._db.execute("DELETE FROM erasures WHERE user_id = ?", (user_id,))

    def has_pending(self) -> bool:
        """Say whether something is only kept until it has ended."""
        last = self._db.execute(
            "SELECT 1 FROM outbox WHERE key >= ? AND key < ?", (EPHEMERAL_KEY_PREFIX, f"{EPHEMERAL_KEY_PREFIX}~")
        ).fetchone()
        marked = self._db.execute("SELECT 1 FROM jobs WHERE erase_when_ended = 1 LIMIT 1").fetchone()
        return last is not None or marked is not None

    def _erase_content(self, job_id: int) -> None:
        self._db.execute(
            "UPDATE jobs SET prompt = '', result_url = NULL, unparsed_result = NULL, erase_when_ended = 0 WHERE id = ?",
            (job_id,),
        )
        self._db.execute("DELETE FROM source_images WHERE job_id = ?", (job_id,))
        self._db.execute("DELETE FROM request_messages WHERE job_id = ?", (job_id,))

    def _erase_all_messages(self, which: str, values: Sequence[int | str], now: Instant) -> None:
        while self._erase_messages(which, values, now) == DELETE_BATCH_SIZE:
            pass

    def _erase_messages(self, which: str, values: Sequence[int | str], now: Instant) -> int:
        """Forget some of what was said, or was to be, but for what has still to be taken away; return of how much."""
        rows = self._db.execute(
            f"SELECT id FROM outbox WHERE {which} AND key NOT GLOB '{EPHEMERAL_KEY_PREFIX}*' LIMIT ?",  # noqa: S608 - no data in it
            (*values, DELETE_BATCH_SIZE),
        ).fetchall()
        ids = json.dumps([row["id"] for row in rows])
        self._db.execute(
            "UPDATE outbox SET body = '', shown = NULL, is_to_be_deleted = 1, revision = revision + 1, due_at = ?"  # noqa: S608 - no data in it
            f" WHERE id {_IN_JSON_LIST} AND ended_at IS NULL AND kind IN (?, ?)",
            (now, ids, *EDITABLE_KINDS),
        )
        self._db.execute(
            f"UPDATE outbox SET key = '{EPHEMERAL_KEY_PREFIX}' || id, job_id = NULL"  # noqa: S608 - no data in it
            f" WHERE id {_IN_JSON_LIST} AND ended_at IS NULL AND kind IN (?, ?, ?, ?)",
            (ids, *EDITABLE_KINDS, *CLEANUP_KINDS),
        )
        self._db.execute(
            f"DELETE FROM outbox WHERE id {_IN_JSON_LIST} AND key NOT GLOB '{EPHEMERAL_KEY_PREFIX}*'",  # noqa: S608 - no data
            (ids,),
        )
        return len(rows)
