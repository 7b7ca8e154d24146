"""Erasure of personal data: what is stored about a user, and how it is erased.

Anonymous facts about a request stay: when it was ordered, under which task, what it cost and how it ended. A message
that must still be deleted from its chat, and a last reaction, are kept under a key with `EPHEMERAL_KEY_PREFIX`; their
rows are deleted as soon as they have ended. `tests/privacy/column_classification.py` defines how each column is
erased, and a test enforces it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import ERASED_ID, State
from bot.store.base_table import DELETE_BATCH_SIZE, Table, Value
from bot.store.chats import Preference
from bot.store.jobs import UNORDERED_STATES
from bot.store.outbox import EDITABLE_KINDS, EPHEMERAL_KEY_PREFIX, MessageKind

#: Prefixes of outbox keys that are followed by a user's id.
USER_KEY_PREFIXES = ("full", "stranger")

#: Messages that clean up in a chat and contain no personal data.
CLEANUP_KINDS = (MessageKind.REACTION, MessageKind.DELETION)

#: Edits, and messages, of a user that are counted at most.
MAX_COUNTED = 1000

_IN_JSON_LIST = "IN (SELECT value FROM json_each(?))"
_NOT_EPHEMERAL = f"key NOT GLOB '{EPHEMERAL_KEY_PREFIX}*'"

#: All requests that are variations of some, directly or not.
_VARIATIONS_CTE = (
    f"WITH RECURSIVE variations (id) AS (SELECT id FROM jobs WHERE variation_of IS NOT NULL"
    f" AND variation_of {_IN_JSON_LIST}"
    " UNION SELECT jobs.id FROM jobs JOIN variations ON jobs.variation_of = variations.id)"
)

_HAS_PENDING_MESSAGE = (
    "EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND ended_at IS NULL"
    " AND kind NOT IN ('progress_message', 'menu'))"
)

#: Groups to which a user added the bot. If an admin has denied or blocked the user, this is kept like that decision:
#: otherwise the user could regain access by posting in the name of the group.
_ADDED_BY_USER = (
    "added_by = ?1 AND NOT EXISTS (SELECT 1 FROM access_rules WHERE principal_id = ?1 AND rule <> 'allowed')"
)

#: Requests made in the name of groups and channels, and charged to a user.
_CHARGED_TO_USER = "charged_to = ?1 AND charged_to <> user_id"

_GROUPS_OF_USER = (
    f"SELECT chat_id FROM chats WHERE {_ADDED_BY_USER} UNION SELECT chat_id FROM jobs WHERE {_CHARGED_TO_USER}"
)


@dataclass(frozen=True)
class StoredPersonalData:
    """How much is stored about a user, over all chats."""

    #: requests; of these, those not ordered yet, and those ordered but not ended
    edits: int
    unordered: int
    ordered: int
    #: captions and other texts; references to images; our messages in the outbox
    texts: int
    images: int
    messages: int
    #: whether preferences from /settings, or a language, are stored
    has_settings: bool
    #: groups to which they added the bot, or in whose name they made requests
    groups: int
    #: whether there may be more than was counted
    is_truncated: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to erase."""
        return not (self.edits or self.messages or self.has_settings or self.groups)


