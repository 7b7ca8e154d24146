"""Kie's callbacks (webhooks): signed references, which jobs Kie has called back about, and the callback loss rate.

A callback only makes the bot poll earlier; nothing depends on one.
"""

import base64
import hmac
import logging
import math
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bot.job import State
from bot.pipeline.job_metrics import CALLBACK_IN_TIME, CALLBACK_LATE, CALLBACK_UNKNOWN, JobMetrics
from bot.settings import KIE_CALLBACK_PATH
from bot.store.database import Database, Transaction

log = logging.getLogger(__name__)

#: Random bytes of a reference, and bytes of the signature that follows them.
_NONCE_BYTES, _SIGNATURE_BYTES = 16, 16

#: Characters of the random part.
_NONCE_LENGTH = 22

#: A callback URL with a whole reference: a random part and its signature.
_REFERENCE_PATTERN = re.compile(rf".*{KIE_CALLBACK_PATH}([A-Za-z0-9_-]{{44}})/?")

#: States in which the bot waits for a task.
AWAITING_STATES = (State.SUBMITTING, State.RUNNING)


def extract_reference(url: str) -> str | None:
    """Return the reference in a callback URL, None if the URL is truncated or not one of ours."""
    try:
        found = _REFERENCE_PATTERN.fullmatch(unquote(urlsplit(url).path))
    except ValueError:
        return None
    return None if found is None else found[1]


