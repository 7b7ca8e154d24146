"""The faults that the page can switch on: at Telegram, at Kie, and in Kie's callbacks.

They use the fault injection of the local servers, so the bot meets what it would meet in production.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from bot.sandbox.fault_injection import HTML_502, Fault, FaultInjector, FaultKind
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import STUCK, ScriptedOutcome, failure
from bot.sandbox.telegram.errors import too_many_requests
from bot.sandbox.telegram.local_telegram import LocalTelegram
from bot.sandbox.telegram.people_and_groups import Person

#: seconds in Telegram's 429
RETRY_AFTER_SECONDS = 5
#: duration of a task while Kie is slow, in seconds
SLOW_TASK_SECONDS = 45.0

_POLICY_MESSAGE = "The input or output was flagged as sensitive."
_INTERNAL_ERROR_MESSAGE = "Internal Error, Please try again later."

_WRITING_METHODS = (
    "sendMessage", "sendPhoto", "sendDocument", "editMessageText", "editMessageMedia", "setMessageReaction",
)  # fmt: skip
_ANSWER_METHODS = ("sendPhoto", "sendDocument", "editMessageMedia")
_KIE_CALLS = ("createTask", "recordInfo", "credit", "downloadUrl", "upload", "result")


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class LastingFault:
    """A fault of several calls of one server, for as long as its switch is on."""

    faults: FaultInjector
    calls: tuple[str, ...]
    fault: Fault


@dataclass(frozen=True)
class FaultSwitch:
    """A fault with what happens when it is switched on and off."""

    group: str
    name: str
    title: str
    about: str
    switch_on: Callable[[], None] = _do_nothing
    switch_off: Callable[[], None] = _do_nothing
    #: the fault of calls in the meantime
    lasting_fault: LastingFault | None = None
    #: the outcome of tasks created in the meantime; None leaves them as they are
    outcome: ScriptedOutcome | None = None


class FaultSwitches:
    """All fault switches; those of Kie only with the local one."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie | None, you: Person) -> None:
        switches = [*_telegram_switches(telegram, you)]
        if kie is not None:
            switches += [*_kie_switches(kie), *_callback_switches(kie)]
        self._all = {switch.name: switch for switch in switches}
        #: names of the switches that are on, the latest last
        self._on: list[str] = []

    def __iter__(self) -> Iterator[tuple[FaultSwitch, bool]]:
        return ((switch, switch.name in self._on) for switch in self._all.values())

    def switch(self, name: str, *, on: bool) -> None:
        """Switch a fault on or off; raises LookupError for an unknown one."""
        if name not in self._all:
            raise LookupError(f"there is no fault called {name}")
        if on is (name in self._on):
            return
        if on:
            self._on.append(name)
            self._all[name].switch_on()
        else:
            self._on.remove(name)
            self._all[name].switch_off()
        self._apply_lasting_faults()

    def _apply_lasting_faults(self) -> None:
        """Give each call the fault of the latest switch that concerns it, if any."""
        for switch in self._all.values():
            if (lasting := switch.lasting_fault) is not None:
                for call in lasting.calls:
                    lasting.faults.clear(call)
        for name in self._on:
            if (lasting := self._all[name].lasting_fault) is not None:
                for call in lasting.calls:
                    lasting.faults.always(call, lasting.fault)

    @property
    def outcome(self) -> ScriptedOutcome | None:
        """The outcome of a task created now; None without a fault."""
        outcomes = (self._all[name].outcome for name in reversed(self._on))
        return next((outcome for outcome in outcomes if outcome is not None), None)

    @property
    def task_seconds(self) -> float | None:
        """The duration of a task created now; None without a fault."""
        return SLOW_TASK_SECONDS if "kie-slow" in self._on else None


def _telegram_switches(telegram: LocalTelegram, you: Person) -> Iterator[FaultSwitch]:
    faults, switch = telegram.faults, partial(FaultSwitch, "Telegram")
    yield switch(
        "telegram-429",
        "Too many requests",
        f"Whatever the bot sends is refused with 429, retry after {RETRY_AFTER_SECONDS} s.",
        lasting_fault=LastingFault(faults, _WRITING_METHODS, too_many_requests(RETRY_AFTER_SECONDS)),
    )
    yield switch(
        "telegram-blocked",
        "You block the bot",
        "It cannot write to your private chat any more.",
        you.block,
        you.unblock,
    )
    yield switch(
        "telegram-cut",
        "Responses cut off",
        "Pictures arrive in the chat, but the bot gets no response.",
        lasting_fault=LastingFault(faults, _ANSWER_METHODS, Fault(FaultKind.DISCONNECT_AFTER)),
    )


def _kie_switches(kie: LocalKie) -> Iterator[FaultSwitch]:
    switch = partial(FaultSwitch, "Kie")
    taken = 0.0

    def take_credits() -> None:
        nonlocal taken
        taken = kie.credits
        kie.add_credits(-taken)

    def return_credits() -> None:
        kie.add_credits(taken)

    all_down = LastingFault(kie.faults, _KIE_CALLS, HTML_502)
    cut_orders = LastingFault(kie.faults, ("createTask",), Fault(FaultKind.DISCONNECT_AFTER))
    yield switch("kie-slow", "Slow", f"New edits take {SLOW_TASK_SECONDS:.0f} s.")
    yield switch(
        "kie-policy",
        "Refuses by policy",
        "Edits end as flagged, which the bot tells its user.",
        outcome=failure(_POLICY_MESSAGE),
    )
    yield switch(
        "kie-fail",
        "Fails",
        "Edits end with an internal error; the bot orders once more if it cost nothing.",
        outcome=failure(_INTERNAL_ERROR_MESSAGE),
    )
    yield switch("kie-stuck", "Stuck", "New edits never end.", outcome=STUCK)
    yield switch(
        "kie-credit", "No credit", "The account is empty until this is switched off.", take_credits, return_credits
    )
    yield switch("kie-down", "Down", "A proxy answers every call with 502.", lasting_fault=all_down)
    yield switch(
        "kie-cut",
        "Orders cut off",
        "An order is taken, but its response gets lost: only a callback can tell.",
        lasting_fault=cut_orders,
    )


def _callback_switches(kie: LocalKie) -> Iterator[FaultSwitch]:
    def set_lost(*, lost: bool) -> None:
        kie.callbacks.options = replace(kie.callbacks.options, lost=lost)

    def set_copies(copies: int) -> None:
        kie.callbacks.options = replace(kie.callbacks.options, copies=copies)

    switch = partial(FaultSwitch, "Callbacks")
    yield switch(
        "callback-lost",
        "Missing",
        "Kie does not call back; the bot has to poll.",
        lambda: set_lost(lost=True),
        lambda: set_lost(lost=False),
    )
    yield switch(
        "callback-doubled", "Doubled", "Kie calls back twice at once.", lambda: set_copies(2), lambda: set_copies(1)
    )
