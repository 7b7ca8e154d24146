"""The plan: what the worker starts next, found by index in one transaction, and when it has to ask again."""

from dataclasses import dataclass

from bot.job import Instant, Job, State
from bot.jobs import balance, gather, halt, status
from bot.jobs.gates import Limits, Opening, is_shut, needs_probe
from bot.jobs.status import Errand
from bot.jobs.submit import Order, Submit
from bot.jobs.trouble import UPLOADS
from bot.kie.errors import Halt
from bot.store import outbox
from bot.store.breakers import Breaker
from bot.store.outbox import Kind, Parcel
from bot.store.transaction import Transaction

#: Jobs prepared at once; how many of their pictures, `prepare` says.
MOST_PREPARED = 4

#: Pictures being delivered at once: 50 MB of memory each at the most, and usually 2.
MOST_DELIVERED = 6

#: What changes as long as it stands.
SHOWN = frozenset({Kind.STATUS, Kind.MENU})

#: Groups whose administrators are asked for at once.
MOST_ASKED_ABOUT = 4

#: Messages under way at once, each to another chat, pictures among them.
MOST_SENT = 16


@dataclass(frozen=True)
class Busy:
    """What is under way already."""

    jobs: frozenset[int]
    messages: outbox.Busy
    probes: frozenset[str]
    #: groups that are being asked about
    groups: frozenset[int]
    #: messages under way that are pictures
    deliveries: int
    #: whether Kie is being asked for the balance
    asks_balance: bool


@dataclass(frozen=True)
class Plan:
    """What to start now, and the next moment at which there may be more."""

    jobs: list[Job]
    #: whether more of them are due, which have to wait until one that is under way has ended
    more_jobs: bool
    orders: list[Order]
    parcels: list[Parcel]
    #: messages that tell how a job stands
    errands: list[Errand]
    probes: list[str]
    #: groups whose administrators somebody has to know
    groups: list[int]
    #: whether Kie is to be asked for the balance
    asks_balance: bool
    next_at: Instant | None


def plan_for(tx: Transaction, submit: Submit, now: Instant, busy: Busy) -> Plan:
    """Find what is due, write down the orders among it, and say when there may be more."""
    more_gathered = gather.close_due(tx, now)
    orders, gate = submit.begin(tx, now) if tx.line.is_waited_in() else ([], Opening(0))
    balance_at = balance.due_at(tx) if submit.limits.has_admins else None
    somebody_waits = tx.line.is_waited_in()
    if somebody_waits:
        _remind(tx, now)
        halt.tell_groups(tx, submit.limits, now)
    parcels = _parcels_due(tx, now, busy)
    errands, nothing_to_tell = _errands(tx, parcels, submit.limits, now)
    breakers = tx.breakers.all()
    unproven = [breaker for breaker in breakers if needs_probe(breaker)] if somebody_waits else []
    moments = [tx.jobs.next_due(now), tx.outbox.next_due(now), tx.chats.next_due(now)]
    moments += [breaker.until for breaker in unproven]
    moments += [breaker.until for breaker in breakers if breaker.name == UPLOADS]
    if somebody_waits:
        moments.append(gate.opens_at)
    moments.append(balance_at)
    next_at = min((moment for moment in moments if moment is not None and moment > now), default=None)
    job_ids, more_jobs = _jobs_due(tx, breakers, now, busy.jobs)
    return Plan(
        jobs=[job for job in map(tx.jobs.get, job_ids) if job is not None],
        more_jobs=more_jobs,
        orders=orders,
        parcels=[each for each in parcels if each.say.kind not in SHOWN],
        errands=errands,
        probes=[each.name for each in unproven if each.until <= now and each.name not in busy.probes],
        groups=[each for each in tx.chats.admins_due(now, MOST_ASKED_ABOUT) if each not in busy.groups],
        asks_balance=balance_at is not None and balance_at <= now and not busy.asks_balance,
        # behind those that turned out to need nothing there may be others
        next_at=now if nothing_to_tell or more_gathered else next_at,
    )


def _errands(tx: Transaction, parcels: list[Parcel], limits: Limits, now: Instant) -> tuple[list[Errand], bool]:
    due = [status.errand(tx, each, limits, now) for each in parcels if each.say.kind in SHOWN]
    return [each for each in due if each is not None], None in due


def _remind(tx: Transaction, now: Instant) -> None:
    for job_id in tx.line.waiting_long(now):
        job = tx.jobs.get(job_id)
        if job is not None and tx.jobs.note(job, due_at=None):
            tx.statuses.open(job, now)


def _parcels_due(tx: Transaction, now: Instant, busy: Busy) -> list[Parcel]:
    if len(busy.messages.parcels) >= MOST_SENT:
        return []
    return tx.outbox.due(now, busy.messages, MOST_SENT, pictures=busy.deliveries < MOST_DELIVERED)


def _jobs_due(tx: Transaction, breakers: list[Breaker], now: Instant, busy: frozenset[int]) -> tuple[list[int], bool]:
    """Return the ids of the jobs to take up, and whether there are more, be it that they are under way."""
    most = MOST_PREPARED + len(busy) + 1
    all_in_doubt, all_to_prepare = tx.jobs.due(State.SUBMITTING, now, most), tx.line.to_prepare(now, most)
    in_doubt = [job_id for job_id in all_in_doubt if job_id not in busy]
    to_prepare = [job_id for job_id in all_to_prepare if job_id not in busy]
    room = MOST_PREPARED - len(busy)
    taken_up = [*in_doubt, *to_prepare[: max(0, _room_to_prepare(breakers, now, busy))]][:room]
    return taken_up, len(taken_up) < len(all_in_doubt) + len(all_to_prepare)


def _room_to_prepare(breakers: list[Breaker], now: Instant, busy: frozenset[int]) -> int:
    # without a good key no upload is taken either
    if any(each.name in (Halt.KEY, UPLOADS) and is_shut(each, now) for each in breakers):
        return 0
    # after a trouble the first one goes alone, to see whether its pictures are taken
    most = 1 if any(each.name == UPLOADS for each in breakers) else MOST_PREPARED
    return most - len(busy)