class CallbackTracker:
    """What this process knows of Kie's callbacks. Orders ask for them only if there is a public URL.

    References carry an HMAC made with `key`, so that a forged one is refused before any database access.
    """

    def __init__(self, public_url: str | None, key: bytes) -> None:
        self._public_url = public_url
        self._key = key
        self._loss_rate = CallbackLossRate()
        #: unfinished jobs that Kie has called back about; this and the next two are bounded by the tasks in flight
        self._arrived: set[int] = set()
        #: the task that the latest such callback named, by job
        self._reported_task_ids: dict[int, str] = {}
        #: unfinished jobs whose callback may have come while the bot was down
        self._possibly_missed: set[int] = set()

    @property
    def is_enabled(self) -> bool:
        """Whether orders ask for callbacks."""
        return self._public_url is not None

    def new_reference(self) -> str:
        """Return a reference for one order that nobody else can guess or forge."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return nonce + self._sign(nonce)

    def is_signed_by_us(self, reference: str) -> bool:
        """Say, in constant time, whether a reference was signed with this key; its order may still be unknown."""
        nonce, signature = reference[:_NONCE_LENGTH], reference[_NONCE_LENGTH:]
        return hmac.compare_digest(self._sign(nonce).encode(), signature.encode("utf-8", "surrogatepass"))

    def _sign(self, nonce: str) -> str:
        signed = hmac.digest(self._key, nonce.encode("utf-8", "surrogatepass"), "sha256")[:_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def callback_url(self, reference: str) -> str | None:
        """Return the URL for callbacks about the attempt with this reference."""
        return None if self._public_url is None else f"{self._public_url}{KIE_CALLBACK_PATH}{reference}"

    def loss_probability(self, job_id: int) -> float:
        """Return the probability that no callback about a job will come; 1 if none is expected."""
        is_expected = self.is_enabled and job_id not in self._arrived and job_id not in self._possibly_missed
        return self._loss_rate.expected if is_expected else 1.0

    def has_arrived(self, job_id: int) -> bool:
        """Say whether Kie has called back about an unfinished job."""
        return job_id in self._arrived

    def record_arrival(self, job_id: int, task_id: str | None) -> None:
        """Record a callback about an unfinished job, and the task that it named."""
        self._arrived.add(job_id)
        if task_id is not None:
            self._reported_task_ids[job_id] = task_id

    def reported_task_id(self, job_id: int) -> str | None:
        """Return the task that the latest callback about a job named, if any."""
        return self._reported_task_ids.get(job_id)

    def mark_possibly_missed(self, job_id: int) -> None:
        """Record that Kie may have called back while the bot was down."""
        self._possibly_missed.add(job_id)

    def record_finished(self, job_id: int) -> bool:
        """Update the loss rate for a finished task; return whether its callback got lost.

        A callback that may have come while the bot was down does not count.
        """
        if not self.is_enabled or job_id in self._possibly_missed:
            return False
        lost, before = job_id not in self._arrived, self._loss_rate
        self._loss_rate = before.updated(lost=lost)
        if lost:
            log.info("job %d: finished without a callback from Kie", job_id, extra={"job": job_id})
        if self._loss_rate.expected > 0.5 >= before.expected:
            log.warning("Kie's callbacks do not arrive: until they do, tasks are polled as without callbacks")
        return lost

    def forget(self, job_id: int) -> None:
        """Forget a job that no longer waits for a task."""
        self._arrived.discard(job_id)
        self._possibly_missed.discard(job_id)
        self._reported_task_ids.pop(job_id, None)


#: The loss rates that are considered: hardly any callback, some, or all.
LOSS_RATES = (0.005, 0.25, 0.98)

#: The prior probability of each: an operator who sets a public URL usually makes sure that it is reachable.
INITIAL_BELIEFS = (0.98, 0.01, 0.01)

#: The probability that the loss rate changes between two callbacks.
CHANGE_PROBABILITY = 1 / 2000


@dataclass(frozen=True)
class CallbackLossRate:
    """A Bayesian estimate of the share of callbacks that get lost: the probability of each of the LOSS_RATES."""

    beliefs: tuple[float, ...] = INITIAL_BELIEFS

    @property
    def expected(self) -> float:
        """The expected loss rate, rounded to a power of 1/2: the estimate is no more precise than that."""
        expected = sum(belief * rate for belief, rate in zip(self.beliefs, LOSS_RATES, strict=True))
        return math.ldexp(1.0, round(math.log2(expected)))

    def updated(self, *, lost: bool) -> "CallbackLossRate":
        """Return the estimate after one more callback that arrived or got lost (Bayes' rule)."""
        even = CHANGE_PROBABILITY / len(LOSS_RATES)
        before = [belief * (1 - CHANGE_PROBABILITY) + even for belief in self.beliefs]
        likely = [belief * (rate if lost else 1 - rate) for belief, rate in zip(before, LOSS_RATES, strict=True)]
        return CallbackLossRate(tuple(each / sum(likely) for each in likely))


@dataclass(frozen=True)
class _CallbackMatch:
    job_id: int
    #: the job no longer waits for the task
    is_late: bool = False
    #: Kie has not answered the order itself yet, and that answer counts first
    is_early: bool = False


class CallbackProcessor:
    """Turns a callback into a poll."""

    def __init__(
        self, db: Database, callbacks: CallbackTracker, metrics: JobMetrics, *, poll_soon: Callable[[int], None]
    ) -> None:
        self._db = db
        self._callbacks = callbacks
        self._metrics = metrics
        self._poll_soon = poll_soon

    async def process(self, reference: str, task_id: str | None) -> None:
        """Poll the job with this reference soon, if there is one; on return, a candidate task is stored."""
        match = await self._db.transact(lambda tx: _match_callback(tx, reference, task_id))
        if match is None:
            self._metrics.count_callback(CALLBACK_UNKNOWN)
        elif match.is_late:
            self._metrics.count_callback(CALLBACK_LATE)
        else:
            self._metrics.count_callback(CALLBACK_IN_TIME)
            self._callbacks.record_arrival(match.job_id, task_id)
            if not match.is_early:
                self._poll_soon(match.job_id)


def _match_callback(tx: Transaction, reference: str, task_id: str | None) -> _CallbackMatch | None:
    attempt = tx.attempts.get_by_reference(reference)
    job = None if attempt is None else tx.jobs.get(attempt.job_id)
    if attempt is None or job is None:
        return None
    if job.state not in AWAITING_STATES or tx.attempts.get_latest(job.id) != attempt:
        tx.log(log.info, "job %d: a callback came too late to matter", job.id, extra={"job": job.id})
        return _CallbackMatch(job.id, is_late=True)
    tx.log(log.info, "job %d: Kie calls back", job.id, extra={"job": job.id})
    if job.state is State.RUNNING:
        return _CallbackMatch(job.id)
    if task_id is not None:
        tx.attempts.set_candidate_task(attempt, task_id)
    return _CallbackMatch(job.id, is_early=attempt.ended_at is None)
