"""Balance: asks Kie now and then how many credits are left, and tells the admins in time."""

from collections.abc import Callable

from bot.clock import Instant, add_seconds
from bot.i18n import sentence
from bot.kie.client import KieClient
from bot.kie.errors import KieError, UnexpectedResponse
from bot.pipeline import circuit_breakers
from bot.store.database import Database
from bot.store.transaction import Transaction

#: Seconds between two questions, as long as something is ordered. The question is free.
CHECK_INTERVAL = 600.0


def next_balance_check_at(tx: Transaction) -> Instant | None:
    """Return when the balance is to be asked for, None while nothing was ordered since the last time."""
    wanted_at, known = tx.credits.get_balance_due_at(), tx.credits.get_balance()
    if wanted_at is None or known is None:
        return wanted_at
    return max(wanted_at, add_seconds(known.asked_at, CHECK_INTERVAL))


class CreditBalanceChecker:
    """The step that learns the balance."""

    def __init__(
        self, db: Database, kie: KieClient, *, low: float, admins: frozenset[int], clock: Callable[[], Instant]
    ) -> None:
        self._db = db
        self._kie = kie
        self._low_threshold = low
        self._admins = admins
        self._clock = clock

    async def run(self) -> None:
        """Ask once, and write down the answer."""
        try:
            balance = await self._kie.get_credits()
        except KieError as error:
            failure = error
            await self._db.transact(lambda tx: self._record_failure(tx, failure))
        else:
            await self._db.transact(lambda tx: self._record_balance(tx, balance))

    def _record_failure(self, tx: Transaction, error: KieError) -> None:
        self.postpone(tx)
        # whatever else is wrong shows with the next order, and is dealt with there
        if isinstance(error, UnexpectedResponse):
            circuit_breakers.handle_free_call_error(tx, error, self._admins, self._clock())

    def postpone(self, tx: Transaction) -> None:
        """Ask again later, as after any answer."""
        tx.credits.postpone_balance(add_seconds(self._clock(), CHECK_INTERVAL))

    def _record_balance(self, tx: Transaction, balance: float) -> None:
        now = self._clock()
        tx.credits.set_balance(balance, now)
        is_low, known = balance < self._low_threshold, tx.credits.get_low_since()
        if is_low and known is None:
            tx.credits.set_low_since(now)
            words = sentence("admin-low", credits=balance, low=self._low_threshold)
            tx.outbox.notify_admins(self._admins, f"low:{now}", words.translate, now)
        elif not is_low and known is not None:
            tx.credits.set_low_since(None)
