"""The dispatch plan: what the worker starts next, and when more is due. It is made in one transaction, by index.

Limits per user and per chat keep anyone from taking all slots. Images to be decoded have their own slots (the
conversion lane), so that other images never wait for them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from bot.clock import Instant, add_seconds, seconds_between
from bot.job import Job, State
from bot.kie.errors import BlockCause
from bot.pipeline import circuit_breakers, collect_request, credit_balance, progress_message
from bot.pipeline.error_containment import MAX_TRIES, OUTBOX_MESSAGE_EXPIRY, QUARANTINE_SECONDS, ErrorContainment
from bot.pipeline.order_limits import OrderAllowance, OrderLimits, blocks_orders, needs_probe
from bot.pipeline.prepare_images import MAX_CONVERSIONS
from bot.pipeline.progress_message import ProgressUpdate
from bot.pipeline.submit_order import Order, OrderSubmitter
from bot.store.circuit_breakers import UPLOADS, CircuitBreaker
from bot.store.database import Transaction
from bot.store.due_times import DueTimes, is_due
from bot.store.outbox import (
    EDITABLE_KINDS,
    RESULT_KINDS,
    DeliveryOutcome,
    OutboxExclusions,
    OutboxLane,
    OutboxMessage,
)

#: Jobs prepared at once; `prepare_images` limits their images.
MAX_PREPARATIONS = 4

#: Of these, those of one user: huge files may be slow to transfer, and one slot is left for everybody else.
MAX_PREPARATIONS_PER_USER = MAX_PREPARATIONS - 1

#: Images, files and charts being delivered at once; each takes up to 50 MB of memory, usually 2.
MAX_DELIVERIES = 6

#: Of these, those of one user over all chats; one slot is left for everybody else.
MAX_DELIVERIES_PER_USER = MAX_DELIVERIES - 1

#: Administrator lookups that one plan starts.
MAX_ADMIN_LOOKUPS = 4

#: Messages in flight, deliveries included, at which a plan starts no more of them.
MAX_MESSAGES_IN_FLIGHT = 16

#: Messages that one plan starts, besides progress edits; Telegram's global limit rarely lets more leave at once.
MAX_MESSAGES_PER_PLAN = 4


@dataclass(frozen=True)
class WorkInFlight:
    """What is in flight, so that a plan does not start it again."""

    #: jobs being prepared and uncertain orders being advanced by id, each with its user
    preparing: Mapping[int, int] = field(default_factory=dict)
    #: jobs in the conversion lane, likewise
    converting: Mapping[int, int] = field(default_factory=dict)
    messages: OutboxExclusions = field(default_factory=OutboxExclusions)
    #: how many of the messages are of the HEAVY_KINDS
    deliveries: int = 0
    #: probes, balance checks and administrator lookups: the kind, and the breaker or chat
    checks: frozenset[tuple[str, object]] = frozenset()

    @property
    def job_ids(self) -> frozenset[int]:
        """The ids of all jobs in flight."""
        return frozenset([*self.preparing, *self.converting])


@dataclass(frozen=True)
class DispatchPlan:
    """What to start now, and when more is due."""

    #: jobs to prepare and uncertain orders to advance
    jobs: list[Job]
    #: jobs whose next image is to be decoded
    conversions: list[Job]
    orders: list[Order]
    messages: list[OutboxMessage]
    progress_updates: list[ProgressUpdate]
    #: lanes with due messages that the rate limits hold back at this moment
    closed_lanes: frozenset[OutboxLane]
    #: names of the circuit breakers to probe
    probes: list[str]
    #: groups whose administrators to look up
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
    """Find what is due, begin the orders among it, and return when more is due.

    A row that causes an error is postponed and does not affect the others.
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
    plan_again |= None in updates or None in messages  # more may be due behind these
    groups = tx.chats.list_admins_due(now, MAX_ADMIN_LOOKUPS) if is_due(due_times.admins_at, now) else []
    jobs, conversions = find_due_jobs(tx, containment, due_times, breakers, now, in_flight)
    moments = [allowance.opens_at, balance_at, *_next_due_times(tx, due_times, now)]
    moments += [breaker.until for breaker in breakers if breaker in unproven or breaker.name == UPLOADS]
    return DispatchPlan(
        jobs=jobs,
        conversions=conversions,
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
    """Begin the orders that may be placed now, and notify users and groups whose jobs wait.

    Returns the orders, when more may be placed, and whether more groups may have to be notified.
    """
    orders, allowance = submitter.begin_due_orders(tx, containment, now)
    if not tx.fair_queue.has_jobs():
        return orders, OrderAllowance(0), False
    for job_id in tx.fair_queue.list_waiting_long(now):
        containment.run_for_job(tx, job_id, partial(_show_waiting, tx, job_id, now))
    return orders, allowance, circuit_breakers.notify_groups(tx, containment, submitter.limits, now)


def _show_waiting(tx: Transaction, job_id: int, now: Instant) -> None:
    job = tx.jobs.get(job_id)
    if job is not None and tx.jobs.update(job, due_at=None):
        tx.progress_messages.open_or_refresh(job, now)


def _next_due_times(tx: Transaction, due_times: DueTimes, now: Instant) -> list[Instant | None]:
    """Return the next due time of each kind of row. Rows that are due but not planned wait for something in flight."""
    return [
        tx.jobs.next_due_at(now) if is_due(due_times.jobs_at, now) else due_times.jobs_at,
        tx.outbox.next_due_at(now) if is_due(due_times.messages_at, now) else due_times.messages_at,
        tx.chats.next_admins_due_at(now) if is_due(due_times.admins_at, now) else due_times.admins_at,
    ]


def find_due_jobs(
    tx: Transaction,
    containment: ErrorContainment,
    due_times: DueTimes,
    breakers: list[CircuitBreaker],
    now: Instant,
    in_flight: WorkInFlight,
) -> tuple[list[Job], list[Job]]:
    """Return the due jobs to prepare or advance, and those to convert, as far as there are free slots.

    This uses up the turns of those to convert.
    """
    slots = MAX_PREPARATIONS - len(in_flight.preparing)
    due_ids = (
        tx.jobs.list_due(State.SUBMITTING, now, MAX_PREPARATIONS + len(in_flight.job_ids))
        if is_due(due_times.jobs_at, now)
        else []
    )
    uncertain = _read_jobs(tx, containment, [id_ for id_ in due_ids if id_ not in in_flight.job_ids][: max(0, slots)])
    if not due_times.has_queued_jobs:
        return uncertain, []
    tx.fair_queue.release_due(now)
    uploads = _allowed_uploads(breakers, now, in_flight)
    prepared = _pick_to_prepare(tx, containment, min(slots - len(uncertain), uploads), in_flight)
    slots = min(MAX_CONVERSIONS - len(in_flight.converting), uploads - len(prepared))
    return [*uncertain, *prepared], _pick_to_convert(tx, containment, slots, in_flight)


def _allowed_uploads(breakers: list[CircuitBreaker], now: Instant, in_flight: WorkInFlight) -> int:
    """Return how many more jobs may upload images, given the circuit breakers."""
    # uploads need a valid key too
    if any(each.name in (BlockCause.KEY, UPLOADS) and blocks_orders(each, now) for each in breakers):
        return 0
    # half-open: the first upload goes alone, to see whether Kie accepts it
    is_recovering = any(each.name == UPLOADS for each in breakers)
    return 1 - len(in_flight.job_ids) if is_recovering else MAX_PREPARATIONS + MAX_CONVERSIONS


def _pick_to_prepare(tx: Transaction, containment: ErrorContainment, slots: int, in_flight: WorkInFlight) -> list[Job]:
    found: list[Job] = []
    while len(found) < slots:
        per_user = Counter([*in_flight.preparing.values(), *(job.charged_to for job in found)])
        at_limit = [user for user, count in per_user.items() if count >= MAX_PREPARATIONS_PER_USER]
        job_id = tx.fair_queue.get_next_to_prepare(in_flight.job_ids.union(job.id for job in found), at_limit)
        if job_id is None:
            break
        found += _read_jobs(tx, containment, [job_id])
    return found


def _pick_to_convert(tx: Transaction, containment: ErrorContainment, slots: int, in_flight: WorkInFlight) -> list[Job]:
    found: list[Job] = []
    while len(found) < slots:
        users = [*in_flight.converting.values(), *(job.charged_to for job in found)]
        job_id = tx.conversion_queue.take_next(in_flight.job_ids.union(job.id for job in found), users)
        if job_id is None:
            break
        found += _read_jobs(tx, containment, [job_id])
    return found


def _read_jobs(tx: Transaction, containment: ErrorContainment, ids: list[int]) -> list[Job]:
    jobs = [containment.run_for_job(tx, job_id, partial(tx.jobs.get, job_id)) for job_id in ids]
    return [job for job in jobs if job is not None]


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
    """Retry a message later after a bug in the bot; give it up after too many tries or too long."""
    if not tx.outbox.is_pending(message):
        return
    if message.tries >= MAX_TRIES or seconds_between(message.written_at, now) > OUTBOX_MESSAGE_EXPIRY:
        tx.outbox.mark_ended(message.id, DeliveryOutcome.EXPIRED, now)
    else:
        tx.outbox.postpone(message.id, add_seconds(now, QUARANTINE_SECONDS), failed=True)
