"""The credit balance: ask Kie for it after successful edits, and warn the admins when it is low."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from bot.clock import Instant, add_seconds
from bot.i18n import sentence
from bot.kie.client import KieClient
from bot.kie.errors import KieError, UnexpectedResponse
from bot.pipeline import circuit_breakers
from bot.store.database import Database, Transaction

#: Seconds between two checks, at least. The call is free.
CHECK_INTERVAL = 600.0


def next_balance_check_at(tx: Transaction) -> Instant | None:
    """Return when to ask for the balance, None if no edit has succeeded since the last time."""
    wanted_at, known = tx.credits.get_balance_due_at(), tx.credits.get_balance()
    if wanted_at is None or known is None:
        return wanted_at
    return max(wanted_at, add_seconds(known.asked_at, CHECK_INTERVAL))


@dataclass(eq=False)
class CreditBalanceChecker:
    """The step that asks for the balance."""

    db: Database
    kie: KieClient
    _: KW_ONLY
    #: credits below which the admins are warned
    low_threshold: float
    admins: frozenset[int]
    clock: Callable[[], Instant]

    async def run(self) -> None:
        """Ask once and store the balance."""
        try:
            balance = await self.kie.get_credits()
        except KieError as error:
            failure = error
            await self.db.transact(lambda tx: self._record_failure(tx, failure))
        else:
            await self.db.transact(lambda tx: self._record_balance(tx, balance))

    def postpone(self, tx: Transaction) -> None:
        """Ask again after CHECK_INTERVAL seconds."""
        tx.credits.postpone_balance(add_seconds(self.clock(), CHECK_INTERVAL))

    def _record_failure(self, tx: Transaction, error: KieError) -> None:
        self.postpone(tx)
        if isinstance(error, UnexpectedResponse):  # any other problem shows at the next order
            circuit_breakers.handle_free_call_error(tx, error, self.admins, self.clock())

    def _record_balance(self, tx: Transaction, balance: float) -> None:
        now = self.clock()
        tx.credits.set_balance(balance, now)
        is_low, was_low = balance < self.low_threshold, tx.credits.get_low_since() is not None
        if is_low == was_low:
            return
        tx.credits.set_low_since(now if is_low else None)
        if is_low:
            words = sentence("admin-low", credits=balance, low=self.low_threshold)
            tx.outbox.notify_admins(self.admins, f"low:{now}", words.translate, now)
