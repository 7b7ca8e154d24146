"""Stores updates in the inbox, whether they come by long polling or by webhook.

An update that is meant for the bot is committed before Telegram gets its confirmation, so it is always in at least one
of the two places. The inbox ignores an update id that it already has (deduplication).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from bot.clock import Instant
from bot.handlers.addressed_to_bot import ReceivedUpdate, UpdateFilter
from bot.store.database import Database, Transaction
from bot.store.inbox import StoredUpdate
from bot.telegram.errors import ID_LIMIT


class UpdateRecorder:
    """Stores the updates that are meant for the bot."""

    def __init__(
        self,
        db: Database,
        update_filter: UpdateFilter,
        count_updates: Callable[[float], None],
        *,
        clock: Callable[[], Instant],
        wake_others: Callable[[], None],
    ) -> None:
        self._db = db
        self._filter = update_filter
        self._count_updates = count_updates
        self._clock = clock
        self._wake_others = wake_others

    async def record(self, updates: Sequence[dict[str, Any]]) -> None:
        """Store the updates that are meant for the bot; each must have an id (`has_update_id`).

        Raises MustRestart if the database fails.
        """
        for update in updates:
            clear_out_of_range_numbers(update)
        parsed = [self._filter.parse_candidate(update) for update in updates]
        candidates = [update for update in parsed if update is not None]
        if candidates:
            # wakes the dispatcher and the worker early, so that their first transactions share the commit of this one
            self._wake_others()
            self._count_updates(await self._db.transact(lambda tx: self._record(tx, candidates)))

    def _record(self, tx: Transaction, candidates: Sequence[ReceivedUpdate]) -> int:
        now = self._clock()
        selected = self._filter.select_for_bot(tx, candidates, now)
        return tx.inbox.add(StoredUpdate(each.update_id, json.dumps(each.raw), now) for each in selected)


def has_update_id(update: object) -> bool:
    """Tell whether this is an update with an id that fits into a column."""
    number = update.get("update_id") if isinstance(update, dict) else None
    return type(number) is int and abs(number) < ID_LIMIT


def clear_out_of_range_numbers(update: dict[str, Any]) -> None:
    """Replace every number in an update that is too large for an id, a size or a date with None.

    Telegram promises 52 bits at most; larger ones might not fit into a column, or not be a date.
    """
    pending: list[Any] = [value for value in update.values() if isinstance(value, dict | list)]
    while pending:
        here = pending.pop()
        for name, value in here.items() if isinstance(here, dict) else enumerate(here):
            if isinstance(value, dict | list):
                pending.append(value)
            elif isinstance(value, int | float) and not abs(value) < ID_LIMIT:  # true for NaN as well
                here[name] = None
