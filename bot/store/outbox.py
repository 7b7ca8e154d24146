"""The outbox: everything we say, written in the transaction that caused it, sent later.

A key makes each thing said once, however often its cause is repeated.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Instant
from bot.job import Job
from bot.store import DELETE_BATCH_SIZE
from bot.store.events import AnswerDeliveryEnded, DomainEvent
from bot.store.users import Users


class MessageKind(StrEnum):
    """What a message carries."""

    #: `body` is the text
    TEXT = "text"
    #: the job's result, with `body` as its caption
    IMAGE = "image"
    #: the job's result as Kie made it, byte for byte
    FILE = "file"
    #: the figures of a time, as a picture that is drawn when it is due; `body` says which, and in which language
    STATS_CHART = "stats_chart"
    #: `body` is the emoji to put on the message `reply_to`
    REACTION = "reaction"
    #: tells how the job stands; what it says is composed when it is due (see `statuses`)
    PROGRESS_MESSAGE = "progress_message"
    #: `body`, which may be empty, answers the press `press_id` of a button
    CALLBACK_ANSWER = "callback_answer"
    #: buttons to choose from; `body` holds them (see `menus`)
    MENU = "menu"
    #: takes our message `reply_to` away
    DELETION = "deletion"


#: What takes time and memory to send.
HEAVY_KINDS = frozenset({MessageKind.IMAGE, MessageKind.FILE, MessageKind.STATS_CHART})


class OutboxLane(StrEnum):
    """Which queue of its chat a message waits in. The column of the table says the same."""

    #: for nobody's turn: it appears in no chat
    CALLBACK_ANSWER = "callback_answer"
    #: what is HEAVY
    HEAVY = "heavy"
    #: what else is said
    MESSAGE = "message"
    #: what only tells how things stand, and comes after what is said
    PROGRESS = "progress"
    #: a status whose message is there, to be brought up to date when there is nothing else to do
    REFRESH = "refresh"


#: Lanes of what counts against the limit of all messages together.
RATE_LIMITED_LANES = frozenset({OutboxLane.HEAVY, OutboxLane.MESSAGE, OutboxLane.PROGRESS})

#: Statuses that are looked at at once to be brought up to date, of which one may be.
MAX_REFRESH_CANDIDATES = 2

#: Messages of a kind that may wait for a chat before those are left out that nobody needs: a chat takes one a second.
MAX_PENDING_PER_KIND = 20

#: Begins the key of what is the last that somebody hears of something: it is forgotten once it has ended.
EPHEMERAL_KEY_PREFIX = "last:"


class DeliveryOutcome(StrEnum):
    """How it ended with a message."""

    SENT = "sent"
    #: the chat cannot be written to: blocked, deleted
    CHAT_GONE = "gone"
    #: Telegram will never take it as it is
    REJECTED = "rejected"
    #: tried for so long that it no longer makes sense
    EXPIRED = "expired"
    #: sent several times, and never confirmed
    UNCERTAIN = "unclear"


@dataclass(frozen=True)
class MessageDraft:
    """Something to be said; `key` says what it is about, once and for all."""

    key: str
    chat_id: int
    body: str
    kind: MessageKind = MessageKind.TEXT
    thread_id: int | None = None
    reply_to: int | None = None
    job_id: int | None = None
    #: whether the job has its answer with it
    is_answer: bool = False
    callback_query_id: str | None = None

    @property
    def is_ephemeral(self) -> bool:
        """Whether it is forgotten once it has ended."""
        return self.key.startswith(EPHEMERAL_KEY_PREFIX)


@dataclass(frozen=True)
class OutboxMessage:
    """Something to be said, on its way."""

    id: int
    draft: MessageDraft
    written_at: Instant
    #: sends that failed
    tries: int
    #: those of them that may have arrived all the same
    uncertain_sends: int
    #: the message, once it was sent
    message_id: int | None = None
    #: of a status or a menu: what its message shows, and since when
    shown: str | None = None
    shown_at: Instant | None = None
    #: of these: how often something happened that may change it
    revision: int = 0
    #: of these: its message is to be deleted
    is_to_be_deleted: bool = False
    #: of a status: somebody wants to see it
    is_requested: bool = False
    #: of a text that is said in place of what did not come and may still be had: whether that is a picture or a file
    replaces: MessageKind | None = None
    #: of a picture, or a text in place of one, that is to be sent now: its job, as it stands
    job: Job | None = None


@dataclass(frozen=True)
class MessageSubject:
    """What a message of ours is about."""

    job_id: int | None
    kind: MessageKind
    #: of a text: what it stands in place of, if that may still be had
    replaces: MessageKind | None


@dataclass(frozen=True)
class OutboxExclusions:
    """What must not be taken up now."""

    #: being written to
    chat_ids: frozenset[int] = frozenset()
    #: to be left alone for a moment
    held_chat_ids: frozenset[int] = frozenset()
    #: on their way
    message_ids: frozenset[int] = frozenset()
    #: those of them that have left, so that what became of them is being written down
    finishing_ids: frozenset[int] = frozenset()
    #: out of which nothing may leave at this moment
    closed_lanes: frozenset[OutboxLane] = frozenset()
    #: persons who have as many pictures on their way as one may
    saturated_users: frozenset[int] = frozenset()
    #: whether so much was said that something has to be told, where anything is to be
    is_progress_turn: bool = False


class Outbox:
    """What is to be said, by the moment when it is due."""

    def __init__(self, db: sqlite3.Connection, facts: list[DomainEvent]) -> None:
        self._db = db
        self._users = Users(db)
        self._events = facts

    def add(self, say: MessageDraft, now: Instant, *, due_at: Instant | None = None) -> bool:
        """Add it, due at once unless it says otherwise; False if the same was said, or is about to be.

        Of an erased job nothing is said.
        """
        cursor = self._db.execute(
            "INSERT INTO outbox (key, kind, chat_id, thread_id, reply_to, body, callback_query_id, job_id, is_answer,"
            " written_at, due_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11"
            " WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = ?8 AND erased_at IS NOT NULL)"
            " ON CONFLICT (key) DO NOTHING",
            (
                say.key,
                say.kind,
                say.chat_id,
                say.thread_id,
                say.reply_to,
                say.body,
                say.callback_query_id,
                say.job_id,
                say.is_answer,
                now,
                due_at or now,
            ),
        )
        return cursor.rowcount == 1

    def notify_admins(
        self, admin_ids: Iterable[int], key: str, in_language: Callable[[str], str], now: Instant
    ) -> None:
        """Tell every admin something once, each in the language that was last heard from them.

        The log is where it is told to an operator without admins.
        """
        for admin_id in admin_ids:
            body = in_language(self._users.get_language(admin_id))
            self.add(MessageDraft(key=f"{key}:to:{admin_id}", chat_id=admin_id, body=body), now)

    def list_due(
        self, now: Instant, busy: OutboxExclusions, limit: int, lanes: Collection[OutboxLane] = frozenset(OutboxLane)
    ) -> list[OutboxMessage]:
        """Return what is due in some lanes, at most one message per chat, leaving out chats that are being written to.

        What is said comes before what only tells how things stand. Toasts wait for nobody: they appear in no chat; they
        do not take all the room either.
        """

        def first(lane: OutboxLane, most: int = limit) -> list[sqlite3.Row]:
            return self._list_first_in_lane(lane, now, busy, most) if lane in lanes else []

        told = first(OutboxLane.PROGRESS)
        said = [] if busy.is_progress_turn and told else first(OutboxLane.MESSAGE)
        in_turn = sorted(first(OutboxLane.HEAVY) + said, key=lambda row: (row["queue_turn"], row["id"]))
        found = [*first(OutboxLane.CALLBACK_ANSWER, limit // 2), *in_turn, *told][:limit]
        return _keep_one_per_chat(
            [read_outbox_message(row) for row in [*found, *first(OutboxLane.REFRESH, MAX_REFRESH_CANDIDATES)]]
        )

    def _list_first_in_lane(
        self, lane: OutboxLane, now: Instant, busy: OutboxExclusions, limit: int
    ) -> list[sqlite3.Row]:
        """Return the first message of each chat in a lane, the chat first that was served longest ago.

        Chats that must not be written to are passed over; what is behind a first message is never read.
        """
        closed = [] if lane is OutboxLane.CALLBACK_ANSWER else [*busy.chat_ids, *busy.held_chat_ids]
        return self._db.execute(
            "SELECT outbox.*, queue.queue_turn FROM outbox_lanes AS queue JOIN outbox ON outbox.id ="
            " (SELECT id FROM outbox WHERE chat_id = queue.chat_id AND lane = queue.lane AND due_at <= ?1"
            " AND id NOT IN (SELECT value FROM json_each(?2))"
            " AND (?6 OR ifnull((SELECT charged_to FROM jobs WHERE jobs.id = job_id), 0)"
            " NOT IN (SELECT value FROM json_each(?7))) ORDER BY due_at, id LIMIT 1)"
            " WHERE queue.lane = ?3 AND queue.queue_turn <= ?1"
            " AND queue.chat_id NOT IN (SELECT value FROM json_each(?4)) ORDER BY queue.queue_turn LIMIT ?5",
            (
                now,
                json.dumps([*busy.message_ids]),
                lane,
                json.dumps(closed),
                limit,
                lane is not OutboxLane.HEAVY or not busy.saturated_users,
                json.dumps([*busy.saturated_users]),
            ),
        ).fetchall()

    def has_more_due(self, now: Instant, found: Iterable[int], busy: OutboxExclusions) -> bool:
        """Say whether more is due than what was found: what waits for another one to end, but not for a time.

        What is being written down may be due again, for another try or as something else, as soon as that has ended.
        """
        row = self._db.execute(
            "SELECT 1 FROM outbox_lanes AS queue WHERE lane IN (?1, ?2, ?3, ?4, ?5) AND queue_turn <= ?6"
            " AND (lane = ?1 OR chat_id NOT IN (SELECT value FROM json_each(?7)))"
            " AND EXISTS (SELECT 1 FROM outbox WHERE chat_id = queue.chat_id AND lane = queue.lane AND due_at <= ?6"
            " AND id NOT IN (SELECT value FROM json_each(?8))) LIMIT 1",
            (
                *OutboxLane,
                now,
                json.dumps(list(busy.held_chat_ids)),
                json.dumps([*(busy.message_ids - busy.finishing_ids), *found]),
            ),
        ).fetchone()
        return row is not None

    def has_max_pending(self, chat_id: int, kind: MessageKind) -> bool:
        """Say whether so much of a kind waits for a chat that nobody would see the end of it."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM (SELECT 1 FROM outbox WHERE chat_id = ? AND kind = ? AND ended_at IS NULL"
            " LIMIT ?)",
            (chat_id, kind, MAX_PENDING_PER_KIND),
        ).fetchone()
        return int(row["n"]) >= MAX_PENDING_PER_KIND

    def was_written_since(self, key: str, moment: Instant) -> bool:
        """Say whether something was said, or is about to be, since a moment."""
        row = self._db.execute("SELECT 1 FROM outbox WHERE key = ? AND written_at > ?", (key, moment)).fetchone()
        return row is not None

    def next_due_at(self, now: Instant) -> Instant | None:
        """Return the first moment after `now` at which something is due."""
        row = self._db.execute("SELECT min(due_at) AS due_at FROM outbox WHERE due_at > ?", (now,)).fetchone()
        return None if row["due_at"] is None else int(row["due_at"])

    def mark_ended(self, parcel_id: int, ending: DeliveryOutcome, now: Instant) -> None:
        """Write down how it ended; it is never sent again."""
        self._record_answers_ended(ending, "id = ?", parcel_id)
        self._db.execute(
            "UPDATE outbox SET ended_at = ?, outcome = ?, due_at = NULL WHERE id = ?", (now, ending, parcel_id)
        )
        self._delete_ephemeral("id = ?", parcel_id)

    def mark_sent(self, parcel: OutboxMessage, message_id: int | None, now: Instant) -> None:
        """Write down that it was sent, and as which message; that means nothing where the chat moved meanwhile."""
        self._db.execute(
            "UPDATE outbox SET message_id = ? WHERE id = ? AND chat_id = ?",
            (message_id, parcel.id, parcel.draft.chat_id),
        )
        self.mark_ended(parcel.id, DeliveryOutcome.SENT, now)

    def replace_with_text(self, parcel_id: int, body: str, now: Instant, *, may_be_had: bool) -> None:
        """Send a text in place of what cannot be sent; nothing in place of what nobody wants any more.

        `may_be_had` says whether it is offered to try that once more.
        """
        self._db.execute(
            "UPDATE outbox SET replaces = CASE WHEN ? THEN kind END, kind = ?, body = ?, due_at = ?, tries = 0,"
            " uncertain_sends = 0 WHERE id = ? AND ended_at IS NULL",
            (may_be_had, MessageKind.TEXT, body, now, parcel_id),
        )

    def delete_replacement_texts(
        self, job_id: int, chat_id: int, kind: MessageKind, now: Instant, *, but: int | None
    ) -> None:
        """Have the texts deleted that stand in place of a job's picture or file, all but that of one row."""
        rows = self._db.execute(
            "SELECT message_id FROM outbox WHERE job_id = ? AND chat_id = ? AND replaces = ? AND id IS NOT ?"
            " AND message_id IS NOT NULL",
            (job_id, chat_id, kind, but),
        ).fetchall()
        for row in rows:
            self.queue_deletion(job_id, chat_id, row["message_id"], now)

    def postpone(self, parcel_id: int, due_at: Instant, *, failed: bool) -> None:
        """Send it later; `failed` counts it as a try."""
        self._db.execute(
            "UPDATE outbox SET due_at = ?, tries = tries + ? WHERE id = ? AND ended_at IS NULL",
            (due_at, int(failed), parcel_id),
        )

    def has_key(self, key: str) -> bool:
        """Say whether something was said, or is about to be."""
        return self._db.execute("SELECT 1 FROM outbox WHERE key = ?", (key,)).fetchone() is not None

    def get_job_id(self, chat_id: int, message_id: int) -> int | None:
        """Return the id of the job that a message of ours is about."""
        row = self._db.execute(
            "SELECT job_id FROM outbox WHERE chat_id = ? AND message_id = ? AND job_id IS NOT NULL",
            (chat_id, message_id),
        ).fetchone()
        return None if row is None else int(row["job_id"])

    def list_subjects(self, chat_id: int, message_id: int) -> list[MessageSubject]:
        """Return which job a message of ours is about, if any, and what it is: a status that became an answer is both.

        Empty for one of which it is not known (yet) that it arrived.
        """
        rows = self._db.execute(
            "SELECT job_id, kind, replaces FROM outbox WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
        ).fetchall()
        return [MessageSubject(row["job_id"], MessageKind(row["kind"]), _read_kind(row["replaces"])) for row in rows]

    def is_pending(self, parcel: OutboxMessage) -> bool:
        """Say whether something is still to be sent: neither sent, nor withdrawn, nor forgotten."""
        return self._exists(parcel, "ended_at IS NULL")

    def exists(self, parcel: OutboxMessage) -> bool:
        """Say whether something is remembered, be it that it has ended."""
        return self._exists(parcel, "1")

    def _exists(self, parcel: OutboxMessage, how: str) -> bool:
        # the id of what was forgotten is given to what is said next; only the key says which of the two it is
        row = self._db.execute(
            f"SELECT 1 FROM outbox WHERE id = ?1 AND key IN (?2, '{EPHEMERAL_KEY_PREFIX}' || ?1)"  # noqa: S608 - no data in it
            f" AND written_at = ?3 AND {how}",
            (parcel.id, parcel.draft.key, parcel.written_at),
        ).fetchone()
        return row is not None

    def get_pending_answer(self, job_id: int) -> OutboxMessage | None:
        """Return the answer to a job, if it is not known that it arrived."""
        row = self._db.execute(
            "SELECT * FROM outbox WHERE job_id = ? AND is_answer AND ended_at IS NULL", (job_id,)
        ).fetchone()
        return None if row is None else read_outbox_message(row)

    def has_pending(self, job_id: int, kind: MessageKind) -> bool:
        """Say whether something of a kind is still to be sent about a job."""
        row = self._db.execute(
            "SELECT 1 FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL", (job_id, kind)
        ).fetchone()
        return row is not None

    def list_sent_images(self, job_id: int) -> list[OutboxMessage]:
        """Return the pictures and files of a job that stand in its chat."""
        rows = self._db.execute(
            "SELECT * FROM outbox WHERE job_id = ? AND kind IN (?, ?) AND message_id IS NOT NULL ORDER BY id",
            (job_id, MessageKind.IMAGE, MessageKind.FILE),
        ).fetchall()
        return [read_outbox_message(row) for row in rows]

    def last_sent_at(self, job_id: int, kind: MessageKind) -> Instant | None:
        """Return when something of a kind last arrived that is about a job."""
        row = self._db.execute(
            "SELECT max(ended_at) AS at FROM outbox WHERE job_id = ? AND kind = ? AND message_id IS NOT NULL",
            (job_id, kind),
        ).fetchone()
        return None if row["at"] is None else int(row["at"])

    def queue_deletion(self, job_id: int, chat_id: int, message_id: int, now: Instant) -> None:
        """Have a message of ours about a job deleted, once."""
        say = MessageDraft(
            key=f"delete:{chat_id}:{message_id}",
            kind=MessageKind.DELETION,
            chat_id=chat_id,
            reply_to=message_id,
            body="",
            job_id=job_id,
        )
        self.add(say, now)

    def queue_untracked_deletion(self, parcel: OutboxMessage, message_id: int, now: Instant) -> None:
        """Have a message deleted that has arrived after it was forgotten; of that nothing is remembered either."""
        chat_id = parcel.draft.chat_id
        key = f"{EPHEMERAL_KEY_PREFIX}delete:{chat_id}:{message_id}"
        self.add(MessageDraft(key=key, kind=MessageKind.DELETION, chat_id=chat_id, reply_to=message_id, body=""), now)

    def cancel_pending(self, job_id: int, kind: MessageKind, now: Instant) -> None:
        """Send something of a kind about a job no more, as far as it still waits."""
        self._end_pending(DeliveryOutcome.EXPIRED, now, "job_id = ? AND kind = ?", job_id, kind)

    def cancel_by_key(self, key: str, now: Instant) -> None:
        """Say something no more that was about to be said."""
        self._end_pending(DeliveryOutcome.EXPIRED, now, "key = ?", key)

    def count_uncertain_send(self, parcel_id: int) -> None:
        """Count a send after which no answer came."""
        self._db.execute("UPDATE outbox SET uncertain_sends = uncertain_sends + 1 WHERE id = ?", (parcel_id,))

    def mark_interrupted_answers_uncertain(self) -> None:
        """Count the sends that a process that died left without an end; for the start of the process.

        Whatever has ended since, well or not, moved its due time beyond the moment at which it was sent.
        """
        sent_at = "(SELECT answering_at FROM jobs WHERE jobs.id = outbox.job_id AND answered_at IS NULL)"
        self._db.execute(
            f"UPDATE outbox SET uncertain_sends = uncertain_sends + 1, due_at = {sent_at} + 1"  # noqa: S608 - no data in it
            f" WHERE due_at IS NOT NULL AND kind = ? AND due_at <= {sent_at}",
            (MessageKind.IMAGE,),
        )

    def drop_topic(self, parcel_id: int, now: Instant) -> None:
        """Send it to the chat itself, because its topic is gone, and with it what it replied to."""
        self._db.execute(
            "UPDATE outbox SET thread_id = NULL, reply_to = NULL, due_at = ? WHERE id = ? AND ended_at IS NULL",
            (now, parcel_id),
        )

    def drop_reply(self, parcel_id: int, now: Instant) -> None:
        """Send it without the message that it replied to, which is gone."""
        self._db.execute(
            "UPDATE outbox SET reply_to = NULL, due_at = ? WHERE id = ? AND ended_at IS NULL", (now, parcel_id)
        )

    def migrate_chat(self, old_id: int, new_id: int, now: Instant) -> None:
        """Send to a supergroup what waits for the group that it was; what was said there has other ids now."""
        meant_there = "chat_id = ? AND (message_id IS NOT NULL OR kind IN (?, ?))"
        self._end_pending(
            DeliveryOutcome.CHAT_GONE, now, meant_there, old_id, MessageKind.REACTION, MessageKind.DELETION
        )
        self._db.execute(
            "UPDATE outbox SET chat_id = ?, reply_to = NULL, due_at = min(due_at, ?)"
            " WHERE chat_id = ? AND ended_at IS NULL",
            (new_id, now, old_id),
        )

    def drop_chat(self, chat_id: int, now: Instant) -> None:
        """End everything that waits for a chat that cannot be written to."""
        self._end_pending(DeliveryOutcome.CHAT_GONE, now, "chat_id = ?", chat_id)

    def _end_pending(self, ending: DeliveryOutcome, now: Instant, which: str, *values: int | str) -> None:
        """End what has not ended yet."""
        self._record_answers_ended(ending, which, *values)
        self._db.execute(
            f"UPDATE outbox SET ended_at = ?, outcome = ?, due_at = NULL WHERE {which} AND ended_at IS NULL",  # noqa: S608 - no data in it
            (now, ending, *values),
        )
        self._delete_ephemeral(which, *values)

    def _record_answers_ended(self, ending: DeliveryOutcome, which: str, *values: int | str) -> None:
        """Tell how it ends with answers, each once; before it is written down."""
        answers = self._db.execute(
            f"SELECT 1 FROM outbox WHERE {which} AND is_answer AND ended_at IS NULL",  # noqa: S608 - no data in it
            values,
        ).fetchall()
        self._events.extend(AnswerDeliveryEnded(ending) for _ in answers)

    def _delete_ephemeral(self, which: str, *values: int | str) -> None:
        self._db.execute(
            f"DELETE FROM outbox WHERE {which} AND ended_at IS NOT NULL AND key GLOB '{EPHEMERAL_KEY_PREFIX}*'",  # noqa: S608 - no data in it
            values,
        )

    def delete_ended(self, ended_before: Instant) -> bool:
        """Delete some of what ended before a moment and belongs to no job; return whether there may be more."""
        forgotten = self._db.execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_to_delete"
            " WHERE ended_at < ? AND job_id IS NULL LIMIT ?)",
            (ended_before, DELETE_BATCH_SIZE),
        )
        return forgotten.rowcount == DELETE_BATCH_SIZE


