"""What commands change: edits are taken back, or told about anew."""

from bot import job_actions
from bot.clock import Instant, seconds_between, utc_day
from bot.handlers.quotas import QuotaPolicy, RemainingQuota
from bot.handlers.update_types import CommandGiven, UpdateOrigin
from bot.i18n import Sentence, SentenceList, sentence
from bot.i18n.time_phrases import approximate_duration, time_until_tomorrow
from bot.stats.period import MAX_DAYS, MAX_HOURS, parse_period
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from bot.store.outbox import MessageDraft, MessageKind
from bot.store.transaction import Transaction

#: Edits that are told about in answer to one command.
MAX_STATUS_MESSAGES = 10

#: The same where others read along.
MAX_STATUS_MESSAGES_IN_GROUP = 3


def run_command(
    tx: Transaction, room: QuotaPolicy, origin: UpdateOrigin, command: str, now: Instant
) -> Sentence | SentenceList | None:
    """Do what a command says that is about the person's edits; return what to say."""
    match command:
        case "cancel":
            return cancel_edits(tx, origin, now)
        case "status":
            return show_status(tx, origin, now)
        case _:
            return describe_usage(tx, room, origin, now)


def show_status(tx: Transaction, origin: UpdateOrigin, now: Instant) -> Sentence | None:
    """Tell how the person's open edits stand, each by a fresh message of its own; return what is left to say."""
    # an album that still arrives has nothing to tell yet
    jobs = [job for job in tx.jobs.list_open_of_user_in_chat(origin.user_id, origin.chat_id) if job.closes_by is None]
    jobs += tx.jobs.list_awaiting_download(origin.user_id, origin.chat_id)
    most = MAX_STATUS_MESSAGES_IN_GROUP if origin.is_group else MAX_STATUS_MESSAGES
    for job in jobs[:most]:
        tx.progress_messages.send_anew(job, now, is_requested=True)
    if len(jobs) > most:
        return sentence("more-under-way", count=len(jobs) - most)
    return None if jobs else sentence("nothing-under-way")


def cancel_edits(tx: Transaction, origin: UpdateOrigin, now: Instant) -> Sentence:
    """Cancel everything of the person in this chat that is not ordered; return what to say."""
    jobs = tx.jobs.list_open_of_user_in_chat(origin.user_id, origin.chat_id)
    too_late = [job for job in jobs if not job_actions.cancel_job(tx, job, now)]
    for job in jobs:
        if job not in too_late:
            tx.progress_messages.queue_deletion(job.id, now)  # the reply says it
    # one in doubt is not on its way for certain, and the person was told so
    coming = [job for job in too_late if job.asked_at is None]
    taken_back = len(jobs) - len(too_late)
    match taken_back > 0, bool(coming):
        case True, True:
            return sentence("taken-back-and-coming", count=taken_back, coming=len(coming))
        case True, False:
            return sentence("taken-back", count=taken_back)
        case False, True:
            return sentence("cannot-be-cancelled", coming=len(coming))
        case _:
            return sentence("nothing-to-cancel")


def describe_usage(tx: Transaction, room: QuotaPolicy, origin: UpdateOrigin, now: Instant) -> SentenceList:
    """Tell what is left of the daily limits and when they begin anew; admins, what was used and spent as well."""
    left = room.remaining(tx, origin, now)
    if room.is_limited(tx, origin):
        spent = [sentence("credits-used-up")] if room.is_credit_limit_reached(tx, now) else []
        lines = [
            _describe_remaining(each, origin) for each in left if _is_limit_relevant(each, left, origin)
        ] + spent or [sentence("no-limit")]
        is_bounded = bool(left or spent)
    else:
        lines = [sentence("no-limit"), _describe_total(tx, room, now), *_describe_credits(tx, room, now)]
        is_bounded = bool(left or room.daily_limits.credits)
    if is_bounded:
        lines.append(sentence("begins-anew", time=time_until_tomorrow(now)))
    return SentenceList(tuple(lines))


def _is_limit_relevant(one: RemainingQuota, others: list[RemainingQuota], origin: UpdateOrigin) -> bool:
    """Say whether a limit has anything to say to somebody: their own, their group's, and another only if it is near."""
    if one.scope is UsageScope.ALL:
        return one.remaining <= min(each.remaining for each in others)
    # in private the limit of the chat is one more of the person's own, and only the nearer one counts
    theirs = [each for each in others if each.scope is not UsageScope.ALL]
    return origin.is_group or one is min(theirs, key=lambda each: each.remaining)


def _describe_remaining(one: RemainingQuota, origin: UpdateOrigin) -> Sentence:
    return sentence("left-today", whose=one.owner_name(origin), left=one.remaining, most=one.limit)


def _describe_total(tx: Transaction, room: QuotaPolicy, now: Instant) -> Sentence:
    return sentence(
        "used-in-all", used=tx.daily_usage.get(UsageScope.ALL, EVERYONE_ID, utc_day(now)), most=room.daily_limits.edits
    )


def _describe_credits(tx: Transaction, room: QuotaPolicy, now: Instant) -> list[Sentence]:
    spent = sentence("spent-today", spent=tx.credits.get_spending(utc_day(now)), most=room.daily_limits.credits)
    balance = tx.credits.get_balance()
    if balance is None:
        return [spent]
    ago = approximate_duration(seconds_between(balance.asked_at, now))
    return [spent, sentence("balance", credits=balance.credits, time=ago)]


def request_stats(tx: Transaction, origin: UpdateOrigin, given: CommandGiven, now: Instant) -> Sentence | None:
    """Have the figures of a period sent; return what to say where nobody can tell which one is meant."""
    period = parse_period(given.arguments)
    if period is None:
        return sentence("stats-which", hours=f"{MAX_HOURS}h", days=f"{MAX_DAYS}d")
    say = MessageDraft(
        key=f"stats:{origin.chat_id}:{origin.message_id}",
        kind=MessageKind.STATS_CHART,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=f"{period} {origin.language}",
    )
    tx.outbox.add(say, now)
    return None
