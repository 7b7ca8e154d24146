"""The dispatch plan: what the worker starts next, found by index in one transaction, and when more is due."""

from dataclasses import dataclass, replace
from functools import partial

from bot.clock import Instant, add_seconds, seconds_between
from bot.pipeline import collect_request, credit_balance, outage_notices, preparation_plan, progress_message
from bot.pipeline.circuit_breakers import UPLOADS
from bot.pipeline.error_containment import MAX_TRIES, OUTBOX_MESSAGE_EXPIRY, QUARANTINE_SECONDS, ErrorContainment
from bot.pipeline.order_limits import OrderAllowance, OrderLimits, needs_probe
from bot.pipeline.preparation_plan import JobsInFlight
from bot.pipeline.progress_message import ProgressUpdate
from bot.pipeline.submit_order import Order, OrderSubmitter
from bot.store.due_times import DueTimes, is_due
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxExclusions, OutboxLane, OutboxMessage
from bot.store.transaction import Transaction

#: Images and files being delivered at once: 50 MB of memory each at most, and usually 2.
MAX_DELIVERIES = 6

#: Of these, those of one user over all chats: one slot is left for everybody else.
MAX_DELIVERIES_PER_USER = MAX_DELIVERIES - 1

#: Messages that change after they were sent.
EDITABLE_KINDS = frozenset({MessageKind.PROGRESS_MESSAGE, MessageKind.MENU})

#: Messages that need the job and its result.
RESULT_KINDS = frozenset({MessageKind.IMAGE, MessageKind.FILE})

#: Groups whose administrators one plan looks up.
MAX_ADMIN_LOOKUPS = 4

#: Messages in flight at once, each to another chat, deliveries included.
MAX_MESSAGES_IN_FLIGHT = 16

#: Messages that one plan starts: Telegram's global limit hardly lets more than one leave at a moment.
MAX_MESSAGES_PER_PLAN = 4


@dataclass(frozen=True)
class WorkInFlight:
    """What is in flight, so that a plan does not start it again."""

    jobs: JobsInFlight
    messages: OutboxExclusions
    #: probes, balance checks and lookups of administrators: which kind, and of what
    checks: frozenset[tuple[str, object]]
    #: how many images and files
    deliveries: int


@dataclass(frozen=True)
class DispatchPlan:
    """What to start now, and when more is due."""

    jobs: preparation_plan.DueJobs
    orders: list[Order]
    messages: list[OutboxMessage]
    progress_updates: list[ProgressUpdate]
    #: lanes with messages that are due, out of which the rate limits let nothing leave at this moment
    closed_lanes: frozenset[OutboxLane]
    #: names of the circuit breakers to probe
    probes: list[str]
    #: groups whose administrators are to be looked up
    groups: list[int]
    is_balance_due: bool
    next_at: Instant | None


def make_plan(
    tx: Transaction,
    submitter: OrderSubmitter,
    containment: ErrorContainment,
    now: Instant,
    in_flight: WorkInFlight,
) -> DispatchPlan:
    """Find what is due, begin the orders among it, and say when more is due.

    A row that causes an error is postponed, and the others are planned all the same.
    """
    due_times, plan_again = tx.read_due_times(), False
    if is_due(due_times.jobs_at, now):
        plan_again = collect_request.close_due_requests(tx, containment, now)
        due_times = tx.read_due_times()
    orders: list[Order] = []
    allowance = OrderAllowance(0)
    if due_times.has_queued_jobs:
        orders, allowance, more_groups = _begin_orders(tx, submitter, containment, now)
        plan_again |= more_groups
        due_times = tx.read_due_times()
    breakers = tx.circuit_breakers.list_open() if due_times.has_queued_jobs else []
    unproven = [breaker for breaker in breakers if needs_probe(breaker)]
    balance_at = credit_balance.next_balance_check_at(tx) if submitter.limits.has_admins else None
    due_lanes = frozenset(lane for lane, due_at in due_times.lanes_at.items() if due_at <= now)
    found = _due_messages(tx, due_lanes, now, in_flight)
    shown = [each for each in found if each.draft.kind in EDITABLE_KINDS]
    updates = [_plan_progress_update(tx, containment, each, submitter.limits, now) for each in shown]
    messages = [_attach_job(tx, containment, each, now) for each in found if each.draft.kind not in EDITABLE_KINDS]
    plan_again |= None in updates or None in messages  # behind these there may be others
    groups = tx.chats.list_admins_due(now, MAX_ADMIN_LOOKUPS) if is_due(due_times.admins_at, now) else []
    moments = [allowance.opens_at, balance_at, *_next_due_times(tx, due_times, now)]
    moments += [breaker.until for breaker in breakers if breaker in unproven or breaker.name == UPLOADS]
    return DispatchPlan(
        jobs=preparation_plan.find_due_jobs(tx, containment, due_times, breakers, now, in_flight.jobs),
        orders=orders,
        messages=[each for each in messages if each is not None],
        progress_updates=[each for each in updates if each is not None],
        closed_lanes=due_lanes & in_flight.messages.closed_lanes,
        probes=[each.name for each in unproven if each.until <= now and ("probe", each.name) not in in_flight.checks],
        groups=[each for each in groups if ("administrators", each) not in in_flight.checks],
        is_balance_due=is_due(balance_at, now) and ("balance", "") not in in_flight.checks,
        next_at=now if plan_again else min((at for at in moments if at is not None and at > now), default=None),
    )


