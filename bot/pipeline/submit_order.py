"""Submit an order: the paid call to Kie (createTask).

Kie has neither an idempotency key nor a way to look up an order, so each order is stored, with its own reference,
before the call (write-ahead). A job that a crash leaves in `submitting` may have been ordered; it is never ordered
again without the user's decision.
"""

import logging
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial

from pydantic import ValidationError

from bot.backoff import backoff
from bot.clock import Instant, add_seconds, seconds_between
from bot.i18n import sentence
from bot.job import FailureReason, Job, State
from bot.job_operations import requeue
from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, KieUnavailable, OrderUncertain, RequestRefused
from bot.kie.models import EditInput
from bot.pipeline import circuit_breakers, finish_job, uncertain_orders
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.error_containment import MAX_TRIES, SUBMIT_GIVE_UP_SECONDS, ErrorContainment
from bot.pipeline.order_limits import OrderAllowance, OrderLimits, compute_order_allowance
from bot.pipeline.prepare_images import ImageUploader, is_upload_fresh
from bot.settings import MustRestart
from bot.store.database import Database, Transaction
from bot.store.order_attempts import AttemptOutcome
from bot.telegram.errors import TelegramApiError

log = logging.getLogger(__name__)

#: How often an order is repeated after a refusal that may pass, and the seconds before the first repetition.
MAX_REFUSAL_RETRIES, FIRST_REFUSAL_DELAY = 2, 10.0


@dataclass(frozen=True)
class Order:
    """A paid call that is already stored and about to be made."""

    job: Job
    reference: str


