"""The outbox (outbox pattern): every message is written in the transaction that causes it, and sent later.

The unique key of a message makes adding it idempotent, however often its cause is repeated. Sending is at-least-once.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Instant
from bot.job import Job
from bot.store.base_table import DELETE_BATCH_SIZE, Table, Value
from bot.store.domain_events import AnswerDeliveryEnded, DomainEvent
from bot.store.users import Users


class MessageKind(StrEnum):
    """What kind of message it is, and what its `body` contains."""

    #: `body` is the text
    TEXT = "text"
    #: the job's result, with `body` as its caption
    IMAGE = "image"
    #: the job's result as Kie made it, byte for byte
    FILE = "file"
    #: a chart of statistics, drawn when it is due; `body` names the period and the language
    STATS_CHART = "stats_chart"
    #: `body` is the emoji to put on the message `reply_to`
    REACTION = "reaction"
    #: shows the progress of the job; its text is composed when it is due (see `progress_messages`)
    PROGRESS_MESSAGE = "progress_message"
    #: `body`, which may be empty, answers the callback query `callback_query_id` of a button press
    CALLBACK_ANSWER = "callback_answer"
    #: text with buttons; `body` contains both (see `menus`)
    MENU = "menu"
    #: deletes our message `reply_to`
    DELETION = "deletion"


#: Kinds that take time and memory to send.
HEAVY_KINDS = frozenset({MessageKind.IMAGE, MessageKind.FILE, MessageKind.STATS_CHART})

#: Kinds made from the result of a job.
RESULT_KINDS = (MessageKind.IMAGE, MessageKind.FILE)

#: Kinds of messages that are edited after they were sent.
EDITABLE_KINDS = (MessageKind.PROGRESS_MESSAGE, MessageKind.MENU)


class OutboxLane(StrEnum):
    """The queue within its chat in which a message waits; the values of a generated column."""

    #: not limited per chat, as a callback answer is no message in it
    CALLBACK_ANSWER = "callback_answer"
    #: the `HEAVY_KINDS`
    HEAVY = "heavy"
    #: other messages
    MESSAGE = "message"
    #: progress messages, menus and reactions, which come after messages
    PROGRESS = "progress"
    #: edits of progress messages, which come last
    REFRESH = "refresh"


#: Lanes that are subject to Telegram's global rate limit.
RATE_LIMITED_LANES = frozenset({OutboxLane.HEAVY, OutboxLane.MESSAGE, OutboxLane.PROGRESS})

#: Progress messages to refresh that one query returns.
MAX_REFRESH_CANDIDATES = 2

#: Pending messages of a kind per chat, beyond which callers drop further ones; a chat accepts one message a second.
MAX_PENDING_PER_KIND = 20

#: The key prefix of messages whose rows are deleted as soon as they have ended.
EPHEMERAL_KEY_PREFIX = "last:"


class DeliveryOutcome(StrEnum):
    """How the delivery of a message ended; a metric label (docs/monitoring.md)."""

    SENT = "sent"
    #: the chat cannot be written to: the bot was blocked, or the chat deleted
    CHAT_GONE = "gone"
    #: Telegram refused the message, and no retry would help
    REJECTED = "rejected"
    #: given up as too old, or after too many tries
    EXPIRED = "expired"
    #: may have arrived, but was never confirmed
    UNCERTAIN = "unclear"


@dataclass(frozen=True)
class MessageDraft:
    """A message to send; `key` is its deduplication key."""

    key: str
    chat_id: int
    body: str
    kind: MessageKind = MessageKind.TEXT
    thread_id: int | None = None
    reply_to: int | None = None
    job_id: int | None = None
    #: whether it is the answer to the job
    is_answer: bool = False
    callback_query_id: str | None = None

    @property
    def is_ephemeral(self) -> bool:
        """Whether its row is deleted as soon as it has ended."""
        return self.key.startswith(EPHEMERAL_KEY_PREFIX)


@dataclass(frozen=True)
class OutboxMessage:
    """A message in the outbox."""

    id: int
    draft: MessageDraft
    written_at: Instant
    #: failed sends
    tries: int
    #: sends that may have arrived all the same
    uncertain_sends: int
    #: Telegram's id, once the message was sent
    message_id: int | None = None
    #: of a progress message or a menu: what it shows in the chat, and since when
    shown: str | None = None
    shown_at: Instant | None = None
    #: of these: counts the events that may have changed what it should show
    revision: int = 0
    #: of these: whether it is to be deleted from the chat
    is_to_be_deleted: bool = False
    #: of a progress message: whether the user asked for it
    is_requested: bool = False
    #: of a text that replaces an image or a file that can still be fetched: that kind
    replaces: MessageKind | None = None
    #: of an image or a file, or a text that replaces one, when it is to be sent: its job
    job: Job | None = None


@dataclass(frozen=True)
class MessageSubject:
    """What a message of ours is about."""

    job_id: int | None
    kind: MessageKind
    replaces: MessageKind | None


@dataclass(frozen=True)
class OutboxExclusions:
    """What a query for due messages leaves out, because of messages in flight and rate limits."""

    #: chats with a message in flight
    chat_ids: frozenset[int] = frozenset()
    #: chats that a rate limit holds back
    held_chat_ids: frozenset[int] = frozenset()
    #: messages in flight
    message_ids: frozenset[int] = frozenset()
    #: lanes from which nothing may be sent
    closed_lanes: frozenset[OutboxLane] = frozenset()
    #: users with as many deliveries in flight as one may have
    saturated_users: frozenset[int] = frozenset()
    #: whether it is the turn of the progress lane, after so many messages
    is_progress_turn: bool = False


class Outbox(Table):
    """The messages to send, and those sent."""

    def __init__(self, db: sqlite3.Connection, events: list[DomainEvent]) -> None:
        super().__init__(db)
        self._users = Users(db)
        self._events = events

    def add(self, draft: MessageDraft, now: Instant, *, due_at: Instant | None = None) -> bool:
        """Add a message, due at once by default; return False if its key exists already, or its job was erased."""
        added = self._change(
            "INSERT INTO outbox (key, kind, chat_id, thread_id, reply_to, body, callback_query_id, job_id, is_answer,"
            " written_at, due_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11"
            " WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = ?8 AND erased_at IS NOT NULL)"
            " ON CONFLICT (key) DO NOTHING",
            (
                draft.key,
                draft.kind,
                draft.chat_id,
                draft.thread_id,
                draft.reply_to,
                draft.body,
                draft.callback_query_id,
                draft.job_id,
                draft.is_answer,
                now,
                due_at or now,
            ),
        )
        return added == 1

    def notify_admins(
        self, admin_ids: Iterable[int], key: str, in_language: Callable[[str], str], now: Instant
    ) -> None:
        """Notify every admin once per key, each in the language of their app; does nothing without admins."""
        for admin_id in admin_ids:
            body = in_language(self._users.get_language(admin_id))
            self.add(MessageDraft(key=f"{key}:to:{admin_id}", chat_id=admin_id, body=body), now)

    def list_due(
        self, now: Instant, busy: OutboxExclusions, limit: int, lanes: Collection[OutboxLane] = frozenset(OutboxLane)
    ) -> list[OutboxMessage]:
        """Return due messages of some lanes, at most one per chat.

        Messages come before progress messages. Callback answers do not count per chat, but are at most half of `limit`.
        Messages to refresh come on top of that.
        """

        def first(lane: OutboxLane, limit: int = limit) -> list[sqlite3.Row]:
            return self._list_first_in_lane(lane, now, busy, limit) if lane in lanes else []

        progress = first(OutboxLane.PROGRESS)
        messages = [] if busy.is_progress_turn and progress else first(OutboxLane.MESSAGE)
        in_turn = sorted(first(OutboxLane.HEAVY) + messages, key=lambda row: (row["queue_turn"], row["id"]))
        found = [*first(OutboxLane.CALLBACK_ANSWER, limit // 2), *in_turn, *progress][:limit]
        return _keep_one_per_chat(
            [read_outbox_message(row) for row in [*found, *first(OutboxLane.REFRESH, MAX_REFRESH_CANDIDATES)]]
        )

    def _list_first_in_lane(
        self, lane: OutboxLane, now: Instant, busy: OutboxExclusions, limit: int
    ) -> list[sqlite3.Row]:
        """Return the first message of each chat in a lane, beginning with the chat that was served longest ago.

        Excluded chats are skipped; rows behind a first message are never read.
        """
        closed = [] if lane is OutboxLane.CALLBACK_ANSWER else [*busy.chat_ids, *busy.held_chat_ids]
        return self._rows(
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
        )

    def has_max_pending(self, chat_id: int, kind: MessageKind) -> bool:
        """Say whether `MAX_PENDING_PER_KIND` messages of a kind are pending for a chat."""
        sql = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE chat_id = ? AND kind = ? AND ended_at IS NULL LIMIT ?)"
        return self._count(sql, (chat_id, kind, MAX_PENDING_PER_KIND)) >= MAX_PENDING_PER_KIND

    def was_written_since(self, key: str, moment: Instant) -> bool:
        """Say whether the message with a key was written since a moment."""
        return self._exists("SELECT 1 FROM outbox WHERE key = ? AND written_at > ?", (key, moment))

    def next_due_at(self, now: Instant) -> Instant | None:
        """Return the first moment after `now` at which a message is due."""
        return self._int("SELECT min(due_at) FROM outbox WHERE due_at > ?", (now,))

    def mark_ended(self, outbox_id: int, outcome: DeliveryOutcome, now: Instant) -> None:
        """Store how a delivery ended; the message is not sent again."""
        self._end(outcome, now, "id = ?", outbox_id, only_pending=False)

    def mark_sent(self, message: OutboxMessage, message_id: int | None, now: Instant) -> None:
        """Store that a message was sent, and its id unless its chat was migrated meanwhile."""
        self._change(
            "UPDATE outbox SET message_id = ? WHERE id = ? AND chat_id = ?",
            (message_id, message.id, message.draft.chat_id),
        )
        self.mark_ended(message.id, DeliveryOutcome.SENT, now)

    def replace_with_text(self, outbox_id: int, body: str, now: Instant, *, is_retryable: bool) -> None:
        """Send a text in place of a pending message; `is_retryable`: the user can still fetch what it replaces."""
        self._change(
            "UPDATE outbox SET replaces = CASE WHEN ? THEN kind END, kind = ?, body = ?, due_at = ?, tries = 0,"
            " uncertain_sends = 0 WHERE id = ? AND ended_at IS NULL",
            (is_retryable, MessageKind.TEXT, body, now, outbox_id),
        )

    def delete_replacement_texts(
        self, job_id: int, chat_id: int, kind: MessageKind, now: Instant, *, except_id: int | None
    ) -> None:
        """Delete from the chat the texts that replace a job's image or file, except that of one outbox row."""
        sent = self._ints(
            "SELECT message_id FROM outbox WHERE job_id = ? AND chat_id = ? AND replaces = ? AND id IS NOT ?"
            " AND message_id IS NOT NULL",
            (job_id, chat_id, kind, except_id),
        )
        for message_id in sent:
            self.queue_deletion(job_id, chat_id, message_id, now)

    def postpone(self, outbox_id: int, due_at: Instant, *, failed: bool) -> None:
        """Send a message at `due_at`; `failed` counts a failed send."""
        self._change(
            "UPDATE outbox SET due_at = ?, tries = tries + ? WHERE id = ? AND ended_at IS NULL",
            (due_at, int(failed), outbox_id),
        )

    def has_key(self, key: str) -> bool:
        """Say whether there is a message with a key, sent or not."""
        return self._exists("SELECT 1 FROM outbox WHERE key = ?", (key,))

    def get_job_id(self, chat_id: int, message_id: int) -> int | None:
        """Return the id of the job that one of our messages is about, None if unknown."""
        return self._int(
            "SELECT job_id FROM outbox WHERE chat_id = ? AND message_id = ? AND job_id IS NOT NULL",
            (chat_id, message_id),
        )

    def list_subjects(self, chat_id: int, message_id: int) -> list[MessageSubject]:
        """Return what one of our messages is about: two subjects for a progress message that became an answer.

        Empty if it is not known (yet) that the message arrived.
        """
        rows = self._rows(
            "SELECT job_id, kind, replaces FROM outbox WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
        )
        return [MessageSubject(row["job_id"], MessageKind(row["kind"]), _read_kind(row["replaces"])) for row in rows]

    def is_pending(self, message: OutboxMessage) -> bool:
        """Say whether a message is yet to be sent: its delivery has not ended, and its row was not deleted."""
        return self._is_stored(message, "ended_at IS NULL")

    def exists(self, message: OutboxMessage) -> bool:
        """Say whether a message is still in the outbox, ended or not."""
        return self._is_stored(message, "1")

    def _is_stored(self, message: OutboxMessage, condition: str) -> bool:
        # SQLite may reuse the id of a deleted row; the key tells the two apart
        return self._exists(
            f"SELECT 1 FROM outbox WHERE id = ?1 AND key IN (?2, '{EPHEMERAL_KEY_PREFIX}' || ?1)"
            f" AND written_at = ?3 AND {condition}",
            (message.id, message.draft.key, message.written_at),
        )

    def get_pending_answer(self, job_id: int) -> OutboxMessage | None:
        """Return the answer to a job if its delivery has not ended."""
        row = self._row("SELECT * FROM outbox WHERE job_id = ? AND is_answer AND ended_at IS NULL", (job_id,))
        return None if row is None else read_outbox_message(row)

    def has_pending(self, job_id: int, kind: MessageKind) -> bool:
        """Say whether a message of a kind about a job is yet to be sent."""
        return self._exists("SELECT 1 FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL", (job_id, kind))

    def list_sent_images(self, job_id: int) -> list[OutboxMessage]:
        """Return the images and files of a job that were sent."""
        rows = self._rows(
            "SELECT * FROM outbox WHERE job_id = ? AND kind IN (?, ?) AND message_id IS NOT NULL ORDER BY id",
            (job_id, MessageKind.IMAGE, MessageKind.FILE),
        )
        return [read_outbox_message(row) for row in rows]

    def last_sent_at(self, job_id: int, kind: MessageKind) -> Instant | None:
        """Return when the last message of a kind about a job was sent."""
        sql = "SELECT max(ended_at) FROM outbox WHERE job_id = ? AND kind = ? AND message_id IS NOT NULL"
        return self._int(sql, (job_id, kind))

    def queue_deletion(self, job_id: int, chat_id: int, message_id: int, now: Instant) -> None:
        """Delete one of our messages about a job from its chat, once."""
        key = f"delete:{chat_id}:{message_id}"
        self.add(MessageDraft(key, chat_id, "", MessageKind.DELETION, reply_to=message_id, job_id=job_id), now)

    def queue_untracked_deletion(self, message: OutboxMessage, message_id: int, now: Instant) -> None:
        """Delete from its chat a message that was sent after its row was deleted; this leaves no row either."""
        chat_id = message.draft.chat_id
        key = f"{EPHEMERAL_KEY_PREFIX}delete:{chat_id}:{message_id}"
        self.add(MessageDraft(key, chat_id, "", MessageKind.DELETION, reply_to=message_id), now)

    def cancel_pending(self, job_id: int, kind: MessageKind, now: Instant) -> None:
        """Cancel the pending messages of a kind about a job."""
        self._end(DeliveryOutcome.EXPIRED, now, "job_id = ? AND kind = ?", job_id, kind)

    def cancel_by_key(self, key: str, now: Instant) -> None:
        """Cancel a pending message."""
        self._end(DeliveryOutcome.EXPIRED, now, "key = ?", key)

    def count_uncertain_send(self, outbox_id: int) -> None:
        """Count a send that may have arrived."""
        self._change("UPDATE outbox SET uncertain_sends = uncertain_sends + 1 WHERE id = ?", (outbox_id,))

    def mark_interrupted_answers_uncertain(self) -> None:
        """Count the sends of answers that a crashed process left without an outcome; for the start of the process.

        A send that ended would have moved the due time past the moment at which it began.
        """
        sent_at = "(SELECT answering_at FROM jobs WHERE jobs.id = outbox.job_id AND answered_at IS NULL)"
        self._change(
            f"UPDATE outbox SET uncertain_sends = uncertain_sends + 1, due_at = {sent_at} + 1"
            f" WHERE due_at IS NOT NULL AND kind = ? AND due_at <= {sent_at}",
            (MessageKind.IMAGE,),
        )

    def drop_topic(self, outbox_id: int, now: Instant) -> None:
        """Send a message to the chat itself, because its topic is gone, and with it what it replied to."""
        self._change(
            "UPDATE outbox SET thread_id = NULL, reply_to = NULL, due_at = ? WHERE id = ? AND ended_at IS NULL",
            (now, outbox_id),
        )

    def drop_reply(self, outbox_id: int, now: Instant) -> None:
        """Send a message not as a reply, because what it replied to is gone."""
        self._change(
            "UPDATE outbox SET reply_to = NULL, due_at = ? WHERE id = ? AND ended_at IS NULL", (now, outbox_id)
        )

    def migrate_chat(self, old_id: int, new_id: int, now: Instant) -> None:
        """Send the pending messages of a group to the supergroup that it became, without its old message ids."""
        about_old_messages = "chat_id = ? AND (message_id IS NOT NULL OR kind IN (?, ?))"
        self._end(
            DeliveryOutcome.CHAT_GONE, now, about_old_messages, old_id, MessageKind.REACTION, MessageKind.DELETION
        )
        self._change(
            "UPDATE outbox SET chat_id = ?, reply_to = NULL, due_at = min(due_at, ?)"
            " WHERE chat_id = ? AND ended_at IS NULL",
            (new_id, now, old_id),
        )

    def drop_chat(self, chat_id: int, now: Instant) -> None:
        """End all pending messages for a chat that cannot be written to."""
        self._end(DeliveryOutcome.CHAT_GONE, now, "chat_id = ?", chat_id)

    def _end(
        self, outcome: DeliveryOutcome, now: Instant, which: str, *values: Value, only_pending: bool = True
    ) -> None:
        """End messages, with an event for each pending answer; delete the ephemeral ones."""
        answers = self._count(f"SELECT count(*) FROM outbox WHERE {which} AND is_answer AND ended_at IS NULL", values)
        self._events += [AnswerDeliveryEnded(outcome)] * answers
        pending = " AND ended_at IS NULL" if only_pending else ""
        self._change(
            f"UPDATE outbox SET ended_at = ?, outcome = ?, due_at = NULL WHERE {which}{pending}",
            (now, outcome, *values),
        )
        self._change(
            f"DELETE FROM outbox WHERE {which} AND ended_at IS NOT NULL AND key GLOB '{EPHEMERAL_KEY_PREFIX}*'",
            values,
        )

    def delete_ended(self, ended_before: Instant) -> bool:
        """Delete some messages that ended before a moment and belong to no job; return whether there may be more."""
        deleted = self._change(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_to_delete"
            " WHERE ended_at < ? AND job_id IS NULL LIMIT ?)",
            (ended_before, DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE


def _keep_one_per_chat(messages: list[OutboxMessage]) -> list[OutboxMessage]:
    answers = [message for message in messages if message.draft.kind is MessageKind.CALLBACK_ANSWER]
    first: dict[int, OutboxMessage] = {}
    for message in messages:
        if message.draft.kind is not MessageKind.CALLBACK_ANSWER:
            first.setdefault(message.draft.chat_id, message)
    return [*answers, *first.values()]


def _read_kind(name: str | None) -> MessageKind | None:
    return None if name is None else MessageKind(name)


def read_outbox_message(row: sqlite3.Row) -> OutboxMessage:
    """Read a row of the outbox."""
    draft = MessageDraft(
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
        draft=draft,
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
