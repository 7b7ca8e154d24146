"""Balance: asks Kie now and then how many credits are left, and tells the admins in time."""

from collections.abc import Callable

from bot.job import Instant, later
from bot.jobs import trouble
from bot.kie.client import Kie
from bot.kie.errors import Garbled, KieError
from bot.store.connection import Database
from bot.store.transaction import Transaction
from bot.texts import sentence

#: Seconds between two questions, as long as something is ordered. The question is free.
EVERY = 600.0


def due_at(tx: Transaction) -> Instant | None:
    """Return when the balance is to be asked for, None while nothing was ordered since the last time."""
    wanted_at, known = tx.account.due_at(), tx.account.balance()
    if wanted_at is None or known is None:
        return wanted_at
    return max(wanted_at, later(known.asked_at, EVERY))


class Balance:
    """The step that learns the balance."""

    def __init__(
        self, db: Database, kie: Kie, *, low: float, admins: frozenset[int], clock: Callable[[], Instant]
    ) -> None:
        self._db = db
        self._kie = kie
        self._low = low
        self._admins = admins
        self._clock = clock

    async def run(self) -> None:
        """Ask once, and write down the answer."""
        try:
            balance = await self._kie.credits()
        except KieError as error:
            failure = error
            await self._db.unit(lambda tx: self._not_learned(tx, failure))
        else:
            await self._db.unit(lambda tx: self._learned(tx, balance))

    def _not_learned(self, tx: Transaction, error: KieError) -> None:
        self.put_off(tx)
        # whatever else is wrong shows with the next order, and is dealt with there
        if isinstance(error, Garbled):
            trouble.seen_elsewhere(tx, error, self._admins, self._clock())

    def put_off(self, tx: Transaction) -> None:
        """Ask again later, as after any answer."""
        tx.account.ask_again(later(self._clock(), EVERY))

    def _learned(self, tx: Transaction, balance: float) -> None:
        now = self._clock()
        tx.account.answered(balance, now)
        is_low, known = balance < self._low, tx.account.low_since()
        if is_low and known is None:
            tx.account.note_low(now)
            words = sentence("admin-low", credits=balance, low=self._low)
            tx.outbox.tell_admins(self._admins, f"low:{now}", words.into, now)
        elif not is_low and known is not None:
            tx.account.note_low(None)
