"""SIGKILL at random, round after round, with random faults, while simulated users talk to the bot.

`make test` runs a few rounds with a fixed seed, `make crash` many with a random one,
which is printed, with and without callbacks. The seed decides about actions, faults and
the log line after which the bot is killed, as far as races allow. `CRASH_SEED` and
`CRASH_ROUNDS` repeat a long run, or make it longer.
"""

import os
import random
import secrets
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.tasks import LocalKieTask
from bot.sandbox.telegram import LocalTelegram, Person, TelegramCall
from bot.sandbox.telegram.errors import server_error, too_many_requests
from bot.telegram.buttons import ButtonAction, parse_callback_data
from tests import bot_api_validator
from tests.crash.simulated_users import SimulatedUsers
from tests.crash.supervisor import Supervisor, run_supervised, sent_messages
from tests.crash.test_kill_at_every_point import RecordProperty
from tests.process_harness import BotSubprocess, ProcessHarness, make_photo, open_process_harness
from tests.reverse_proxy import open_reverse_proxy
from tests.stateful.invariants import UNANSWERED_JOBS
from tests.stateful.user_actions import list_buttons

#: for the long run
SEED = int(os.environ.get("CRASH_SEED") or secrets.randbelow(1 << 32))
ROUNDS = int(os.environ.get("CRASH_ROUNDS") or 200)

#: seconds until all work is done after the last fault: the circuit breaker pauses orders for up to ten minutes
TIMEOUT_SECONDS = 900.0

#: users pause above this number of open jobs: a bot that crashes all the time is slower than they are
MAX_OPEN_JOBS = 25

CUTS = (FaultKind.DISCONNECT_BEFORE, FaultKind.DISCONNECT_AFTER)

TELEGRAM_CALLS = ("sendPhoto", "sendMessage", "editMessageText", "deleteMessage", "getFile", "getUpdates", "file")
TELEGRAM_FAULTS = (
    Fault(FaultKind.DELAY, seconds=0.3), *(Fault(kind) for kind in CUTS), server_error(), too_many_requests(1),
)  # fmt: skip
KIE_CALLS = ("createTask", "recordInfo", "upload", "result")
KIE_FAULTS = (
    Fault(FaultKind.DELAY, seconds=0.3), *(Fault(kind) for kind in CUTS), HTML_502,
    Fault(FaultKind.RESPOND, status=429, body=b'{"code": 429, "msg": "Too many requests"}'),
)  # fmt: skip

#: tasks whose picture was sent as often as allowed, each time without confirmation; the user gets a text and a button
UNCONFIRMED_ANSWERS = """
    SELECT task_id FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer
        WHERE state = 'succeeded' AND kind = 'text' AND replaces = 'image' AND outcome = 'sent'"""

#: pressed at random; questions about uncertain orders are always answered
PRESSED_ACTIONS = frozenset({ButtonAction.VARIATION, ButtonAction.SEND_ORIGINAL, ButtonAction.DELETE_ANSWER})


