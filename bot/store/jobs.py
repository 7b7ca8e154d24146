"""Jobs and their pictures. Every change is a compare-and-set on the state that was read."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bot.clock import Instant, utc_day
from bot.edit_options import AnswerAs, AspectRatio, EditOptions, ResultFormat
from bot.job import FINAL_STATES, EditRequest, FailureReason, Job, SourceImage, State, check_transition
from bot.store import job_log
from bot.store.daily_usage import Quota
from bot.store.events import DomainEvent, JobAnswered, JobTransitioned, RequestAccepted
from bot.store.inbox import WAITING_SQL
from bot.store.job_log import ColumnValue

#: The columns that a step may set beside the state.
UPDATABLE_COLUMNS = frozenset({
    "due_at", "queued_at", "submitted_at", "asked_at", "overdue_at", "finished_at", "answering_at",
    "answered_at", "task_id", "tries", "rejections", "reorders", "reason", "result_url", "credits",
    "prompt", "message_id", "closes_by", "kie_duration_ms", "format", "aspect_ratio", "answer_as", "answer_deleted_at",
    "unparsed_result", "download_failing_since",
})  # fmt: skip

#: States in which there is something left to do.
OPEN_STATES = tuple(state for state in State if state not in FINAL_STATES)

#: States in which nothing was ordered yet.
UNORDERED_STATES = (State.GATHERING, State.QUEUED)

#: States in which nothing came of it.
REFUNDED_STATES = (State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class OpenAlbum:
    """Pictures that were sent together and still arrive."""

    #: Telegram's media_group_id
    id: str
    #: when it closes at the latest
    closes_by: Instant


@dataclass(frozen=True)
class KieDuration:
    """How long Kie worked on a picture."""

    aspect_ratio: AspectRatio
    seconds: float


class Jobs:
    """The jobs by id, by person, and by the moment when they are due."""

    def __init__(self, db: sqlite3.Connection, facts: list[DomainEvent]) -> None:
        self._db = db
        self._quota = Quota(db)
        self._events = facts

    def add(
        self,
        request: EditRequest,
        state: State,
        now: Instant,
        due_at: Instant | None = None,
        *,
        album: OpenAlbum | None = None,
    ) -> int:
        """Add a job for a request, which counts for this day, and return its id."""
        cursor = self._db.execute(
            "INSERT INTO jobs (state, chat_id, user_id, charged_to, message_id, thread_id, prompt, received_at,"
            " queued_at, due_at, media_group_id, closes_by, language, format, aspect_ratio, answer_as, variation_of)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                state,
                request.chat_id,
                request.user_id,
                request.charged_to,
                request.message_id,
                request.thread_id,
                request.prompt,
                request.received_at,
                request.received_at if state == State.QUEUED else None,
                due_at,
                album and album.id,
                album and album.closes_by,
                request.language,
                request.options.format,
                request.options.aspect_ratio,
                request.options.answer_as,
                request.variation_of,
            ),
        )
        job_id = int(cursor.lastrowid or 0)
        self._quota.charge(job_id, utc_day(now), waits_for_words=state is State.GATHERING)
        self.add_source_images(job_id, request.sources)
        self._events.append(job_log.format_job_created(job_id, state))
        if state is State.QUEUED:
            self._events.append(RequestAccepted())
        return job_id

    def add_source_images(self, job_id: int, sources: Iterable[SourceImage]) -> None:
        """Add pictures to a job; they are taken in the order of their places."""
        self._db.executemany(
            "INSERT INTO source_images (job_id, position, file_id, file_unique_id, is_photo, size, full_url)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (job_id, one.position, one.file_id, one.file_unique_id, one.is_photo, one.size, one.full_url)
                for one in sources
            ],
        )

    def get(self, job_id: int) -> Job | None:
        """Return a job with its pictures."""
        row = self._db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else self._read_job(row)

    def get_by_album(self, chat_id: int, album: str) -> Job | None:
        """Return the job that an album became, whatever has become of it."""
        row = self._db.execute(
            "SELECT * FROM jobs WHERE chat_id = ? AND media_group_id = ?", (chat_id, album)
        ).fetchone()
        return None if row is None else self._read_job(row)

    def is_from_album(self, job_id: int) -> bool:
        """Say whether a job came from an album."""
        row = self._db.execute("SELECT media_group_id FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return row is not None and row["media_group_id"] is not None

    def has_pending_variation(self, job_id: int) -> bool:
        """Say whether another variation of a job is on its way already, or its answer is."""
        row = self._db.execute(
            f"SELECT 1 FROM jobs WHERE variation_of = ? AND (state IN ({_placeholders(OPEN_STATES)})"  # noqa: S608 - no data in it
            " OR EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND is_answer AND ended_at IS NULL))",
            (job_id, *OPEN_STATES),
        ).fetchone()
        return row is not None

    def migrate_chat(self, old_id: int, new_id: int) -> set[int]:
        """Let the jobs of a group go on in the supergroup that it became, where its messages have other ids.

        In whose name somebody spoke changes with it, if it was the group's. Returns the ids of the jobs.
        """
        rows = self._db.execute(
            "UPDATE jobs SET chat_id = ?1, message_id = NULL, user_id = CASE user_id WHEN ?2 THEN ?1 ELSE user_id END,"
            " charged_to = CASE charged_to WHEN ?2 THEN ?1 ELSE charged_to END WHERE chat_id = ?2 RETURNING id",
            (new_id, old_id),
        ).fetchall()
        return {row["id"] for row in rows}

    def iter_incomplete(self, user_id: int, chat_id: int) -> Iterator[Job]:
        """Yield the incomplete requests of a person in a chat, the newest first."""
        rows = self._db.execute(
            "SELECT * FROM jobs WHERE user_id = ? AND chat_id = ? AND state = ? ORDER BY id DESC",
            (user_id, chat_id, State.GATHERING),
        )
        return map(self._read_job, rows)

    def extend_collection_deadlines(self, due_at: Instant, closes_by: Instant) -> None:
        """Give what gathers more time, after a time in which nothing could arrive."""
        self._db.execute(
            "UPDATE jobs SET due_at = max(due_at, ?) WHERE state = ? AND closes_by IS NULL", (due_at, State.GATHERING)
        )
        self._db.execute(
            "UPDATE jobs SET due_at = ?, closes_by = ? WHERE state = ? AND closes_by IS NOT NULL",
            (due_at, closes_by, State.GATHERING),
        )

    def list_latest_durations(self, limit: int) -> list[KieDuration]:
        """Return how long Kie worked on the pictures that were found finished last, the last one first."""
        rows = self._db.execute(
            "SELECT kie_duration_ms, aspect_ratio FROM jobs WHERE kie_duration_ms IS NOT NULL"
            " ORDER BY finished_at DESC LIMIT ?",
            (limit,),
        ).fetchall()
        return [KieDuration(AspectRatio(row["aspect_ratio"]), row["kie_duration_ms"] / 1000) for row in rows]

    def median_seconds(self, known: int, too_few: int) -> float | None:
        """Return how long Kie mostly takes, by so many pictures that were finished last; None where too few were."""
        rows = self._db.execute(
            "SELECT kie_duration_ms FROM jobs WHERE kie_duration_ms IS NOT NULL ORDER BY finished_at DESC LIMIT ?",
            (known,),
        ).fetchall()
        return median(row[0] for row in rows) / 1000 if len(rows) >= too_few else None

    def list_due(self, state: State, now: Instant, limit: int) -> list[int]:
        """Return the ids of jobs in a state whose time has come, the longest due first."""
        rows = self._db.execute(
            "SELECT id FROM jobs WHERE due_at <= ? AND state = ? ORDER BY due_at LIMIT ?", (now, state, limit)
        ).fetchall()
        return [row["id"] for row in rows]

    def list_due_incomplete(self, now: Instant, limit: int) -> list[int]:
        """Return the ids of incomplete requests whose time has come, and for which nothing waits in the inbox."""
        rows = self._db.execute(
            "SELECT id FROM jobs WHERE due_at <= ? AND state = ? AND coalesce((SELECT received_at FROM inbox"  # noqa: S608 - no data in it
            f" WHERE {WAITING_SQL} AND inbox.chat_id = jobs.chat_id ORDER BY update_id LIMIT 1), due_at + 1) > due_at"
            " ORDER BY due_at LIMIT ?",
            (now, State.GATHERING, limit),
        ).fetchall()
        return [row["id"] for row in rows]

    def next_due_at(self, now: Instant) -> Instant | None:
        """Return the first moment after `now` at which a job is due."""
        row = self._db.execute("SELECT min(due_at) AS due_at FROM jobs WHERE due_at > ?", (now,)).fetchone()
        return None if row["due_at"] is None else int(row["due_at"])

    def list_in_state(self, state: State) -> list[int]:
        """Return the ids of every job in a state; for the start of the process."""
        rows = self._db.execute("SELECT id FROM jobs WHERE state = ? ORDER BY submitted_at", (state,)).fetchall()
        return [row["id"] for row in rows]

    def count_waiting(self, most: int) -> int:
        """Return how many jobs are not ordered yet, no more than `most`."""
        return min(most, count_jobs_in_states(self._db, UNORDERED_STATES))

    def count_waiting_charged_to(self, charged_to: int, most: int) -> int:
        """Count the jobs charged to somebody that are not ordered yet, no further than to `most`."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM (SELECT 1 FROM jobs WHERE charged_to = ? AND state IN ('gathering', 'queued')"
            " LIMIT ?)",
            (charged_to, most),
        ).fetchone()
        return int(row["n"])

    def count_without_prompt(self, charged_to: int, day: int) -> int:
        """Count the jobs charged to somebody on a UTC day that still wait for words."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM jobs WHERE charged_to = ? AND state IN ('gathering', 'queued')"
            " AND +state = 'gathering' AND counted_day = ? AND NOT counted_for_all",
            (charged_to, day),
        ).fetchone()
        return int(row["n"])

    def count_at_kie(self, since: Instant) -> int:
        """Count the jobs that may occupy a place at Kie and were ordered after `since`."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM jobs WHERE state IN (?, ?) AND submitted_at > ?",
            (State.SUBMITTING, State.RUNNING, since),
        ).fetchone()
        return int(row["n"])

    def transition(self, job: Job, to: State, **changes: ColumnValue) -> bool:
        """Take a job from the state that was read to another one; False if somebody was faster.

        Raises IllegalTransition when the rules know no such way.
        """
        check_transition(job.state, to)
        moved = self._write_columns(job, {"state": to, **changes})
        if moved:
            self._events += [job_log.format_job_transition(job, to, changes), JobTransitioned(job, to, changes)]
        if moved and to in REFUNDED_STATES:
            self._quota.refund_ended(job.id, to)
        return moved

    def update(self, job: Job, **changes: ColumnValue) -> bool:
        """Write down facts about a job that stays where it is; False if it is no longer there, or was erased."""
        noted = self._write_columns(job, changes)
        answered_at = changes.get("answered_at")
        if noted and isinstance(answered_at, int) and job.answered_at is None:
            self._events.append(JobAnswered(job, answered_at))
        return noted

    def _write_columns(self, job: Job, changes: dict[str, ColumnValue]) -> bool:
        unknown = changes.keys() - UPDATABLE_COLUMNS - {"state"}
        if unknown:
            raise ValueError(f"not for a step to change: {', '.join(sorted(unknown))}")
        columns = ", ".join(f"{name} = ?" for name in changes)
        cursor = self._db.execute(
            f"UPDATE jobs SET {columns} WHERE id = ? AND state = ? AND erased_at IS NULL",  # noqa: S608 - names from CHANGEABLE
            (*changes.values(), job.id, job.state),
        )
        return cursor.rowcount == 1

    def is_still_in_state(self, job: Job) -> bool:
        """Say whether a job is still in the state that was read."""
        row = self._db.execute("SELECT 1 FROM jobs WHERE id = ? AND state = ?", (job.id, job.state)).fetchone()
        return row is not None

    def increment_tries(self, job_id: int) -> int:
        """Count a try that failed, of a job that perhaps cannot even be read; return how many there were."""
        row = self._db.execute("UPDATE jobs SET tries = tries + 1 WHERE id = ? RETURNING tries", (job_id,)).fetchone()
        return 0 if row is None else int(row["tries"])

    def postpone(self, job_id: int, due_at: Instant) -> None:
        """Take a job up later, whatever state it is in."""
        self._db.execute("UPDATE jobs SET due_at = ? WHERE id = ? AND erased_at IS NULL", (due_at, job_id))

    def set_upload_url(self, job_id: int, place: int, url: str | None, now: Instant) -> None:
        """Note since when, and where, Kie can fetch a picture; no address for one that must not be stored."""
        self._db.execute(
            "UPDATE source_images SET upload_url = ?, uploaded_at = ? WHERE job_id = ? AND position = ?",
            (url, now, job_id, place),
        )

    def list_open_of_user_in_chat(self, user_id: int, chat_id: int) -> list[Job]:
        """Return the unfinished jobs of a person in a chat, the oldest first."""
        return self._list_open("user_id = ? AND chat_id = ?", (user_id, chat_id))

    def list_awaiting_download(self, user_id: int, chat_id: int) -> list[Job]:
        """Return the jobs of a person in a chat whose pictures are made and cannot be fetched yet, the oldest first."""
        rows = self._db.execute(
            "SELECT jobs.* FROM outbox JOIN jobs ON jobs.id = job_id"
            " WHERE outbox.chat_id = ? AND outbox.ended_at IS NULL AND is_answer AND kind = 'image'"
            " AND user_id = ? AND download_failing_since IS NOT NULL AND answering_at IS NULL ORDER BY jobs.id",
            (chat_id, user_id),
        ).fetchall()
        return [self._read_job(row) for row in rows]

    def list_open_of_user(self, user_id: int) -> list[Job]:
        """Return the unfinished jobs of a person in all chats, the oldest first."""
        return self._list_open("user_id = ?", (user_id,))

    def list_open_in_chat(self, chat_id: int) -> list[Job]:
        """Return the unfinished jobs of a chat, the oldest first."""
        return self._list_open("chat_id = ?", (chat_id,))

    def list_open_charged_to(self, charged_to: int) -> list[Job]:
        """Return the unfinished jobs that groups and channels asked for and somebody answers for, the oldest first."""
        return self._list_open("charged_to = ? AND charged_to <> user_id", (charged_to,))

    def _list_open(self, where: str, values: tuple[int, ...]) -> list[Job]:
        rows = self._db.execute(
            f"SELECT * FROM jobs WHERE {where} AND state IN ({_placeholders(OPEN_STATES)}) ORDER BY id",  # noqa: S608 - no data in it
            (*values, *OPEN_STATES),
        ).fetchall()
        return [self._read_job(row) for row in rows]

    def _read_job(self, row: sqlite3.Row) -> Job:
        sources = self._db.execute(
            "SELECT * FROM source_images WHERE job_id = ? ORDER BY position",
            (row["id"],),
        ).fetchall()
        return Job(
            id=row["id"],
            state=State(row["state"]),
            request=EditRequest(
                chat_id=row["chat_id"],
                user_id=row["user_id"],
                charged_to=row["charged_to"],
                message_id=row["message_id"],
                thread_id=row["thread_id"],
                prompt=row["prompt"],
                sources=tuple(_read_source(source) for source in sources),
                received_at=row["received_at"],
                language=row["language"],
                options=EditOptions(
                    ResultFormat(row["format"]), AspectRatio(row["aspect_ratio"]), AnswerAs(row["answer_as"])
                ),
                variation_of=row["variation_of"],
            ),
            due_at=row["due_at"],
            closes_by=row["closes_by"],
            queued_at=row["queued_at"],
            submitted_at=row["submitted_at"],
            asked_at=row["asked_at"],
            overdue_at=row["overdue_at"],
            finished_at=row["finished_at"],
            answering_at=row["answering_at"],
            answered_at=row["answered_at"],
            answer_deleted_at=row["answer_deleted_at"],
            task_id=row["task_id"],
            tries=row["tries"],
            rejections=row["rejections"],
            reorders=row["reorders"],
            reason=None if row["reason"] is None else FailureReason(row["reason"]),
            result_url=row["result_url"],
            download_failing_since=row["download_failing_since"],
        )


def count_jobs_in_states(db: sqlite3.Connection, states: Sequence[State]) -> int:
    """Return how many jobs are in some states; they are counted as they come and go."""
    row = db.execute(
        f"SELECT coalesce(sum(count), 0) AS n FROM job_counts WHERE state IN ({_placeholders(states)})",  # noqa: S608 - no data in it
        tuple(states),
    ).fetchone()
    return int(row["n"])


def edit_option_columns(form: EditOptions) -> dict[str, str]:
    """Return a form as the columns of a job."""
    return {"format": form.format, "aspect_ratio": form.aspect_ratio, "answer_as": form.answer_as}


def _placeholders(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _read_source(row: sqlite3.Row) -> SourceImage:
    return SourceImage(
        position=row["position"],
        file_id=row["file_id"],
        file_unique_id=row["file_unique_id"],
        is_photo=bool(row["is_photo"]),
        size=row["size"],
        full_url=row["full_url"],
        upload_url=row["upload_url"],
        uploaded_at=row["uploaded_at"],
    )
