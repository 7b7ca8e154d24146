"""The outbox: everything we say, written in the transaction that caused it, sent later.

A key makes each thing said once, however often its cause is repeated.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.job import Instant, Job
from bot.store.batch import BATCH_SIZE
from bot.store.facts import AnswerEnded, Fact
from bot.store.people import People


class Kind(StrEnum):
    """What a message carries."""

    #: `body` is the text
    TEXT = "text"
    #: the job's result, with `body` as its caption
    PICTURE = "picture"
    #: the job's result as Kie made it, byte for byte
    FILE = "file"
    #: the figures of a time, as a picture that is drawn when it is due; `body` says which, and in which language
    FIGURES = "figures"
    #: `body` is the emoji to put on the message `reply_to`
    REACTION = "reaction"
    #: tells how the job stands; what it says is composed when it is due (see `statuses`)
    STATUS = "status"
    #: `body`, which may be empty, answers the press `press_id` of a button
    TOAST = "toast"
    #: buttons to choose from; `body` holds them (see `menus`)
    MENU = "menu"
    #: takes our message `reply_to` away
    DELETION = "deletion"


#: What takes time and memory to send.
HEAVY = frozenset({Kind.PICTURE, Kind.FILE, Kind.FIGURES})


class Lane(StrEnum):
    """Which queue of its chat a message waits in. The column of the table says the same."""

    #: for nobody's turn: it appears in no chat
    TOAST = "toast"
    #: what is HEAVY
    HEAVY = "heavy"
    #: what else is said
    SAID = "said"
    #: what only tells how things stand, and comes after what is said
    TOLD = "told"
    #: a status whose message is there, to be brought up to date when there is nothing else to do
    REFRESH = "refresh"


#: Lanes of what counts against the limit of all messages together.
MESSAGES = frozenset({Lane.HEAVY, Lane.SAID, Lane.TOLD})

#: Statuses that are looked at at once to be brought up to date, of which one may be.
MOST_REFRESHED = 2

#: Messages of a kind that may wait for a chat before those are left out that nobody needs: a chat takes one a second.
MOST_OF_A_KIND = 20

#: Begins the key of what is the last that somebody hears of something: it is forgotten once it has ended.
LAST = "last:"


class Ending(StrEnum):
    """How it ended with a message."""

    SENT = "sent"
    #: the chat cannot be written to: blocked, deleted
    GONE = "gone"
    #: Telegram will never take it as it is
    REJECTED = "rejected"
    #: tried for so long that it no longer makes sense
    EXPIRED = "expired"
    #: sent several times, and never confirmed
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Say:
    """Something to be said; `key` says what it is about, once and for all."""

    key: str
    chat_id: int
    body: str
    kind: Kind = Kind.TEXT
    thread_id: int | None = None
    reply_to: int | None = None
    job_id: int | None = None
    #: whether the job has its answer with it
    is_answer: bool = False
    press_id: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether it is forgotten once it has ended."""
        return self.key.startswith(LAST)


@dataclass(frozen=True)
class Parcel:
    """Something to be said, on its way."""

    id: int
    say: Say
    written_at: Instant
    #: sends that failed
    tries: int
    #: those of them that may have arrived all the same
    in_doubt: int
    #: the message, once it was sent
    message_id: int | None = None
    #: of a status or a menu: what its message shows, and since when
    shown: str | None = None
    shown_at: Instant | None = None
    #: of these: how often something happened that may change it
    touched: int = 0
    #: of these: its message is to be deleted
    is_over: bool = False
    #: of a status: somebody wants to see it
    is_asked_for: bool = False
    #: of a text that is said in place of what did not come and may still be had: whether that is a picture or a file
    instead_of: Kind | None = None
    #: of a picture, or a text in place of one, that is to be sent now: its job, as it stands
    job: Job | None = None


@dataclass(frozen=True)
class About:
    """What a message of ours is about."""

    job_id: int | None
    kind: Kind
    #: of a text: what it stands in place of, if that may still be had
    instead_of: Kind | None


