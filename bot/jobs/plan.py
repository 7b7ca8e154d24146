"""The plan: what the worker starts next, found by index in one transaction, and when it has to ask again."""

from dataclasses import dataclass

from bot.job import Instant, Job, State
from bot.jobs import outcome
from bot.jobs.gates import is_shut, needs_probe
from bot.jobs.submit import Submit
from bot.kie.errors import Halt
from bot.store.outbox import Parcel
from bot.store.transaction import Transaction

#: Pictures fetched and uploaded at once: 20 MB of memory each at the most.
MOST_PREPARED = 4

#: Pictures being delivered at once: 50 MB of memory each at the most, and usually 2.
MOST_DELIVERED = 6

#: Messages under way at once, each to another chat, pictures among them.
MOST_SENT = 16


@dataclass(frozen=True)
class Busy:
    """What is under way already."""

    jobs: frozenset[int]
    #: being written to, or to be left alone for a moment
    chats: set[int]
    probes: frozenset[str]
    #: messages under way
    sends: int
    #: those of them that are pictures
    deliveries: int


@dataclass(frozen=True)
class Plan:
    """What to start now, and the next moment at which there may be more."""

    jobs: list[int]
    orders: list[Job]
    parcels: list[Parcel]
    probes: list[str]
    next_at: Instant | None


def plan_for(tx: Transaction, submit: Submit, now: Instant, busy: Busy) -> Plan:
    """Find what is due, write down the orders among it, and say when there may be more."""
    orders, gate = submit.begin(tx, now)
    _remind(tx, now)
    somebody_waits = tx.line.is_waited_in()
    unproven = [breaker for breaker in tx.breakers.all() if needs_probe(breaker)] if somebody_waits else []
    moments = [tx.jobs.next_due(now), tx.outbox.next_due(now), *(breaker.until for breaker in unproven)]
    if somebody_waits:
        moments.append(gate.opens_at)
    return Plan(
        jobs=_jobs_due(tx, now, busy.jobs),
        orders=orders,
        parcels=_parcels_due(tx, now, busy),
        probes=[each.name for each in unproven if each.until <= now and each.name not in busy.probes],
        next_at=min((moment for moment in moments if moment is not None and moment > now), default=None),
    )


def _remind(tx: Transaction, now: Instant) -> None:
    for job_id in tx.line.waiting_long(now):
        job = tx.jobs.get(job_id)
        if job is not None and tx.jobs.note(job, due_at=None):
            outcome.remind(tx, job, now)


def _parcels_due(tx: Transaction, now: Instant, busy: Busy) -> list[Parcel]:
    if busy.sends >= MOST_SENT:
        return []
    return tx.outbox.due(now, busy.chats, MOST_SENT, pictures=busy.deliveries < MOST_DELIVERED)


def _jobs_due(tx: Transaction, now: Instant, busy: frozenset[int]) -> list[int]:
    most = MOST_PREPARED + len(busy)
    # without a good key no upload is taken either
    uploads_halted = any(each.name == Halt.KEY and is_shut(each, now) for each in tx.breakers.all())
    found = tx.jobs.due(State.SUBMITTING, now, most)
    found += [] if uploads_halted else tx.line.to_prepare(now, most)
    return [job_id for job_id in found if job_id not in busy][: MOST_PREPARED - len(busy)]
