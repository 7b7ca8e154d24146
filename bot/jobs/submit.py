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

from bot.chat.errors import ChatError
from bot.job import Instant, Job, Reason, State, later, seconds_between
from bot.jobs import doubt, outcome, trouble
from bot.jobs.bell import Bell
from bot.jobs.callbacks import Callbacks
from bot.jobs.containment import Containment
from bot.jobs.gates import Limits, Opening, opening
from bot.jobs.pauses import GIVE_UP_AFTER, MOST_TRIES, pause
from bot.jobs.transport import Transport
from bot.kie.client import Kie
from bot.kie.errors import Halted, Refused, Unavailable, Unclear
from bot.kie.models import EditInput
from bot.settings import MustRestart
from bot.store.attempts import Outcome
from bot.store.connection import Database
from bot.store.transaction import Transaction
from bot.texts import sentence

log = logging.getLogger(__name__)

#: Seconds before an order is repeated whose refusal may have been a passing one; then it is final.
REPEAT_AFTER = (5.0, 30.0)


@dataclass(frozen=True)
class Order:
    """A paid call that is written down and about to be made."""

    job: Job
    reference: str


class Submit:
    """The step that takes a job out of `queued`, in its turn, through `submitting`."""

    def __init__(
        self,
        db: Database,
        kie: Kie,
        transport: Transport,
        limits: Limits,
        bell: Bell,
        *,
        callbacks: Callbacks,
        admins: frozenset[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._kie = kie
        self._transport = transport
        self.limits = limits
        self._bell = bell
        self._callbacks = callbacks
        self._admins = admins
        self._clock = clock
        self._containment = Containment(admins, clock=clock)

    def begin(self, tx: Transaction, now: Instant) -> tuple[list[Order], Opening]:
        """Write down as many orders as the gates let through, and say when they open again for those behind."""
        begun: list[Order] = []
        while (job_id := tx.line.first()) is not None:
            gate = opening(tx, self.limits, now)
            if gate.room <= 0:
                return begun, gate
            order = self._containment.job(tx, job_id, partial(self._next, tx, job_id, now))
            begun += [] if order is None else [order]
        return begun, Opening(0)

    def _next(self, tx: Transaction, job_id: int, now: Instant) -> Order | None:
        job = tx.jobs.get(job_id)
        if job is None or all(self._transport.is_fresh(source, now) for source in job.request.sources):
            tx.line.leave(job_id)
            return None if job is None else self._begun(tx, job, now)
        # it waited so long that its upload may be gone
        tx.line.mark(job_id, is_ready=False)
        tx.jobs.note(job, due_at=None)
        return None

    def _begun(self, tx: Transaction, job: Job, now: Instant) -> Order | None:
        if not tx.jobs.move(job, State.SUBMITTING, submitted_at=now, due_at=None):
            return None
        reference = self._callbacks.new_reference()
        tx.attempts.begin(job.id, reference, now)
        return Order(replace(job, state=State.SUBMITTING, submitted_at=now, due_at=None), reference)

    async def order(self, order: Order) -> bool:
        """Make an order that `begin` wrote down; True if there is a task to look at."""
        job = order.job
        try:
            edit = await self._edit(job)
        except ChatError as error:
            log.warning("job %d: not ordered yet: %s", job.id, error, extra={"job": job.id})
            return await self._db.unit(lambda tx: self._not_put_together(tx, job, self._clock()))
        except ValidationError:
            log.exception("job %d: cannot be ordered", job.id, extra={"job": job.id})
            return await self._db.unit(lambda tx: self._not_ordered(tx, job, Refused("our mistake")))
        except MustRestart:
            raise
        except Exception as error:
            log.exception("job %d: a mistake in the bot before the order left", job.id, extra={"job": job.id})
            fault = type(error).__name__
            return await self._db.unit(lambda tx: self._broken(tx, job, fault, self._clock()))
        asked = any(source.upload_url is None for source in job.request.sources)
        if asked and await self._db.unit(lambda tx: self._was_withdrawn(tx, job)):
            return False
        return await self._pay(order, edit)

    def _was_withdrawn(self, tx: Transaction, job: Job) -> bool:
        """Say whether nobody wants an order any more that has not left yet; then it is over."""
        if tx.jobs.stands(job):
            return False
        tx.attempts.end(job.id, Outcome.NOT_ORDERED, self._clock())
        return True

    async def _edit(self, job: Job) -> EditInput:
        urls = await self._transport.addresses(job)
        form = job.request.form
        # by name, because the model checks what is said here against the words that Kie knows
        return EditInput.model_validate(
            {
                "prompt": job.request.prompt,
                "image_urls": tuple(urls),
                "output_format": form.format.value,
                "image_size": form.shape.value,
            }
        )

    async def _pay(self, order: Order, edit: EditInput) -> bool:
        job = order.job
        try:
            task_id = await self._kie.create_task(edit, self._callbacks.address(order.reference))
        except (Unavailable, Halted, Refused) as error:
            refusal = error
        except Unclear as error:
            log.warning("job %d: in doubt: %s", job.id, error, extra={"job": job.id})
            unclear = error
            return await self._db.unit(lambda tx: self._in_doubt(tx, job, unclear))
        except Exception:  # a mistake of ours after the order may have left
            log.exception("job %d: the order broke off", job.id, extra={"job": job.id})
            return await self._db.unit(lambda tx: doubt.begin(tx, job, self._callbacks, self._clock()))
        else:
            return await self._taken(job, task_id)
        return await self._db.unit(lambda tx: self._not_ordered(tx, job, refusal))

    async def _taken(self, job: Job, task_id: str) -> bool:
        """Write down that Kie took an order; where a mistake keeps that from being done, a look at the task does it."""
        try:
            return await self._bell.commit(self._db, lambda tx: self._accepted(tx, job, task_id))
        except MustRestart:
            raise
        except Exception:
            log.exception("job %d: a mistake in the bot once the order was taken", job.id, extra={"job": job.id})
        return await self._db.unit(lambda tx: doubt.begin(tx, job, self._callbacks, self._clock(), task_id))

    def _in_doubt(self, tx: Transaction, job: Job, error: Unclear) -> bool:
        # an outage mostly shows like this, and the orders behind must not all run into it
        trouble.stop_orders(tx, error, self._admins, self._clock())
        return doubt.begin(tx, job, self._callbacks, self._clock())

    def _accepted(self, tx: Transaction, job: Job, task_id: str) -> bool:
        now = self._clock()
        if tx.attempts.is_taken(task_id):
            doubt.tell_of_mix_up(tx, job, self._admins, now)
            return self._in_doubt(tx, job, Unclear("the task of another order"))
        tx.attempts.end(job.id, Outcome.ACCEPTED, now, task_id)
        trouble.orders_go_on(tx, job.submitted_at or now, self._admins, now)
        tx.statuses.touch(job.id, now)
        return tx.jobs.move(job, State.RUNNING, task_id=task_id, tries=0)

    def _not_ordered(self, tx: Transaction, job: Job, error: Unavailable | Halted | Refused) -> bool:
        now = self._clock()
        if tx.attempts.has_hint(job.id):  # one of Kie's two answers is wrong, and a look shows which
            tx.log(log.warning, "job %d: in doubt: Kie calls back and says: %s", job.id, error, extra={"job": job.id})
            return doubt.begin(tx, job, self._callbacks, now)
        tx.attempts.end(job.id, Outcome.NOT_ORDERED, now)
        if isinstance(error, Refused):
            self._refused(tx, job, error, now)
        else:
            trouble.stop_orders(tx, error, self._admins, now)
            self._turned_away(tx, job, error, now)
        return False

    def _turned_away(self, tx: Transaction, job: Job, error: Unavailable | Halted, now: Instant) -> None:
        waited = seconds_between(job.queued_at or now, now)
        if isinstance(error, Unavailable) and waited > GIVE_UP_AFTER and job.tries >= MOST_TRIES:
            outcome.fail(tx, job, Reason.BROKE, sentence("not-taken", words=error.text), now)
        else:
            reminder = outcome.reminder_at(job, self.limits.deadline, now)
            if tx.jobs.move(job, State.QUEUED, submitted_at=None, due_at=reminder, tries=job.tries + 1):
                _wait_again(tx, job)
                tx.statuses.touch(job.id, now)

    def _not_put_together(self, tx: Transaction, job: Job, now: Instant) -> bool:
        """Queue a job again whose order could not even be made: Telegram did not say where a picture is."""
        tx.attempts.end(job.id, Outcome.NOT_ORDERED, now)
        if tx.jobs.move(job, State.QUEUED, submitted_at=None, due_at=later(now, pause(job.tries)), tries=job.tries + 1):
            tx.line.enter_first(job.id, job.request.chat_id, is_ready=False)
            tx.statuses.touch(job.id, now)
        return False

    def _broken(self, tx: Transaction, job: Job, fault: str, now: Instant) -> bool:
        """Queue a job again whose order could not be put together because of a mistake in the bot, not for ever."""
        if job.tries < MOST_TRIES:
            return self._not_put_together(tx, job, now)
        tx.attempts.end(job.id, Outcome.NOT_ORDERED, now)
        if outcome.fail(tx, job, Reason.PICTURE, sentence("broken-step"), now):
            words = sentence("admin-broken", job=f"{job.id}", fault=fault)
            tx.outbox.tell_admins(self._admins, f"broken:{job.id}", words.into, now)
        return False

    def _refused(self, tx: Transaction, job: Job, error: Refused, now: Instant) -> None:
        if error.transient and job.rejections < len(REPEAT_AFTER):
            again = later(now, REPEAT_AFTER[job.rejections])
            if tx.jobs.move(job, State.QUEUED, submitted_at=None, due_at=again, rejections=job.rejections + 1):
                tx.line.enter_first(job.id, job.request.chat_id, is_ready=False)
                tx.statuses.touch(job.id, now)
        else:
            outcome.fail(tx, job, Reason.REFUSED, sentence("refused-order", words=error.text), now)


def _wait_again(tx: Transaction, job: Job) -> None:
    """Put a job that Kie turned away back into the line: first once, then behind the others of its lane.

    Something about this very order may be the reason, and it must not keep everybody else waiting.
    """
    if job.tries == 0:
        tx.line.enter_first(job.id, job.request.chat_id, is_ready=True)
    else:
        tx.line.enter(job.id, job.request.chat_id, job.request.charged_to)
        tx.line.mark(job.id, is_ready=True)
