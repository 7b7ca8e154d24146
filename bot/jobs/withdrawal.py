"""Withdrawal: what was being prepared or sent when its answer, or everything of its person, was deleted.

A step that has waited for somebody outside asks here again, right before it hands over what it holds.
"""

from bot.store.connection import Database
from bot.store.outbox import Parcel
from bot.store.transaction import Transaction


class Withdrawn(Exception):
    """Nobody wants it any more: its answer, or everything of the person, was deleted while it was under way."""


def check_wanted(tx: Transaction, parcel: Parcel) -> None:
    """Raise Withdrawn unless a message is still to be sent."""
    if not tx.outbox.is_waiting(parcel):
        raise Withdrawn


async def confirm_wanted(db: Database, parcel: Parcel) -> None:
    """Raise Withdrawn unless a message is still to be sent, as it stands at this moment."""
    await db.unit(lambda tx: check_wanted(tx, parcel))
