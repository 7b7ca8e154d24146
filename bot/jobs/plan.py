"""The plan: what the worker starts next, found by index in one transaction, and when it has to ask again."""

from dataclasses import dataclass, replace
from functools import partial

from bot.job import Instant, later, seconds_between
from bot.jobs import balance, gather, halt, preparation_plan, status
from bot.jobs.containment import SET_ASIDE_FOR, Containment
from bot.jobs.gates import Limits, Opening, needs_probe
from bot.jobs.pauses import MOST_TRIES, PARCEL_EXPIRES
from bot.jobs.preparation_plan import UnderWay
from bot.jobs.status import Errand
from bot.jobs.submit import Order, Submit
from bot.jobs.trouble import UPLOADS
from bot.store import outbox
from bot.store.agenda import Agenda, has_come
from bot.store.outbox import Ending, Kind, Lane, Parcel
from bot.store.transaction import Transaction

#: Pictures being delivered at once: 50 MB of memory each at the most, and usually 2.
MOST_DELIVERED = 6

#: Of them, those of one person, in as many chats: one place is for everybody else.
MOST_DELIVERED_OF_ONE = MOST_DELIVERED - 1

#: What changes as long as it stands.
SHOWN = frozenset({Kind.STATUS, Kind.MENU})

#: What is made from a job's result.
PICTURES = frozenset({Kind.PICTURE, Kind.FILE})

#: Groups whose administrators are asked for at once.
MOST_ASKED_ABOUT = 4

#: Messages under way at once, each to another chat, pictures among them.
MOST_SENT = 16

#: Messages that one plan starts at most: Telegram's limit for all of them together lets hardly more than one leave.
MOST_STARTED = 4


@dataclass(frozen=True)
class Busy:
    """What is under way already."""

    jobs: UnderWay
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

    jobs: preparation_plan.Due
    orders: list[Order]
    parcels: list[Parcel]
    #: messages that tell how a job stands
    errands: list[Errand]
    #: whether messages are due that are neither of these nor under way: they wait for another one to end
    more_messages: bool
    probes: list[str]
    #: groups whose administrators somebody has to know
    groups: list[int]
    #: whether Kie is to be asked for the balance
    asks_balance: bool
    next_at: Instant | None


def plan_for(tx: Transaction, submit: Submit, containment: Containment, now: Instant, busy: Busy) -> Plan:
    """Find what is due, write down the orders among it, and say when there may be more.

    A row about which something goes wrong is put off, and the others are planned all the same.
    """
    agenda, more_gathered, more_groups = tx.agenda(), False, False
    if has_come(agenda.jobs_at, now):
        more_gathered = gather.close_due(tx, containment, now)
        agenda = tx.agenda()
    orders: list[Order] = []
    gate = Opening(0)
    if agenda.somebody_waits:
        orders, gate, more_groups = _orders(tx, submit, containment, now)
        agenda = tx.agenda()
    breakers = tx.breakers.all() if agenda.somebody_waits else []
    balance_at = balance.due_at(tx) if submit.limits.has_admins else None
    parcels = _parcels_due(tx, agenda, now, busy)
    errands, nothing_to_tell = _errands(tx, containment, parcels, submit.limits, now)
    jobs = preparation_plan.due(tx, containment, agenda, breakers, now, busy.jobs)
    to_send = [_with_its_job(tx, containment, each, now) for each in parcels if each.say.kind not in SHOWN]
    groups = tx.chats.admins_due(now, MOST_ASKED_ABOUT) if has_come(agenda.groups_at, now) else []
    unproven = [breaker for breaker in breakers if needs_probe(breaker)]
    moments = [gate.opens_at, balance_at, *_moments(tx, agenda, now)]
    moments += [breaker.until for breaker in breakers if breaker in unproven or breaker.name == UPLOADS]
    return Plan(
        jobs=jobs,
        orders=orders,
        parcels=[each for each in to_send if each is not None],
        more_messages=has_come(agenda.messages_at, now)
        and tx.outbox.are_more_due(now, (each.id for each in parcels), busy.messages),
        errands=errands,
        probes=[each.name for each in unproven if each.until <= now and each.name not in busy.probes],
        groups=[each for each in groups if each not in busy.groups],
        asks_balance=has_come(balance_at, now) and not busy.asks_balance,
        # behind those that turned out to need nothing there may be others
        next_at=now if nothing_to_tell or more_gathered or more_groups else _first(moments, now),
    )


