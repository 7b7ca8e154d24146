"""Retries of failed steps and messages: when to try again, and when to give up.

A failure moves the due time on, by exponential backoff or for as long as the other side asks, so that nothing is
retried in a hot loop.
"""

import errno
import logging
from dataclasses import dataclass

from bot import job_operations
from bot.backoff import MAX_BACKOFF, backoff
from bot.clock import Instant, add_seconds, seconds_between
from bot.i18n import DEFAULT_LANGUAGE, Sentence, sentence
from bot.images.download import DownloadError, DownloadUnavailable
from bot.images.errors import ConverterUnavailable
from bot.job import FailureReason, Job
from bot.kie.errors import AccountBlocked, KieError, KieUnavailable, RequestRefused
from bot.kie.models import RESULT_RETENTION_DAYS
from bot.pipeline import circuit_breakers, finish_job
from bot.pipeline.deliver_image import (
    MAX_UNCERTAIN_SENDS,
    DeliveryUnconfirmed,
    MessageEditUncertain,
    Undeliverable,
)
from bot.pipeline.error_containment import MAX_TRIES, OUTBOX_MESSAGE_EXPIRY, SUBMIT_GIVE_UP_SECONDS
from bot.pipeline.progress_message import ProgressContent, ProgressUpdate
from bot.store.database import Transaction
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxMessage
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

#: Seconds of failing downloads before the progress message says that the image is finished.
DOWNLOAD_DELAY_NOTICE_SECONDS = 60.0

#: Seconds before a message that may have arrived is sent again. The next time it is MAX_BACKOFF, to outlast an outage.
UNCERTAIN_RESEND_DELAY = 5.0

#: Error numbers for a machine that is out of file descriptors, memory or disk space.
EXHAUSTION_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC})

#: Messages that are not worth a retry.
BEST_EFFORT_KINDS = frozenset({MessageKind.REACTION, MessageKind.CALLBACK_ANSWER})

#: The text that replaces a result that is no longer available.
GONE_TEXTS = {MessageKind.IMAGE: "result-gone", MessageKind.FILE: "original-gone"}


@dataclass(frozen=True)
class RetryRules:
    """The settings that retries depend on."""

    admins: frozenset[int]
    #: seconds of waiting after which the user is notified
    deadline: float
    #: seconds without another item after which an album closes
    album_window: float


ExpectedError = TelegramApiError | KieError | DownloadError | ConverterUnavailable | Undeliverable | DeliveryUnconfirmed


# A step of a job


def handle_job_failure(tx: Transaction, job: Job, error: Exception, rules: RetryRules, now: Instant) -> None:
    """Retry a failed step later, or end the job if the step will never succeed."""
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
        finish_job.fail_after_bug(tx, job, error, rules.admins, now)


def _is_temporary(error: Exception, waited: float) -> bool:
    """Say whether an error is expected to pass, by itself or with the operator's help."""
    if isinstance(error, AccountBlocked):
        return True
    # a machine out of resources says nothing about the job
    is_exhausted = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in EXHAUSTION_ERRNOS)
    is_passing = isinstance(error, RetryableError | DeliveryUncertain | KieUnavailable)
    return waited < SUBMIT_GIVE_UP_SECONDS and (is_exhausted or (is_passing and not isinstance(error, FileUnavailable)))


def _retry_job_later(
    tx: Transaction, job: Job, error: Exception, waited: float, rules: RetryRules, now: Instant
) -> None:
    retry_after = error.retry_after if isinstance(error, RetryableError | KieUnavailable | AccountBlocked) else None
    due_at = add_seconds(now, max(retry_after or 0.0, backoff(job.tries)))
    if tx.jobs.update(job, due_at=due_at, tries=job.tries + 1) and waited > rules.deadline:
        tx.progress_messages.open_or_refresh(job, now)


# A message


def handle_message_failure(
    tx: Transaction, message: OutboxMessage, error: Exception, rules: RetryRules, now: Instant
) -> None:
    """Retry an unsent message later, or end it if it can never be sent."""
    if not tx.outbox.is_pending(message):
        return
    is_deletion = message.draft.kind is MessageKind.DELETION
    if message.draft.kind in BEST_EFFORT_KINDS or (is_deletion and isinstance(error, Rejected)):
        tx.outbox.mark_ended(message.id, DeliveryOutcome.REJECTED, now)
    elif isinstance(error, ChatGone | ChatMigrated | InvalidDestination):
        _redirect_message(tx, message, error, now)
    elif isinstance(error, Rejected | Undeliverable):
        _give_up_undeliverable(tx, message, error, rules.admins, now)
    elif isinstance(error, DeliveryUnconfirmed):
        _give_up_unconfirmed(tx, message, now)
    elif _should_give_up(message, error, now):
        _give_up_expired(tx, message, error, rules.admins, now)
    elif isinstance(error, DeliveryUncertain) and not is_deletion:  # a deletion is idempotent
        _retry_uncertain_message(tx, message, error, now)
    else:
        _retry_message_later(tx, message, error, now)


