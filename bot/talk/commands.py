"""What commands change: edits are taken back, or told about anew."""

from bot.job import Instant, day_of, seconds_between
from bot.store.counts import ALL, Whose
from bot.store.transaction import Transaction
from bot.talk.meanings import Origin
from bot.talk.room import Left, Room
from bot.texts import Lines, Sentence, sentence
from bot.texts.times import roughly, until_tomorrow

#: Edits that are told about in answer to one command.
MOST_TOLD = 10

#: The same where others read along.
MOST_TOLD_IN_GROUPS = 3


def told(tx: Transaction, room: Room, origin: Origin, command: str, now: Instant) -> Sentence | Lines | None:
    """Do what a command says that is about the person's edits; return what to say."""
    match command:
        case "cancel":
            return cancel(tx, origin, now)
        case "status":
            return status(tx, origin, now)
        case _:
            return usage(tx, room, origin, now)


def status(tx: Transaction, origin: Origin, now: Instant) -> Sentence | None:
    """Tell how the person's open edits stand, each by a fresh message of its own; return what is left to say."""
    # an album that still arrives has nothing to tell yet
    jobs = [job for job in tx.jobs.open_of(origin.user_id, origin.chat_id) if job.closes_by is None]
    jobs += tx.jobs.unfetched_of(origin.user_id, origin.chat_id)
    most = MOST_TOLD_IN_GROUPS if origin.is_group else MOST_TOLD
    for job in jobs[:most]:
        tx.statuses.anew(job, now, is_asked_for=True)
    if len(jobs) > most:
        return sentence("more-under-way", count=len(jobs) - most)
    return None if jobs else sentence("nothing-under-way")


def cancel(tx: Transaction, origin: Origin, now: Instant) -> Sentence:
    """Cancel everything of the person in this chat that is not ordered; return what to say."""
    jobs = tx.jobs.open_of(origin.user_id, origin.chat_id)
    too_late = [job for job in jobs if not tx.take_back(job, now)]
    for job in jobs:
        if job not in too_late:
            tx.statuses.over(job.id, now)  # the reply says it
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


def usage(tx: Transaction, room: Room, origin: Origin, now: Instant) -> Lines:
    """Tell what is left of the daily limits and when they begin anew; admins, what was used and spent as well."""
    left = room.left(tx, origin, now)
    if room.is_limited(tx, origin):
        spent = [sentence("credits-used-up")] if room.is_spent(tx, now) else []
        lines = [_left(each, origin) for each in left if _matters(each, left, origin)] + spent or [sentence("no-limit")]
        is_bounded = bool(left or spent)
    else:
        lines = [sentence("no-limit"), _in_all(tx, room, now), *_credits(tx, room, now)]
        is_bounded = bool(left or room.daily.credits)
    if is_bounded:
        lines.append(sentence("begins-anew", time=until_tomorrow(now)))
    return Lines(tuple(lines))


def _matters(one: Left, others: list[Left], origin: Origin) -> bool:
    """Say whether a limit has anything to say to somebody: their own, their group's, and another only if it is near."""
    if one.whose is Whose.ALL:
        return one.left <= min(each.left for each in others)
    # in private the limit of the chat is one more of the person's own, and only the nearer one counts
    theirs = [each for each in others if each.whose is not Whose.ALL]
    return origin.is_group or one is min(theirs, key=lambda each: each.left)


def _left(one: Left, origin: Origin) -> Sentence:
    return sentence("left-today", whose=one.named(origin), left=one.left, most=one.most)


def _in_all(tx: Transaction, room: Room, now: Instant) -> Sentence:
    return sentence("used-in-all", used=tx.counts.of(Whose.ALL, ALL, day_of(now)), most=room.daily.edits)


def _credits(tx: Transaction, room: Room, now: Instant) -> list[Sentence]:
    spent = sentence("spent-today", spent=tx.account.spent(day_of(now)), most=room.daily.credits)
    balance = tx.account.balance()
    if balance is None:
        return [spent]
    ago = roughly(seconds_between(balance.asked_at, now))
    return [spent, sentence("balance", credits=balance.credits, time=ago)]
