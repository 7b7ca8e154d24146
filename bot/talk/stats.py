"""What is asked for with /stats: figures that are counted and drawn when they are sent, because that takes a while."""

from bot.job import Instant
from bot.stats.period import MOST_DAYS, MOST_HOURS, read_period
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk.meanings import CommandGiven, Origin
from bot.texts import Sentence, sentence


def stats_asked_for(tx: Transaction, origin: Origin, given: CommandGiven, now: Instant) -> Sentence | None:
    """Have the figures of a period sent; return what to say where nobody can tell which one is meant."""
    period = read_period(given.words)
    if period is None:
        return sentence("stats-which", hours=f"{MOST_HOURS}h", days=f"{MOST_DAYS}d")
    say = Say(
        key=f"stats:{origin.chat_id}:{origin.message_id}",
        kind=Kind.FIGURES,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=f"{period} {origin.language}",
    )
    tx.outbox.add(say, now)
    return None
