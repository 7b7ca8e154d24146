"""The plan: what the worker starts next, found by index in one transaction, and when it has to ask again."""

from dataclasses import dataclass, replace
from functools import partial

from bot.clock import Instant, add_seconds, seconds_between
from bot.pipeline import circuit_breakers, collect_request, credit_balance, preparation_plan, progress_message
from bot.pipeline.error_containment import QUARANTINE_SECONDS, ErrorContainment
from bot.pipeline.order_limits import OrderAllowance, OrderLimits, needs_probe
from bot.pipeline.preparation_plan import JobsInFlight
from bot.pipeline.progress_message import ProgressUpdate
from bot.pipeline.retry_limits import MAX_TRIES, OUTBOX_MESSAGE_EXPIRY
from bot.pipeline.submit_order import Order, OrderSubmitter
from bot.store import outbox
from bot.store.circuit_breakers import UPLOADS
from bot.store.due_times import DueTimes, is_due
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxLane, OutboxMessage
from bot.store.transaction import Transaction

#: Pictures being delivered at once: 50 MB of memory each at the most, and usually 2.
MAX_DELIVERIES = 6

#: Of them, those of one person, in as many chats: one place is for everybody else.
MAX_DELIVERIES_PER_PERSON = MAX_DELIVERIES - 1

#: What changes as long as it stands.
EDITABLE_KINDS = frozenset({MessageKind.PROGRESS_MESSAGE, MessageKind.MENU})

#: What is made from a job's result.
RESULT_KINDS = frozenset({MessageKind.IMAGE, MessageKind.FILE})

#: Groups whose administrators are asked for at once.
MAX_ADMIN_LOOKUPS = 4

#: Messages under way at once, each to another chat, pictures among them.
MAX_MESSAGES_IN_FLIGHT = 16

#: Messages that one plan starts at most: Telegram's limit for all of them together lets hardly more than one leave.
MAX_MESSAGES_PER_PLAN = 4


@dataclass(frozen=True)
class WorkInFlight:
    """What is under way already."""

    jobs: JobsInFlight
    messages: outbox.OutboxExclusions
    probes: frozenset[str]
    #: groups that are being asked about
    groups: frozenset[int]
    #: messages under way that are pictures
    deliveries: int
    #: whether Kie is being asked for the balance
    is_checking_balance: bool


@dataclass(frozen=True)
class DispatchPlan:
    """What to start now, and the next moment at which there may be more."""

    jobs: preparation_plan.DueJobs
    orders: list[Order]
    messages: list[OutboxMessage]
    #: messages that tell how a job stands
    progress_updates: list[ProgressUpdate]
    #: whether messages are due that are neither of these nor under way: they wait for another one to end
    has_more_messages: bool
    probes: list[str]
    #: groups whose administrators somebody has to know
    groups: list[int]
    #: whether Kie is to be asked for the balance
    is_balance_due: bool
    next_at: Instant | None


def make_plan(
    tx: Transaction, submit: OrderSubmitter, containment: ErrorContainment, now: Instant, busy: WorkInFlight
) -> DispatchPlan:
    """Find what is due, write down the orders among it, and say when there may be more.

    A row about which something goes wrong is put off, and the others are planned all the same.
    """
    agenda, more_gathered, more_groups = tx.read_due_times(), False, False
    if is_due(agenda.jobs_at, now):
        more_gathered = collect_request.close_due_requests(tx, containment, now)
        agenda = tx.read_due_times()
    orders: list[Order] = []
    gate = OrderAllowance(0)
    if agenda.has_queued_jobs:
        orders, gate, more_groups = _begin_orders(tx, submit, containment, now)
        agenda = tx.read_due_times()
    breakers = tx.circuit_breakers.list_open() if agenda.has_queued_jobs else []
    balance_at = credit_balance.next_balance_check_at(tx) if submit.limits.has_admins else None
    parcels = _due_messages(tx, agenda, now, busy)
    errands, nothing_to_tell = _plan_progress_updates(tx, containment, parcels, submit.limits, now)
    jobs = preparation_plan.find_due_jobs(tx, containment, agenda, breakers, now, busy.jobs)
    to_send = [_attach_job(tx, containment, each, now) for each in parcels if each.draft.kind not in EDITABLE_KINDS]
    groups = tx.chats.list_admins_due(now, MAX_ADMIN_LOOKUPS) if is_due(agenda.admins_at, now) else []
    unproven = [breaker for breaker in breakers if needs_probe(breaker)]
    moments = [gate.opens_at, balance_at, *_next_due_times(tx, agenda, now)]
    moments += [breaker.until for breaker in breakers if breaker in unproven or breaker.name == UPLOADS]
    return DispatchPlan(
        jobs=jobs,
        orders=orders,
        messages=[each for each in to_send if each is not None],
        has_more_messages=is_due(agenda.messages_at, now)
        and tx.outbox.has_more_due(now, (each.id for each in parcels), busy.messages),
        progress_updates=errands,
        probes=[each.name for each in unproven if each.until <= now and each.name not in busy.probes],
        groups=[each for each in groups if each not in busy.groups],
        is_balance_due=is_due(balance_at, now) and not busy.is_checking_balance,
        # behind those that turned out to need nothing there may be others
        next_at=now if nothing_to_tell or more_gathered or more_groups else _earliest(moments, now),
    )


