"""Jobs and their images.

The steps change jobs by `transition` and `update`, each a compare-and-set on the state that was read.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bot.clock import Instant, utc_day
from bot.edit_options import AnswerAs, AspectRatio, EditOptions, ResultFormat
from bot.job import FINAL_STATES, EditRequest, FailureReason, Job, SourceImage, State, check_transition
from bot.store.base_table import Table, Value
from bot.store.daily_usage import Quota
from bot.store.domain_events import (
    DomainEvent,
    JobAnswered,
    JobTransitioned,
    RequestAccepted,
    log_job_created,
    log_job_transition,
)
from bot.store.inbox import WAITING_SQL

#: The columns that `transition` and `update` may set.
UPDATABLE_COLUMNS = frozenset({
    "due_at", "queued_at", "submitted_at", "asked_at", "overdue_at", "finished_at", "answering_at",
    "answered_at", "task_id", "tries", "rejections", "reorders", "reason", "result_url", "credits",
    "prompt", "message_id", "closes_by", "kie_duration_ms", "format", "aspect_ratio", "answer_as",
    "answer_deleted_at", "unparsed_result", "download_failing_since",
})  # fmt: skip

#: States that are not final.
OPEN_STATES = tuple(state for state in State if state not in FINAL_STATES)

#: States before the order.
UNORDERED_STATES = (State.GATHERING, State.QUEUED)

#: Final states without a result, in which the quota is refunded if the job was free of charge.
REFUNDED_STATES = (State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class OpenAlbum:
    """An album that may get more items."""

    #: Telegram's media_group_id
    id: str
    #: when it closes at the latest
    closes_by: Instant


@dataclass(frozen=True)
class KieDuration:
    """How long Kie worked on an image."""

    aspect_ratio: AspectRatio
    seconds: float


class Jobs(Table):
    """The jobs and their source images."""

    def __init__(self, db: sqlite3.Connection, events: list[DomainEvent]) -> None:
        super().__init__(db)
        self._quota = Quota(db)
        self._events = events

    def add(
        self,
        request: EditRequest,
        state: State,
        now: Instant,
        due_at: Instant | None = None,
        *,
        album: OpenAlbum | None = None,
    ) -> int:
        """Add a job for a request, charge it to the daily quotas, and return its id."""
        columns: dict[str, Value] = {
            "state": state,
            "chat_id": request.chat_id,
            "user_id": request.user_id,
            "charged_to": request.charged_to,
            "message_id": request.message_id,
            "thread_id": request.thread_id,
            "prompt": request.prompt,
            "received_at": request.received_at,
            "queued_at": request.received_at if state == State.QUEUED else None,
            "due_at": due_at,
            "media_group_id": None if album is None else album.id,
            "closes_by": None if album is None else album.closes_by,
            "language": request.language,
            "variation_of": request.variation_of,
            **edit_option_columns(request.options),
        }
        cursor = self._db.execute(
            f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({_placeholders(columns)})",
            tuple(columns.values()),
        )
        job_id = int(cursor.lastrowid or 0)
        self._quota.charge(job_id, utc_day(now), awaits_prompt=state is State.GATHERING)
        self.add_source_images(job_id, request.sources)
        self._events.append(log_job_created(job_id, state))
        if state is State.QUEUED:
            self._events.append(RequestAccepted())
        return job_id

    def add_source_images(self, job_id: int, sources: Iterable[SourceImage]) -> None:
        """Add images to a job; Kie gets them in the order of their positions."""
        self._db.executemany(
            "INSERT INTO source_images (job_id, position, file_id, file_unique_id, is_photo, size, full_url)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (job_id, one.position, one.file_id, one.file_unique_id, one.is_photo, one.size, one.full_url)
                for one in sources
            ],
        )

    def get(self, job_id: int) -> Job | None:
        """Return a job with its images, None if there is no such job."""
        return next(self._iter("id = ?", job_id), None)

    def get_by_album(self, chat_id: int, media_group_id: str) -> Job | None:
        """Return the job for an album, in any state; None if there is none."""
        return next(self._iter("chat_id = ? AND media_group_id = ?", chat_id, media_group_id), None)

    def is_from_album(self, job_id: int) -> bool:
        """Say whether a job came from an album."""
        return self._exists("SELECT 1 FROM jobs WHERE id = ? AND media_group_id IS NOT NULL", (job_id,))

    def has_pending_variation(self, job_id: int) -> bool:
        """Say whether a variation of a job has not ended, or its answer is yet to be sent."""
        return self._exists(
            f"SELECT 1 FROM jobs WHERE variation_of = ? AND (state IN ({_placeholders(OPEN_STATES)})"
            " OR EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND is_answer AND ended_at IS NULL))",
            (job_id, *OPEN_STATES),
        )

    def migrate_chat(self, old_id: int, new_id: int) -> set[int]:
        """Move the jobs of a group to the supergroup that it became, and return their ids.

        Message ids are dropped, as they differ there. Jobs in the name of the group become the supergroup's.
        """
        moved = self._ints(
            "UPDATE jobs SET chat_id = ?1, message_id = NULL, user_id = CASE user_id WHEN ?2 THEN ?1 ELSE user_id END,"
            " charged_to = CASE charged_to WHEN ?2 THEN ?1 ELSE charged_to END WHERE chat_id = ?2 RETURNING id",
            (new_id, old_id),
        )
        return set(moved)

    def iter_incomplete(self, user_id: int, chat_id: int) -> Iterator[Job]:
        """Yield the incomplete requests of a user in a chat, the newest first."""
        return self._iter(
            "user_id = ? AND chat_id = ? AND state = ? ORDER BY id DESC", user_id, chat_id, State.GATHERING
        )

    def extend_collection_deadlines(self, due_at: Instant, closes_by: Instant) -> None:
        """Give incomplete requests more time after a downtime, in which nothing could arrive."""
        self._change(
            "UPDATE jobs SET due_at = max(due_at, ?) WHERE state = ? AND closes_by IS NULL", (due_at, State.GATHERING)
        )
        self._change(
            "UPDATE jobs SET due_at = ?, closes_by = ? WHERE state = ? AND closes_by IS NOT NULL",
            (due_at, closes_by, State.GATHERING),
        )

    def list_latest_durations(self, limit: int) -> list[KieDuration]:
        """Return how long Kie worked on the latest images, the last one first."""
        rows = self._rows(
            "SELECT aspect_ratio, kie_duration_ms FROM jobs WHERE kie_duration_ms IS NOT NULL"
            " ORDER BY finished_at DESC LIMIT ?",
            (limit,),
        )
        return [KieDuration(AspectRatio(aspect_ratio), duration / 1000) for aspect_ratio, duration in rows]

    def median_seconds(self, sample_size: int, min_sample_size: int) -> float | None:
        """Return the median of how long Kie worked on the latest images, in seconds; None if there are too few."""
        latest = [each.seconds for each in self.list_latest_durations(sample_size)]
        return median(latest) if len(latest) >= min_sample_size else None

    def list_due(self, state: State, now: Instant, limit: int) -> list[int]:
        """Return the ids of due jobs in a state, the longest due first."""
        sql = "SELECT id FROM jobs WHERE due_at <= ? AND state = ? ORDER BY due_at LIMIT ?"
        return self._ints(sql, (now, state, limit))

    def list_due_incomplete(self, now: Instant, limit: int) -> list[int]:
        """Return the ids of incomplete requests that are due and for which no earlier update waits in the inbox.

        The `+` removes the column's affinity, with which SQLite could not use the index `inbox_by_chat`.
        """
        return self._ints(
            "SELECT id FROM jobs WHERE due_at <= ? AND state = ? AND coalesce((SELECT received_at FROM inbox"
            f" WHERE {WAITING_SQL} AND inbox.chat_id = +jobs.chat_id ORDER BY update_id LIMIT 1), due_at + 1) > due_at"
            " ORDER BY due_at LIMIT ?",
            (now, State.GATHERING, limit),
        )

    def next_due_at(self, now: Instant) -> Instant | None:
        """Return the first moment after `now` at which a job is due."""
        return self._int("SELECT min(due_at) FROM jobs WHERE due_at > ?", (now,))

    def list_in_state(self, state: State) -> list[int]:
        """Return the ids of all jobs in a state; for the start of the process."""
        return self._ints("SELECT id FROM jobs WHERE state = ? ORDER BY submitted_at", (state,))

    def count_waiting(self, limit: int) -> int:
        """Count the jobs that are not ordered yet, up to `limit`."""
        return min(limit, count_jobs_in_states(self._db, UNORDERED_STATES))

    def count_waiting_charged_to(self, charged_to: int, limit: int) -> int:
        """Count a user's jobs that are not ordered yet, up to `limit`."""
        return self._count(
            "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE charged_to = ? AND state IN ('gathering', 'queued')"
            " LIMIT ?)",
            (charged_to, limit),
        )

    def count_without_prompt(self, charged_to: int, day: int) -> int:
        """Count a user's jobs of a UTC day that still wait for a prompt."""
        return self._count(
            "SELECT count(*) FROM jobs WHERE charged_to = ? AND state IN ('gathering', 'queued')"
            " AND +state = 'gathering' AND counted_day = ? AND NOT counted_for_all",
            (charged_to, day),
        )

    def count_at_kie(self, since: Instant) -> int:
        """Count the jobs that were ordered after `since` and may still run at Kie."""
        return self._count(
            "SELECT count(*) FROM jobs WHERE state IN (?, ?) AND submitted_at > ?",
            (State.SUBMITTING, State.RUNNING, since),
        )

    def transition(self, job: Job, to: State, **changes: Value) -> bool:
        """Take a job from the state that was read to another one; return False if its state has changed since.

        Raises IllegalTransition if the state machine has no such transition.
        """
        check_transition(job.state, to)
        moved = self._write_columns(job, {"state": to, **changes})
        if moved:
            self._events += [log_job_transition(job, to, changes), JobTransitioned(job, to, changes)]
        if moved and to in REFUNDED_STATES:
            self._quota.refund_ended(job.id, to)
        return moved

    def update(self, job: Job, **changes: Value) -> bool:
        """Set columns of a job; return False if its state has changed since it was read, or it was erased."""
        updated = self._write_columns(job, changes)
        answered_at = changes.get("answered_at")
        if updated and isinstance(answered_at, int) and job.answered_at is None:
            self._events.append(JobAnswered(job, answered_at))
        return updated

    def _write_columns(self, job: Job, changes: dict[str, Value]) -> bool:
        unknown = changes.keys() - UPDATABLE_COLUMNS - {"state"}
        if unknown:
            raise ValueError(f"not for a step to change: {', '.join(sorted(unknown))}")
        columns = ", ".join(f"{name} = ?" for name in changes)
        changed = self._change(
            f"UPDATE jobs SET {columns} WHERE id = ? AND state = ? AND erased_at IS NULL",
            (*changes.values(), job.id, job.state),
        )
        return changed == 1

    def is_still_in_state(self, job: Job) -> bool:
        """Say whether a job is still in the state that was read."""
        return self._exists("SELECT 1 FROM jobs WHERE id = ? AND state = ?", (job.id, job.state))

    def increment_tries(self, job_id: int) -> int:
        """Count a failed try, even of a job that cannot be read; return how many there were."""
        return self._count("UPDATE jobs SET tries = tries + 1 WHERE id = ? RETURNING tries", (job_id,))

    def postpone(self, job_id: int, due_at: Instant) -> None:
        """Set when a job is due, whatever its state."""
        self._change("UPDATE jobs SET due_at = ? WHERE id = ? AND erased_at IS NULL", (due_at, job_id))

    def set_upload_url(self, job_id: int, position: int, url: str | None, now: Instant) -> None:
        """Store the URL from which Kie can fetch an image, and since when; None for a URL that must not be stored."""
        self._change(
            "UPDATE source_images SET upload_url = ?, uploaded_at = ? WHERE job_id = ? AND position = ?",
            (url, now, job_id, position),
        )

    def list_awaiting_download(self, user_id: int, chat_id: int) -> list[Job]:
        """Return a user's jobs in a chat whose finished images cannot be downloaded yet, the oldest first."""
        return list(
            self._iter(
                "user_id = ? AND download_failing_since IS NOT NULL AND answering_at IS NULL AND id IN"
                " (SELECT job_id FROM outbox WHERE chat_id = ? AND ended_at IS NULL AND is_answer AND kind = 'image')"
                " ORDER BY id",
                user_id,
                chat_id,
            )
        )

    def list_open_of_user_in_chat(self, user_id: int, chat_id: int) -> list[Job]:
        """Return the unfinished jobs of a user in a chat, the oldest first."""
        return self._list_open("user_id = ? AND chat_id = ?", user_id, chat_id)

    def list_open_of_user(self, user_id: int) -> list[Job]:
        """Return the unfinished jobs of a user in all chats, the oldest first."""
        return self._list_open("user_id = ?", user_id)

    def list_open_in_chat(self, chat_id: int) -> list[Job]:
        """Return the unfinished jobs of a chat, the oldest first."""
        return self._list_open("chat_id = ?", chat_id)

    def list_open_charged_to(self, charged_to: int) -> list[Job]:
        """Return the unfinished jobs in the name of groups or channels that a user is charged for, oldest first."""
        return self._list_open("charged_to = ? AND charged_to <> user_id", charged_to)

    def _list_open(self, where: str, *values: Value) -> list[Job]:
        states = f"state IN ({_placeholders(OPEN_STATES)})"
        return list(self._iter(f"{where} AND {states} ORDER BY id", *values, *OPEN_STATES))

    def _iter(self, where: str, *values: Value) -> Iterator[Job]:
        return map(self._read_job, self._db.execute(f"SELECT * FROM jobs WHERE {where}", values))

    def _read_job(self, row: sqlite3.Row) -> Job:
        sources = self._rows("SELECT * FROM source_images WHERE job_id = ? ORDER BY position", (row["id"],))
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
            reason=None if row["reason"] is None else FailureReason(row["reason"]),
            **{name: row[name] for name in PLAIN_COLUMNS},
        )


#: The columns that are fields of `Job` with the same name and value.
PLAIN_COLUMNS = (
    "due_at", "closes_by", "queued_at", "submitted_at", "asked_at", "overdue_at", "finished_at", "answering_at",
    "answered_at", "answer_deleted_at", "task_id", "tries", "rejections", "reorders", "result_url",
    "download_failing_since",
)  # fmt: skip


def count_jobs_in_states(db: sqlite3.Connection, states: Sequence[State]) -> int:
    """Return how many jobs are in some states, from the counts that triggers maintain."""
    sql = f"SELECT coalesce(sum(count), 0) FROM job_counts WHERE state IN ({_placeholders(states)})"
    return int(db.execute(sql, tuple(states)).fetchone()[0])


def edit_option_columns(options: EditOptions) -> dict[str, str]:
    """Return edit options as the columns of a job."""
    return {"format": options.format, "aspect_ratio": options.aspect_ratio, "answer_as": options.answer_as}


def _placeholders(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)


def _read_source(row: sqlite3.Row) -> SourceImage:
    columns = dict(row) | {"is_photo": bool(row["is_photo"])}
    del columns["job_id"]
    return SourceImage(**columns)