@dataclass(frozen=True)
class Busy:
    """What must not be taken up now."""

    #: being written to
    chats: frozenset[int] = frozenset()
    #: to be left alone for a moment
    held: frozenset[int] = frozenset()
    #: on their way
    parcels: frozenset[int] = frozenset()
    #: those of them that have left, so that what became of them is being written down
    written: frozenset[int] = frozenset()
    #: out of which nothing may leave at this moment
    shut: frozenset[Lane] = frozenset()
    #: persons who have as many pictures on their way as one may
    sated: frozenset[int] = frozenset()
    #: whether so much was said that something has to be told, where anything is to be
    is_turn_to_tell: bool = False


class Outbox:
    """What is to be said, by the moment when it is due."""

    def __init__(self, db: sqlite3.Connection, facts: list[Fact]) -> None:
        self._db = db
        self._people = People(db)
        self._facts = facts

    def add(self, say: Say, now: Instant, *, due_at: Instant | None = None) -> bool:
        """Add it, due at once unless it says otherwise; False if the same was said, or is about to be.

        Of an erased job nothing is said.
        """
        cursor = self._db.execute(
            "INSERT INTO outbox (key, kind, chat_id, thread_id, reply_to, body, press_id, job_id, is_answer,"
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
                say.press_id,
                say.job_id,
                say.is_answer,
                now,
                due_at or now,
            ),
        )
        return cursor.rowcount == 1

    def tell_admins(self, admin_ids: Iterable[int], key: str, in_language: Callable[[str], str], now: Instant) -> None:
        """Tell every admin something once, each in the language that was last heard from them.

        The log is where it is told to an operator without admins.
        """
        for admin_id in admin_ids:
            body = in_language(self._people.language_of(admin_id))
            self.add(Say(key=f"{key}:to:{admin_id}", chat_id=admin_id, body=body), now)

    def due(self, now: Instant, busy: Busy, limit: int, lanes: Collection[Lane] = frozenset(Lane)) -> list[Parcel]:
        """Return what is due in some lanes, at most one message per chat, leaving out chats that are being written to.

        What is said comes before what only tells how things stand. Toasts wait for nobody: they appear in no chat; they
        do not take all the room either.
        """

        def first(lane: Lane, most: int = limit) -> list[sqlite3.Row]:
            return self._first_in(lane, now, busy, most) if lane in lanes else []

        told = first(Lane.TOLD)
        said = [] if busy.is_turn_to_tell and told else first(Lane.SAID)
        in_turn = sorted(first(Lane.HEAVY) + said, key=lambda row: (row["turn"], row["id"]))
        found = [*first(Lane.TOAST, limit // 2), *in_turn, *told][:limit]
        return _one_per_chat([parcel_of(row) for row in [*found, *first(Lane.REFRESH, MOST_REFRESHED)]])

    def _first_in(self, lane: Lane, now: Instant, busy: Busy, limit: int) -> list[sqlite3.Row]:
        """Return the first message of each chat in a lane, the chat first that was served longest ago.

        Chats that must not be written to are passed over; what is behind a first message is never read.
        """
        closed = [] if lane is Lane.TOAST else [*busy.chats, *busy.held]
        return self._db.execute(
            "SELECT outbox.*, queue.turn FROM chat_queues AS queue JOIN outbox ON outbox.id ="
            " (SELECT id FROM outbox WHERE chat_id = queue.chat_id AND lane = queue.lane AND due_at <= ?1"
            " AND id NOT IN (SELECT value FROM json_each(?2))"
            " AND (?6 OR ifnull((SELECT charged_to FROM jobs WHERE jobs.id = job_id), 0)"
            " NOT IN (SELECT value FROM json_each(?7))) ORDER BY due_at, id LIMIT 1)"
            " WHERE queue.lane = ?3 AND queue.turn <= ?1"
            " AND queue.chat_id NOT IN (SELECT value FROM json_each(?4)) ORDER BY queue.turn LIMIT ?5",
            (
                now,
                json.dumps([*busy.parcels]),
                lane,
                json.dumps(closed),
                limit,
                lane is not Lane.HEAVY or not busy.sated,
                json.dumps([*busy.sated]),
            ),
        ).fetchall()

    def are_more_due(self, now: Instant, found: Iterable[int], busy: Busy) -> bool:
        """Say whether more is due than what was found: what waits for another one to end, but not for a time.

        What is being written down may be due again, for another try or as something else, as soon as that has ended.
        """
        row = self._db.execute(
            "SELECT 1 FROM chat_queues AS queue WHERE lane IN (?1, ?2, ?3, ?4, ?5) AND turn <= ?6"
            " AND (lane = ?1 OR chat_id NOT IN (SELECT value FROM json_each(?7)))"
            " AND EXISTS (SELECT 1 FROM outbox WHERE chat_id = queue.chat_id AND lane = queue.lane AND due_at <= ?6"
            " AND id NOT IN (SELECT value FROM json_each(?8))) LIMIT 1",
            (*Lane, now, json.dumps(list(busy.held)), json.dumps([*(busy.parcels - busy.written), *found])),
        ).fetchone()
        return row is not None

    def is_full(self, chat_id: int, kind: Kind) -> bool:
        """Say whether so much of a kind waits for a chat that nobody would see the end of it."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM (SELECT 1 FROM outbox WHERE chat_id = ? AND kind = ? AND ended_at IS NULL"
            " LIMIT ?)",
            (chat_id, kind, MOST_OF_A_KIND),
        ).fetchone()
        return int(row["n"]) >= MOST_OF_A_KIND

    def was_said_since(self, key: str, moment: Instant) -> bool:
        """Say whether something was said, or is about to be, since a moment."""
        row = self._db.execute("SELECT 1 FROM outbox WHERE key = ? AND written_at > ?", (key, moment)).fetchone()
        return row is not None

    def next_due(self, now: Instant) -> Instant | None:
        """Return the first moment after `now` at which something is due."""
        row = self._db.execute("SELECT min(due_at) AS due_at FROM outbox WHERE due_at > ?", (now,)).fetchone()
        return None if row["due_at"] is None else int(row["due_at"])

    def ended(self, parcel_id: int, ending: Ending, now: Instant) -> None:
        """Write down how it ended; it is never sent again."""
        self._tell_ended(ending, "id = ?", parcel_id)
        self._db.execute(
            "UPDATE outbox SET ended_at = ?, ending = ?, due_at = NULL WHERE id = ?", (now, ending, parcel_id)
        )
        self._forget_last("id = ?", parcel_id)

    def sent(self, parcel: Parcel, message_id: int | None, now: Instant) -> None:
        """Write down that it was sent, and as which message; that means nothing where the chat moved meanwhile."""
        self._db.execute(
            "UPDATE outbox SET message_id = ? WHERE id = ? AND chat_id = ?", (message_id, parcel.id, parcel.say.chat_id)
        )
        self.ended(parcel.id, Ending.SENT, now)

    def say_instead(self, parcel_id: int, body: str, now: Instant, *, may_be_had: bool) -> None:
        """Send a text in place of what cannot be sent; nothing in place of what nobody wants any more.

        `may_be_had` says whether it is offered to try that once more.
        """
        self._db.execute(
            "UPDATE outbox SET instead_of = CASE WHEN ? THEN kind END, kind = ?, body = ?, due_at = ?, tries = 0,"
            " in_doubt = 0 WHERE id = ? AND ended_at IS NULL",
            (may_be_had, Kind.TEXT, body, now, parcel_id),
        )

    def delete_texts_instead(self, job_id: int, chat_id: int, kind: Kind, now: Instant, *, but: int | None) -> None:
        """Have the texts deleted that stand in place of a job's picture or file, all but that of one row."""
        rows = self._db.execute(
            "SELECT message_id FROM outbox WHERE job_id = ? AND chat_id = ? AND instead_of = ? AND id IS NOT ?"
            " AND message_id IS NOT NULL",
            (job_id, chat_id, kind, but),
        ).fetchall()
        for row in rows:
            self.delete_message(job_id, chat_id, row["message_id"], now)

    def postpone(self, parcel_id: int, due_at: Instant, *, failed: bool) -> None:
        """Send it later; `failed` counts it as a try."""
        self._db.execute(
            "UPDATE outbox SET due_at = ?, tries = tries + ? WHERE id = ? AND ended_at IS NULL",
            (due_at, int(failed), parcel_id),
        )

    def holds(self, key: str) -> bool:
        """Say whether something was said, or is about to be."""
        return self._db.execute("SELECT 1 FROM outbox WHERE key = ?", (key,)).fetchone() is not None

    def job_of(self, chat_id: int, message_id: int) -> int | None:
        """Return the id of the job that a message of ours is about."""
        row = self._db.execute(
            "SELECT job_id FROM outbox WHERE chat_id = ? AND message_id = ? AND job_id IS NOT NULL",
            (chat_id, message_id),
        ).fetchone()
        return None if row is None else int(row["job_id"])

    def about(self, chat_id: int, message_id: int) -> list[About]:
        """Return which job a message of ours is about, if any, and what it is: a status that became an answer is both.

        Empty for one of which it is not known (yet) that it arrived.
        """
        rows = self._db.execute(
            "SELECT job_id, kind, instead_of FROM outbox WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
        ).fetchall()
        return [About(row["job_id"], Kind(row["kind"]), _kind(row["instead_of"])) for row in rows]

    def is_waiting(self, parcel: Parcel) -> bool:
        """Say whether something is still to be sent: neither sent, nor withdrawn, nor forgotten."""
        return self._is_kept(parcel, "ended_at IS NULL")

    def knows(self, parcel: Parcel) -> bool:
        """Say whether something is remembered, be it that it has ended."""
        return self._is_kept(parcel, "1")

    def _is_kept(self, parcel: Parcel, how: str) -> bool:
        # the id of what was forgotten is given to what is said next; only the key says which of the two it is
        row = self._db.execute(
            f"SELECT 1 FROM outbox WHERE id = ?1 AND key IN (?2, '{LAST}' || ?1) AND written_at = ?3 AND {how}",  # noqa: S608 - no data in it
            (parcel.id, parcel.say.key, parcel.written_at),
        ).fetchone()
        return row is not None

    def answer_under_way(self, job_id: int) -> Parcel | None:
        """Return the answer to a job, if it is not known that it arrived."""
        row = self._db.execute(
            "SELECT * FROM outbox WHERE job_id = ? AND is_answer AND ended_at IS NULL", (job_id,)
        ).fetchone()
        return None if row is None else parcel_of(row)

    def is_on_its_way(self, job_id: int, kind: Kind) -> bool:
        """Say whether something of a kind is still to be sent about a job."""
        row = self._db.execute(
            "SELECT 1 FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL", (job_id, kind)
        ).fetchone()
        return row is not None

    def pictures_of(self, job_id: int) -> list[Parcel]:
        """Return the pictures and files of a job that stand in its chat."""
        rows = self._db.execute(
            "SELECT * FROM outbox WHERE job_id = ? AND kind IN (?, ?) AND message_id IS NOT NULL ORDER BY id",
            (job_id, Kind.PICTURE, Kind.FILE),
        ).fetchall()
        return [parcel_of(row) for row in rows]

    def last_sent(self, job_id: int, kind: Kind) -> Instant | None:
        """Return when something of a kind last arrived that is about a job."""
        row = self._db.execute(
            "SELECT max(ended_at) AS at FROM outbox WHERE job_id = ? AND kind = ? AND message_id IS NOT NULL",
            (job_id, kind),
        ).fetchone()
        return None if row["at"] is None else int(row["at"])

    def delete_message(self, job_id: int, chat_id: int, message_id: int, now: Instant) -> None:
        """Have a message of ours about a job deleted, once."""
        say = Say(
            key=f"delete:{chat_id}:{message_id}",
            kind=Kind.DELETION,
            chat_id=chat_id,
            reply_to=message_id,
            body="",
            job_id=job_id,
        )
        self.add(say, now)

    def take_back(self, parcel: Parcel, message_id: int, now: Instant) -> None:
        """Have a message deleted that has arrived after it was forgotten; of that nothing is remembered either."""
        chat_id = parcel.say.chat_id
        key = f"{LAST}delete:{chat_id}:{message_id}"
        self.add(Say(key=key, kind=Kind.DELETION, chat_id=chat_id, reply_to=message_id, body=""), now)

    def withdraw(self, job_id: int, kind: Kind, now: Instant) -> None:
        """Send something of a kind about a job no more, as far as it still waits."""
        self._end(Ending.EXPIRED, now, "job_id = ? AND kind = ?", job_id, kind)

    def never_mind(self, key: str, now: Instant) -> None:
        """Say something no more that was about to be said."""
        self._end(Ending.EXPIRED, now, "key = ?", key)

    def may_have_arrived(self, parcel_id: int) -> None:
        """Count a send after which no answer came."""
        self._db.execute("UPDATE outbox SET in_doubt = in_doubt + 1 WHERE id = ?", (parcel_id,))

    def doubt_answers(self) -> None:
        """Count the sends that a process that died left without an end; for the start of the process.

        Whatever has ended since, well or not, moved its due time beyond the moment at which it was sent.
        """
        sent_at = "(SELECT answering_at FROM jobs WHERE jobs.id = outbox.job_id AND answered_at IS NULL)"
        self._db.execute(
            f"UPDATE outbox SET in_doubt = in_doubt + 1, due_at = {sent_at} + 1"  # noqa: S608 - no data in it
            f" WHERE due_at IS NOT NULL AND kind = ? AND due_at <= {sent_at}",
            (Kind.PICTURE,),
        )

    def leave_topic(self, parcel_id: int, now: Instant) -> None:
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

    def move_chat(self, old_id: int, new_id: int, now: Instant) -> None:
        """Send to a supergroup what waits for the group that it was; what was said there has other ids now."""
        meant_there = "chat_id = ? AND (message_id IS NOT NULL OR kind IN (?, ?))"
        self._end(Ending.GONE, now, meant_there, old_id, Kind.REACTION, Kind.DELETION)
        self._db.execute(
            "UPDATE outbox SET chat_id = ?, reply_to = NULL, due_at = min(due_at, ?)"
            " WHERE chat_id = ? AND ended_at IS NULL",
            (new_id, now, old_id),
        )

    def drop_chat(self, chat_id: int, now: Instant) -> None:
        """End everything that waits for a chat that cannot be written to."""
        self._end(Ending.GONE, now, "chat_id = ?", chat_id)

    def _end(self, ending: Ending, now: Instant, which: str, *values: int | str) -> None:
        """End what has not ended yet."""
        self._tell_ended(ending, which, *values)
        self._db.execute(
            f"UPDATE outbox SET ended_at = ?, ending = ?, due_at = NULL WHERE {which} AND ended_at IS NULL",  # noqa: S608 - no data in it
            (now, ending, *values),
        )
        self._forget_last(which, *values)

    def _tell_ended(self, ending: Ending, which: str, *values: int | str) -> None:
        """Tell how it ends with answers, each once; before it is written down."""
        answers = self._db.execute(
            f"SELECT 1 FROM outbox WHERE {which} AND is_answer AND ended_at IS NULL",  # noqa: S608 - no data in it
            values,
        ).fetchall()
        self._facts.extend(AnswerEnded(ending) for _ in answers)

    def _forget_last(self, which: str, *values: int | str) -> None:
        self._db.execute(
            f"DELETE FROM outbox WHERE {which} AND ended_at IS NOT NULL AND key GLOB '{LAST}*'",  # noqa: S608 - no data in it
            values,
        )

    def forget(self, ended_before: Instant) -> bool:
        """Delete some of what ended before a moment and belongs to no job; return whether there may be more."""
        forgotten = self._db.execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_to_forget"
            " WHERE ended_at < ? AND job_id IS NULL LIMIT ?)",
            (ended_before, BATCH_SIZE),
        )
        return forgotten.rowcount == BATCH_SIZE


def _one_per_chat(parcels: list[Parcel]) -> list[Parcel]:
    toasts = [parcel for parcel in parcels if parcel.say.kind is Kind.TOAST]
    first: dict[int, Parcel] = {}
    for parcel in parcels:
        if parcel.say.kind is not Kind.TOAST:
            first.setdefault(parcel.say.chat_id, parcel)
    return [*toasts, *first.values()]


def _kind(name: str | None) -> Kind | None:
    return None if name is None else Kind(name)


def parcel_of(row: sqlite3.Row) -> Parcel:
    """Return what a row says."""
    say = Say(
        key=row["key"],
        chat_id=row["chat_id"],
        body=row["body"],
        kind=Kind(row["kind"]),
        thread_id=row["thread_id"],
        reply_to=row["reply_to"],
        job_id=row["job_id"],
        is_answer=bool(row["is_answer"]),
        press_id=row["press_id"],
    )
    return Parcel(
        id=row["id"],
        say=say,
        written_at=row["written_at"],
        tries=row["tries"],
        in_doubt=row["in_doubt"],
        message_id=row["message_id"],
        shown=row["shown"],
        shown_at=row["shown_at"],
        touched=row["touched"],
        is_over=bool(row["is_over"]),
        is_asked_for=bool(row["is_asked_for"]),
        instead_of=_kind(row["instead_of"]),
    )