def handle_progress_failure(tx: Transaction, update: ProgressUpdate, error: Exception, now: Instant) -> None:
    """Retry a progress update later, or give it up; a new one is sent twice only if it is a question."""
    message, content = update.message, update.content
    is_new = message.message_id is None
    is_question = content is not None and content.requires_attention
    if not tx.outbox.is_pending(message):
        return
    if not is_new and content is not None and tx.progress_messages.is_to_be_deleted(message.id):
        tx.outbox.postpone(message.id, now, failed=True)  # the edit failed, and meanwhile the message is to be deleted
    elif isinstance(error, ChatGone | ChatMigrated) or (is_new and isinstance(error, InvalidDestination)):
        _redirect_message(tx, message, error, now)
    elif isinstance(error, Rejected):
        tx.outbox.mark_ended(message.id, DeliveryOutcome.REJECTED, now)  # for example, the user deleted it
    elif _are_retries_exhausted(message, error, now) or (
        isinstance(error, DeliveryUncertain) and is_new and not is_question
    ):
        # a repetition might leave two messages, one of which would never change again
        tx.outbox.mark_ended(message.id, DeliveryOutcome.UNCERTAIN, now)
    elif isinstance(error, DeliveryUncertain) and content is not None:
        _retry_uncertain_edit(tx, content, message, error, now)
    else:
        _retry_message_later(tx, message, error, now)


def _redirect_message(
    tx: Transaction, message: OutboxMessage, error: ChatGone | ChatMigrated | InvalidDestination, now: Instant
) -> None:
    """Send a message elsewhere: to the migrated chat, outside its topic, or not as a reply. End it if none helps."""
    draft = message.draft
    tx.log(log.info, "chat %d, message %s: %s", draft.chat_id, draft.key, error)
    if isinstance(error, ChatGone):
        job_operations.drop_chat(tx, draft.chat_id, now)
    elif isinstance(error, ChatMigrated):
        job_operations.migrate_chat(tx, draft.chat_id, error.new_chat_id, now)
    elif isinstance(error, TopicUnavailable) and draft.thread_id is not None:
        tx.outbox.drop_topic(message.id, now)
    elif draft.reply_to is not None:
        tx.outbox.drop_reply(message.id, now)
    else:
        tx.outbox.mark_ended(message.id, DeliveryOutcome.REJECTED, now)


def _retry_message_later(tx: Transaction, message: OutboxMessage, error: Exception, now: Instant) -> None:
    is_uncertain = isinstance(error, DeliveryUncertain)
    retry_after = error.retry_after if isinstance(error, RetryableError) else None
    wait = backoff(message.tries)
    if is_uncertain:
        wait = MAX_BACKOFF if message.uncertain_sends else UNCERTAIN_RESEND_DELAY
    tx.log(log.info, "message %s: later again: %s", message.draft.key, _describe_error(error))
    if message.draft.is_answer and not is_uncertain and not message.uncertain_sends:
        _mark_unanswered(tx, message, error, now)
    # Telegram's request to slow down says nothing about the message
    tx.outbox.postpone(message.id, add_seconds(now, retry_after or wait), failed=retry_after is None)


def _mark_unanswered(tx: Transaction, message: OutboxMessage, error: Exception, now: Instant) -> None:
    """Record that an answer did not arrive; if its image cannot be downloaded for a while, show that."""
    job = None if message.draft.job_id is None else tx.jobs.get(message.draft.job_id)
    if job is None:
        return
    if job.answering_at is not None:
        tx.jobs.update(job, answering_at=None)
    waited = seconds_between(message.written_at, now)
    if (
        isinstance(error, DownloadError)
        and job.download_failing_since is None
        and waited >= DOWNLOAD_DELAY_NOTICE_SECONDS
    ):
        tx.jobs.update(job, download_failing_since=now)
        tx.progress_messages.open_or_refresh(job, now)


# A message that may have arrived


def _retry_uncertain_message(tx: Transaction, message: OutboxMessage, error: DeliveryUncertain, now: Instant) -> None:
    """Send a message again rather than lose it (at-least-once delivery), but no more than MAX_UNCERTAIN_SENDS times."""
    tx.outbox.count_uncertain_send(message.id)
    if message.uncertain_sends + 1 < MAX_UNCERTAIN_SENDS:
        _retry_message_later(tx, message, error, now)
        return
    if isinstance(error, MessageEditUncertain):
        _abandon_progress_message(tx, message, now)
    _give_up_unconfirmed(tx, message, now)


def _retry_uncertain_edit(
    tx: Transaction, content: ProgressContent, message: OutboxMessage, error: DeliveryUncertain, now: Instant
) -> None:
    """Treat an edit like a send; after the last try, the message stays as it is until the next edit."""
    if message.message_id is None or message.uncertain_sends + 1 < MAX_UNCERTAIN_SENDS:
        _retry_uncertain_message(tx, message, error, now)
        return
    tx.log(log.error, "message %s: given up after %d unconfirmed edits", message.draft.key, MAX_UNCERTAIN_SENDS)
    if content.is_final and tx.progress_messages.is_current(message):
        tx.outbox.mark_ended(message.id, DeliveryOutcome.UNCERTAIN, now)
    else:
        tx.progress_messages.give_up_edit(message, now, content.refresh_at)


