"""Which jobs are prepared next: in fair order, and never so that one person holds what all need.

Plain pictures and those that have to be decoded have places of their own, so that the first never wait for the second.
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
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.order_limits import blocks_orders
from bot.store.circuit_breakers import UPLOADS, CircuitBreaker
from bot.store.due_times import DueTimes, is_due
from bot.store.transaction import Transaction

#: Jobs prepared at once; how many of their pictures, `prepare` says.
MAX_PREPARATIONS = 4

#: Of them, those of one person: Telegram and Kie may be slow with huge files, and one place is for everybody else.
MAX_PREPARATIONS_PER_PERSON = MAX_PREPARATIONS - 1


@dataclass(frozen=True)
class JobsInFlight:
    """The jobs that are taken up already, by their ids, and whose they are."""

    preparing: Mapping[int, int]
    #: in the conversion lane
    converting: Mapping[int, int]

    @property
    def ids(self) -> frozenset[int]:
        """All of them."""
        return frozenset([*self.preparing, *self.converting])


@dataclass(frozen=True)
class DueJobs:
    """What can be taken up now."""

    #: to be prepared, or to be asked about
    jobs: list[Job]
    #: to have a picture decoded
    conversions: list[Job]
    #: whether others are due, which have to wait until one that is under way has ended, be it that they are
    has_more: bool


def find_due_jobs(
    tx: Transaction,
    containment: ErrorContainment,
    agenda: DueTimes,
    breakers: list[CircuitBreaker],
    now: Instant,
    under_way: JobsInFlight,
) -> DueJobs:
    """Find the jobs that are due, as far as there are places, and begin the turns of those to be decoded."""
    places, most = MAX_PREPARATIONS - len(under_way.preparing), MAX_PREPARATIONS + len(under_way.ids) + 1
    all_in_doubt = tx.jobs.list_due(State.SUBMITTING, now, most) if is_due(agenda.jobs_at, now) else []
    in_doubt = _read_jobs(
        tx, containment, [job_id for job_id in all_in_doubt if job_id not in under_way.ids][: max(0, places)]
    )
    more = len(in_doubt) < len(all_in_doubt)
    if not agenda.has_queued_jobs:
        return DueJobs(in_doubt, [], more)
    tx.fair_queue.release_due(now)
    uploads = _allowed_uploads(breakers, now, under_way)
    to_prepare = _pick_to_prepare(tx, containment, min(places - len(in_doubt), uploads), under_way)
    to_convert = _pick_to_convert(
        tx, containment, min(MAX_CONVERSIONS - len(under_way.converting), uploads - len(to_prepare)), under_way
    )
    more |= len(to_prepare) < len(tx.fair_queue.list_to_prepare(now, len(to_prepare) + 1))
    more |= len(to_convert) < len(tx.conversion_queue.list_due(len(to_convert) + 1))
    return DueJobs([*in_doubt, *to_prepare], to_convert, more)


def _allowed_uploads(breakers: list[CircuitBreaker], now: Instant, under_way: JobsInFlight) -> int:
    """Return how many more jobs may come to upload something, beside what places there are."""
    # without a good key no upload is taken either
    if any(each.name in (BlockCause.KEY, UPLOADS) and blocks_orders(each, now) for each in breakers):
        return 0
    # after a trouble the first one goes alone, to see whether its pictures are taken
    is_in_trouble = any(each.name == UPLOADS for each in breakers)
    return 1 - len(under_way.ids) if is_in_trouble else MAX_PREPARATIONS + MAX_CONVERSIONS


def _pick_to_prepare(tx: Transaction, containment: ErrorContainment, places: int, under_way: JobsInFlight) -> list[Job]:
    found: list[Job] = []
    while len(found) < places:
        of_each = Counter([*under_way.preparing.values(), *(job.charged_to for job in found)])
        sated = [person for person, count in of_each.items() if count >= MAX_PREPARATIONS_PER_PERSON]
        job_id = tx.fair_queue.get_next_to_prepare(under_way.ids | _job_ids(found), sated)
        if job_id is None:
            break
        found += _read_jobs(tx, containment, [job_id])
    return found


def _pick_to_convert(tx: Transaction, containment: ErrorContainment, places: int, under_way: JobsInFlight) -> list[Job]:
    found: list[Job] = []
    while len(found) < places:
        persons = [*under_way.converting.values(), *(job.charged_to for job in found)]
        job_id = tx.conversion_queue.take_next(under_way.ids | _job_ids(found), persons)
        if job_id is None:
            break
        found += _read_jobs(tx, containment, [job_id])
    return found


def _read_jobs(tx: Transaction, containment: ErrorContainment, ids: list[int]) -> list[Job]:
    jobs = [containment.run_for_job(tx, job_id, partial(tx.jobs.get, job_id)) for job_id in ids]
    return [job for job in jobs if job is not None]


def _job_ids(jobs: list[Job]) -> frozenset[int]:
    return frozenset(job.id for job in jobs)


#: While a picture of one person is decoded, that of the next is fetched, or handed on.
MAX_CONVERSIONS = 2


class ConversionLane:
    """Who is in the lane, in memory: whoever was there when the process ended is still in the queue."""

    def __init__(self) -> None:
        self._jobs: dict[int, int] = {}

    @property
    def jobs(self) -> Mapping[int, int]:
        """The jobs in the lane, and whose they are."""
        return dict(self._jobs)

    def enter(self, job: Job) -> bool:
        """Take a place for a job; False if there is none, or its person has one."""
        is_free = len(self._jobs) < MAX_CONVERSIONS and job.charged_to not in self._jobs.values()
        if is_free:
            self._jobs[job.id] = job.charged_to
        return is_free

    def leave(self, job: Job) -> None:
        """Give the place of a job back."""
        self._jobs.pop(job.id, None)


class FairSemaphore:
    """So many places for all persons together, and one less for each of them; who waits is served in turn."""

    def __init__(self, places: int) -> None:
        self._shared = asyncio.Semaphore(places)
        self._max_per_person = places - 1
        #: of the persons who hold a place, or wait for one
        self._per_person: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def slot_for(self, person: int) -> AsyncIterator[None]:
        """Hold a place for somebody."""
        of_one = self._per_person.setdefault(person, asyncio.Semaphore(self._max_per_person))
        async with of_one, self._shared:
            yield
