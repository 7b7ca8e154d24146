"""The commands /status, /cancel, /usage and /stats."""

from bot import job_operations
from bot.clock import seconds_between, utc_day
from bot.handlers.quotas import QuotaPolicy, RemainingQuota
from bot.handlers.replies import draft_reply
from bot.handlers.update_types import CommandGiven, UpdateContext
from bot.i18n import Sentence, SentenceList, approximate_duration, sentence, time_until_tomorrow
from bot.stats.aggregates import MAX_DAYS, MAX_HOURS, parse_period
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from bot.store.outbox import MessageKind

#: Edits whose progress messages one /status sends again.
MAX_STATUS_MESSAGES, MAX_STATUS_MESSAGES_IN_GROUP = 10, 3


def show_status(ctx: UpdateContext) -> Sentence | None:
    """Send the progress messages of the sender's open edits again; return the reply, if any."""
    tx, origin = ctx.tx, ctx.origin
    # an album that is still arriving has no progress message yet
    jobs = [job for job in tx.jobs.list_open_of_user_in_chat(origin.user_id, origin.chat_id) if job.closes_by is None]
    jobs += tx.jobs.list_awaiting_download(origin.user_id, origin.chat_id)
    limit = MAX_STATUS_MESSAGES_IN_GROUP if origin.is_group else MAX_STATUS_MESSAGES
    for job in jobs[:limit]:
        tx.progress_messages.send_anew(job, ctx.now, is_requested=True)
    if len(jobs) > limit:
        return sentence("more-under-way", count=len(jobs) - limit)
    return None if jobs else sentence("nothing-under-way")


def cancel_edits(ctx: UpdateContext) -> Sentence:
    """Cancel the sender's edits in this chat that are not ordered yet; return the reply."""
    jobs = ctx.tx.jobs.list_open_of_user_in_chat(ctx.origin.user_id, ctx.origin.chat_id)
    too_late = [job for job in jobs if not job_operations.cancel_job(ctx.tx, job, ctx.now)]
    for job in jobs:
        if job not in too_late:
            ctx.tx.progress_messages.queue_deletion(job.id, ctx.now)  # the reply takes its place
    # the user knows already that an uncertain order may bring no image
    coming = sum(job.asked_at is None for job in too_late)
    cancelled = len(jobs) - len(too_late)
    if cancelled and coming:
        return sentence("taken-back-and-coming", count=cancelled, coming=coming)
    if cancelled:
        return sentence("taken-back", count=cancelled)
    return sentence("cannot-be-cancelled", coming=coming) if coming else sentence("nothing-to-cancel")


def describe_usage(ctx: UpdateContext, quotas: QuotaPolicy) -> SentenceList:
    """Return what is left of the daily limits, and for an admin what was used and spent."""
    remaining = quotas.remaining(ctx)
    if quotas.is_limited(ctx):
        lines = [_describe_remaining(ctx, each) for each in remaining if _is_relevant(ctx, each, remaining)]
        if quotas.is_credit_limit_reached(ctx):
            lines.append(sentence("credits-used-up"))
        has_limit = bool(lines)
        lines = lines or [sentence("no-limit")]
    else:
        lines = [sentence("no-limit"), _describe_total(ctx, quotas), *_describe_credits(ctx, quotas)]
        has_limit = bool(remaining or quotas.daily_limits.credits)
    if has_limit:
        lines.append(sentence("begins-anew", time=time_until_tomorrow(ctx.now)))
    return SentenceList(tuple(lines))


def _is_relevant(ctx: UpdateContext, quota: RemainingQuota, quotas: list[RemainingQuota]) -> bool:
    """Return whether to name a limit: the user's and the group's, and the one for all if the least of it is left."""
    if quota.scope is UsageScope.ALL:
        return quota.remaining <= min(each.remaining for each in quotas)
    # in a private chat, the chat's limit is a second one of the same user, and only the one with less left matters
    own = [each for each in quotas if each.scope is not UsageScope.ALL]
    return ctx.origin.is_group or quota is min(own, key=lambda each: each.remaining)


def _describe_remaining(ctx: UpdateContext, quota: RemainingQuota) -> Sentence:
    return sentence("left-today", whose=quota.owner_name(ctx.origin), left=quota.remaining, most=quota.limit)


def _describe_total(ctx: UpdateContext, quotas: QuotaPolicy) -> Sentence:
    used = ctx.tx.daily_usage.get(UsageScope.ALL, EVERYONE_ID, utc_day(ctx.now))
    return sentence("used-in-all", used=used, most=quotas.daily_limits.edits)


def _describe_credits(ctx: UpdateContext, quotas: QuotaPolicy) -> list[Sentence]:
    spent = ctx.tx.credits.get_spending(utc_day(ctx.now))
    lines = [sentence("spent-today", spent=spent, most=quotas.daily_limits.credits)]
    balance = ctx.tx.credits.get_balance()
    if balance is not None:
        age = approximate_duration(seconds_between(balance.asked_at, ctx.now))
        lines.append(sentence("balance", credits=balance.credits, time=age))
    return lines


def request_stats(ctx: UpdateContext, command: CommandGiven) -> Sentence | None:
    """Queue the statistics of a period; return the reply where the period is unclear."""
    period = parse_period(command.arguments)
    if period is None:
        return sentence("stats-which", hours=f"{MAX_HOURS}h", days=f"{MAX_DAYS}d")
    key = f"stats:{ctx.origin.chat_id}:{ctx.origin.message_id}"
    ctx.tx.outbox.add(draft_reply(ctx, key, f"{period} {ctx.origin.language}", MessageKind.STATS_CHART), ctx.now)
    return None
