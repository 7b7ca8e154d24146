"""Probe: asks Kie a free question to learn whether orders can go on after only the operator could help."""

from collections.abc import Callable
from dataclasses import replace

from bot.job import Instant, later
from bot.jobs import trouble
from bot.kie.client import Kie
from bot.kie.errors import KieError
from bot.store.connection import Database
from bot.store.transaction import Transaction

#: Seconds after a free question that Kie did not answer.
ASK_AGAIN_AFTER = 30.0


class Probe:
    """The question is for the balance: it needs a good key, and it tells about the credits."""

    def __init__(self, db: Database, kie: Kie, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._kie = kie
        self._clock = clock

    async def run(self, breaker: str) -> None:
        """Ask once; let the next order try, or keep the breaker shut for longer."""
        try:
            balance = await self._kie.credits()
        except KieError:
            gone = False
        else:
            gone = balance > 0 or breaker != "credits"
        await self._db.unit(lambda tx: self._conclude(tx, breaker, gone=gone))

    def put_off(self, tx: Transaction, breaker: str) -> None:
        """Ask again later: nothing was learned."""
        known = tx.breakers.get(breaker)
        if known is not None:
            tx.breakers.open(replace(known, until=later(self._clock(), ASK_AGAIN_AFTER)))

    def _conclude(self, tx: Transaction, breaker: str, *, gone: bool) -> None:
        known = tx.breakers.get(breaker)
        if gone:
            tx.breakers.probed(breaker)
        elif breaker == trouble.DOUBT and known is not None:
            # no order went out, so nothing speaks for waiting longer than for any free question
            self.put_off(tx, breaker)
        else:
            trouble.keep_shut(tx, breaker, self._clock())
