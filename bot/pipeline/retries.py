"""What is done about a step that did not work: when it is tried again, and when it is given up.

A failed step always moves its due time on, so nothing is ever tried in a hot loop.
"""

import errno
import logging
from dataclasses import dataclass

from bot import job_actions
from bot.clock import Instant, add_seconds, backoff, seconds_between
from bot.i18n import DEFAULT_LANGUAGE, Sentence, sentence
from bot.images.download import DownloadError, DownloadUnavailable
from bot.images.errors import ConversionFailed
from bot.job import FailureReason, Job
from bot.kie.errors import AccountBlocked, KieError, KieUnavailable, RequestRefused
from bot.kie.models import RESULT_RETENTION_DAYS, is_result_retained
from bot.pipeline import circuit_breakers, finish_job
from bot.pipeline.deliver_image import DeliveryUnconfirmed, MessageEditUncertain, Undeliverable
from bot.pipeline.progress_message import ProgressContent, ProgressUpdate
from bot.pipeline.retry_limits import (
    DOWNLOAD_DELAY_NOTICE_SECONDS,
    MAX_TRIES,
    MAX_UNCERTAIN_SENDS,
    OUTBOX_MESSAGE_EXPIRY,
    SUBMIT_GIVE_UP_SECONDS,
    UNCERTAIN_RESEND_DELAYS,
)
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxMessage
from bot.store.transaction import Transaction
from bot.telegram.errors import (
    ChatGone,
    ChatMigrated,
    DeliveryUncertain,
    FileUnavailable,
    InvalidDestination,
    PermissionDenied,
    Rejected,
    RetryableError,
    TelegramApiError,
    TopicUnavailable,
)

log = logging.getLogger(__name__)

#: What the system says when file descriptors, memory or room on the disk run out.
EXHAUSTION_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC})

#: Not worth a second try.
BEST_EFFORT_KINDS = frozenset({MessageKind.REACTION, MessageKind.CALLBACK_ANSWER})

#: What is said when something cannot be had any more.
GONE_TEXTS = {MessageKind.IMAGE: "result-gone", MessageKind.FILE: "original-gone"}


@dataclass(frozen=True)
class RetryRules:
    """What the settings say about trouble."""

    admins: frozenset[int]
    #: seconds of waiting after which the person is told
    deadline: float
    #: seconds of quiet that close an album
    album_window: float


ExpectedError = TelegramApiError | KieError | DownloadError | ConversionFailed | Undeliverable | DeliveryUnconfirmed


def handle_job_failure(tx: Transaction, job: Job, error: Exception, rules: RetryRules, now: Instant) -> None:
    """Put a job off whose step failed, or end it when that step will never work."""
    if isinstance(error, KieError):
        circuit_breakers.handle_free_call_error(tx, error, rules.admins, now)
    if isinstance(error, KieUnavailable):
        circuit_breakers.trip_upload_breaker(tx, error, rules.admins, now)
    tx.log(log.info, "job %d: later again: %s", job.id, _describe_error(error), extra={"job": job.id})
    waited = seconds_between(job.queued_at or now, now)
    if isinstance(error, RequestRefused) and not error.transient:
        finish_job.fail_job(tx, job, FailureReason.REFUSED, sentence("refused-order", words=error.text), now)
    elif job.tries < MAX_TRIES or _is_temporary(error, waited):
        _retry_job_later(tx, job, error, waited, rules, now)
    else:
        _give_up_job(tx, job, error, rules, now)


def _is_temporary(error: Exception, waited: float) -> bool:
    """Say whether an error is known to be one that passes by itself, or by the operator's help."""
    passing = isinstance(error, RetryableError | DeliveryUncertain | KieUnavailable) and not isinstance(
        error, FileUnavailable
    )
    passing = passing or _is_resource_exhaustion(error)
    return isinstance(error, AccountBlocked) or (passing and waited < SUBMIT_GIVE_UP_SECONDS)