def _keep_one_per_chat(parcels: list[OutboxMessage]) -> list[OutboxMessage]:
    toasts = [parcel for parcel in parcels if parcel.draft.kind is MessageKind.CALLBACK_ANSWER]
    first: dict[int, OutboxMessage] = {}
    for parcel in parcels:
        if parcel.draft.kind is not MessageKind.CALLBACK_ANSWER:
            first.setdefault(parcel.draft.chat_id, parcel)
    return [*toasts, *first.values()]


def _read_kind(name: str | None) -> MessageKind | None:
    return None if name is None else MessageKind(name)


def read_outbox_message(row: sqlite3.Row) -> OutboxMessage:
    """Return what a row says."""
    say = MessageDraft(
        key=row["key"],
        chat_id=row["chat_id"],
        body=row["body"],
        kind=MessageKind(row["kind"]),
        thread_id=row["thread_id"],
        reply_to=row["reply_to"],
        job_id=row["job_id"],
        is_answer=bool(row["is_answer"]),
        callback_query_id=row["callback_query_id"],
    )
    return OutboxMessage(
        id=row["id"],
        draft=say,
        written_at=row["written_at"],
        tries=row["tries"],
        uncertain_sends=row["uncertain_sends"],
        message_id=row["message_id"],
        shown=row["shown"],
        shown_at=row["shown_at"],
        revision=row["revision"],
        is_to_be_deleted=bool(row["is_to_be_deleted"]),
        is_requested=bool(row["is_requested"]),
        replaces=_read_kind(row["replaces"]),
    )