@dataclass
class RandomUsers:
    """Users who act at random."""

    users: SimulatedUsers
    rng: random.Random
    #: per round
    max_actions: int
    #: of every request
    prompts: list[str] = field(default_factory=list)
    #: presses of "Again", by job
    variations: Counter[int] = field(default_factory=Counter)
    #: jobs whose answers were deleted: a reply to a remaining picture is no request
    deleted_jobs: set[int] = field(default_factory=set)

    def act(self) -> None:
        """Perform a random action of a random user."""
        self.rng.choice(
            (self._photo, self._album, self._in_group, self._reply, self._press, self._press, self._status)
        )()

    def _next_prompt(self) -> str:
        self.prompts.append(f"prompt {len(self.prompts) + 1}")
        return self.prompts[-1]

    def _picture(self) -> bytes:
        return make_photo(f"#{self.rng.randrange(1 << 24):06x}", (48, 32))

    def _photo(self) -> None:
        self._random_user().send_photo(self._picture(), caption=self._next_prompt())

    def _album(self) -> None:
        self._random_user().send_album([self._picture(), self._picture()], {1: self._next_prompt()})

    def _in_group(self) -> None:
        self._random_user().send_photo(self._picture(), caption=f"/edit {self._next_prompt()}", chat=self.users.group)

    def _status(self) -> None:
        self._random_user().send_text("/status")

    def _reply(self) -> None:
        person = self._random_user()
        messages = self.users.harness.telegram.bot_messages(person.id)
        answers = [
            each for each in messages if "photo" in each and not self.deleted_jobs.intersection(_jobs_about(each))
        ]
        if answers:
            person.send_text(self._next_prompt(), reply_to=self.rng.choice(answers)["message_id"])

    def _press(self) -> None:
        person = self._random_user()
        found = list_buttons(self.users.harness.telegram.bot_messages(person.id))
        offered = [
            (message_id, data, pressed)
            for message_id, data in found
            if (pressed := parse_callback_data(data)) is not None
        ]
        wanted = [each for each in offered if each[2].action in PRESSED_ACTIONS]
        if wanted:
            message_id, data, pressed = self.rng.choice(wanted)
            self.variations[pressed.target] += pressed.action is ButtonAction.VARIATION
            self.deleted_jobs.update({pressed.target} if pressed.action is ButtonAction.DELETE_ANSWER else ())
            person.press_button(message_id, data)

    def _random_user(self) -> Person:
        return self.rng.choice((self.users.ada, self.users.grace))


def _jobs_about(message: dict[str, Any]) -> set[int]:
    """Return the job whose buttons are under a message."""
    return {pressed.target for _, data in list_buttons([message]) if (pressed := parse_callback_data(data)) is not None}


@dataclass
class CrashRequestAuditor:
    """Validates every request, and records the calls that remain unconfirmed for the bot."""

    telegram: LocalTelegram
    unconfirmed_calls: set[int] = field(default_factory=set)

    def audit_request(self, method: str, params: Mapping[str, object], files: Mapping[str, object]) -> None:
        """Validate a request, which is the latest call."""
        bot_api_validator.validate_request(method, params, files)
        waiting = self.telegram.faults._queued.get(method)
        if waiting and waiting[0].kind in CUTS:
            self.unconfirmed_calls.add(len(self.telegram.calls) - 1)


@dataclass
class RandomRunResult:
    """The figures of a run."""

    rounds: int
    crashes: int
    requests: int
    orders: int
    questions: int
    lost: list[str]
    #: paid twice without a press
    paid_twice: list[str]
    #: answers that were repeated: sent right before a crash, or without a response from Telegram
    repeated_in_window: int
    repeated_outside_window: list[str]
    unanswered: list[str]
    #: pictures about which the user was told that they are unconfirmed
    unconfirmed: int
    #: milliseconds between `answering_at` and `answered_at`, of undisturbed answers
    windows_ms: list[int]

    def __str__(self) -> str:
        window = (
            f"{median(self.windows_ms):.0f} ms, at most {max(self.windows_ms)} ms" if self.windows_ms else "unknown"
        )
        return (
            f"{self.rounds} rounds, {self.crashes} crashes, {self.requests} requests, {self.orders} orders, "
            f"lost {len(self.lost)}, paid twice {len(self.paid_twice)}, answered twice in the window "
            f"{self.repeated_in_window} and outside {len(self.repeated_outside_window)}, "
            f"unanswered {len(self.unanswered)}, "
            f"unconfirmed {self.unconfirmed}, asked {self.questions}; the window: {window}"
        )


@dataclass(frozen=True)
class RandomRunConfig:
    """The length and options of a run."""

    seed: int
    rounds: int
    #: per round
    max_actions: int
    has_callbacks: bool


