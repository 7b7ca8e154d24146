"""What is done about a step that did not work: when it is tried again, and when it is given up.

A failed step always moves its due time on, so nothing is ever tried in a hot loop.
"""

import logging

from bot.chat.errors import ChatError, ChatGone, Doubtful, Later, Rejected
from bot.job import Instant, Job, Reason, later, seconds_between
from bot.jobs import outcome, trouble
from bot.jobs.deliver import Undeliverable
from bot.kie.errors import Halted, KieError, Unavailable
from bot.pictures.fetch import FetchError, Unreachable
from bot.store.outbox import Ending, Kind, Parcel
from bot.store.transaction import Transaction
from bot.texts import en

log = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0

#: Tries after which something that is not a passing trouble is given up; about a quarter of an hour.
MOST_TRIES = 10

#: Seconds after which a message that cannot be sent is given up.
PARCEL_EXPIRES = 3 * 86_400.0

Problem = ChatError | KieError | FetchError | Undeliverable


def pause(tries: int) -> float:
    """Return the seconds to wait after that many tries before: 1, 2, 4, ... 300."""
    return float(min(LONGEST_PAUSE, 2.0 ** min(tries, 16)))


def job_failed(tx: Transaction, job: Job, error: Exception, admins: frozenset[int], now: Instant) -> None:
    """Put a job off whose step failed, or end it when that step will never work."""
    if isinstance(error, KieError):
        trouble.seen_elsewhere(tx, error, admins, now)
    log.info("job %d: later again: %s", job.id, _named(error), extra={"job": job.id})
    if job.tries >= MOST_TRIES and not isinstance(error, Later | Unavailable):
        words = en.ADMIN_BROKEN.format(job_id=job.id, fault=type(error).__name__)
        if outcome.fail(tx, job, Reason.PICTURE, en.BROKEN_STEP, now):
            tx.outbox.tell_admins(admins, f"broken:{job.id}", words, now)
    else:
        asked_for = error.retry_after if isinstance(error, Later | Unavailable | Halted) else None
        wait = max(asked_for or 0.0, pause(job.tries))
        tx.jobs.note(job, due_at=later(now, wait), tries=job.tries + 1)


def parcel_failed(tx: Transaction, parcel: Parcel, error: Exception, admins: frozenset[int], now: Instant) -> None:
    """Put a message off that could not be sent, or end it when it never can be."""
    if parcel.say.kind is Kind.REACTION:
        tx.outbox.ended(parcel.id, Ending.REJECTED, now)  # a nicety is not worth a second try
    elif isinstance(error, ChatGone):
        log.info("chat %d cannot be written to: %s", parcel.say.chat_id, error)
        tx.lose_chat(parcel.say.chat_id, now)
    elif isinstance(error, Rejected | Undeliverable):
        _undeliverable(tx, parcel, error, admins, now)
    elif _is_hopeless(parcel, error, now):
        _expired(tx, parcel, admins, now)
    else:
        _again(tx, parcel, error, now)


def _again(tx: Transaction, parcel: Parcel, error: Exception, now: Instant) -> None:
    wait = error.retry_after if isinstance(error, Later) else None
    log.info("message %s: later again: %s", parcel.say.key, _named(error))
    if parcel.say.job_id is not None and not isinstance(error, Doubtful):
        _was_not_sent(tx, parcel.say.job_id)
    # that Telegram asks to slow down says nothing about the message
    tx.outbox.postpone(parcel.id, later(now, wait or pause(parcel.tries)), failed=wait is None)


def _was_not_sent(tx: Transaction, job_id: int) -> None:
    """Take the mark of an answer in doubt away: this one certainly did not arrive."""
    job = tx.jobs.get(job_id)
    if job is not None and job.answering_at is not None:
        tx.jobs.note(job, answering_at=None)


def _is_hopeless(parcel: Parcel, error: Exception, now: Instant) -> bool:
    if isinstance(error, FetchError) and not isinstance(error, Unreachable) and parcel.tries >= MOST_TRIES:
        return True
    return seconds_between(parcel.written_at, now) > PARCEL_EXPIRES


def _undeliverable(tx: Transaction, parcel: Parcel, error: Exception, admins: frozenset[int], now: Instant) -> None:
    log.error("message %s cannot be sent: %s", parcel.say.key, error)
    if parcel.say.kind is Kind.PICTURE:
        tx.outbox.say_instead(parcel.id, en.UNDELIVERABLE.format(words=error), now)
    else:
        tx.outbox.ended(parcel.id, Ending.REJECTED, now)
    if parcel.say.chat_id not in admins:
        words = en.ADMIN_REJECTED.format(words=error)
        tx.outbox.tell_admins(admins, f"rejected:{parcel.id}", words, now)


def _expired(tx: Transaction, parcel: Parcel, admins: frozenset[int], now: Instant) -> None:
    log.error("message %s is given up", parcel.say.key)
    if parcel.say.kind is Kind.PICTURE:
        tx.outbox.say_instead(parcel.id, en.RESULT_LOST, now)
        return
    tx.outbox.ended(parcel.id, Ending.EXPIRED, now)
    if parcel.say.chat_id not in admins:
        words = en.ADMIN_EXPIRED.format(key=parcel.say.key)
        tx.outbox.tell_admins(admins, f"expired:{parcel.id}", words, now)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__
