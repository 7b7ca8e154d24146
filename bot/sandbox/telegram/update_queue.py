"""The queue of updates for the bot, and the notifier that wakes its pollers."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from bot.sandbox.telegram.errors import TERMINATED_BY_OTHER_POLL, BotApiError, JsonObject


class ChangeNotifier:
    """Wakes all waiters at every change."""

    def __init__(self) -> None:
        self._next_change = asyncio.Event()

    def notify(self) -> None:
        """Wake all current waiters."""
        self._next_change.set()
        self._next_change = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next change."""
        await self._next_change.wait()


#: the longest poll, in seconds
MAX_POLL_SECONDS = 50
MAX_BATCH = 100
#: the age at which updates are dropped, in seconds
UPDATE_LIFETIME_SECONDS = 24 * 3600
#: kinds that a bot gets only if `allowed_updates` names them
OPT_IN_KINDS = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FIRST_UPDATE_ID = 730_000_001


class UpdateQueue:
    """The pending updates, in order of update_id."""

    def __init__(self, changes: ChangeNotifier, clock: Callable[[], float]) -> None:
        self._changes = changes
        self._clock = clock
        self._pending: dict[int, JsonObject] = {}
        self._redelivered: list[int] = []
        self._known: dict[int, tuple[float, JsonObject]] = {}
        self._next_id = FIRST_UPDATE_ID
        self._poll_number = 0
        self._termination_reason = TERMINATED_BY_OTHER_POLL
        #: the kinds that the bot asked for; empty: the default ones
        self.allowed: list[str] = []

    @property
    def pending(self) -> list[JsonObject]:
        """The unconfirmed updates, oldest first."""
        self._drop_expired()
        return [self._pending[update_id] for update_id in sorted(self._pending)]

    def offer(self, kind: str, content: JsonObject) -> int | None:
        """Queue an update; return its id, or None when the bot does not want this kind."""
        wanted = kind in self.allowed if self.allowed else kind not in OPT_IN_KINDS
        return self.push({kind: content}) if wanted else None

    def push(self, raw: JsonObject) -> int:
        """Queue any update, valid or not; return its update_id, which is assigned when missing."""
        update_id = int(raw.get("update_id", self._next_id))
        self._next_id = max(self._next_id, update_id + 1)
        body = {"update_id": update_id} | raw
        self._known[update_id] = (self._clock(), body)
        self._pending[update_id] = body
        self._changes.notify()
        return update_id

    def redeliver(self, update_id: int) -> None:
        """Deliver an update again, even if it was confirmed; raises KeyError for an unknown one."""
        _, body = self._known[update_id]
        self._pending[update_id] = body
        self._redelivered.append(update_id)
        self._changes.notify()

    def set_allowed(self, kinds: Sequence[str] | None) -> None:
        """Set which kinds the bot wants; None keeps the previous ones."""
        if kinds is not None:
            self.allowed = list(kinds)

    def confirm(self, offset: int) -> None:
        """Confirm all updates below `offset`; a negative one keeps only that many of the newest."""
        ids = sorted(self._pending)
        done = ids[:offset] if offset < 0 else [update_id for update_id in ids if update_id < offset]
        for update_id in done:
            if update_id not in self._redelivered:
                del self._pending[update_id]

    def remove_delivered(self, update_id: int) -> None:
        """Remove an update that a webhook has accepted."""
        self._pending.pop(update_id, None)
        self._redelivered = [one for one in self._redelivered if one != update_id]
        self._changes.notify()

    def clear(self) -> None:
        """Drop all pending updates."""
        self._pending.clear()
        self._redelivered.clear()

    async def poll(self, limit: int, seconds: float, is_connected: Callable[[], bool]) -> list[JsonObject]:
        """Wait up to `seconds` for updates; return at most `limit` of them, or none when the caller has disconnected.

        Raises BotApiError (409) when another poll begins.
        """
        self.terminate_poll(TERMINATED_BY_OTHER_POLL)
        poll_number = self._poll_number
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, MAX_POLL_SECONDS)):
                while poll_number == self._poll_number and not self.pending:
                    await self._changes.wait()
        if poll_number != self._poll_number:
            raise BotApiError(409, self._termination_reason)
        return self._batch(limit) if is_connected() else []

    def terminate_poll(self, reason: str) -> None:
        """End the waiting poll, if any, with 409 and this description."""
        self._poll_number += 1
        self._termination_reason = reason
        self._changes.notify()

    def _batch(self, limit: int) -> list[JsonObject]:
        size = limit if 1 <= limit <= MAX_BATCH else MAX_BATCH
        batch = self.pending[:size]
        delivered = {body["update_id"] for body in batch}
        self._redelivered = [update_id for update_id in self._redelivered if update_id not in delivered]
        return batch

    def _drop_expired(self) -> None:
        oldest = self._clock() - UPDATE_LIFETIME_SECONDS
        for update_id in [one for one in self._pending if self._known[one][0] < oldest]:
            del self._pending[update_id]