def _begin_orders(
    tx: Transaction, submit: OrderSubmitter, containment: ErrorContainment, now: Instant
) -> tuple[list[Order], OrderAllowance, bool]:
    """Write down the orders that may be made now; say to those who wait on what there is to say.

    The last is whether there may be more groups to be told.
    """
    orders, gate = submit.begin_due_orders(tx, containment, now)
    if not tx.fair_queue.has_jobs():
        return orders, OrderAllowance(0), False
    for job_id in tx.fair_queue.list_waiting_long(now):
        containment.run_for_job(tx, job_id, partial(_show_waiting, tx, job_id, now))
    return orders, gate, circuit_breakers.notify_groups(tx, containment, submit.limits, now)


def _next_due_times(tx: Transaction, agenda: DueTimes, now: Instant) -> list[Instant | None]:
    """Return when there is more to do by the rows, if nothing changes."""
    return [
        tx.jobs.next_due_at(now) if is_due(agenda.jobs_at, now) else agenda.jobs_at,
        tx.outbox.next_due_at(now) if is_due(agenda.messages_at, now) else agenda.messages_at,
        tx.chats.next_admins_due_at(now) if is_due(agenda.admins_at, now) else agenda.admins_at,
    ]


def _earliest(moments: list[Instant | None], now: Instant) -> Instant | None:
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def _plan_progress_updates(
    tx: Transaction, containment: ErrorContainment, parcels: list[OutboxMessage], limits: OrderLimits, now: Instant
) -> tuple[list[ProgressUpdate], bool]:
    shown = [each for each in parcels if each.draft.kind in EDITABLE_KINDS]
    due = [
        containment.run_for_row(
            tx,
            "status",
            each.id,
            partial(progress_message.plan_progress_update, tx, each, limits, now),
            partial(postpone_message, tx, each, now),
        )
        for each in shown
    ]
    return [each for each in due if each is not None], None in due


def _show_waiting(tx: Transaction, job_id: int, now: Instant) -> None:
    job = tx.jobs.get(job_id)
    if job is not None and tx.jobs.update(job, due_at=None):
        tx.progress_messages.open_or_refresh(job, now)


def _due_messages(tx: Transaction, agenda: DueTimes, now: Instant, busy: WorkInFlight) -> list[OutboxMessage]:
    lanes = {lane for lane, due_at in agenda.lanes_at.items() if due_at <= now} - busy.messages.closed_lanes
    if busy.deliveries >= MAX_DELIVERIES:
        lanes.discard(OutboxLane.HEAVY)
    if not lanes or len(busy.messages.message_ids) >= MAX_MESSAGES_IN_FLIGHT:
        return []
    return tx.outbox.list_due(now, busy.messages, MAX_MESSAGES_PER_PLAN, lanes)


def _attach_job(
    tx: Transaction, containment: ErrorContainment, parcel: OutboxMessage, now: Instant
) -> OutboxMessage | None:
    job_id = parcel.draft.job_id
    if (parcel.replaces or parcel.draft.kind) not in RESULT_KINDS or job_id is None:
        return parcel
    read = partial(tx.jobs.get, job_id)
    job = containment.run_for_row(tx, "message", parcel.id, read, partial(postpone_message, tx, parcel, now))
    return None if job is None else replace(parcel, job=job)


def postpone_message(tx: Transaction, parcel: OutboxMessage, now: Instant) -> None:
    """Take a message up later about which the bot was mistaken; not for ever."""
    if not tx.outbox.is_pending(parcel):
        return
    if parcel.tries >= MAX_TRIES or seconds_between(parcel.written_at, now) > OUTBOX_MESSAGE_EXPIRY:
        tx.outbox.mark_ended(parcel.id, DeliveryOutcome.EXPIRED, now)
    else:
        tx.outbox.postpone(parcel.id, add_seconds(now, QUARANTINE_SECONDS), failed=True)