FEW = RandomRunConfig(seed=7, rounds=3, max_actions=3, has_callbacks=False)
MANY = RandomRunConfig(SEED, ROUNDS, max_actions=4, has_callbacks=False)
LONG = (pytest.mark.long, pytest.mark.timeout(3600))


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(FEW, id="a few"),
        pytest.param(MANY, marks=LONG, id="many without callbacks"),
        pytest.param(replace(MANY, has_callbacks=True), marks=LONG, id="many with callbacks"),
    ],
)
async def test_killed_at_random_the_bot_loses_nothing_and_pays_nothing_twice(
    tmp_path: Path, used_database: Path, run: RandomRunConfig, record_property: RecordProperty
) -> None:
    record_property("seed", run.seed)
    async with open_process_harness(tmp_path, credits=100_000.0) as harness, open_reverse_proxy() as proxy:
        harness.copy_database_from(used_database)
        auditor = CrashRequestAuditor(harness.telegram)
        harness.telegram._server._check = auditor.audit_request
        rng = random.Random(run.seed)  # noqa: S311 - reproducible on purpose
        random_users = RandomUsers(SimulatedUsers(harness, TIMEOUT_SECONDS), rng, run.max_actions)
        settings = {"PUBLIC_URL": proxy.url} if run.has_callbacks else {}
        supervisor = Supervisor(harness, None, proxy, ALBUM_WINDOW_SECONDS="0.3", **settings)
        await run_supervised(_run_rounds(random_users, supervisor, run.rounds), supervisor)
        counts = _summarise(random_users, supervisor, auditor, run.rounds)
        was_called = any(passed.status == 200 for passed in proxy.forwarded)
    record_property(f"killed at random, {'with' if run.has_callbacks else 'without'} callbacks", str(counts))
    assert (counts.lost, counts.paid_twice, counts.repeated_outside_window, counts.unanswered) == ([], [], [], [])
    assert counts.questions <= sum(len(crash.ordering_jobs) for crash in supervisor.crashes) + _count_uncertain_orders(
        harness
    )
    assert was_called == run.has_callbacks


async def _run_rounds(random_users: RandomUsers, supervisor: Supervisor, rounds: int) -> None:
    """Let users act, inject faults and kill the bot, round by round; then let it finish its work."""
    harness = random_users.users.harness
    for round_ in range(rounds):
        for _ in range(random_users.rng.randint(1, random_users.max_actions)):
            if _count_open_jobs(harness) < MAX_OPEN_JOBS:
                random_users.act()
        _inject_faults(harness, random_users.rng)
        bot = supervisor.bots[-1]
        await _let_bot_run(random_users, bot)
        await bot.kill()
        await _wait_for_crash(random_users, supervisor, round_ + 1)
    harness.telegram.faults.clear()
    harness.kie.faults.clear()
    await random_users.users.wait_until_idle()


async def _wait_for_crash(random_users: RandomUsers, supervisor: Supervisor, times: int) -> None:
    await random_users.users.wait_until(lambda _: len(supervisor.crashes) >= times or None)


async def _let_bot_run(random_users: RandomUsers, bot: BotSubprocess) -> None:
    """Let the bot run until it has logged a random number of lines, or for a random time."""
    begin, lines = len(bot.log), random_users.rng.randint(1, 120)
    await random_users.users.wait_until(lambda _: len(bot.log) > begin or None)
    with suppress(TimeoutError):
        await random_users.users.harness.telegram.wait_for(
            lambda _: bot.log.count("\n", begin) >= lines or None, random_users.rng.uniform(0.2, 3.0)
        )


def _inject_faults(harness: ProcessHarness, rng: random.Random) -> None:
    for _ in range(rng.randint(0, 2)):
        harness.telegram.faults.add(rng.choice(TELEGRAM_CALLS), rng.choice(TELEGRAM_FAULTS))
    if rng.random() < 0.5:
        harness.kie.faults.add(rng.choice(KIE_CALLS), rng.choice(KIE_FAULTS))


def _count_open_jobs(harness: ProcessHarness) -> int:
    return int(harness.query("SELECT count(*) FROM jobs WHERE finished_at IS NULL")[0][0])


def _count_uncertain_orders(harness: ProcessHarness) -> int:
    """Count the orders that were never clearly answered."""
    return int(harness.query("SELECT count(*) FROM attempts WHERE outcome = 'uncertain'")[0][0])


