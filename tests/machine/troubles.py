"""What can go wrong on the other side, and when a bot can die; each by a name, so that a story can be read."""

from collections.abc import Callable, Iterable
from functools import partial

from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_tasks import STUCK, SUCCESS, SUCCESS_WITHOUT_URL, UNKNOWN_STATUS, Outcome, fail
from bot.sandbox.telegram.refusals import bad_request, server_error, too_many
from tests.machine.doom import ANYTHING, COMMIT, Fate
from tests.machine.life import Life

Trouble = Callable[[Life], None]

BROKEN = "Internal Error, Please try again later."
POLICY = "The input or output was flagged as sensitive. Please try again with different inputs."

#: How a task can end.
ENDINGS = {
    "well": SUCCESS,
    "refused": fail(POLICY),
    "broken for free": fail(BROKEN),
    "broken at a cost": fail(BROKEN, refunded=False),
    "without a picture": SUCCESS_WITHOUT_URL,
    "never": STUCK,
    "in an unknown way": UNKNOWN_STATUS,
}

CUTS = {"cut before": Fault(Kind.CUT_BEFORE), "cut after": Fault(Kind.CUT_AFTER)}
KIE_FAULTS = CUTS | {"a page": HTML_502}
TELEGRAM_FAULTS = CUTS | {"too many": too_many(5), "server error": server_error()}

REFUSALS = (401, 422, 429, 433, 455, 500)

ANSWERING = ("sendPhoto", "editMessageMedia")
SAYING = ("sendMessage", "editMessageText", "deleteMessage", "answerCallbackQuery")
FETCHING = ("getFile", "getUpdates", "getMe")
ASKING = ("recordInfo", "file-stream-upload", "result", "credit")

#: The calls before and after which a death is of interest, each for the first and the second time.
DEADLY = (
    "createTask", "sendPhoto", "sendMessage", "editMessageMedia", "editMessageText", "file-stream-upload", "result",
)  # fmt: skip


def _telegram(call: str, fault: Fault, times: int, life: Life) -> None:
    life.telegram.faults.add(call, fault, times)


def _kie(call: str, fault: Fault, life: Life) -> None:
    life.kie.faults.add("upload" if call == "file-stream-upload" else call, fault)


def _orders(fault: Fault, times: int, life: Life) -> None:
    life.kie.faults.add("createTask", fault, times)


def _refusal(code: int, times: int, life: Life) -> None:
    for _ in range(times):
        life.kie.refuse(code, "This field is required")


def _endings(ending: Outcome, times: int, life: Life) -> None:
    life.kie.script(*[ending] * times)


def _credit(amount: float, life: Life) -> None:
    life.kie._account.paid_in = amount


def _death(fate: Fate, life: Life) -> None:
    life.doom.awaits(fate)


def _deaths() -> dict[str, Trouble]:
    points = [(name, nth) for name in DEADLY for nth in (1, 2)]
    points += [(COMMIT, nth) for nth in range(1, 11)] + [(ANYTHING, nth) for nth in range(1, 21)]
    return {
        f"death {when} {name} {nth}": partial(_death, Fate(when, name, nth))
        for name, nth in points
        for when in ("before", "after")
    }


def _at_telegram(calls: Iterable[str], times: Iterable[int]) -> dict[str, Trouble]:
    return {
        f"{call}: {name} x {n}": partial(_telegram, call, fault, n)
        for call in calls
        for name, fault in TELEGRAM_FAULTS.items()
        for n in times
    }


DEATHS = _deaths()

#: Those in the two windows that count: nobody can know whether Kie took the order, or whether the answer arrived.
CRITICAL = tuple(f"death {when} {call} 1" for call in ("createTask", "sendPhoto") for when in ("after", "before"))

DOUBTS: dict[str, Trouble] = {
    f"createTask: {name} x {n}": partial(_orders, fault, n) for name, fault in KIE_FAULTS.items() for n in (1, 3)
}

ORDERS: dict[str, Trouble] = {
    **{f"createTask: {code} x {n}": partial(_refusal, code, n) for code in REFUSALS for n in (1, 3)},
    "no credit": partial(_credit, 0.0),
    "credit": partial(_credit, 1000.0),
}

KIE: dict[str, Trouble] = {
    f"{call}: {name}": partial(_kie, call, fault) for call in ASKING for name, fault in KIE_FAULTS.items()
}

TASKS: dict[str, Trouble] = {
    f"tasks end {name} x {n}": partial(_endings, ending, n) for name, ending in ENDINGS.items() for n in (1, 3)
}

ANSWERS: dict[str, Trouble] = {
    **_at_telegram(ANSWERING, (1, 3)),
    "sendPhoto: refused": partial(_telegram, "sendPhoto", bad_request("PHOTO_INVALID_DIMENSIONS"), 1),
    "death before sendPhoto 1": DEATHS["death before sendPhoto 1"],
    "death after sendPhoto 1": DEATHS["death after sendPhoto 1"],
}

WORDS: dict[str, Trouble] = _at_telegram(SAYING, (1, 4))

FETCHES: dict[str, Trouble] = _at_telegram(FETCHING, (1,))

KINDS = (DEATHS, DOUBTS, ANSWERS, TASKS, ORDERS, WORDS, KIE, FETCHES)

ALL: dict[str, Trouble] = {name: trouble for kind in KINDS for name, trouble in kind.items()}
