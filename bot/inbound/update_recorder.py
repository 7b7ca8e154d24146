"""Letters: how updates are kept, through whichever door they come.

What concerns us is committed to the inbox before Telegram hears that it arrived,
so an update is in at least one of the two places at any instant.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from bot.clock import Instant
from bot.handlers.addressed_to_bot import UpdateFilter
from bot.store.database import Database
from bot.store.inbox import StoredUpdate
from bot.store.transaction import Transaction
from bot.telegram.errors import ID_LIMIT


class UpdateRecorder:
    """Puts updates into the inbox, less the chatter that does not concern us."""

    def __init__(
        self,
        db: Database,
        address: UpdateFilter,
        count_updates: Callable[[float], None],
        *,
        clock: Callable[[], Instant],
        wake_others: Callable[[], None],
    ) -> None:
        self._db = db
        self._addressed_to_bot = address
        self._count_updates = count_updates
        self._clock = clock
        self._wake = wake_others

    async def record(self, updates: Sequence[dict[str, Any]]) -> None:
        """Keep the updates, all with an id, that concern us. Raises MustRestart when the database fails."""
        for update in updates:
            clear_out_of_range_numbers(update)
        candidates = [update for update in updates if self._addressed_to_bot.may_be_for_bot(update)]
        if candidates:
            # the intake, and then the worker: their first units are committed together with this one
            self._wake()
            self._count_updates(await self._db.transact(lambda tx: self._record(tx, candidates)))

    def _record(self, tx: Transaction, candidates: list[dict[str, Any]]) -> int:
        now = self._clock()
        kept = self._addressed_to_bot.select_for_bot(tx, candidates, now)
        return tx.inbox.add(StoredUpdate(each["update_id"], json.dumps(each), now) for each in kept)


def has_update_id(update: object) -> bool:
    """Say whether something is an update as far as it can be kept: with an id that fits into a column."""
    number = update.get("update_id") if isinstance(update, dict) else None
    return type(number) is int and abs(number) < ID_LIMIT


def clear_out_of_range_numbers(update: dict[str, Any]) -> None:
    """Put nothing in the place of each number in an update that nobody can mean: an id, a size or a date beyond all.

    Telegram promises 52 bits at most; more would not fit into a column, or be no date.
    """
    left: list[Any] = [value for value in update.values() if isinstance(value, dict | list)]
    while left:
        here = left.pop()
        for name, value in here.items() if isinstance(here, dict) else enumerate(here):
            if isinstance(value, dict | list):
                left.append(value)
            # also one that is not a number
            elif isinstance(value, int | float) and not abs(value) < ID_LIMIT:
                here[name] = None
