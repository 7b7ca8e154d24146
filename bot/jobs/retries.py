"""What is done about a step that did not work: when it is tried again, and when it is given up.

A failed step always moves its due time on, so nothing is ever tried in a hot loop.
"""

import errno
import logging
from dataclasses import dataclass

from bot.chat.errors import (
    ChatError,
    ChatGone,
    Doubtful,
    Later,
    Migrated,
    Misplaced,
    NoFile,
    NotAllowed,
    NoTopic,
    Rejected,
)
from bot.job import Instant, Job, Reason, later, seconds_between
from bot.jobs import outcome, trouble
from bot.jobs.deliver import EditUncertain, Unconfirmed, Undeliverable
from bot.jobs.pauses import (
    GIVE_UP_AFTER,
    MOST_SENDS_IN_DOUBT,
    MOST_TRIES,
    PARCEL_EXPIRES,
    UNCERTAIN_PAUSES,
    UNFETCHED_TOLD,
    pause,
)
from bot.jobs.status import Errand, Showing
from bot.kie.errors import Halted, KieError, Refused, Unavailable
from bot.kie.keeping import RESULTS_KEPT, keeps_result
from bot.pictures.errors import ConversionFailed
from bot.pictures.fetch import FetchError, Unreachable
from bot.store.outbox import Ending, Kind, Parcel
from bot.store.transaction import Transaction
from bot.texts import DEFAULT, Sentence, sentence

log = logging.getLogger(__name__)

#: What the system says when file descriptors, memory or room on the disk run out.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC})

#: Not worth a second try.
NICETIES = frozenset({Kind.REACTION, Kind.TOAST})

#: What is said when something cannot be had any more.
GONE = {Kind.PICTURE: "result-gone", Kind.FILE: "original-gone"}


@dataclass(frozen=True)
class Rules:
    """What the settings say about trouble."""

    admins: frozenset[int]
    #: seconds of waiting after which the person is told
    deadline: float
    #: seconds of quiet that close an album
    album_window: float


Problem = ChatError | KieError | FetchError | ConversionFailed | Undeliverable | Unconfirmed


def job_failed(tx: Transaction, job: Job, error: Exception, rules: Rules, now: Instant) -> None:
    """Put a job off whose step failed, or end it when that step will never work."""
    if isinstance(error, KieError):
        trouble.seen_elsewhere(tx, error, rules.admins, now)
    if isinstance(error, Unavailable):
        trouble.stop_uploads(tx, error, rules.admins, now)
    tx.log(log.info, "job %d: later again: %s", job.id, _named(error), extra={"job": job.id})
    waited = seconds_between(job.queued_at or now, now)
    if isinstance(error, Refused) and not error.transient:
        outcome.fail(tx, job, Reason.REFUSED, sentence("refused-order", words=error.text), now)
    elif job.tries < MOST_TRIES or _passes(error, waited):
        _later_again(tx, job, error, waited, rules, now)
    else:
        _give_up(tx, job, error, rules, now)


def _passes(error: Exception, waited: float) -> bool:
    """Say whether an error is known to be one that passes by itself, or by the operator's help."""
    passing = isinstance(error, Later | Doubtful | Unavailable) and not isinstance(error, NoFile)
    passing = passing or _is_exhaustion(error)
    return isinstance(error, Halted) or (passing and waited < GIVE_UP_AFTER)


