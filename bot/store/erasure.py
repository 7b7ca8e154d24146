"""Erasure: what is stored about a person, and how it goes.

Of a request stays what has no name on it: when it was ordered, under which task, what it cost, how it
ended. A message that has still to be taken away, and the last word, are kept under a key that begins with
`LAST`: the moment that ends them forgets them. Which column is erased by whom is said in
`tests/privacy/classes.py`, where a test asks for it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.job import NOBODY, Instant, State
from bot.store.chats import Preference
from bot.store.jobs import WAITING
from bot.store.outbox import LAST, Kind

#: Beginnings of keys behind which the id of a person stands.
NAMED_IN_KEYS = ("full", "stranger")

#: Messages that stand in a chat and only tell how things stand: with what they tell of, they go.
STANDING = (Kind.STATUS, Kind.MENU)

#: What ends the matter in a chat, and holds nothing of the person's: a sign, and a message that is taken away.
ENDING = (Kind.REACTION, Kind.DELETION)

#: Requests that keep the words and pictures of an erased one, because they are other variations of it.
_VARIATIONS = (
    "WITH RECURSIVE variations (id) AS (SELECT jobs.id FROM jobs JOIN jobs AS first ON first.id = jobs.variation_of"
    " WHERE jobs.variation_of IS NOT NULL AND first.erased_at IS NOT NULL"
    " UNION SELECT jobs.id FROM jobs JOIN variations ON jobs.variation_of = variations.id)"
    " SELECT id FROM jobs WHERE id IN (SELECT id FROM variations) AND prompt <> ''"
)


#: Says of a request that something about it is still to be sent.
_ON_ITS_WAY = (
    "EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND ended_at IS NULL AND kind NOT IN ('status', 'menu'))"
)

#: Groups to which somebody added the bot. Of those whom an admin has shut out it stays, like that decision itself: who
#: speaks there in the name of the group would be let in again otherwise.
_PLACED = "placed_by = ?1 AND NOT EXISTS (SELECT 1 FROM standings WHERE id = ?1 AND standing <> 'allowed')"

#: Requests of groups and channels that somebody answers for.
_CHARGED = "charged_to = ?1 AND charged_to <> user_id"

_GROUPS = f"SELECT chat_id FROM chats WHERE {_PLACED} UNION SELECT chat_id FROM jobs WHERE {_CHARGED}"  # noqa: S608 - no data


@dataclass(frozen=True)
class Held:
    """What is stored about a person, counted over all chats."""

    #: requests, and of them those that are not ordered yet, and those that are and have not ended
    edits: int
    waiting: int
    ordered: int
    #: captions and other words; references to pictures; messages of ours that are remembered
    words: int
    pictures: int
    messages: int
    #: whether something was chosen in /settings, or a language is remembered
    has_settings: bool
    #: groups to which they added the bot
    groups: int

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to erase."""
        return not (self.edits or self.messages or self.has_settings or self.groups)


