"""Room: how much may wait at once, so that what is promised can be kept.

Whatever waits is a row on the disk, and memory holds only what is under way. The
bound is for people: nobody is helped by a place in a queue of hours, and nobody
should fill it alone. It is checked in the transaction that would accept a request,
so it is exact; what was accepted before stays, whatever it lacks.
"""

from bot.job import Instant
from bot.store.transaction import Transaction
from bot.talk.reading import Origin
from bot.talk.replying import reply
from bot.texts import Sentence, sentence

#: Requests that wait for something before they are ordered, in all: 83 minutes at Kie's 20 orders in 10 seconds.
MOST_WAITING = 10_000

#: The same of one person, in all chats together: a hundred albums are more than a day's fun.
MOST_WAITING_OF_ONE = 100

#: Milliseconds within which somebody is told once in each chat: hundreds of pictures are not worth as many words.
TOLD_ONCE_IN = 60_000


def why_full(tx: Transaction, origin: Origin) -> Sentence | None:
    """Say why another request of a person cannot be accepted, None where it can."""
    if tx.jobs.count_waiting(MOST_WAITING) >= MOST_WAITING:
        return sentence("queue-full", where=origin.where)
    if tx.jobs.count_waiting_of(origin.user_id, MOST_WAITING_OF_ONE) >= MOST_WAITING_OF_ONE:
        return sentence("too-many-wait", most=MOST_WAITING_OF_ONE)
    return None


def is_refused(tx: Transaction, origin: Origin, now: Instant, *, album: str | None = None) -> bool:
    """Turn a new request away where there is no room for it, and say so.

    Of an album that was turned away the rest is turned away as well, even where room was made meanwhile:
    half an album is not what was asked for.
    """
    key = None if album is None else f"full:{origin.chat_id}:album:{album}"
    if key is not None and tx.outbox.holds(key):
        return True
    told = why_full(tx, origin)
    if told is None:
        return False
    reply(tx, origin, told, now, once=key or f"full:{origin.user_id}:{origin.chat_id}:{now // TOLD_ONCE_IN}")
    return True
