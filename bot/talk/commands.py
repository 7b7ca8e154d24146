"""What commands change: taking edits back."""

from bot.job import Instant
from bot.store.transaction import Transaction
from bot.talk.reading import Origin
from bot.texts import Sentence, sentence


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
