"""Troubles: what can be switched on to go wrong at Telegram, at Kie, and on the way of Kie's callbacks.

Each is done with the means that the local servers have for it, so the bot
meets what it would meet in the field.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from bot.sandbox.faults import HTML_502, Fault, Faults, Kind
from bot.sandbox.kie import LocalKie
from bot.sandbox.kie_tasks import STUCK, Outcome, fail
from bot.sandbox.telegram.people import Person
from bot.sandbox.telegram.refusals import too_many
from bot.sandbox.telegram.server import LocalTelegram

#: what Telegram asks for in a 429, in seconds
PATIENCE = 5
#: how long a slow Kie takes, in seconds
SLOWNESS = 45.0

#: What is said about a task that Kie would not do, and about one that it could not.
_POLICY = "The input or output was flagged as sensitive."
_BROKEN = "Internal Error, Please try again later."

_TALK = ("sendMessage", "sendPhoto", "sendDocument", "editMessageText", "editMessageMedia", "setMessageReaction")
_ANSWERS = ("sendPhoto", "sendDocument", "editMessageMedia")
_KIE = ("createTask", "recordInfo", "credit", "downloadUrl", "upload", "result")


@dataclass(frozen=True)
class Lasting:
    """A fault that each of these calls runs into, at the server that `faults` belongs to."""

    faults: Faults
    calls: tuple[str, ...]
    fault: Fault


@dataclass(frozen=True)
class Trouble:
    """One thing that can go wrong, with what is done when it is switched on and off."""

    name: str
    side: str
    title: str
    about: str
    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    #: what calls run into meanwhile
    lasting: Lasting | None = None
    #: how Kie's tasks end that are ordered meanwhile; None leaves them as they are
    outcome: Outcome | None = None


class Troubles:
    """All of them; those of Kie only where it is a local one."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie | None, you: Person) -> None:
        listed = [*_of_telegram(telegram, you)]
        if kie is not None:
            listed += [*_of_kie(kie), *_of_callbacks(kie)]
        self._all = {trouble.name: trouble for trouble in listed}
        #: the names of those that are on, the latest last
        self._on: list[str] = []

    def __iter__(self) -> Iterator[tuple[Trouble, bool]]:
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
            trouble.begin()
        else:
            self._on.remove(name)
            trouble.end()
        self._set_faults()

    def _set_faults(self) -> None:
        """Let each call run into the fault of the latest trouble that is about it, if there is one."""
        for each in _lasting(self._all.values()):
            for call in each.calls:
                each.faults.clear(call)
        for each in _lasting(self._all[name] for name in self._on):
            for call in each.calls:
                each.faults.always(call, each.fault)

    @property
    def outcome(self) -> Outcome | None:
        """How a task ends that is ordered now; None when nothing is wrong with it."""
        found = (self._all[name].outcome for name in reversed(self._on))
        return next((outcome for outcome in found if outcome is not None), None)

    @property
    def seconds(self) -> float | None:
        """How long a task takes that is ordered now; None when nothing is wrong with it."""
        return SLOWNESS if "kie-slow" in self._on else None


def _lasting(troubles: Iterable[Trouble]) -> Iterator[Lasting]:
    return (trouble.lasting for trouble in troubles if trouble.lasting is not None)


def _of_telegram(telegram: LocalTelegram, you: Person) -> Iterator[Trouble]:
    faults = telegram.faults
    yield Trouble(
        "telegram-429",
        "Telegram",
        "Too many requests",
        f"Whatever the bot says is refused with 429, retry after {PATIENCE} s.",
        lasting=Lasting(faults, _TALK, too_many(PATIENCE)),
    )
    yield Trouble(
        "telegram-blocked",
        "Telegram",
        "You block the bot",
        "It cannot write to your private chat any more.",
        you.block,
        you.unblock,
    )
    yield Trouble(
        "telegram-cut",
        "Telegram",
        "Answers cut off",
        "Pictures arrive in the chat, but the bot never hears so.",
        lasting=Lasting(faults, _ANSWERS, Fault(Kind.CUT_AFTER)),
    )


def _of_kie(kie: LocalKie) -> Iterator[Trouble]:
    taken = 0.0

    def empty() -> None:
        nonlocal taken
        taken = kie.credits
        kie.pay_in(-taken)

    yield Trouble("kie-slow", "Kie", "Slow", f"An edit that is ordered meanwhile takes {SLOWNESS:.0f} s.")
    yield Trouble(
        "kie-policy",
        "Kie",
        "Refuses by policy",
        "Edits end as flagged, which the bot tells its person.",
        outcome=fail(_POLICY),
    )
    yield Trouble(
        "kie-fail",
        "Kie",
        "Fails",
        "Edits end with an internal error; the bot orders once more if it cost nothing.",
        outcome=fail(_BROKEN),
    )
    yield Trouble("kie-stuck", "Kie", "Stuck", "Edits that are ordered meanwhile never end.", outcome=STUCK)
    yield Trouble(
        "kie-credit", "Kie", "No credit", "The account is empty until this is switched off.", empty,
        lambda: kie.pay_in(taken),
    )  # fmt: skip
    yield Trouble(
        "kie-down",
        "Kie",
        "Down",
        "Every call is answered by a proxy's 502.",
        lasting=Lasting(kie.faults, _KIE, HTML_502),
    )
    yield Trouble(
        "kie-cut",
        "Kie",
        "Orders cut off",
        "An order is taken, but its answer gets lost: only a callback can tell.",
        lasting=Lasting(kie.faults, ("createTask",), Fault(Kind.CUT_AFTER)),
    )


def _of_callbacks(kie: LocalKie) -> Iterator[Trouble]:
    callbacks = kie.callbacks

    def lose(*, lost: bool) -> None:
        callbacks.calling = replace(callbacks.calling, lost=lost)

    def copy(copies: int) -> None:
        callbacks.calling = replace(callbacks.calling, copies=copies)

    yield Trouble(
        "nudge-lost",
        "Callbacks",
        "Missing",
        "Kie does not call back; the bot has to look for itself.",
        lambda: lose(lost=True),
        lambda: lose(lost=False),
    )
    yield Trouble(
        "nudge-doubled", "Callbacks", "Doubled", "Kie calls back twice at once.", lambda: copy(2), lambda: copy(1)
    )