class Erasure:
    """What is stored about people, in every table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def held(self, user_id: int) -> Held:
        """Count what is stored about a person."""
        theirs = "(SELECT id FROM jobs WHERE user_id = ?1)"
        states = [row["state"] for row in self._db.execute("SELECT state FROM jobs WHERE user_id = ?", (user_id,))]
        said = f"FROM outbox WHERE (chat_id = ?1 OR job_id IN {theirs}) AND key NOT GLOB '{LAST}*'"
        return Held(
            edits=len(states),
            waiting=sum(state in WAITING for state in states),
            ordered=sum(state in (State.SUBMITTING, State.RUNNING) for state in states),
            words=self._count(f"FROM parts WHERE job_id IN {theirs} AND words <> ''", user_id),
            pictures=self._count(f"FROM sources WHERE job_id IN {theirs}", user_id),
            messages=self._count(said, user_id),
            has_settings=self._count(
                f"FROM chats WHERE chat_id = ?1 AND coalesce({', '.join(Preference)}) NOTNULL", user_id
            )
            + self._count("FROM people WHERE user_id = ?1", user_id)
            > 0,
            groups=self._count(f"FROM ({_GROUPS})", user_id),
        )

    def _count(self, of: str, user_id: int) -> int:
        return int(self._db.execute(f"SELECT count(*) AS n {of}", (user_id,)).fetchone()["n"])

    def requests_of(self, user_id: int) -> list[int]:
        """Return the ids of all requests of a person."""
        return [row["id"] for row in self._db.execute("SELECT id FROM jobs WHERE user_id = ?", (user_id,))]

    def ended_before(self, moment: Instant) -> list[int]:
        """Return the ids of the requests that ended before a moment, and have nothing on its way."""
        rows = self._db.execute(
            f"SELECT id FROM jobs WHERE finished_at < ? AND erased_at IS NULL AND NOT {_ON_ITS_WAY}",  # noqa: S608 - no data
            (moment,),
        )
        return [row["id"] for row in rows]

    def forget_requests(self, ids: Iterable[int], now: Instant) -> None:
        """Forget of ended requests what was wished, by whom, where, and with which pictures, and what was said."""
        for job_id in ids:
            self._db.execute(
                "UPDATE jobs SET chat_id = ?1, user_id = ?1, charged_to = ?1, message_id = NULL, thread_id = NULL,"
                " album = NULL, language = 'en', due_at = NULL, closes_by = NULL, erased_at = ?2 WHERE id = ?3",
                (NOBODY, now, job_id),
            )
            self._forget_content(job_id)
            self._let_go("job_id = ?", (job_id,), now)
        self.forget_variations()

    def forget_variations(self) -> None:
        """Forget of other variations of erased requests, whoever ordered them, what they are made of.

        One that somebody else still waits for is forgotten once it is answered.
        """
        for row in self._db.execute(f"{_VARIATIONS} AND finished_at IS NOT NULL AND NOT {_ON_ITS_WAY}").fetchall():
            self._forget_content(row["id"])

    def forget_person(self, user_id: int, now: Instant) -> None:
        """Forget what is stored about a person beside the requests."""
        self._let_go("chat_id = ?", (user_id,), now)
        for beginning in NAMED_IN_KEYS:
            self._let_go("key >= ? AND key < ?", (f"{beginning}:{user_id}:", f"{beginning}:{user_id};"), now)
        self._db.execute("DELETE FROM lanes WHERE user_id = ?1 OR chat_id = ?1", (user_id,))
        self._db.execute("DELETE FROM people WHERE user_id = ?", (user_id,))
        self._db.execute("DELETE FROM chats WHERE chat_id = ?", (user_id,))
        self._db.execute(f"UPDATE chats SET placed_by = NULL WHERE {_PLACED}", (user_id,))  # noqa: S608 - no data in it
        # they stay counted, as all that somebody asked for
        self._db.execute(f"UPDATE jobs SET charged_to = user_id WHERE {_CHARGED}", (user_id,))  # noqa: S608 - the same
        # who administers a group is asked again whenever it matters
        self._db.execute("UPDATE chats SET admins = NULL, admins_known_at = NULL WHERE admins_known_at IS NOT NULL")
        self._db.execute(
            "UPDATE inbox SET body = NULL WHERE fault IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM json_tree(inbox.body) WHERE atom = ?)",
            (user_id,),
        )
        # what waits for the administrators of a group is not done any more
        self._db.execute(
            "UPDATE inbox SET body = NULL, awaits = NULL, handled_at = ?2 WHERE handled_at IS NULL AND awaits NOTNULL"
            " AND ?1 IN (json_extract(body, '$.message.from.id'), json_extract(body, '$.callback_query.from.id'))",
            (user_id, now),
        )

    def is_under_way(self) -> bool:
        """Say whether something is only kept until it has ended."""
        last = self._db.execute("SELECT 1 FROM outbox WHERE key >= ? AND key < ?", (LAST, f"{LAST}~")).fetchone()
        return last is not None or self._db.execute(f"{_VARIATIONS} LIMIT 1").fetchone() is not None

    def _forget_content(self, job_id: int) -> None:
        self._db.execute("UPDATE jobs SET prompt = '', result_url = NULL WHERE id = ?", (job_id,))
        self._db.execute("DELETE FROM sources WHERE job_id = ?", (job_id,))
        self._db.execute("DELETE FROM parts WHERE job_id = ?", (job_id,))

    def _let_go(self, which: str, values: Sequence[int | str], now: Instant) -> None:
        """Forget what was said, or was to be said, but for what has still to be taken away."""
        which = f"{which} AND key NOT GLOB '{LAST}*'"
        self._db.execute(
            f"UPDATE outbox SET body = '', shown = NULL, is_over = 1, touched = touched + 1, due_at = ?"  # noqa: S608 - no data in it
            f" WHERE {which} AND ended_at IS NULL AND kind IN (?, ?)",
            (now, *values, *STANDING),
        )
        self._db.execute(
            f"UPDATE outbox SET key = '{LAST}' || id, job_id = NULL"  # noqa: S608 - no data in it
            f" WHERE {which} AND ended_at IS NULL AND kind IN (?, ?, ?, ?)",
            (*values, *STANDING, *ENDING),
        )
        self._db.execute(f"DELETE FROM outbox WHERE {which}", values)  # noqa: S608 - no data in it