def _is_exhaustion(error: Exception) -> bool:
    """Say whether this machine has run out of something, which says nothing about the job."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in EXHAUSTED)


def _later_again(tx: Transaction, job: Job, error: Exception, waited: float, rules: Rules, now: Instant) -> None:
    asked_for = error.retry_after if isinstance(error, Later | Unavailable | Halted) else None
    wait = max(asked_for or 0.0, pause(job.tries))
    if tx.jobs.note(job, due_at=later(now, wait), tries=job.tries + 1) and waited > rules.deadline:
        tx.statuses.open(job, now)


def _give_up(tx: Transaction, job: Job, error: Exception, rules: Rules, now: Instant) -> None:
    if outcome.fail(tx, job, Reason.PICTURE, sentence("broken-step"), now):
        words = sentence("admin-broken", job=f"{job.id}", fault=type(error).__name__)
        tx.outbox.tell_admins(rules.admins, f"broken:{job.id}", words.into, now)


def parcel_failed(tx: Transaction, parcel: Parcel, error: Exception, rules: Rules, now: Instant) -> None:
    """Put a message off that could not be sent, or end it when it never can be; nothing if nobody wants it any more."""
    if not tx.outbox.is_waiting(parcel):
        return
    is_gone = parcel.say.kind is Kind.DELETION and isinstance(error, Rejected)
    if parcel.say.kind in NICETIES or is_gone:
        tx.outbox.ended(parcel.id, Ending.REJECTED, now)  # a nicety is not worth a second try
    elif isinstance(error, ChatGone | Migrated | Misplaced):
        _elsewhere(tx, parcel, error, now)
    elif isinstance(error, Rejected | Undeliverable):
        _undeliverable(tx, parcel, error, rules.admins, now)
    elif isinstance(error, Unconfirmed):
        _unconfirmed(tx, parcel, now)
    elif _is_hopeless(parcel, error, now):
        _expired(tx, parcel, error, rules.admins, now)
    elif isinstance(error, Doubtful) and parcel.say.kind is not Kind.DELETION:  # twice is as good as once
        _may_have_arrived(tx, parcel, error, now)
    else:
        _again(tx, parcel, error, now)


def errand_failed(tx: Transaction, errand: Errand, error: Exception, now: Instant) -> None:
    """Put off what could not be shown or taken away, or give it up; nobody waits for it but for a question."""
    status, is_question = errand.status, errand.showing is not None and errand.showing.matters
    is_new = status.message_id is None
    if not tx.outbox.is_waiting(status):
        return
    if not is_new and errand.showing is not None and tx.statuses.is_over(status.id):
        tx.outbox.postpone(status.id, now, failed=True)  # meanwhile it is to be deleted
    elif isinstance(error, ChatGone | Migrated | Misplaced) and (is_new or not isinstance(error, Misplaced)):
        _elsewhere(tx, status, error, now)
    elif isinstance(error, Rejected):
        tx.outbox.ended(status.id, Ending.REJECTED, now)  # the person has deleted it, say
    elif (isinstance(error, Doubtful) and is_new and not is_question) or _is_in_vain(status, error, now):
        tx.outbox.ended(status.id, Ending.UNCLEAR, now)  # once more might leave two, of which one goes stale
    elif isinstance(error, Doubtful) and errand.showing is not None:
        _may_have_been_shown(tx, errand.showing, status, error, now)
    else:
        _again(tx, status, error, now)


def _elsewhere(tx: Transaction, parcel: Parcel, error: ChatGone | Migrated | Misplaced, now: Instant) -> None:
    """Say it where it can be said, if anywhere."""
    say = parcel.say
    tx.log(log.info, "chat %d, message %s: %s", say.chat_id, say.key, error)
    if isinstance(error, ChatGone):
        tx.lose_chat(say.chat_id, now)
    elif isinstance(error, Migrated):
        tx.move_chat(say.chat_id, error.new_id, now)
    elif isinstance(error, NoTopic) and say.thread_id is not None:
        tx.outbox.leave_topic(parcel.id, now)
    elif say.reply_to is not None:
        tx.outbox.drop_reply(parcel.id, now)
    else:
        tx.outbox.ended(parcel.id, Ending.REJECTED, now)


def _may_have_arrived(tx: Transaction, parcel: Parcel, error: Doubtful, now: Instant) -> None:
    """Send it once more rather than lose it, but not for ever: each send may have arrived."""
    tx.outbox.may_have_arrived(parcel.id)
    if parcel.in_doubt + 1 < MOST_SENDS_IN_DOUBT:
        _again(tx, parcel, error, now)
        return
    if isinstance(error, EditUncertain):
        _leave_status(tx, parcel, now)
    _unconfirmed(tx, parcel, now)


def _may_have_been_shown(tx: Transaction, showing: Showing, status: Parcel, error: Doubtful, now: Instant) -> None:
    """Count a change of a message like a send; in the end the message stays as it is, until there is another change."""
    if status.message_id is None or status.in_doubt + 1 < MOST_SENDS_IN_DOUBT:
        _may_have_arrived(tx, status, error, now)
    else:
        tx.log(
            log.error, "message %s was changed %d times, and none was confirmed", status.say.key, MOST_SENDS_IN_DOUBT
        )
        if showing.is_last and tx.statuses.is_unchanged(status):
            tx.outbox.ended(status.id, Ending.UNCLEAR, now)
        else:
            tx.statuses.leave_as_it_is(status, now, showing.look_at)


def _unconfirmed(tx: Transaction, parcel: Parcel, now: Instant) -> None:
    """Send it no more; of a picture that may be nowhere, or there three times, the person is told."""
    tx.log(log.error, "message %s was sent %d times, and none was confirmed", parcel.say.key, MOST_SENDS_IN_DOUBT)
    if parcel.say.kind is Kind.PICTURE:
        _say_instead(tx, parcel, sentence("answer-unconfirmed"), now)
    else:
        _ended(tx, parcel, Ending.UNCLEAR, now)


def _leave_status(tx: Transaction, parcel: Parcel, now: Instant) -> None:
    """Let the message that told how the job stands be, as it may have become the picture."""
    status = None if parcel.say.job_id is None else tx.statuses.of(parcel.say.job_id)
    if status is not None:
        tx.outbox.ended(status.id, Ending.UNCLEAR, now)


def _ended(tx: Transaction, parcel: Parcel, ending: Ending, now: Instant) -> None:
    """Give a message up; with an answer goes what told how the job stands, because that is not so any more."""
    tx.outbox.ended(parcel.id, ending, now)
    if parcel.say.is_answer and parcel.say.job_id is not None:
        tx.statuses.over(parcel.say.job_id, now)


def _again(tx: Transaction, parcel: Parcel, error: Exception, now: Instant) -> None:
    wait = error.retry_after if isinstance(error, Later) else None
    usual = UNCERTAIN_PAUSES[min(parcel.in_doubt, 1)] if isinstance(error, Doubtful) else pause(parcel.tries)
    tx.log(log.info, "message %s: later again: %s", parcel.say.key, _named(error))
    if parcel.say.is_answer and parcel.say.job_id is not None and not _may_be_there(parcel, error):
        _was_not_sent(tx, parcel.say.job_id)
        _tell_unfetched(tx, parcel.say.job_id, parcel, error, now)
    # that Telegram asks to slow down says nothing about the message
    tx.outbox.postpone(parcel.id, later(now, wait or usual), failed=wait is None)


def _may_be_there(parcel: Parcel, error: Exception) -> bool:
    return parcel.in_doubt > 0 or isinstance(error, Doubtful)


def _was_not_sent(tx: Transaction, job_id: int) -> None:
    """Take the mark of an answer in doubt away: this one certainly did not arrive."""
    job = tx.jobs.get(job_id)
    if job is not None and job.answering_at is not None:
        tx.jobs.note(job, answering_at=None)


def _tell_unfetched(tx: Transaction, job_id: int, parcel: Parcel, error: Exception, now: Instant) -> None:
    """Let the status say that the picture is made, once it could not be fetched for a while."""
    job = tx.jobs.get(job_id)
    waited = seconds_between(parcel.written_at, now)
    if job is None or job.unfetched_at is not None or waited < UNFETCHED_TOLD or not isinstance(error, FetchError):
        return
    tx.jobs.note(job, unfetched_at=now)
    tx.statuses.open(job, now)


def _is_hopeless(parcel: Parcel, error: Exception, now: Instant) -> bool:
    if isinstance(error, FetchError) and not isinstance(error, Unreachable):
        # that it is not there yet is believed of a fresh result only
        return parcel.tries >= MOST_TRIES or parcel.say.kind is Kind.FILE
    return _is_in_vain(parcel, error, now)


def _is_in_vain(parcel: Parcel, error: Exception, now: Instant) -> bool:
    if not isinstance(error, Problem) and parcel.tries >= MOST_TRIES:
        return True  # a mistake in the bot does not pass
    return seconds_between(parcel.written_at, now) > PARCEL_EXPIRES


def _undeliverable(tx: Transaction, parcel: Parcel, error: Exception, admins: frozenset[int], now: Instant) -> None:
    tx.log(log.error, "message %s cannot be sent: %s", parcel.say.key, error)
    if parcel.say.kind is Kind.FILE:
        _say_instead(tx, parcel, sentence("original-not-fetched"), now)
        return
    is_theirs = isinstance(error, NotAllowed)  # so nobody else can help
    if parcel.say.kind is Kind.PICTURE:
        told = sentence("may-not-send") if is_theirs else sentence("undeliverable", words=str(error))
        _say_instead(tx, parcel, told, now)
    else:
        _ended(tx, parcel, Ending.REJECTED, now)
    if parcel.say.chat_id not in admins and not is_theirs:
        words = sentence("admin-rejected", words=str(error))
        tx.outbox.tell_admins(admins, f"rejected:{parcel.id}", words.into, now)


def _expired(tx: Transaction, parcel: Parcel, error: Exception, admins: frozenset[int], now: Instant) -> None:
    tx.log(log.error, "message %s is given up", parcel.say.key)
    if parcel.say.kind is Kind.PICTURE:
        name = "result-lost" if isinstance(error, FetchError) else "result-not-sent"
        _say_instead(tx, parcel, sentence(name, results=RESULTS_KEPT), now)
        return
    if parcel.say.kind is Kind.FILE:
        is_gone = isinstance(error, FetchError) and not isinstance(error, Unreachable)
        _say_instead(tx, parcel, sentence("original-gone" if is_gone else "original-not-fetched"), now, is_gone=is_gone)
        return
    _ended(tx, parcel, Ending.EXPIRED, now)
    if parcel.say.chat_id not in admins:
        words = sentence("admin-expired", key=f"{parcel.id}")
        tx.outbox.tell_admins(admins, f"expired:{parcel.id}", words.into, now)


def _say_instead(tx: Transaction, parcel: Parcel, told: Sentence, now: Instant, *, is_gone: bool = False) -> None:
    """Say why a picture or a file does not come; beside it a button fetches it, for as long as Kie may have it."""
    job = None if parcel.say.job_id is None else tx.jobs.get(parcel.say.job_id)
    may_be_had = job is not None and not is_gone and _may_be_had(job, now)
    words = told if may_be_had else sentence(GONE[parcel.say.kind])
    language = DEFAULT if job is None else job.request.language
    tx.outbox.say_instead(parcel.id, words.into(language), now, may_be_had=may_be_had)


def _may_be_had(job: Job, now: Instant) -> bool:
    return job.result_url is not None and keeps_result(seconds_between(job.finished_at or now, now))


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__
