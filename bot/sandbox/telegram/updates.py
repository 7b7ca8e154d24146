"""The queue of updates: each is kept until the bot confirms it, for at most a day.

`getUpdates` with a higher offset confirms; reading alone confirms nothing, so a
bot that dies between reading and confirming reads the same again. There is one
reader: a poll that begins ends the one that waits.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from bot.sandbox.telegram.changes import Changes
from bot.sandbox.telegram.refusals import TERMINATED, Json, Refused

#: The longest poll, in seconds.
MAX_WAIT = 50
MAX_BATCH = 100
#: An update older than this, in seconds, is dropped.
LIFETIME = 24 * 3600
#: Kinds that a bot gets only when it asks for them by name.
UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FIRST_ID = 730_000_001


class Updates:
    """What waits for the bot, in order of update_id."""

    def __init__(self, changes: Changes, clock: Callable[[], float]) -> None:
        self._changes = changes
        self._clock = clock
        self._pending: dict[int, Json] = {}
        self._again: list[int] = []
        self._known: dict[int, tuple[float, Json]] = {}
        self._next_id = FIRST_ID
        self._turn = 0
        self._reason = TERMINATED
        #: the kinds the bot asked for; empty means the default ones
        self.allowed: list[str] = []

    @property
    def pending(self) -> list[Json]:
        """The unconfirmed updates, oldest first."""
        self._drop_expired()
        return [self._pending[update_id] for update_id in sorted(self._pending)]

    def offer(self, kind: str, content: Json) -> int | None:
        """Queue an update; return its id, or None when the bot did not ask for this kind."""
        wanted = kind in self.allowed if self.allowed else kind not in UNASKED
        return self.push({kind: content}) if wanted else None

    def push(self, raw: Json) -> int:
        """Queue any update, well-formed or not; return its update_id, given out when missing."""
        update_id = int(raw.get("update_id", self._next_id))
        self._next_id = max(self._next_id, update_id + 1)
        body = {"update_id": update_id} | raw
        self._known[update_id] = (self._clock(), body)
        self._pending[update_id] = body
        self._changes.notify()
        return update_id

    def redeliver(self, update_id: int) -> None:
        """Deliver an update once more, although it may be confirmed; raise KeyError if unknown."""
        _, body = self._known[update_id]
        self._pending[update_id] = body
        self._again.append(update_id)
        self._changes.notify()

    def allow(self, kinds: Sequence[str] | None) -> None:
        """Remember which kinds the bot wants; None keeps what was asked for before."""
        if kinds is not None:
            self.allowed = list(kinds)

    def confirm(self, offset: int) -> None:
        """Forget what is below `offset`; a negative one keeps only that many of the newest."""
        ids = sorted(self._pending)
        done = ids[:offset] if offset < 0 else [update_id for update_id in ids if update_id < offset]
        for update_id in done:
            if update_id not in self._again:
                del self._pending[update_id]

    def done(self, update_id: int) -> None:
        """Forget one update that a webhook has taken."""
        self._pending.pop(update_id, None)
        self._again = [one for one in self._again if one != update_id]
        self._changes.notify()

    def forget_all(self) -> None:
        """Drop everything that waits."""
        self._pending.clear()
        self._again.clear()

    async def poll(self, limit: int, seconds: float, listening: Callable[[], bool]) -> list[Json]:
        """Wait up to `seconds` for updates; return at most `limit` of them.

        Raises Refused (409) when another poll begins meanwhile. `listening` says
        whether the caller is still there: nothing counts as delivered otherwise.
        """
        self.interrupt(TERMINATED)
        turn = self._turn
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, MAX_WAIT)):
                while turn == self._turn and not self.pending:
                    await self._changes.wait()
        if turn != self._turn:
            raise Refused(409, self._reason)
        return self._batch(limit) if listening() else []

    def interrupt(self, reason: str) -> None:
        """End the poll that waits, if one does, with 409 and this description."""
        self._turn += 1
        self._reason = reason
        self._changes.notify()

    def _batch(self, limit: int) -> list[Json]:
        size = limit if 1 <= limit <= MAX_BATCH else MAX_BATCH
        batch = self.pending[:size]
        delivered = {body["update_id"] for body in batch}
        self._again = [update_id for update_id in self._again if update_id not in delivered]
        return batch

    def _drop_expired(self) -> None:
        oldest = self._clock() - LIFETIME
        for update_id in [one for one in self._pending if self._known[one][0] < oldest]:
            del self._pending[update_id]