def _orders(
    tx: Transaction, submit: Submit, containment: Containment, now: Instant
) -> tuple[list[Order], Opening, bool]:
    """Write down the orders that may be made now; say to those who wait on what there is to say.

    The last is whether there may be more groups to be told.
    """
    orders, gate = submit.begin(tx, now)
    if not tx.line.is_waited_in():
        return orders, Opening(0), False
    for job_id in tx.line.waiting_long(now):
        containment.job(tx, job_id, partial(_remind, tx, job_id, now))
    return orders, gate, halt.tell_groups(tx, containment, submit.limits, now)


def _moments(tx: Transaction, agenda: Agenda, now: Instant) -> list[Instant | None]:
    """Return when there is more to do by the rows, if nothing changes."""
    return [
        tx.jobs.next_due(now) if has_come(agenda.jobs_at, now) else agenda.jobs_at,
        tx.outbox.next_due(now) if has_come(agenda.messages_at, now) else agenda.messages_at,
        tx.chats.next_due(now) if has_come(agenda.groups_at, now) else agenda.groups_at,
    ]


def _first(moments: list[Instant | None], now: Instant) -> Instant | None:
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def _errands(
    tx: Transaction, containment: Containment, parcels: list[Parcel], limits: Limits, now: Instant
) -> tuple[list[Errand], bool]:
    shown = [each for each in parcels if each.say.kind in SHOWN]
    due = [
        containment.row(
            tx, "status", each.id, partial(status.errand, tx, each, limits, now), partial(put_off, tx, each, now)
        )
        for each in shown
    ]
    return [each for each in due if each is not None], None in due


def _remind(tx: Transaction, job_id: int, now: Instant) -> None:
    job = tx.jobs.get(job_id)
    if job is not None and tx.jobs.note(job, due_at=None):
        tx.statuses.open(job, now)


def _parcels_due(tx: Transaction, agenda: Agenda, now: Instant, busy: Busy) -> list[Parcel]:
    lanes = {lane for lane, due_at in agenda.lanes_at.items() if due_at <= now} - busy.messages.shut
    if busy.deliveries >= MOST_DELIVERED:
        lanes.discard(Lane.HEAVY)
    if not lanes or len(busy.messages.parcels) >= MOST_SENT:
        return []
    return tx.outbox.due(now, busy.messages, MOST_STARTED, lanes)


def _with_its_job(tx: Transaction, containment: Containment, parcel: Parcel, now: Instant) -> Parcel | None:
    job_id = parcel.say.job_id
    if (parcel.instead_of or parcel.say.kind) not in PICTURES or job_id is None:
        return parcel
    read = partial(tx.jobs.get, job_id)
    job = containment.row(tx, "message", parcel.id, read, partial(put_off, tx, parcel, now))
    return None if job is None else replace(parcel, job=job)


def put_off(tx: Transaction, parcel: Parcel, now: Instant) -> None:
    """Take a message up later about which the bot was mistaken; not for ever."""
    if not tx.outbox.is_waiting(parcel):
        return
    if parcel.tries >= MOST_TRIES or seconds_between(parcel.written_at, now) > PARCEL_EXPIRES:
        tx.outbox.ended(parcel.id, Ending.EXPIRED, now)
    else:
        tx.outbox.postpone(parcel.id, later(now, SET_ASIDE_FOR), failed=True)