class Erasure(Table):
    """Counts and erases personal data in every table."""

    def count_stored_data(self, user_id: int) -> StoredPersonalData:
        """Count what is stored about a user, up to `MAX_COUNTED` of the latest edits and messages."""
        rows = self._rows(
            "SELECT id, state FROM jobs WHERE user_id = ? ORDER BY id DESC LIMIT ?", (user_id, MAX_COUNTED)
        )
        job_ids, states = json.dumps([row["id"] for row in rows]), [row["state"] for row in rows]
        messages = self._count(
            f"SELECT count(*) FROM (SELECT 1 FROM outbox WHERE (chat_id = ? OR job_id {_IN_JSON_LIST})"
            f" AND {_NOT_EPHEMERAL} LIMIT {MAX_COUNTED})",
            (user_id, job_ids),
        )

        def count(table: str, where: str, value: int | str) -> int:
            return self._count(f"SELECT count(*) FROM {table} WHERE {where}", (value,))

        has_chosen = count("chats", f"chat_id = ? AND coalesce({', '.join(Preference)}) NOTNULL", user_id)
        return StoredPersonalData(
            edits=len(states),
            unordered=sum(state in UNORDERED_STATES for state in states),
            ordered=sum(state in (State.SUBMITTING, State.RUNNING) for state in states),
            texts=count("request_messages", f"job_id {_IN_JSON_LIST} AND text <> ''", job_ids),
            images=count("source_images", f"job_id {_IN_JSON_LIST}", job_ids),
            messages=messages,
            has_settings=bool(has_chosen or count("users", "user_id = ?", user_id)),
            groups=count(f"({_GROUPS_OF_USER})", "true", user_id),
            is_truncated=MAX_COUNTED in (len(states), messages),
        )

    def list_ended_before(self, moment: Instant) -> list[int]:
        """Return the ids of some requests that ended before a moment and have no message left to send."""
        return self._ints(
            f"SELECT id FROM jobs WHERE finished_at < ? AND erased_at IS NULL AND NOT {_HAS_PENDING_MESSAGE} LIMIT ?",
            (moment, DELETE_BATCH_SIZE),
        )

    def erase_requests(self, ids: Sequence[int], now: Instant) -> None:
        """Erase the prompt, user, chat, images and messages of ended requests."""
        for job_id in ids:
            self._change(
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
        """Erase the prompts and images of variations of erased requests, whoever ordered them.

        A variation that a user still waits for is erased after its answer. Returns whether there may be more.
        """
        ids = self._ints(
            "SELECT id FROM jobs WHERE erase_when_ended = 1 AND finished_at IS NOT NULL"
            f" AND NOT {_HAS_PENDING_MESSAGE} LIMIT ?",
            (DELETE_BATCH_SIZE,),
        )
        for job_id in ids:
            self._erase_content(job_id)
        self._mark_variations(ids)  # there may be variations of these by now
        return len(ids) == DELETE_BATCH_SIZE

    def _mark_variations(self, ids: Sequence[int]) -> None:
        """Mark all variations of some requests to be erased when they have ended."""
        self._change(
            f"{_VARIATIONS_CTE} UPDATE jobs SET erase_when_ended = 1"
            " WHERE id IN (SELECT id FROM variations) AND prompt <> ''",
            (json.dumps(list(ids)),),
        )

    def erase_user(self, user_id: int, now: Instant) -> None:
        """Erase what is stored about a user until now; `continue_erasure` does what is too much for one transaction."""
        self._change(
            "INSERT OR REPLACE INTO erasures (user_id, asked_at, last_job_id)"
            " SELECT ?, ?, coalesce(max(id), 0) FROM jobs",
            (user_id, now),
        )
        for prefix in USER_KEY_PREFIXES:
            self._erase_all_messages("key >= ? AND key < ?", (f"{prefix}:{user_id}:", f"{prefix}:{user_id};"), now)
        self._change("DELETE FROM fair_queue_lanes WHERE user_id = ?1 OR chat_id = ?1", (user_id,))
        self._change("DELETE FROM users WHERE user_id = ?", (user_id,))
        self._change("DELETE FROM chats WHERE chat_id = ?", (user_id,))
        self._change(f"UPDATE chats SET added_by = NULL WHERE {_ADDED_BY_USER}", (user_id,))
        # they still count in the daily usage, like the user's own requests
        self._change(f"UPDATE jobs SET charged_to = user_id WHERE {_CHARGED_TO_USER}", (user_id,))
        # the lists may name the user; they are looked up again when needed
        self._change("UPDATE chats SET admins = NULL, admins_known_at = NULL WHERE admins_known_at IS NOT NULL")
        self._change(
            "UPDATE inbox SET body = NULL WHERE quarantine_reason IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM json_tree(inbox.body) WHERE atom = ?)",
            (user_id,),
        )
        # updates that are held for a group's administrators are dropped
        self._change(
            "UPDATE inbox SET body = NULL, waits_for_admins_of = NULL, handled_at = ?2 WHERE handled_at IS NULL"
            " AND waits_for_admins_of NOTNULL"
            " AND ?1 IN (json_extract(body, '$.message.from.id'), json_extract(body, '$.callback_query.from.id'))",
            (user_id, now),
        )
        self._continue_erasure_of(user_id, now)

    def continue_erasure(self, now: Instant) -> bool:
        """Continue an unfinished erasure, if any; return whether there was one."""
        user_id = self._int("SELECT user_id FROM erasures LIMIT 1")
        if user_id is not None:
            self._continue_erasure_of(user_id, now)
        return user_id is not None

    def _continue_erasure_of(self, user_id: int, now: Instant) -> None:
        [(asked_at, last_job_id)] = self._rows(
            "SELECT asked_at, last_job_id FROM erasures WHERE user_id = ?", (user_id,)
        )
        ids = self._ints(
            "SELECT id FROM jobs WHERE user_id = ? AND id <= ? ORDER BY id DESC LIMIT ?",
            (user_id, last_job_id, DELETE_BATCH_SIZE),
        )
        self.erase_requests(ids, now)
        if (
            len(ids) < DELETE_BATCH_SIZE
            and self._erase_messages("chat_id = ? AND written_at <= ?", (user_id, asked_at), now) < DELETE_BATCH_SIZE
        ):
            self._change("DELETE FROM erasures WHERE user_id = ?", (user_id,))

    def has_pending(self) -> bool:
        """Say whether ephemeral messages or variations are still to be erased when they have ended."""
        return self._exists(
            "SELECT 1 FROM outbox WHERE key >= ? AND key < ?", (EPHEMERAL_KEY_PREFIX, f"{EPHEMERAL_KEY_PREFIX}~")
        ) or self._exists("SELECT 1 FROM jobs WHERE erase_when_ended = 1 LIMIT 1")

    def _erase_content(self, job_id: int) -> None:
        self._change(
            "UPDATE jobs SET prompt = '', result_url = NULL, unparsed_result = NULL, erase_when_ended = 0 WHERE id = ?",
            (job_id,),
        )
        self._change("DELETE FROM source_images WHERE job_id = ?", (job_id,))
        self._change("DELETE FROM request_messages WHERE job_id = ?", (job_id,))

    def _erase_all_messages(self, where: str, values: Sequence[Value], now: Instant) -> None:
        while self._erase_messages(where, values, now) == DELETE_BATCH_SIZE:
            pass

    def _erase_messages(self, where: str, values: Sequence[Value], now: Instant) -> int:
        """Erase some messages, except those that clean up in a chat; return how many were handled."""
        sql = f"SELECT id FROM outbox WHERE {where} AND {_NOT_EPHEMERAL} LIMIT ?"
        found = self._ints(sql, (*values, DELETE_BATCH_SIZE))
        ids = json.dumps(found)
        self._change(
            "UPDATE outbox SET body = '', shown = NULL, is_to_be_deleted = 1, revision = revision + 1, due_at = ?"
            f" WHERE id {_IN_JSON_LIST} AND ended_at IS NULL AND kind IN (?, ?)",
            (now, ids, *EDITABLE_KINDS),
        )
        self._change(
            f"UPDATE outbox SET key = '{EPHEMERAL_KEY_PREFIX}' || id, job_id = NULL"
            f" WHERE id {_IN_JSON_LIST} AND ended_at IS NULL AND kind IN (?, ?, ?, ?)",
            (ids, *EDITABLE_KINDS, *CLEANUP_KINDS),
        )
        self._change(f"DELETE FROM outbox WHERE id {_IN_JSON_LIST} AND {_NOT_EPHEMERAL}", (ids,))
        return len(found)
