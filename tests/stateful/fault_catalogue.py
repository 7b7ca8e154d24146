"""The faults of Kie and Telegram and the crash points, each with a name, so that a failing run can be read."""

from collections.abc import Callable, Iterable
from functools import partial

from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK, SUCCESS, SUCCESS_WITHOUT_URL, UNKNOWN_STATUS, ScriptedOutcome, failure
from bot.sandbox.telegram.errors import bad_request, server_error, too_many_requests
from tests.stateful.crashable_bot import CrashableBot
from tests.stateful.simulated_crash import ANY_POINT, COMMIT, CrashPoint

InjectFault = Callable[[CrashableBot], None]

SERVER_ERROR_TEXT = "Internal Error, Please try again later."
POLICY_TEXT = "The input or output was flagged as sensitive. Please try again with different inputs."

TASK_OUTCOMES = {
    "success": SUCCESS,
    "refusal": failure(POLICY_TEXT),
    "refunded failure": failure(SERVER_ERROR_TEXT),
    "paid failure": failure(SERVER_ERROR_TEXT, refunded=False),
    "success without a URL": SUCCESS_WITHOUT_URL,
    "stuck": STUCK,
    "unknown status": UNKNOWN_STATUS,
}

CUT_FAULTS = {"cut before": Fault(FaultKind.DISCONNECT_BEFORE), "cut after": Fault(FaultKind.DISCONNECT_AFTER)}
KIE_FAULTS = CUT_FAULTS | {"HTML 502": HTML_502}
TELEGRAM_FAULTS = CUT_FAULTS | {"too many": too_many_requests(5), "server error": server_error()}

REFUSAL_CODES = (401, 422, 429, 433, 455, 500)

ANSWER_METHODS = ("sendPhoto", "editMessageMedia")
TEXT_METHODS = ("sendMessage", "editMessageText", "deleteMessage", "answerCallbackQuery")
READ_METHODS = ("getFile", "getUpdates", "getMe")
KIE_READ_CALLS = ("recordInfo", "file-stream-upload", "result", "credit")

#: the calls before and after which the bot may crash, the first and the second time
CRASH_CALLS = (
    "createTask", "sendPhoto", "sendMessage", "editMessageMedia", "editMessageText", "file-stream-upload", "result",
)  # fmt: skip


def _fault_at_telegram(call: str, fault: Fault, times: int, bot: CrashableBot) -> None:
    bot.telegram.faults.add(call, fault, times)


def _fault_at_kie(call: str, fault: Fault, bot: CrashableBot) -> None:
    bot.kie.faults.add("upload" if call == "file-stream-upload" else call, fault)


def _fault_at_orders(fault: Fault, times: int, bot: CrashableBot) -> None:
    bot.kie.faults.add("createTask", fault, times)


def _refuse_orders(code: int, times: int, bot: CrashableBot) -> None:
    for _ in range(times):
        bot.kie.refuse_next_create(code, "This field is required")


def _script_tasks(outcome: ScriptedOutcome, times: int, bot: CrashableBot) -> None:
    bot.kie.script_outcomes(*[outcome] * times)


def _set_credits(amount: float, bot: CrashableBot) -> None:
    bot.kie._account.paid_in = amount


def _schedule_crash(crash_point: CrashPoint, bot: CrashableBot) -> None:
    bot.crash.schedule(crash_point)


def _list_crashes() -> dict[str, InjectFault]:
    points = [(name, nth) for name in CRASH_CALLS for nth in (1, 2)]
    points += [(COMMIT, nth) for nth in range(1, 11)] + [(ANY_POINT, nth) for nth in range(1, 21)]
    return {
        f"crash {when} {name} {nth}": partial(_schedule_crash, CrashPoint(when, name, nth))
        for name, nth in points
        for when in ("before", "after")
    }


def _list_telegram_faults(calls: Iterable[str], times: Iterable[int]) -> dict[str, InjectFault]:
    return {
        f"{call}: {name} x {n}": partial(_fault_at_telegram, call, fault, n)
        for call in calls
        for name, fault in TELEGRAM_FAULTS.items()
        for n in times
    }


CRASHES = _list_crashes()

#: crashes after which nobody can know whether Kie took the order, or whether the answer arrived
CRITICAL_CRASHES = tuple(
    f"crash {when} {call} 1" for call in ("createTask", "sendPhoto") for when in ("after", "before")
)

UNCERTAIN_ORDERS: dict[str, InjectFault] = {
    f"createTask: {name} x {n}": partial(_fault_at_orders, fault, n)
    for name, fault in KIE_FAULTS.items()
    for n in (1, 3)
}

ORDER_REFUSALS: dict[str, InjectFault] = {
    **{f"createTask: {code} x {n}": partial(_refuse_orders, code, n) for code in REFUSAL_CODES for n in (1, 3)},
    "no credit": partial(_set_credits, 0.0),
    "credit": partial(_set_credits, 1000.0),
}

KIE_READ_FAULTS: dict[str, InjectFault] = {
    f"{call}: {name}": partial(_fault_at_kie, call, fault)
    for call in KIE_READ_CALLS
    for name, fault in KIE_FAULTS.items()
}

TASK_ENDINGS: dict[str, InjectFault] = {
    f"task outcome: {name} x {n}": partial(_script_tasks, outcome, n)
    for name, outcome in TASK_OUTCOMES.items()
    for n in (1, 3)
}

ANSWER_FAULTS: dict[str, InjectFault] = {
    **_list_telegram_faults(ANSWER_METHODS, (1, 3)),
    "sendPhoto: refused": partial(_fault_at_telegram, "sendPhoto", bad_request("PHOTO_INVALID_DIMENSIONS"), 1),
    "crash before sendPhoto 1": CRASHES["crash before sendPhoto 1"],
    "crash after sendPhoto 1": CRASHES["crash after sendPhoto 1"],
}

TEXT_FAULTS: dict[str, InjectFault] = _list_telegram_faults(TEXT_METHODS, (1, 4))

TELEGRAM_READ_FAULTS: dict[str, InjectFault] = _list_telegram_faults(READ_METHODS, (1,))

FAULT_GROUPS = (
    CRASHES,
    UNCERTAIN_ORDERS,
    ANSWER_FAULTS,
    TASK_ENDINGS,
    ORDER_REFUSALS,
    TEXT_FAULTS,
    KIE_READ_FAULTS,
    TELEGRAM_READ_FAULTS,
)

ALL_FAULTS: dict[str, InjectFault] = {name: fault for kind in FAULT_GROUPS for name, fault in kind.items()}
