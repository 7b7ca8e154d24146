"""Troubles: what can be switched on to go wrong at Telegram, at Kie, and on the way of Kie's callbacks.

Each is done with the means that the local servers have for it, so the bot
meets what it would meet in the field.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from bot.sandbox.fault_injection import HTML_502, Fault, FaultInjector, FaultKind
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import STUCK, ScriptedOutcome, failure
from bot.sandbox.telegram.errors import too_many_requests
from bot.sandbox.telegram.local_telegram import LocalTelegram
from bot.sandbox.telegram.people_and_groups import Person

#: what Telegram asks for in a 429, in seconds
RETRY_AFTER_SECONDS = 5
#: how long a slow Kie takes, in seconds
SLOW_TASK_SECONDS = 45.0

#: What is said about a task that Kie would not do, and about one that it could not.
_POLICY_MESSAGE = "The input or output was flagged as sensitive."
_INTERNAL_ERROR_MESSAGE = "Internal Error, Please try again later."

_WRITING_METHODS = (
    "sendMessage",
    "sendPhoto",
    "sendDocument",
    "editMessageText",
    "editMessageMedia",
    "setMessageReaction",
)
_ANSWER_METHODS = ("sendPhoto", "sendDocument", "editMessageMedia")
_KIE_CALLS = ("createTask", "recordInfo", "credit", "downloadUrl", "upload", "result")


@dataclass(frozen=True)
class LastingFault:
    """A fault that each of these calls runs into, at the server that `faults` belongs to."""

    faults: FaultInjector
    calls: tuple[str, ...]
    fault: Fault


@dataclass(frozen=True)
class FaultSwitch:
    """One thing that can go wrong, with what is done when it is switched on and off."""

    name: str
    side: str
    title: str
    about: str
    switch_on: Callable[[], None] = lambda: None
    switch_off: Callable[[], None] = lambda: None
    #: what calls run into meanwhile
    lasting_fault: LastingFault | None = None
    #: how Kie's tasks end that are ordered meanwhile; None leaves them as they are
    outcome: ScriptedOutcome | None = None


class FaultSwitches:
    """All of them; those of Kie only where it is a local one."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie | None, you: Person) -> None:
        listed = [*_telegram_switches(telegram, you)]
        if kie is not None:
            listed += [*_kie_switches(kie), *_callback_switches(kie)]
        self._all = {trouble.name: trouble for trouble in listed}
        #: the names of those that are on, the latest last
        self._on: list[str] = []

    def __iter__(self) -> Iterator[tuple[FaultSwitch, bool]]:
        return ((trouble, trouble.name in self._on) for trouble in self._all.values())

    def switch(self, name: str, *, on: bool) -> None:
        """Let one begin or end; raise LookupError for an unknown one."""
        if name not in self._all:
            raise LookupError(f"there is no trouble called {name}")
        if on is (name in self._on):
            return
        trouble = self._all[name]
        if on:
            self._on.append(name)
            trouble.switch_on()
        else:
            self._on.remove(name)
            trouble.switch_off()
        self._apply_faults()

    def _apply_faults(self) -> None:
        """Let each call run into the fault of the latest trouble that is about it, if there is one."""
        for each in _lasting_faults(self._all.values()):
            for call in each.calls:
                each.faults.clear(call)
        for each in _lasting_faults(self._all[name] for name in self._on):
            for call in each.calls:
                each.faults.always(call, each.fault)

    @property
    def outcome(self) -> ScriptedOutcome | None:
        """How a task ends that is ordered now; None when nothing is wrong with it."""
        found = (self._all[name].outcome for name in reversed(self._on))
        return next((outcome for outcome in found if outcome is not None), None)

    @property
    def task_seconds(self) -> float | None:
        """How long a task takes that is ordered now; None when nothing is wrong with it."""
        return SLOW_TASK_SECONDS if "kie-slow" in self._on else None


def _lasting_faults(troubles: Iterable[FaultSwitch]) -> Iterator[LastingFault]:
    return (trouble.lasting_fault for trouble in troubles if trouble.lasting_fault is not None)


def _telegram_switches(telegram: LocalTelegram, you: Person) -> Iterator[FaultSwitch]:
    faults = telegram.faults
    yield FaultSwitch(
        "telegram-429",
        "Telegram",
        "Too many requests",
        f"Whatever the bot says is refused with 429, retry after {RETRY_AFTER_SECONDS} s.",
        lasting_fault=LastingFault(faults, _WRITING_METHODS, too_many_requests(RETRY_AFTER_SECONDS)),
    )
    yield FaultSwitch(
        "telegram-blocked",
        "Telegram",
        "You block the bot",
        "It cannot write to your private chat any more.",
        you.block,
        you.unblock,
    )
    yield FaultSwitch(
        "telegram-cut",
        "Telegram",
        "Answers cut off",
        "Pictures arrive in the chat, but the bot never hears so.",
        lasting_fault=LastingFault(faults, _ANSWER_METHODS, Fault(FaultKind.CUT_AFTER)),
    )


def _kie_switches(kie: LocalKie) -> Iterator[FaultSwitch]:
    taken = 0.0

    def empty() -> None:
        nonlocal taken
        taken = kie.credits
        kie.add_credits(-taken)

    yield FaultSwitch("kie-slow", "Kie", "Slow", f"An edit that is ordered meanwhile takes {SLOW_TASK_SECONDS:.0f} s.")
    yield FaultSwitch(
        "kie-policy",
        "Kie",
        "Refuses by policy",
        "Edits end as flagged, which the bot tells its person.",
        outcome=failure(_POLICY_MESSAGE),
    )
    yield FaultSwitch(
        "kie-fail",
        "Kie",
        "Fails",
        "Edits end with an internal error; the bot orders once more if it cost nothing.",
        outcome=failure(_INTERNAL_ERROR_MESSAGE),
    )
    yield FaultSwitch("kie-stuck", "Kie", "Stuck", "Edits that are ordered meanwhile never end.", outcome=STUCK)
    yield FaultSwitch(
        "kie-credit", "Kie", "No credit", "The account is empty until this is switched off.", empty,
        lambda: kie.add_credits(taken),
    )  # fmt: skip
    yield FaultSwitch(
        "kie-down",
        "Kie",
        "Down",
        "Every call is answered by a proxy's 502.",
        lasting_fault=LastingFault(kie.faults, _KIE_CALLS, HTML_502),
    )
    yield FaultSwitch(
        "kie-cut",
        "Kie",
        "Orders cut off",
        "An order is taken, but its answer gets lost: only a callback can tell.",
        lasting_fault=LastingFault(kie.faults, ("createTask",), Fault(FaultKind.CUT_AFTER)),
    )


def _callback_switches(kie: LocalKie) -> Iterator[FaultSwitch]:
    callbacks = kie.callbacks

    def lose(*, lost: bool) -> None:
        callbacks.options = replace(callbacks.options, lost=lost)

    def copy(copies: int) -> None:
        callbacks.options = replace(callbacks.options, copies=copies)

    yield FaultSwitch(
        "nudge-lost",
        "Callbacks",
        "Missing",
        "Kie does not call back; the bot has to look for itself.",
        lambda: lose(lost=True),
        lambda: lose(lost=False),
    )
    yield FaultSwitch(
        "nudge-doubled", "Callbacks", "Doubled", "Kie calls back twice at once.", lambda: copy(2), lambda: copy(1)
    )
