"""Edited captions and texts: an edit changes the prompt of a request as long as nothing is ordered."""

from bot import job_operations
from bot.clock import add_seconds
from bot.handlers.new_requests import admit_or_refuse, explain_invalid_prompt
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import react_to_edit, reply
from bot.handlers.update_types import UpdateContext
from bot.i18n import sentence
from bot.job import FINAL_STATES, PROMPT_TIMEOUT, Job, State, is_valid_prompt
from bot.store.jobs import edit_option_columns


def handle_edited_message(ctx: UpdateContext, quotas: QuotaPolicy, text: str) -> None:
    """Apply the new text of an edited message to its request, as long as nothing is ordered."""
    origin = ctx.origin
    message = ctx.tx.request_messages.get(origin.chat_id, origin.message_id)
    job = None if message is None else ctx.tx.jobs.get(message.job_id)
    if message is None or job is None or message.text == text or job.request.user_id != origin.user_id:
        return
    if job.state in FINAL_STATES:
        reply(ctx, sentence("change-after-the-end"), once=f"job:{job.id}:changed-after", job_id=job.id)
    elif job.state not in (State.GATHERING, State.QUEUED):
        reply(ctx, sentence("too-late-to-change", where=origin.chat_type), once=f"job:{job.id}:changed-late")
    else:
        ctx.tx.request_messages.set_text(origin.chat_id, origin.message_id, text)
        if job.state is State.QUEUED:
            _change_prompt(ctx, job, message.text)
        else:
            _complete_or_wait(ctx, quotas, job)


def _change_prompt(ctx: UpdateContext, job: Job, previous_text: str) -> None:
    """Give a queued request its edited prompt, unless that is invalid."""
    prompt = ctx.tx.request_messages.get_prompt(job.id)
    if not is_valid_prompt(prompt):
        ctx.tx.request_messages.set_text(ctx.origin.chat_id, ctx.origin.message_id, previous_text)
        text = explain_invalid_prompt(prompt) if prompt else sentence("no-words-left")
        reply(ctx, text, once=f"changed:{ctx.update_id}")
        return
    request = job_operations.with_prompt(ctx.tx, job.request, prompt)
    if request != job.request:  # otherwise an earlier caption of the album still counts
        ctx.tx.jobs.update(job, prompt=request.prompt, **edit_option_columns(request.options))
        react_to_edit(ctx)


def _complete_or_wait(ctx: UpdateContext, quotas: QuotaPolicy, job: Job) -> None:
    """Complete a request that has a valid prompt after an edit, or let it wait for one."""
    prompt = ctx.tx.request_messages.get_prompt(job.id)
    if is_valid_prompt(prompt):
        if admit_or_refuse(ctx, quotas, job) and job.closes_by is None:
            job_operations.complete_request(ctx.tx, job, prompt, ctx.now)
        return
    if not prompt:
        ctx.tx.quota.await_prompt(job.id)  # at once, and not only when its album closes
    if job.closes_by is None:
        ctx.tx.jobs.update(job, due_at=add_seconds(ctx.now, PROMPT_TIMEOUT))
        ctx.tx.progress_messages.mark_stale(job.id, ctx.now)
