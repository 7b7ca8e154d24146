"""Words without a picture: which picture do they mean?

A reply means what it replies to. Other words belong to the newest picture of
the sender in this chat that still waits for some.
"""

from dataclasses import replace

from bot import job_actions
from bot.clock import Instant, add_seconds
from bot.handlers.new_requests import admit_or_refuse, create_request_from_text, is_valid_prompt
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import react_to_edit, reply, reply_once
from bot.handlers.update_types import ReplyTarget, TextSent, UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.job import FINAL_STATES, MAX_PROMPT_LENGTH, PROMPT_TIMEOUT, Job, SourceImage, State
from bot.store.jobs import edit_option_columns
from bot.store.request_messages import RequestMessageKind
from bot.store.transaction import Transaction


def handle_text(
    tx: Transaction, room: QuotaPolicy, origin: UpdateOrigin, sent: TextSent, received_at: Instant, now: Instant
) -> None:
    """Take words as the wish for a picture, or say what is missing."""
    if tx.request_messages.get(origin.chat_id, origin.message_id) is not None:
        return  # seen before
    waiting = _find_waiting_request(tx, origin, sent.reply_to)
    sources = () if waiting is not None or sent.reply_to is None else _find_replied_images(tx, origin, sent.reply_to)
    if (
        waiting is None
        and not sources
        and sent.reply_to is not None
        and _find_replied_job(tx, origin, sent.reply_to) is None
    ):
        waiting = _find_waiting_request(
            tx, origin, None
        )  # a reply to nothing that could be edited is as good as any words
    if waiting is None and not sources:
        _reply_no_image(tx, origin, sent.reply_to, now)
    elif not is_valid_prompt(sent.text) and (sent.text or not sources):
        job_id = None if waiting is None else waiting.id
        reply_once(tx, origin, _explain_invalid_prompt(sent.text), now, about=f"unusable:{job_id or 0}", job_id=job_id)
    elif waiting is not None:
        _add_prompt(tx, room, waiting, origin, sent.text, now)
    else:
        create_request_from_text(tx, room, origin, sent.text, sources, received_at, now)


def _add_prompt(tx: Transaction, room: QuotaPolicy, job: Job, origin: UpdateOrigin, words: str, now: Instant) -> None:
    """Give a request the words that it waited for."""
    tx.request_messages.clear_texts(job.id)
    tx.request_messages.add(job.id, origin.chat_id, origin.message_id, RequestMessageKind.TEXT, words)
    if admit_or_refuse(tx, room, job, origin, now) and job.closes_by is None:
        job_actions.complete_request(tx, job, words, now)


def _explain_invalid_prompt(words: str) -> Sentence:
    return sentence("prompt-too-long", length=len(words), most=MAX_PROMPT_LENGTH) if words else sentence("no-words")


def _find_waiting_request(tx: Transaction, origin: UpdateOrigin, reply_to: ReplyTarget | None) -> Job | None:
    """Return the request that these words complete."""
    if reply_to is None:
        return next(
            (job for job in tx.jobs.iter_incomplete(origin.user_id, origin.chat_id) if _lacks_prompt(tx, job)), None
        )
    job = _find_replied_job(tx, origin, reply_to)
    if job is None or job.state is not State.GATHERING or job.request.user_id != origin.user_id:
        return None
    # a reply to one item of an album means that item, and not the album
    is_one_of_several = reply_to.source is not None and len(job.request.sources) > 1
    return None if is_one_of_several or not _lacks_prompt(tx, job) else job


def _lacks_prompt(tx: Transaction, job: Job) -> bool:
    return not is_valid_prompt(tx.request_messages.get_prompt(job.id))


def _find_replied_job(tx: Transaction, origin: UpdateOrigin, reply_to: ReplyTarget) -> Job | None:
    """Return the job that a message is about, whether it is the person's or one of ours."""
    if reply_to.message_id is None:
        return None
    part = tx.request_messages.get(origin.chat_id, reply_to.message_id)
    job_id = part.job_id if part else tx.outbox.get_job_id(origin.chat_id, reply_to.message_id)
    return None if job_id is None else tx.jobs.get(job_id)


def _find_replied_images(tx: Transaction, origin: UpdateOrigin, reply_to: ReplyTarget) -> tuple[SourceImage, ...]:
    """Return the pictures that a reply is about; none when it is about something else."""
    job = _find_replied_job(tx, origin, reply_to)
    if job is not None and _is_replied_answer_deleted(tx, origin, reply_to, job):
        return ()
    if reply_to.source is not None:
        return (replace(reply_to.source, full_url=_full_quality_url(tx, origin, reply_to)),)
    if job is None or job.state not in FINAL_STATES:
        return ()
    # a word about an edit, the person's or ours: another wish for the same pictures
    return tuple(replace(source, upload_url=None, uploaded_at=None) for source in job.request.sources)


