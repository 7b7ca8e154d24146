"""What commands change: edits are taken back, or told about anew."""

from bot.job import Instant
from bot.store.transaction import Transaction
from bot.talk.reading import Origin
from bot.texts import Sentence, sentence

#: Edits that are told about in answer to one command.
MOST_TOLD = 10

#: The same where others read along.
MOST_TOLD_IN_GROUPS = 3


def status(tx: Transaction, origin: Origin, now: Instant) -> Sentence | None:
    """Tell how the person's open edits stand, each by a fresh message of its own; return what is left to say."""
    # an album that still arrives has nothing to tell yet
    jobs = [job for job in tx.jobs.open_of(origin.user_id, origin.chat_id) if job.closes_by is None]
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
