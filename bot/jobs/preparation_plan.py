"""Which jobs are prepared next: in fair order, and never so that one person holds what all need.

Plain pictures and those that have to be decoded have places of their own, so that the first never wait for the second.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from bot.job import Instant, Job, State
from bot.jobs.containment import Containment
from bot.jobs.conversion_lane import MOST_CONVERTED
from bot.jobs.gates import is_shut
from bot.jobs.trouble import UPLOADS
from bot.kie.errors import Halt
from bot.store.agenda import Agenda, has_come
from bot.store.breakers import Breaker
from bot.store.transaction import Transaction

#: Jobs prepared at once; how many of their pictures, `prepare` says.
MOST_PREPARED = 4

#: Of them, those of one person: Telegram and Kie may be slow with huge files, and one place is for everybody else.
MOST_PREPARED_OF_ONE = MOST_PREPARED - 1


@dataclass(frozen=True)
class UnderWay:
    """The jobs that are taken up already, by their ids, and whose they are."""

    prepared: Mapping[int, int]
    #: in the conversion lane
    converted: Mapping[int, int]

    @property
    def ids(self) -> frozenset[int]:
        """All of them."""
        return frozenset([*self.prepared, *self.converted])


@dataclass(frozen=True)
class Due:
    """What can be taken up now."""

    #: to be prepared, or to be asked about
    jobs: list[Job]
    #: to have a picture decoded
    conversions: list[Job]
    #: whether others are due, which have to wait until one that is under way has ended, be it that they are
    more: bool


def due(
    tx: Transaction,
    containment: Containment,
    agenda: Agenda,
    breakers: list[Breaker],
    now: Instant,
    under_way: UnderWay,
) -> Due:
    """Find the jobs that are due, as far as there are places, and begin the turns of those to be decoded."""
    places, most = MOST_PREPARED - len(under_way.prepared), MOST_PREPARED + len(under_way.ids) + 1
    all_in_doubt = tx.jobs.due(State.SUBMITTING, now, most) if has_come(agenda.jobs_at, now) else []
    in_doubt = _jobs(
        tx, containment, [job_id for job_id in all_in_doubt if job_id not in under_way.ids][: max(0, places)]
    )
    more = len(in_doubt) < len(all_in_doubt)
    if not agenda.somebody_waits:
        return Due(in_doubt, [], more)
    tx.line.release(now)
    uploads = _uploads(breakers, now, under_way)
    to_prepare = _to_prepare(tx, containment, min(places - len(in_doubt), uploads), under_way)
    to_convert = _to_convert(
        tx, containment, min(MOST_CONVERTED - len(under_way.converted), uploads - len(to_prepare)), under_way
    )
    more |= len(to_prepare) < len(tx.line.to_prepare(now, len(to_prepare) + 1))
    more |= len(to_convert) < len(tx.conversions.due(len(to_convert) + 1))
    return Due([*in_doubt, *to_prepare], to_convert, more)


def _uploads(breakers: list[Breaker], now: Instant, under_way: UnderWay) -> int:
    """Return how many more jobs may come to upload something, beside what places there are."""
    # without a good key no upload is taken either
    if any(each.name in (Halt.KEY, UPLOADS) and is_shut(each, now) for each in breakers):
        return 0
    # after a trouble the first one goes alone, to see whether its pictures are taken
    is_in_trouble = any(each.name == UPLOADS for each in breakers)
    return 1 - len(under_way.ids) if is_in_trouble else MOST_PREPARED + MOST_CONVERTED


def _to_prepare(tx: Transaction, containment: Containment, places: int, under_way: UnderWay) -> list[Job]:
    found: list[Job] = []
    while len(found) < places:
        of_each = Counter([*under_way.prepared.values(), *(job.person for job in found)])
        sated = [person for person, count in of_each.items() if count >= MOST_PREPARED_OF_ONE]
        job_id = tx.line.next_to_prepare(under_way.ids | _ids(found), sated)
        if job_id is None:
            break
        found += _jobs(tx, containment, [job_id])
    return found


def _to_convert(tx: Transaction, containment: Containment, places: int, under_way: UnderWay) -> list[Job]:
    found: list[Job] = []
    while len(found) < places:
        persons = [*under_way.converted.values(), *(job.person for job in found)]
        job_id = tx.conversions.serve(under_way.ids | _ids(found), persons)
        if job_id is None:
            break
        found += _jobs(tx, containment, [job_id])
    return found


def _jobs(tx: Transaction, containment: Containment, ids: list[int]) -> list[Job]:
    jobs = [containment.job(tx, job_id, partial(tx.jobs.get, job_id)) for job_id in ids]
    return [job for job in jobs if job is not None]


def _ids(jobs: list[Job]) -> frozenset[int]:
    return frozenset(job.id for job in jobs)