@dataclass(eq=False)
class OrderSubmitter:
    """The step that takes a job from `queued` through `submitting`."""

    db: Database
    kie: KieClient
    uploader: ImageUploader
    limits: OrderLimits
    _: KW_ONLY
    callbacks: CallbackTracker
    admins: frozenset[int]
    clock: Callable[[], Instant]

    def begin_due_orders(
        self, tx: Transaction, containment: ErrorContainment, now: Instant
    ) -> tuple[list[Order], OrderAllowance]:
        """Store as many orders as the limits allow; return them, and when more may be placed."""
        begun: list[Order] = []
        while (job_id := tx.fair_queue.get_next_to_order()) is not None:
            allowance = compute_order_allowance(tx, self.limits, now)
            if allowance.available <= 0:
                return begun, allowance
            order = containment.run_for_job(tx, job_id, partial(self._begin_next, tx, job_id, now))
            begun += [] if order is None else [order]
        return begun, OrderAllowance(0)

    def _begin_next(self, tx: Transaction, job_id: int, now: Instant) -> Order | None:
        job = tx.jobs.get(job_id)
        if job is not None and not all(is_upload_fresh(source, now) for source in job.request.sources):
            tx.fair_queue.set_ready(job_id, is_ready=False)  # its upload may have expired
            tx.jobs.update(job, due_at=None)
            return None
        tx.fair_queue.dequeue(job_id)
        if job is None or not tx.jobs.transition(job, State.SUBMITTING, submitted_at=now, due_at=None):
            return None
        reference = self.callbacks.new_reference()
        tx.attempts.begin(job.id, reference, now)
        return Order(replace(job, state=State.SUBMITTING, submitted_at=now, due_at=None), reference)

    async def place_order(self, order: Order) -> bool:
        """Place an order that `begin_due_orders` stored; return whether there is a task to poll."""
        job = order.job
        try:
            edit = await self._build_edit_input(job)
        except MustRestart:
            raise
        except TelegramApiError as error:
            log.warning("job %d: not ordered yet: %s", job.id, error, extra={"job": job.id})
            failure: Exception = error
        except Exception as error:
            log.exception("job %d: a bug in the bot before the order left", job.id, extra={"job": job.id})
            failure = error
        else:
            took_time = any(source.upload_url is None for source in job.request.sources)
            if took_time and await self.db.transact(lambda tx: self._end_if_withdrawn(tx, job)):
                return False
            return await self._create_task(order, edit)
        return await self.db.transact(lambda tx: self._handle_unbuilt(tx, job, failure))

    async def _build_edit_input(self, job: Job) -> EditInput:
        options = job.request.options
        # validated, not just constructed, because our values must be among those that Kie knows
        return EditInput.model_validate(
            {
                "prompt": job.request.prompt,
                "image_urls": tuple(await self.uploader.image_urls(job)),
                "output_format": options.format.value,
                "image_size": options.aspect_ratio.value,
            }
        )

    def _end_if_withdrawn(self, tx: Transaction, job: Job) -> bool:
        """End an unsent order if its job has ended meanwhile; return whether it has."""
        if tx.jobs.is_still_in_state(job):
            return False
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, self.clock())
        return True

    async def _create_task(self, order: Order, edit: EditInput) -> bool:
        job = order.job
        try:
            task_id = await self.kie.create_task(edit, self.callbacks.callback_url(order.reference))
        except (KieUnavailable, AccountBlocked, RequestRefused) as error:
            refusal = error
        except OrderUncertain as error:
            log.warning("job %d: uncertain order: %s", job.id, error, extra={"job": job.id})
            uncertainty = error
            return await self.db.transact(lambda tx: self._mark_uncertain(tx, job, uncertainty))
        except Exception:  # a bug in the bot; the order may have been sent
            log.exception("job %d: a bug in the bot during the order", job.id, extra={"job": job.id})
            return await self.db.transact(lambda tx: self._mark_uncertain(tx, job))
        else:
            return await self._record_accepted(job, task_id)
        return await self.db.transact(lambda tx: self._record_not_ordered(tx, job, refusal))

    async def _record_accepted(self, job: Job, task_id: str) -> bool:
        """Store that Kie accepted an order; if a bug prevents that, store the task as a candidate to poll."""
        try:
            return await self.db.transact(lambda tx: self._accept(tx, job, task_id))
        except MustRestart:
            raise
        except Exception:
            log.exception("job %d: a bug in the bot after the order was accepted", job.id, extra={"job": job.id})
        return await self.db.transact(lambda tx: self._mark_uncertain(tx, job, candidate=task_id))

    def _accept(self, tx: Transaction, job: Job, task_id: str) -> bool:
        now = self.clock()
        if tx.attempts.is_task_claimed(task_id):
            uncertain_orders.notify_of_mix_up(tx, job, self.admins, now)
            return self._mark_uncertain(tx, job, OrderUncertain("the task of another order"))
        tx.attempts.end(job.id, AttemptOutcome.ACCEPTED, now, task_id)
        circuit_breakers.close_order_breakers(tx, job.submitted_at or now, self.admins, now)
        tx.progress_messages.mark_stale(job.id, now)
        return tx.jobs.transition(job, State.RUNNING, task_id=task_id, tries=0)

    def _mark_uncertain(
        self, tx: Transaction, job: Job, error: OrderUncertain | None = None, *, candidate: str | None = None
    ) -> bool:
        if error is not None:  # usually an outage, in which further orders would become uncertain too
            circuit_breakers.trip_order_breaker(tx, error, self.admins, self.clock())
        return uncertain_orders.mark_uncertain(tx, job, self.callbacks, self.clock(), candidate)

    def _record_not_ordered(
        self, tx: Transaction, job: Job, error: KieUnavailable | AccountBlocked | RequestRefused
    ) -> bool:
        now = self.clock()
        if tx.attempts.has_candidate_task(job.id):  # Kie contradicts its own callback; a poll decides
            tx.log(
                log.warning, "job %d: uncertain order: Kie called back, but: %s", job.id, error, extra={"job": job.id}
            )
            return self._mark_uncertain(tx, job)
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, now)
        if isinstance(error, RequestRefused):
            _handle_refusal(tx, job, error, now)
        else:
            circuit_breakers.trip_order_breaker(tx, error, self.admins, now)
            self._handle_unavailable(tx, job, error, now)
        return False

    def _handle_unavailable(
        self, tx: Transaction, job: Job, error: KieUnavailable | AccountBlocked, now: Instant
    ) -> None:
        waited = seconds_between(job.queued_at or now, now)
        if isinstance(error, KieUnavailable) and waited > SUBMIT_GIVE_UP_SECONDS and job.tries >= MAX_TRIES:
            finish_job.fail_job(tx, job, FailureReason.TASK_FAILED, sentence("not-taken", words=error.text), now)
        else:
            reminder = finish_job.waiting_reminder_at(job, self.limits.deadline, now)
            is_first = job.tries == 0  # later it goes behind the others, as it may be the cause itself
            requeue(tx, job, now, is_first=is_first, is_ready=True, due_at=reminder, tries=job.tries + 1)

    def _handle_unbuilt(self, tx: Transaction, job: Job, error: Exception) -> bool:
        """Retry an order whose input could not be built; after a bug in the bot, at most MAX_TRIES times."""
        now, is_bug = self.clock(), not isinstance(error, TelegramApiError)
        if isinstance(error, ValidationError):
            return self._record_not_ordered(tx, job, RequestRefused("our mistake"))
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, now)
        if not is_bug or job.tries < MAX_TRIES:
            requeue(tx, job, now, due_at=add_seconds(now, backoff(job.tries)), tries=job.tries + 1)
        else:
            finish_job.fail_after_bug(tx, job, error, self.admins, now)
        return False


def _handle_refusal(tx: Transaction, job: Job, error: RequestRefused, now: Instant) -> None:
    if error.transient and job.rejections < MAX_REFUSAL_RETRIES:
        due_at = add_seconds(now, backoff(job.rejections, FIRST_REFUSAL_DELAY))
        requeue(tx, job, now, due_at=due_at, rejections=job.rejections + 1)
    else:
        finish_job.fail_job(tx, job, FailureReason.REFUSED, sentence("refused-order", words=error.text), now)
