"""Submit: the paid call, and the only step that writes twice.

Kie knows no way to ask "did I order this already?", so the order is written
down before it is made, with a reference of its own. Whatever happens in
between, the job is found in `submitting`: perhaps ordered, and never ordered
again by itself.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pydantic import ValidationError

from bot.clock import Instant, add_seconds, backoff, seconds_between
from bot.i18n import sentence
from bot.job import FailureReason, Job, State
from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, KieUnavailable, OrderUncertain, RequestRefused
from bot.kie.models import EditInput
from bot.pipeline import circuit_breakers, finish_job, uncertain_orders
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.error_containment import MAX_TRIES, SUBMIT_GIVE_UP_SECONDS, ErrorContainment
from bot.pipeline.image_upload import ImageUploader
from bot.pipeline.order_limits import OrderAllowance, OrderLimits, compute_order_allowance
from bot.settings import MustRestart
from bot.store.attempts import AttemptOutcome
from bot.store.database import Database
from bot.store.transaction import Transaction
from bot.telegram.errors import TelegramApiError

log = logging.getLogger(__name__)

#: Seconds before an order is repeated whose refusal may have been a passing one; then it is final.
REFUSAL_RETRY_DELAYS = (5.0, 30.0)


@dataclass(frozen=True)
class Order:
    """A paid call that is written down and about to be made."""

    job: Job
    reference: str


class OrderSubmitter:
    """The step that takes a job out of `queued`, in its turn, through `submitting`."""

    def __init__(
        self,
        db: Database,
        kie: KieClient,
        transport: ImageUploader,
        limits: OrderLimits,
        *,
        callbacks: CallbackTracker,
        admins: frozenset[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._kie = kie
        self._uploader = transport
        self.limits = limits
        self._callbacks = callbacks
        self._admins = admins
        self._clock = clock
        self._containment = ErrorContainment(admins, clock=clock)

    def begin_due_orders(self, tx: Transaction, now: Instant) -> tuple[list[Order], OrderAllowance]:
        """Write down as many orders as the gates let through, and say when they open again for those behind."""
        begun: list[Order] = []
        while (job_id := tx.fair_queue.get_next_to_order()) is not None:
            gate = compute_order_allowance(tx, self.limits, now)
            if gate.available <= 0:
                return begun, gate
            order = self._containment.run_for_job(tx, job_id, partial(self._begin_next, tx, job_id, now))
            begun += [] if order is None else [order]
        return begun, OrderAllowance(0)

    def _begin_next(self, tx: Transaction, job_id: int, now: Instant) -> Order | None:
        job = tx.jobs.get(job_id)
        if job is None or all(self._uploader.is_fresh(source, now) for source in job.request.sources):
            tx.fair_queue.dequeue(job_id)
            return None if job is None else self._begin_order(tx, job, now)
        # it waited so long that its upload may be gone
        tx.fair_queue.set_ready(job_id, is_ready=False)
        tx.jobs.update(job, due_at=None)
        return None

    def _begin_order(self, tx: Transaction, job: Job, now: Instant) -> Order | None:
        if not tx.jobs.transition(job, State.SUBMITTING, submitted_at=now, due_at=None):
            return None
        reference = self._callbacks.new_reference()
        tx.attempts.begin(job.id, reference, now)
        return Order(replace(job, state=State.SUBMITTING, submitted_at=now, due_at=None), reference)

    async def place_order(self, order: Order) -> bool:
        """Make an order that `begin` wrote down; True if there is a task to look at."""
        job = order.job
        try:
            edit = await self._build_edit_input(job)
        except TelegramApiError as error:
            log.warning("job %d: not ordered yet: %s", job.id, error, extra={"job": job.id})
            return await self._db.transact(lambda tx: self._requeue_unbuilt(tx, job, self._clock()))
        except ValidationError:
            log.exception("job %d: cannot be ordered", job.id, extra={"job": job.id})
            return await self._db.transact(lambda tx: self._record_not_ordered(tx, job, RequestRefused("our mistake")))
        except MustRestart:
            raise
        except Exception as error:
            log.exception("job %d: a mistake in the bot before the order left", job.id, extra={"job": job.id})
            fault = type(error).__name__
            return await self._db.transact(lambda tx: self._requeue_or_fail(tx, job, fault, self._clock()))
        asked = any(source.upload_url is None for source in job.request.sources)
        if asked and await self._db.transact(lambda tx: self._end_if_withdrawn(tx, job)):
            return False
        return await self._create_task(order, edit)

    def _end_if_withdrawn(self, tx: Transaction, job: Job) -> bool:
        """Say whether nobody wants an order any more that has not left yet; then it is over."""
        if tx.jobs.is_still_in_state(job):
            return False
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, self._clock())
        return True

    async def _build_edit_input(self, job: Job) -> EditInput:
        urls = await self._uploader.image_urls(job)
        form = job.request.options
        # by name, because the model checks what is said here against the words that Kie knows
        return EditInput.model_validate(
            {
                "prompt": job.request.prompt,
                "image_urls": tuple(urls),
                "output_format": form.format.value,
                "image_size": form.aspect_ratio.value,
            }
        )

    async def _create_task(self, order: Order, edit: EditInput) -> bool:
        job = order.job
        try:
            task_id = await self._kie.create_task(edit, self._callbacks.callback_url(order.reference))
        except (KieUnavailable, AccountBlocked, RequestRefused) as error:
            refusal = error
        except OrderUncertain as error:
            log.warning("job %d: in doubt: %s", job.id, error, extra={"job": job.id})
            unclear = error
            return await self._db.transact(lambda tx: self._mark_uncertain(tx, job, unclear))
        except Exception:  # a mistake of ours after the order may have left
            log.exception("job %d: the order broke off", job.id, extra={"job": job.id})
            return await self._db.transact(
                lambda tx: uncertain_orders.mark_uncertain(tx, job, self._callbacks, self._clock())
            )
        else:
            return await self._record_taken(job, task_id)
        return await self._db.transact(lambda tx: self._record_not_ordered(tx, job, refusal))

    async def _record_taken(self, job: Job, task_id: str) -> bool:
        """Write down that Kie took an order; where a mistake keeps that from being done, a look at the task does it."""
        try:
            return await self._db.transact(lambda tx: self._accept(tx, job, task_id))
        except MustRestart:
            raise
        except Exception:
            log.exception("job %d: a mistake in the bot once the order was taken", job.id, extra={"job": job.id})
        return await self._db.transact(
            lambda tx: uncertain_orders.mark_uncertain(tx, job, self._callbacks, self._clock(), task_id)
        )

    def _mark_uncertain(self, tx: Transaction, job: Job, error: OrderUncertain) -> bool:
        # an outage mostly shows like this, and the orders behind must not all run into it
        circuit_breakers.trip_order_breaker(tx, error, self._admins, self._clock())
        return uncertain_orders.mark_uncertain(tx, job, self._callbacks, self._clock())

    def _accept(self, tx: Transaction, job: Job, task_id: str) -> bool:
        now = self._clock()
        if tx.attempts.is_task_claimed(task_id):
            uncertain_orders.notify_of_mix_up(tx, job, self._admins, now)
            return self._mark_uncertain(tx, job, OrderUncertain("the task of another order"))
        tx.attempts.end(job.id, AttemptOutcome.ACCEPTED, now, task_id)
        circuit_breakers.close_order_breakers(tx, job.submitted_at or now, self._admins, now)
        tx.progress_messages.mark_stale(job.id, now)
        return tx.jobs.transition(job, State.RUNNING, task_id=task_id, tries=0)

    def _record_not_ordered(
        self, tx: Transaction, job: Job, error: KieUnavailable | AccountBlocked | RequestRefused
    ) -> bool:
        now = self._clock()
        if tx.attempts.has_candidate_task(job.id):  # one of Kie's two answers is wrong, and a look shows which
            tx.log(log.warning, "job %d: in doubt: Kie calls back and says: %s", job.id, error, extra={"job": job.id})
            return uncertain_orders.mark_uncertain(tx, job, self._callbacks, now)
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, now)
        if isinstance(error, RequestRefused):
            self._handle_refusal(tx, job, error, now)
        else:
            circuit_breakers.trip_order_breaker(tx, error, self._admins, now)
            self._requeue(tx, job, error, now)
        return False

    def _requeue(self, tx: Transaction, job: Job, error: KieUnavailable | AccountBlocked, now: Instant) -> None:
        waited = seconds_between(job.queued_at or now, now)
        if isinstance(error, KieUnavailable) and waited > SUBMIT_GIVE_UP_SECONDS and job.tries >= MAX_TRIES:
            finish_job.fail_job(tx, job, FailureReason.TASK_FAILED, sentence("not-taken", words=error.text), now)
        else:
            reminder = finish_job.waiting_reminder_at(job, self.limits.deadline, now)
            if tx.jobs.transition(job, State.QUEUED, submitted_at=None, due_at=reminder, tries=job.tries + 1):
                _rejoin_queue(tx, job)
                tx.progress_messages.mark_stale(job.id, now)

    def _requeue_unbuilt(self, tx: Transaction, job: Job, now: Instant) -> bool:
        """Queue a job again whose order could not even be made: Telegram did not say where a picture is."""
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, now)
        if tx.jobs.transition(
            job, State.QUEUED, submitted_at=None, due_at=add_seconds(now, backoff(job.tries)), tries=job.tries + 1
        ):
            tx.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=False)
            tx.progress_messages.mark_stale(job.id, now)
        return False

    def _requeue_or_fail(self, tx: Transaction, job: Job, fault: str, now: Instant) -> bool:
        """Queue a job again whose order could not be put together because of a mistake in the bot, not for ever."""
        if job.tries < MAX_TRIES:
            return self._requeue_unbuilt(tx, job, now)
        tx.attempts.end(job.id, AttemptOutcome.NOT_ORDERED, now)
        if finish_job.fail_job(tx, job, FailureReason.UNUSABLE_IMAGE, sentence("broken-step"), now):
            words = sentence("admin-broken", job=f"{job.id}", fault=fault)
            tx.outbox.notify_admins(self._admins, f"broken:{job.id}", words.translate, now)
        return False

    def _handle_refusal(self, tx: Transaction, job: Job, error: RequestRefused, now: Instant) -> None:
        if error.transient and job.rejections < len(REFUSAL_RETRY_DELAYS):
            again = add_seconds(now, REFUSAL_RETRY_DELAYS[job.rejections])
            if tx.jobs.transition(job, State.QUEUED, submitted_at=None, due_at=again, rejections=job.rejections + 1):
                tx.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=False)
                tx.progress_messages.mark_stale(job.id, now)
        else:
            finish_job.fail_job(tx, job, FailureReason.REFUSED, sentence("refused-order", words=error.text), now)


def _rejoin_queue(tx: Transaction, job: Job) -> None:
    """Put a job that Kie turned away back into the line: first once, then behind the others of its lane.

    Something about this very order may be the reason, and it must not keep everybody else waiting.
    """
    if job.tries == 0:
        tx.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=True)
    else:
        tx.fair_queue.enqueue(job.id, job.request.chat_id, job.request.charged_to)
        tx.fair_queue.set_ready(job.id, is_ready=True)