def _is_replied_answer_deleted(tx: Transaction, origin: UpdateOrigin, reply_to: ReplyTarget, job: Job) -> bool:
    """Say whether what a reply is about was deleted: an answer of ours for all, its request for all but the asker."""
    if job.answer_deleted_at is None or reply_to.message_id is None:
        return False
    if reply_to.source is None:
        return origin.user_id != job.request.user_id
    return tx.outbox.get_job_id(origin.chat_id, reply_to.message_id) == job.id  # and not a picture that a person sent


def _full_quality_url(tx: Transaction, origin: UpdateOrigin, reply_to: ReplyTarget) -> str | None:
    """Return where Kie has a picture better than Telegram, which is so for our answers."""
    about = None if reply_to.message_id is None else tx.outbox.get_job_id(origin.chat_id, reply_to.message_id)
    job = None if about is None else tx.jobs.get(about)
    return None if job is None else job.result_url


def _reply_no_image(tx: Transaction, origin: UpdateOrigin, reply_to: ReplyTarget | None, now: Instant) -> None:
    job = None if reply_to is None else _find_replied_job(tx, origin, reply_to)
    if job is not None and job.state not in FINAL_STATES:
        reply_once(tx, origin, sentence("still-under-way", where=origin.chat_type), now, about=f"under-way:{job.id}")
        return
    if job is not None and job.answer_deleted_at is not None:
        reply_once(tx, origin, sentence("picture-deleted"), now, about=f"deleted:{job.id}")
        return
    # what a reply is about may be hidden; when it is shown, there is no picture in it
    sees_it = reply_to is not None or origin.hears_all or tx.chats.receives_all_messages(origin.chat_id)
    told = sentence("no-picture", where=origin.chat_type if sees_it else "half-deaf")
    reply_once(tx, origin, told, now, about="no-picture")


def handle_edited_message(
    tx: Transaction, room: QuotaPolicy, origin: UpdateOrigin, words: str, update_id: int, now: Instant
) -> None:
    """Follow a person who edits a caption or a text, for as long as nothing is ordered."""
    part = tx.request_messages.get(origin.chat_id, origin.message_id)
    job = None if part is None else tx.jobs.get(part.job_id)
    if part is None or job is None or part.text == words or job.request.user_id != origin.user_id:
        return
    if job.state in FINAL_STATES:
        reply(tx, origin, sentence("change-after-the-end"), now, once=f"job:{job.id}:changed-after", job_id=job.id)
    elif job.state not in (State.GATHERING, State.QUEUED):
        reply(
            tx, origin, sentence("too-late-to-change", where=origin.chat_type), now, once=f"job:{job.id}:changed-late"
        )
    else:
        tx.request_messages.set_text(origin.chat_id, origin.message_id, words)
        _apply_edited_prompt(tx, room, job, origin, part.text, update_id, now)


def _apply_edited_prompt(
    tx: Transaction, room: QuotaPolicy, job: Job, origin: UpdateOrigin, before: str, update_id: int, now: Instant
) -> None:
    """Give a request the words that it has after a change, unless they are of no use."""
    prompt = tx.request_messages.get_prompt(job.id)
    if job.state is State.QUEUED and not is_valid_prompt(prompt):
        tx.request_messages.set_text(origin.chat_id, origin.message_id, before)
        reply(
            tx,
            origin,
            _explain_invalid_prompt(prompt) if prompt else sentence("no-words-left"),
            now,
            once=f"changed:{update_id}",
        )
    elif job.state is State.QUEUED:
        wished = job_actions.with_prompt(tx, job.request, prompt)
        if wished != job.request:  # else an earlier caption of the album still counts
            tx.jobs.update(job, prompt=wished.prompt, **edit_option_columns(wished.options))
            react_to_edit(tx, origin, update_id, now)
    elif is_valid_prompt(prompt):
        if admit_or_refuse(tx, room, job, origin, now) and job.closes_by is None:
            job_actions.complete_request(tx, job, prompt, now)
    else:
        if not prompt:
            tx.quota.await_prompt(job.id)  # at once, and not only when its album is closed
        if job.closes_by is None:
            tx.jobs.update(job, due_at=add_seconds(now, PROMPT_TIMEOUT))
            tx.progress_messages.mark_stale(job.id, now)
