"""Texts without an image: finds the image that a text is about.

A reply is about the message that it replies to. Any other text is for the newest request of its sender in this chat
that waits for a prompt.
"""

from dataclasses import replace

from bot import job_operations
from bot.handlers.new_requests import (
    admit_or_refuse,
    create_request_from_text,
    explain_invalid_prompt,
    is_known_message,
)
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import reply_once
from bot.handlers.update_types import ReplyTarget, TextSent, UpdateContext
from bot.i18n import sentence
from bot.job import FINAL_STATES, Job, SourceImage, State, is_valid_prompt
from bot.store.request_messages import RequestMessageKind


def handle_text(ctx: UpdateContext, quotas: QuotaPolicy, sent: TextSent) -> None:
    """Use a text as the prompt for an image, or reply what is missing."""
    if is_known_message(ctx):
        return
    text, target = sent.text, sent.reply_to
    waiting = _find_waiting_request(ctx, target)
    sources = () if waiting is not None or target is None else _find_replied_images(ctx, target)
    if waiting is None and not sources and target is not None and _find_replied_job(ctx, target) is None:
        waiting = _find_waiting_request(ctx, None)  # a reply to nothing that can be edited counts as any text
    if waiting is None and not sources:
        _reply_no_image(ctx, target)
    elif not is_valid_prompt(text) and (text or not sources):
        job_id = None if waiting is None else waiting.id
        reply_once(ctx, explain_invalid_prompt(text), about=f"unusable:{job_id or 0}", job_id=job_id)
    elif waiting is not None:
        _add_prompt(ctx, quotas, waiting, text)
    else:
        create_request_from_text(ctx, quotas, text, sources)


def _add_prompt(ctx: UpdateContext, quotas: QuotaPolicy, job: Job, text: str) -> None:
    messages = ctx.tx.request_messages
    messages.clear_texts(job.id)
    messages.add(job.id, ctx.origin.chat_id, ctx.origin.message_id, RequestMessageKind.TEXT, text)
    if admit_or_refuse(ctx, quotas, job) and job.closes_by is None:
        job_operations.complete_request(ctx.tx, job, text, ctx.now)


def _find_waiting_request(ctx: UpdateContext, reply_to: ReplyTarget | None) -> Job | None:
    """Return the request that waits for this text as its prompt."""
    origin = ctx.origin
    if reply_to is None:
        incomplete = ctx.tx.jobs.iter_incomplete(origin.user_id, origin.chat_id)
        return next((job for job in incomplete if _lacks_prompt(ctx, job)), None)
    job = _find_replied_job(ctx, reply_to)
    if job is None or job.state is not State.GATHERING or job.request.user_id != origin.user_id:
        return None
    # a reply to one item of an album is about that item and not about the album
    is_one_of_several = reply_to.source is not None and len(job.request.sources) > 1
    return job if not is_one_of_several and _lacks_prompt(ctx, job) else None


def _lacks_prompt(ctx: UpdateContext, job: Job) -> bool:
    return not is_valid_prompt(ctx.tx.request_messages.get_prompt(job.id))


def _find_replied_job(ctx: UpdateContext, reply_to: ReplyTarget) -> Job | None:
    """Return the job that the replied message is about, whether a user or the bot sent it."""
    if reply_to.message_id is None:
        return None
    message = ctx.tx.request_messages.get(ctx.origin.chat_id, reply_to.message_id)
    return _find_sent_job(ctx, reply_to) if message is None else ctx.tx.jobs.get(message.job_id)


def _find_sent_job(ctx: UpdateContext, reply_to: ReplyTarget) -> Job | None:
    if reply_to.message_id is None:
        return None
    job_id = ctx.tx.outbox.get_job_id(ctx.origin.chat_id, reply_to.message_id)
    return None if job_id is None else ctx.tx.jobs.get(job_id)


def _find_replied_images(ctx: UpdateContext, reply_to: ReplyTarget) -> tuple[SourceImage, ...]:
    job = _find_replied_job(ctx, reply_to)
    if job is not None and _is_replied_answer_deleted(ctx, reply_to, job):
        return ()
    if reply_to.source is not None:
        # Kie's version of an answer is better than Telegram's
        answer = _find_sent_job(ctx, reply_to)
        return (replace(reply_to.source, full_url=None if answer is None else answer.result_url),)
    if job is None or job.state not in FINAL_STATES:
        return ()
    # a reply to a text about an edit: another prompt for the same images
    return job.request.sources_without_uploads()


def _is_replied_answer_deleted(ctx: UpdateContext, reply_to: ReplyTarget, job: Job) -> bool:
    """Return whether a reply is about a deleted answer: nobody may edit that, and only the asker its source images."""
    if job.answer_deleted_at is None or reply_to.message_id is None:
        return False
    if reply_to.source is None:
        return ctx.origin.user_id != job.request.user_id
    # a user's own image stays usable
    return ctx.tx.outbox.get_job_id(ctx.origin.chat_id, reply_to.message_id) == job.id


def _reply_no_image(ctx: UpdateContext, reply_to: ReplyTarget | None) -> None:
    origin = ctx.origin
    job = None if reply_to is None else _find_replied_job(ctx, reply_to)
    if job is not None and job.state not in FINAL_STATES:
        reply_once(ctx, sentence("still-under-way", where=origin.chat_type), about=f"under-way:{job.id}")
        return
    if job is not None and job.answer_deleted_at is not None:
        reply_once(ctx, sentence("picture-deleted"), about=f"deleted:{job.id}")
        return
    # Telegram may hide the replied message; when it is shown, there is no image in it
    is_shown = reply_to is not None or origin.receives_all or ctx.tx.chats.receives_all_messages(origin.chat_id)
    reply_once(ctx, sentence("no-picture", where=origin.chat_type if is_shown else "half-deaf"), about="no-picture")