def _summarise(
    random_users: RandomUsers, supervisor: Supervisor, auditor: CrashRequestAuditor, rounds: int
) -> RandomRunResult:
    harness = random_users.users.harness
    inside, outside = _repeated_answers(harness, supervisor, auditor)
    windows = harness.query(
        "SELECT answered_at - answering_at FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer"
        " WHERE kind = 'image' AND uncertain_sends = 0 AND outbox.tries = 0 AND answered_at IS NOT NULL"
    )
    return RandomRunResult(
        rounds=rounds,
        crashes=len(supervisor.crashes),
        requests=len(random_users.prompts),
        orders=harness.count_orders(),
        questions=len(random_users.users.retries_pressed),
        lost=[prompt for prompt in random_users.prompts if not _jobs_for_prompt(harness, prompt)],
        paid_twice=[prompt for prompt in random_users.prompts if _is_paid_twice(random_users, prompt)],
        repeated_in_window=inside,
        repeated_outside_window=outside,
        unanswered=[f"job {row['id']}: {row['outcome']}" for row in harness.query(UNANSWERED_JOBS)]
        + _never_shown(harness),
        unconfirmed=len(harness.query(UNCONFIRMED_ANSWERS)),
        windows_ms=[row[0] for row in windows],
    )


def _jobs_for_prompt(harness: ProcessHarness, prompt: str) -> list[int]:
    return [row["id"] for row in harness.query("SELECT id, prompt FROM jobs") if row["prompt"] == prompt]


def _is_paid_twice(random_users: RandomUsers, prompt: str) -> bool:
    """Return whether a request led to more tasks than its button presses allow."""
    jobs = _jobs_for_prompt(random_users.users.harness, prompt)
    tasks = [task for task in random_users.users.harness.kie.tasks.values() if task.prompt == prompt]
    retries = sum(
        pressed.target in jobs
        for pressed in map(parse_callback_data, random_users.users.retries_pressed)
        if pressed is not None
    )
    variations = sum(random_users.variations[job] for job in jobs)
    return len(jobs) > 1 + variations or len(tasks) > len(jobs) + retries


def _sends_of_result(harness: ProcessHarness, task: LocalKieTask) -> list[int]:
    """Return the numbers of the calls that sent a task's picture as a photo."""
    return [
        number
        for number, call in enumerate(harness.telegram.calls)
        if call.method == "sendPhoto" and isinstance(call.result, dict) and _contains_result(call, task)
    ]


def _contains_result(call: TelegramCall, task: LocalKieTask) -> bool:
    return any(file.content == task.result for file in call.files.values())


def _repeated_answers(
    harness: ProcessHarness, supervisor: Supervisor, auditor: CrashRequestAuditor
) -> tuple[int, list[str]]:
    """Count the answers that were repeated in the documented window, and return those outside of it."""
    inside, outside = 0, []
    excused = {key for crash, key in supervisor.unrecorded_messages() if crash.answering_jobs}
    for task in harness.kie.tasks.values():
        for number in _sends_of_result(harness, task)[:-1]:
            [key] = sent_messages([harness.telegram.calls[number]])
            if number in auditor.unconfirmed_calls or key in excused:
                inside += 1
            else:
                outside.append(f"{task.prompt}: {key}")
    return inside, outside


def _never_shown(harness: ProcessHarness) -> list[str]:
    """Return the pictures that are stored as sent, but never were, except the unconfirmed ones."""
    succeeded = {row["task_id"] for row in harness.query("SELECT task_id FROM jobs WHERE state = 'succeeded'")}
    tasks = succeeded - {row["task_id"] for row in harness.query(UNCONFIRMED_ANSWERS)}
    edits = [call for call in harness.telegram.calls if call.method == "editMessageMedia"]
    return [
        f"{task.prompt}: never shown"
        for task in harness.kie.tasks.values()
        if task.id in tasks
        and not _sends_of_result(harness, task)
        and not any(_contains_result(call, task) for call in edits)
    ]
