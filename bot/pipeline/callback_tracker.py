"""Callbacks: where Kie is asked to call back, how such an address is known again, and how surely Kie calls.

A callback saves looks, nothing depends on one. How many get lost is learned from each
task that is found finished, with a callback or without.
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

from bot.http_paths import KIE_CALLBACK_PATH
from bot.job import State
from bot.pipeline.job_metrics import CALLBACK_IN_TIME, CALLBACK_LATE, CALLBACK_UNKNOWN, JobMetrics
from bot.store.database import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Bytes of a reference that are random, and of the signature behind them.
_NONCE_BYTES, _SIGNATURE_BYTES = 16, 16

#: Characters that the random part takes.
_NONCE_LENGTH = 22

#: An address to call back to, with a whole reference: a random part and its signature.
_REFERENCE_PATTERN = re.compile(rf".*{KIE_CALLBACK_PATH}([A-Za-z0-9_-]{{44}})/?")


def extract_reference(address: str) -> str | None:
    """Return the reference in an address to call back to; None where it is cut short, or of another form than ours."""
    try:
        found = _REFERENCE_PATTERN.fullmatch(unquote(urlsplit(address).path))
    except ValueError:
        return None
    return None if found is None else found[1]


class CallbackTracker:
    """What this process knows of Kie's callbacks; without a public address none are asked for.

    References are signed with `key`: whether one is ours is known before anything is looked up for its caller.
    """

    def __init__(self, public_url: str | None, key: bytes) -> None:
        self._public_url = public_url
        self._key = key
        self._loss_rate = CallbackLossRate()
        #: jobs about which Kie has called back, and that have not been seen to be finished yet; here and below no
        #: more than there are orders under way or running
        self._arrived: set[int] = set()
        #: the task that such a callback named, if it named one
        self._reported_task_ids: dict[int, str] = {}
        #: the same about which it may have called back while nobody listened
        self._possibly_missed: set[int] = set()

    @property
    def is_enabled(self) -> bool:
        """Whether orders name an address to call back to."""
        return self._public_url is not None

    def new_reference(self) -> str:
        """Return what identifies one order towards Kie; nobody can guess it, and nobody else can make one."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return nonce + self._sign(nonce)

    def is_signed_by_us(self, reference: str) -> bool:
        """Say whether a reference was made with this key, be its order known or not; in constant time."""
        nonce, signature = reference[:_NONCE_LENGTH], reference[_NONCE_LENGTH:]
        return hmac.compare_digest(self._sign(nonce).encode(), signature.encode("utf-8", "surrogatepass"))

    def _sign(self, nonce: str) -> str:
        signed = hmac.digest(self._key, nonce.encode("utf-8", "surrogatepass"), "sha256")[:_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def callback_url(self, reference: str) -> str | None:
        """Return where to call back about the attempt of this reference."""
        return None if self._public_url is None else f"{self._public_url}{KIE_CALLBACK_PATH}{reference}"

    def loss_probability(self, job_id: int) -> float:
        """Return how likely it is that nobody will call back about a job's task; 1 where nobody can be expected to."""
        is_awaited = self.is_enabled and job_id not in self._arrived and job_id not in self._possibly_missed
        return self._loss_rate.expected if is_awaited else 1.0

    def has_arrived(self, job_id: int) -> bool:
        """Say whether Kie has called back about a job that is not finished yet."""
        return job_id in self._arrived

    def record_arrival(self, job_id: int, task_id: str | None) -> None:
        """Note a callback about a task that is waited for, and which task it named."""
        self._arrived.add(job_id)
        if task_id is not None:
            self._reported_task_ids[job_id] = task_id

    def reported_task_id(self, job_id: int) -> str | None:
        """Return the task that the latest callback about a job has named."""
        return self._reported_task_ids.get(job_id)

    def mark_possibly_missed(self, job_id: int) -> None:
        """Note that Kie may have called back while nobody listened."""
        self._possibly_missed.add(job_id)

    def record_finished(self, job_id: int) -> bool:
        """Note that a look found a task finished, after a callback or because none came in time; True if it got lost.

        Of one that may have come while nobody listened nobody can say so.
        """
        if not self.is_enabled or job_id in self._possibly_missed:
            return False
        lost, before = job_id not in self._arrived, self._loss_rate
        self._loss_rate = before.updated(lost=lost)
        if lost:
            log.info("job %d: finished, and Kie has not called back", job_id, extra={"job": job_id})
        if self._loss_rate.expected > 0.5 >= before.expected:
            log.warning(
                "Kie does not call back any more: until it does again, tasks are looked at as without callbacks"
            )
        return lost

    def forget(self, job_id: int) -> None:
        """Forget a job whose task nobody waits for any more."""
        self._arrived.discard(job_id)
        self._possibly_missed.discard(job_id)
        self._reported_task_ids.pop(job_id, None)


#: The shares that may get lost: hardly any, some of them, or all.
LOSS_RATES = (0.005, 0.25, 0.98)

#: What is believed of each before the first one: whoever asks for callbacks has made a way for them.
INITIAL_BELIEFS = (0.98, 0.01, 0.01)

#: How often, per callback, one of these turns into another.
CHANGE_PROBABILITY = 1 / 2000


@dataclass(frozen=True)
class CallbackLossRate:
    """What is believed of each of the SHARES; together it is 1."""

    beliefs: tuple[float, ...] = INITIAL_BELIEFS

    @property
    def expected(self) -> float:
        """The share of the next callbacks that gets lost, as a power of a half: so exactly it is known at best."""
        expected = sum(belief * share for belief, share in zip(self.beliefs, LOSS_RATES, strict=True))
        return math.ldexp(1.0, round(math.log2(expected)))

    def updated(self, *, lost: bool) -> "CallbackLossRate":
        """Return what is believed after one more callback that came or got lost (Bayes' rule)."""
        even = CHANGE_PROBABILITY / len(LOSS_RATES)
        before = [belief * (1 - CHANGE_PROBABILITY) + even for belief in self.beliefs]
        likely = [belief * (share if lost else 1 - share) for belief, share in zip(before, LOSS_RATES, strict=True)]
        return CallbackLossRate(tuple(each / sum(likely) for each in likely))


log = logging.getLogger(__name__)

#: States in which a task is waited for.
AWAITING_STATES = (State.SUBMITTING, State.RUNNING)


@dataclass(frozen=True)
class _CallbackMatch:
    job_id: int
    #: nobody waits for the task any more
    is_late: bool = False
    #: the order's own answer is still to come, and comes first
    is_early: bool = False


class CallbackProcessor:
    """Takes what the door let in."""

    def __init__(
        self, db: Database, callbacks: CallbackTracker, measure: JobMetrics, *, look_soon: Callable[[int], None]
    ) -> None:
        self._db = db
        self._callbacks = callbacks
        self._metrics = measure
        self._poll_soon = look_soon

    async def process(self, reference: str, task_id: str | None) -> None:
        """Let the job be looked at that a reference belongs to, if any; when this returns, nothing can be lost."""
        nudged = await self._db.transact(lambda tx: _match_callback(tx, reference, task_id))
        if nudged is None:
            self._metrics.count_callback(CALLBACK_UNKNOWN)
            return
        self._metrics.count_callback(CALLBACK_LATE if nudged.is_late else CALLBACK_IN_TIME)
        if not nudged.is_late:
            self._callbacks.record_arrival(nudged.job_id, task_id)
        if not nudged.is_late and not nudged.is_early:
            self._poll_soon(nudged.job_id)


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