def _give_up_unconfirmed(tx: Transaction, message: OutboxMessage, now: Instant) -> None:
    """Stop sending a message; if it is an image, say that it may have arrived several times or not at all."""
    tx.log(log.error, "message %s: given up after %d unconfirmed sends", message.draft.key, MAX_UNCERTAIN_SENDS)
    if message.draft.kind is MessageKind.IMAGE:
        _replace_with_text(tx, message, sentence("answer-unconfirmed"), now)
    else:
        _end_message(tx, message, DeliveryOutcome.UNCERTAIN, now)


def _abandon_progress_message(tx: Transaction, message: OutboxMessage, now: Instant) -> None:
    """Leave the progress message alone, because it may have become the image."""
    progress = None if message.draft.job_id is None else tx.progress_messages.get(message.draft.job_id)
    if progress is not None:
        tx.outbox.mark_ended(progress.id, DeliveryOutcome.UNCERTAIN, now)


# A message that is given up


def _should_give_up(message: OutboxMessage, error: Exception, now: Instant) -> bool:
    if isinstance(error, DownloadError) and not isinstance(error, DownloadUnavailable):
        # an image may not be available yet; a file is requested later, when it would be
        return message.tries >= MAX_TRIES or message.draft.kind is MessageKind.FILE
    return _are_retries_exhausted(message, error, now)


def _are_retries_exhausted(message: OutboxMessage, error: Exception, now: Instant) -> bool:
    is_mistake = not isinstance(error, ExpectedError)  # a bug does not pass by itself
    has_expired = seconds_between(message.written_at, now) > OUTBOX_MESSAGE_EXPIRY
    return has_expired or (is_mistake and message.tries >= MAX_TRIES)


def _give_up_undeliverable(
    tx: Transaction, message: OutboxMessage, error: Exception, admins: frozenset[int], now: Instant
) -> None:
    tx.log(log.error, "message %s cannot be sent: %s", message.draft.key, error)
    if message.draft.kind is MessageKind.FILE:
        _replace_with_text(tx, message, sentence("original-not-fetched"), now)
        return
    is_for_chat_admins = isinstance(error, PermissionDenied)  # the bot's admins cannot change its rights there
    if message.draft.kind is MessageKind.IMAGE:
        text = sentence("may-not-send") if is_for_chat_admins else sentence("undeliverable", words=str(error))
        _replace_with_text(tx, message, text, now)
    else:
        _end_message(tx, message, DeliveryOutcome.REJECTED, now)
    if message.draft.chat_id not in admins and not is_for_chat_admins:
        words = sentence("admin-rejected", words=str(error))
        tx.outbox.notify_admins(admins, f"rejected:{message.id}", words.translate, now)


def _give_up_expired(
    tx: Transaction, message: OutboxMessage, error: Exception, admins: frozenset[int], now: Instant
) -> None:
    tx.log(log.error, "message %s is given up", message.draft.key)
    if message.draft.kind is MessageKind.IMAGE:
        name = "result-lost" if isinstance(error, DownloadError) else "result-not-sent"
        _replace_with_text(tx, message, sentence(name, results=RESULT_RETENTION_DAYS), now)
    elif message.draft.kind is MessageKind.FILE:
        is_gone = isinstance(error, DownloadError) and not isinstance(error, DownloadUnavailable)
        text = sentence("original-gone" if is_gone else "original-not-fetched")
        _replace_with_text(tx, message, text, now, is_gone=is_gone)
    else:
        _end_message(tx, message, DeliveryOutcome.EXPIRED, now)
        if message.draft.chat_id not in admins:
            words = sentence("admin-expired", key=f"{message.id}")
            tx.outbox.notify_admins(admins, f"expired:{message.id}", words.translate, now)


def _end_message(tx: Transaction, message: OutboxMessage, outcome: DeliveryOutcome, now: Instant) -> None:
    """End a message; if it was the answer, delete the progress message, which is now out of date."""
    tx.outbox.mark_ended(message.id, outcome, now)
    if message.draft.is_answer and message.draft.job_id is not None:
        tx.progress_messages.queue_deletion(message.draft.job_id, now)


def _replace_with_text(
    tx: Transaction, message: OutboxMessage, text: Sentence, now: Instant, *, is_gone: bool = False
) -> None:
    """Send a text in place of an image or a file, with a button to fetch it while Kie may still have it."""
    job = None if message.draft.job_id is None else tx.jobs.get(message.draft.job_id)
    may_be_had = not is_gone and job is not None and job_operations.is_result_available(job, now)
    shown = text if may_be_had else sentence(GONE_TEXTS[message.draft.kind])
    language = DEFAULT_LANGUAGE if job is None else job.request.language
    tx.outbox.replace_with_text(message.id, shown.translate(language), now, is_retryable=may_be_had)


def _describe_error(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, ExpectedError) else type(error).__name__