def _begin_orders(
    tx: Transaction, submitter: OrderSubmitter, containment: ErrorContainment, now: Instant
) -> tuple[list[Order], OrderAllowance, bool]:
    """Begin the orders that may be placed now, and update those who wait.

    The last value says whether more groups may have to be notified.
    """
    orders, allowance = submitter.begin_due_orders(tx, now)
    if not tx.fair_queue.has_jobs():
        return orders, OrderAllowance(0), False
    for job_id in tx.fair_queue.list_waiting_long(now):
        containment.run_for_job(tx, job_id, partial(_show_waiting, tx, job_id, now))
    return orders, allowance, outage_notices.notify_groups(tx, containment, submitter.limits, now)


def _show_waiting(tx: Transaction, job_id: int, now: Instant) -> None:
    job = tx.jobs.get(job_id)
    if job is not None and tx.jobs.update(job, due_at=None):
        tx.progress_messages.open_or_refresh(job, now)


def _next_due_times(tx: Transaction, due_times: DueTimes, now: Instant) -> list[Instant | None]:
    """Return the next due time of each kind of row; what is due already waits for the end of something in flight."""
    return [
        tx.jobs.next_due_at(now) if is_due(due_times.jobs_at, now) else due_times.jobs_at,
        tx.outbox.next_due_at(now) if is_due(due_times.messages_at, now) else due_times.messages_at,
        tx.chats.next_admins_due_at(now) if is_due(due_times.admins_at, now) else due_times.admins_at,
    ]


def _due_messages(
    tx: Transaction, due_lanes: frozenset[OutboxLane], now: Instant, in_flight: WorkInFlight
) -> list[OutboxMessage]:
    lanes = due_lanes - in_flight.messages.closed_lanes
    if in_flight.deliveries >= MAX_DELIVERIES:
        lanes -= {OutboxLane.HEAVY}
    if not lanes or len(in_flight.messages.message_ids) >= MAX_MESSAGES_IN_FLIGHT:
        return []
    return tx.outbox.list_due(now, in_flight.messages, MAX_MESSAGES_PER_PLAN, lanes)


def _plan_progress_update(
    tx: Transaction, containment: ErrorContainment, message: OutboxMessage, limits: OrderLimits, now: Instant
) -> ProgressUpdate | None:
    plan = partial(progress_message.plan_progress_update, tx, message, limits, now)
    return containment.run_for_row(tx, "status", message.id, plan, partial(postpone_message, tx, message, now))


def _attach_job(
    tx: Transaction, containment: ErrorContainment, message: OutboxMessage, now: Instant
) -> OutboxMessage | None:
    job_id = message.draft.job_id
    if (message.replaces or message.draft.kind) not in RESULT_KINDS or job_id is None:
        return message
    read = partial(tx.jobs.get, job_id)
    job = containment.run_for_row(tx, "message", message.id, read, partial(postpone_message, tx, message, now))
    return None if job is None else replace(message, job=job)


def postpone_message(tx: Transaction, message: OutboxMessage, now: Instant) -> None:
    """Retry a message later about which the bot made a mistake; give it up after too many tries or too long."""
    if not tx.outbox.is_pending(message):
        return
    if message.tries >= MAX_TRIES or seconds_between(message.written_at, now) > OUTBOX_MESSAGE_EXPIRY:
        tx.outbox.mark_ended(message.id, DeliveryOutcome.EXPIRED, now)
    else:
        tx.outbox.postpone(message.id, add_seconds(now, QUARANTINE_SECONDS), failed=True)