def _is_resource_exhaustion(error: Exception) -> bool:
    """Say whether this machine has run out of something, which says nothing about the job."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in EXHAUSTION_ERRNOS)


def _retry_job_later(
    tx: Transaction, job: Job, error: Exception, waited: float, rules: RetryRules, now: Instant
) -> None:
    asked_for = error.retry_after if isinstance(error, RetryableError | KieUnavailable | AccountBlocked) else None
    wait = max(asked_for or 0.0, backoff(job.tries))
    if tx.jobs.update(job, due_at=add_seconds(now, wait), tries=job.tries + 1) and waited > rules.deadline:
        tx.progress_messages.open_or_refresh(job, now)


def _give_up_job(tx: Transaction, job: Job, error: Exception, rules: RetryRules, now: Instant) -> None:
    if finish_job.fail_job(tx, job, FailureReason.UNUSABLE_IMAGE, sentence("broken-step"), now):
        words = sentence("admin-broken", job=f"{job.id}", fault=type(error).__name__)
        tx.outbox.notify_admins(rules.admins, f"broken:{job.id}", words.translate, now)


def handle_message_failure(
    tx: Transaction, parcel: OutboxMessage, error: Exception, rules: RetryRules, now: Instant
) -> None:
    """Put a message off that could not be sent, or end it when it never can be; nothing if nobody wants it any more."""
    if not tx.outbox.is_pending(parcel):
        return
    is_gone = parcel.draft.kind is MessageKind.DELETION and isinstance(error, Rejected)
    if parcel.draft.kind in BEST_EFFORT_KINDS or is_gone:
        tx.outbox.mark_ended(parcel.id, DeliveryOutcome.REJECTED, now)  # a nicety is not worth a second try
    elif isinstance(error, ChatGone | ChatMigrated | InvalidDestination):
        _redirect_message(tx, parcel, error, now)
    elif isinstance(error, Rejected | Undeliverable):
        _give_up_undeliverable(tx, parcel, error, rules.admins, now)
    elif isinstance(error, DeliveryUnconfirmed):
        _give_up_unconfirmed(tx, parcel, now)
    elif _should_give_up(parcel, error, now):
        _give_up_expired(tx, parcel, error, rules.admins, now)
    elif (
        isinstance(error, DeliveryUncertain) and parcel.draft.kind is not MessageKind.DELETION
    ):  # twice is as good as once
        _retry_uncertain_message(tx, parcel, error, now)
    else:
        _retry_message_later(tx, parcel, error, now)


def handle_progress_failure(tx: Transaction, errand: ProgressUpdate, error: Exception, now: Instant) -> None:
    """Put off what could not be shown or taken away, or give it up; nobody waits for it but for a question."""
    status, is_question = errand.message, errand.content is not None and errand.content.requires_attention
    is_new = status.message_id is None
    if not tx.outbox.is_pending(status):
        return
    if not is_new and errand.content is not None and tx.progress_messages.is_to_be_deleted(status.id):
        tx.outbox.postpone(status.id, now, failed=True)  # meanwhile it is to be deleted
    elif isinstance(error, ChatGone | ChatMigrated | InvalidDestination) and (
        is_new or not isinstance(error, InvalidDestination)
    ):
        _redirect_message(tx, status, error, now)
    elif isinstance(error, Rejected):
        tx.outbox.mark_ended(status.id, DeliveryOutcome.REJECTED, now)  # the person has deleted it, say
    elif (isinstance(error, DeliveryUncertain) and is_new and not is_question) or _are_retries_exhausted(
        status, error, now
    ):
        tx.outbox.mark_ended(
            status.id, DeliveryOutcome.UNCERTAIN, now
        )  # once more might leave two, of which one goes stale
    elif isinstance(error, DeliveryUncertain) and errand.content is not None:
        _retry_uncertain_edit(tx, errand.content, status, error, now)
    else:
        _retry_message_later(tx, status, error, now)


def _redirect_message(
    tx: Transaction, parcel: OutboxMessage, error: ChatGone | ChatMigrated | InvalidDestination, now: Instant
) -> None:
    """Say it where it can be said, if anywhere."""
    say = parcel.draft
    tx.log(log.info, "chat %d, message %s: %s", say.chat_id, say.key, error)
    if isinstance(error, ChatGone):
        job_actions.drop_chat(tx, say.chat_id, now)
    elif isinstance(error, ChatMigrated):
        job_actions.migrate_chat(tx, say.chat_id, error.new_chat_id, now)
    elif isinstance(error, TopicUnavailable) and say.thread_id is not None:
        tx.outbox.drop_topic(parcel.id, now)
    elif say.reply_to is not None:
        tx.outbox.drop_reply(parcel.id, now)
    else:
        tx.outbox.mark_ended(parcel.id, DeliveryOutcome.REJECTED, now)


def _retry_uncertain_message(tx: Transaction, parcel: OutboxMessage, error: DeliveryUncertain, now: Instant) -> None:
    """Send it once more rather than lose it, but not for ever: each send may have arrived."""
    tx.outbox.count_uncertain_send(parcel.id)
    if parcel.uncertain_sends + 1 < MAX_UNCERTAIN_SENDS:
        _retry_message_later(tx, parcel, error, now)
        return
    if isinstance(error, MessageEditUncertain):
        _abandon_progress_message(tx, parcel, now)
    _give_up_unconfirmed(tx, parcel, now)


def _retry_uncertain_edit(
    tx: Transaction, showing: ProgressContent, status: OutboxMessage, error: DeliveryUncertain, now: Instant
) -> None:
    """Count a change of a message like a send; in the end the message stays as it is, until there is another change."""
    if status.message_id is None or status.uncertain_sends + 1 < MAX_UNCERTAIN_SENDS:
        _retry_uncertain_message(tx, status, error, now)
    else:
        tx.log(
            log.error, "message %s was changed %d times, and none was confirmed", status.draft.key, MAX_UNCERTAIN_SENDS
        )
        if showing.is_final and tx.progress_messages.is_current(status):
            tx.outbox.mark_ended(status.id, DeliveryOutcome.UNCERTAIN, now)
        else:
            tx.progress_messages.give_up_edit(status, now, showing.refresh_at)


def _give_up_unconfirmed(tx: Transaction, parcel: OutboxMessage, now: Instant) -> None:
    """Send it no more; of a picture that may be nowhere, or there three times, the person is told."""
    tx.log(log.error, "message %s was sent %d times, and none was confirmed", parcel.draft.key, MAX_UNCERTAIN_SENDS)
    if parcel.draft.kind is MessageKind.IMAGE:
        _replace_with_text(tx, parcel, sentence("answer-unconfirmed"), now)
    else:
        _end_message(tx, parcel, DeliveryOutcome.UNCERTAIN, now)


def _abandon_progress_message(tx: Transaction, parcel: OutboxMessage, now: Instant) -> None:
    """Let the message that told how the job stands be, as it may have become the picture."""
    status = None if parcel.draft.job_id is None else tx.progress_messages.get(parcel.draft.job_id)
    if status is not None:
        tx.outbox.mark_ended(status.id, DeliveryOutcome.UNCERTAIN, now)


def _end_message(tx: Transaction, parcel: OutboxMessage, ending: DeliveryOutcome, now: Instant) -> None:
    """Give a message up; with an answer goes what told how the job stands, because that is not so any more."""
    tx.outbox.mark_ended(parcel.id, ending, now)
    if parcel.draft.is_answer and parcel.draft.job_id is not None:
        tx.progress_messages.queue_deletion(parcel.draft.job_id, now)


def _retry_message_later(tx: Transaction, parcel: OutboxMessage, error: Exception, now: Instant) -> None:
    wait = error.retry_after if isinstance(error, RetryableError) else None
    usual = (
        UNCERTAIN_RESEND_DELAYS[min(parcel.uncertain_sends, 1)]
        if isinstance(error, DeliveryUncertain)
        else backoff(parcel.tries)
    )
    tx.log(log.info, "message %s: later again: %s", parcel.draft.key, _describe_error(error))
    if parcel.draft.is_answer and parcel.draft.job_id is not None and not _is_possibly_delivered(parcel, error):
        _clear_answering(tx, parcel.draft.job_id)
        _show_unfetched(tx, parcel.draft.job_id, parcel, error, now)
    # that Telegram asks to slow down says nothing about the message
    tx.outbox.postpone(parcel.id, add_seconds(now, wait or usual), failed=wait is None)


def _is_possibly_delivered(parcel: OutboxMessage, error: Exception) -> bool:
    return parcel.uncertain_sends > 0 or isinstance(error, DeliveryUncertain)


def _clear_answering(tx: Transaction, job_id: int) -> None:
    """Take the mark of an answer in doubt away: this one certainly did not arrive."""
    job = tx.jobs.get(job_id)
    if job is not None and job.answering_at is not None:
        tx.jobs.update(job, answering_at=None)


def _show_unfetched(tx: Transaction, job_id: int, parcel: OutboxMessage, error: Exception, now: Instant) -> None:
    """Let the status say that the picture is made, once it could not be fetched for a while."""
    job = tx.jobs.get(job_id)
    waited = seconds_between(parcel.written_at, now)
    if (
        job is None
        or job.unfetched_at is not None
        or waited < DOWNLOAD_DELAY_NOTICE_SECONDS
        or not isinstance(error, DownloadError)
    ):
        return
    tx.jobs.update(job, unfetched_at=now)
    tx.progress_messages.open_or_refresh(job, now)


def _should_give_up(parcel: OutboxMessage, error: Exception, now: Instant) -> bool:
    if isinstance(error, DownloadError) and not isinstance(error, DownloadUnavailable):
        # that it is not there yet is believed of a fresh result only
        return parcel.tries >= MAX_TRIES or parcel.draft.kind is MessageKind.FILE
    return _are_retries_exhausted(parcel, error, now)


def _are_retries_exhausted(parcel: OutboxMessage, error: Exception, now: Instant) -> bool:
    if not isinstance(error, ExpectedError) and parcel.tries >= MAX_TRIES:
        return True  # a mistake in the bot does not pass
    return seconds_between(parcel.written_at, now) > OUTBOX_MESSAGE_EXPIRY


def _give_up_undeliverable(
    tx: Transaction, parcel: OutboxMessage, error: Exception, admins: frozenset[int], now: Instant
) -> None:
    tx.log(log.error, "message %s cannot be sent: %s", parcel.draft.key, error)
    if parcel.draft.kind is MessageKind.FILE:
        _replace_with_text(tx, parcel, sentence("original-not-fetched"), now)
        return
    is_theirs = isinstance(error, PermissionDenied)  # so nobody else can help
    if parcel.draft.kind is MessageKind.IMAGE:
        told = sentence("may-not-send") if is_theirs else sentence("undeliverable", words=str(error))
        _replace_with_text(tx, parcel, told, now)
    else:
        _end_message(tx, parcel, DeliveryOutcome.REJECTED, now)
    if parcel.draft.chat_id not in admins and not is_theirs:
        words = sentence("admin-rejected", words=str(error))
        tx.outbox.notify_admins(admins, f"rejected:{parcel.id}", words.translate, now)


def _give_up_expired(
    tx: Transaction, parcel: OutboxMessage, error: Exception, admins: frozenset[int], now: Instant
) -> None:
    tx.log(log.error, "message %s is given up", parcel.draft.key)
    if parcel.draft.kind is MessageKind.IMAGE:
        name = "result-lost" if isinstance(error, DownloadError) else "result-not-sent"
        _replace_with_text(tx, parcel, sentence(name, results=RESULT_RETENTION_DAYS), now)
        return
    if parcel.draft.kind is MessageKind.FILE:
        is_gone = isinstance(error, DownloadError) and not isinstance(error, DownloadUnavailable)
        _replace_with_text(
            tx, parcel, sentence("original-gone" if is_gone else "original-not-fetched"), now, is_gone=is_gone
        )
        return
    _end_message(tx, parcel, DeliveryOutcome.EXPIRED, now)
    if parcel.draft.chat_id not in admins:
        words = sentence("admin-expired", key=f"{parcel.id}")
        tx.outbox.notify_admins(admins, f"expired:{parcel.id}", words.translate, now)


def _replace_with_text(
    tx: Transaction, parcel: OutboxMessage, told: Sentence, now: Instant, *, is_gone: bool = False
) -> None:
    """Say why a picture or a file does not come; beside it a button fetches it, for as long as Kie may have it."""
    job = None if parcel.draft.job_id is None else tx.jobs.get(parcel.draft.job_id)
    may_be_had = job is not None and not is_gone and _is_result_available(job, now)
    words = told if may_be_had else sentence(GONE_TEXTS[parcel.draft.kind])
    language = DEFAULT_LANGUAGE if job is None else job.request.language
    tx.outbox.replace_with_text(parcel.id, words.translate(language), now, may_be_had=may_be_had)


def _is_result_available(job: Job, now: Instant) -> bool:
    return job.result_url is not None and is_result_retained(seconds_between(job.finished_at or now, now))


def _describe_error(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, ExpectedError) else type(error).__name__
