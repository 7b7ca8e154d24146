"""What commands change: taking edits back."""

from bot.job import Instant
from bot.store.transaction import Transaction
from bot.talk.reading import Origin
from bot.texts import en


def cancel(tx: Transaction, origin: Origin, now: Instant) -> str:
    """Cancel everything of the person in this chat that is not ordered; return what to say."""
    jobs = tx.jobs.open_of(origin.user_id, origin.chat_id)
    too_late = [job for job in jobs if not tx.take_back(job, now)]
    for job in jobs:
        if job not in too_late:
            tx.statuses.over(job.id, now)  # the reply says it
    # one in doubt is not on its way for certain, and the person was told so
    coming = [job for job in too_late if job.asked_at is None]
    return en.cancelled(len(jobs) - len(too_late), len(coming))
