"""The preparation plan: which jobs are prepared next, in fair order, and the limits for each user.

Images that must be decoded have slots of their own (the conversion lane), so that the others never wait for them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from bot.clock import Instant
from bot.job import Job, State
from bot.kie.errors import BlockCause
from bot.pipeline.circuit_breakers import UPLOADS
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.order_limits import blocks_orders
from bot.store.circuit_breakers import CircuitBreaker
from bot.store.due_times import DueTimes, is_due
from bot.store.transaction import Transaction

#: Jobs prepared at once; `prepare_images` limits how many of their images.
MAX_PREPARATIONS = 4

#: Of these, those of one user: Telegram and Kie may be slow with huge files, and one slot is left for everybody else.
MAX_PREPARATIONS_PER_USER = MAX_PREPARATIONS - 1

#: Images decoded at once: while the image of one user is decoded, that of the next is downloaded or uploaded.
MAX_CONVERSIONS = 2


@dataclass(frozen=True)
class JobsInFlight:
    """The jobs in flight by id, each with its user."""

    preparing: Mapping[int, int]
    #: in the conversion lane
    converting: Mapping[int, int]

    @property
    def ids(self) -> frozenset[int]:
        """The ids of all of them."""
        return frozenset([*self.preparing, *self.converting])


@dataclass(frozen=True)
class DueJobs:
    """The jobs to start now."""

    #: to be prepared, or uncertain orders to be advanced
    jobs: list[Job]
    #: whose next image is to be decoded
    conversions: list[Job]


def find_due_jobs(
    tx: Transaction,
    containment: ErrorContainment,
    due_times: DueTimes,
    breakers: list[CircuitBreaker],
    now: Instant,
    in_flight: JobsInFlight,
) -> DueJobs:
    """Find the due jobs for which there are free slots, and count the turns of those to be converted."""
    slots = MAX_PREPARATIONS - len(in_flight.preparing)
    due_ids = (
        tx.jobs.list_due(State.SUBMITTING, now, MAX_PREPARATIONS + len(in_flight.ids))
        if is_due(due_times.jobs_at, now)
        else []
    )
    uncertain = _read_jobs(tx, containment, [id_ for id_ in due_ids if id_ not in in_flight.ids][: max(0, slots)])
    if not due_times.has_queued_jobs:
        return DueJobs(uncertain, [])
    tx.fair_queue.release_due(now)
    uploads = _allowed_uploads(breakers, now, in_flight)
    prepared = _pick_to_prepare(tx, containment, min(slots - len(uncertain), uploads), in_flight)
    slots = min(MAX_CONVERSIONS - len(in_flight.converting), uploads - len(prepared))
    return DueJobs([*uncertain, *prepared], _pick_to_convert(tx, containment, slots, in_flight))


def _allowed_uploads(breakers: list[CircuitBreaker], now: Instant, in_flight: JobsInFlight) -> int:
    """Return how many more jobs the circuit breakers let upload something."""
    # Kie takes no upload either without a valid key
    if any(each.name in (BlockCause.KEY, UPLOADS) and blocks_orders(each, now) for each in breakers):
        return 0
    # after an outage the first upload goes alone, to see whether Kie takes it
    is_recovering = any(each.name == UPLOADS for each in breakers)
    return 1 - len(in_flight.ids) if is_recovering else MAX_PREPARATIONS + MAX_CONVERSIONS


def _pick_to_prepare(tx: Transaction, containment: ErrorContainment, slots: int, in_flight: JobsInFlight) -> list[Job]:
    found: list[Job] = []
    while len(found) < slots:
        per_user = Counter([*in_flight.preparing.values(), *(job.charged_to for job in found)])
        at_limit = [user for user, count in per_user.items() if count >= MAX_PREPARATIONS_PER_USER]
        job_id = tx.fair_queue.get_next_to_prepare(in_flight.ids.union(job.id for job in found), at_limit)
        if job_id is None:
            break
        found += _read_jobs(tx, containment, [job_id])
    return found


def _pick_to_convert(tx: Transaction, containment: ErrorContainment, slots: int, in_flight: JobsInFlight) -> list[Job]:
    found: list[Job] = []
    while len(found) < slots:
        users = [*in_flight.converting.values(), *(job.charged_to for job in found)]
        job_id = tx.conversion_queue.take_next(in_flight.ids.union(job.id for job in found), users)
        if job_id is None:
            break
        found += _read_jobs(tx, containment, [job_id])
    return found


def _read_jobs(tx: Transaction, containment: ErrorContainment, ids: list[int]) -> list[Job]:
    jobs = [containment.run_for_job(tx, job_id, partial(tx.jobs.get, job_id)) for job_id in ids]
    return [job for job in jobs if job is not None]


class ConversionLane:
    """The jobs whose image is being decoded, in memory: after a crash they are still in the conversion queue."""

    def __init__(self) -> None:
        self._jobs: dict[int, int] = {}

    @property
    def jobs(self) -> Mapping[int, int]:
        """The jobs in the lane by id, each with its user."""
        return dict(self._jobs)

    def enter(self, job: Job) -> bool:
        """Take a slot for a job; False if there is none, or if its user has one."""
        is_free = len(self._jobs) < MAX_CONVERSIONS and job.charged_to not in self._jobs.values()
        if is_free:
            self._jobs[job.id] = job.charged_to
        return is_free

    def leave(self, job: Job) -> None:
        """Release the slot of a job."""
        self._jobs.pop(job.id, None)


class FairSemaphore:
    """A semaphore of which one user gets all slots but one; waiting users are served in order."""

    def __init__(self, slots: int) -> None:
        self._shared = asyncio.Semaphore(slots)
        self._max_per_user = slots - 1
        #: of the users who hold a slot or wait for one
        self._per_user: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def slot_for(self, user: int) -> AsyncIterator[None]:
        """Hold a slot for a user."""
        of_user = self._per_user.setdefault(user, asyncio.Semaphore(self._max_per_user))
        async with of_user, self._shared:
            yield
