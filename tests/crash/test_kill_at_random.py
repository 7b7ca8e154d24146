"""SIGKILL at random, round after round, with whatever else can go wrong, while people talk to the bot.

The servers survive and know the truth. `make test` plays a few rounds of a
fixed seed, `make crash` many of a random one, which is printed, with callbacks
and without; a seed decides what people do, what goes wrong and after which line
of its log the bot is killed, as far as a race can be decided. `CRASH_SEED` and
`CRASH_ROUNDS` repeat a long run, or make it longer.
"""

import asyncio
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
from tests.crash.supervisor import Supervisor, sent_messages, wait_for_first
from tests.crash.test_kill_at_every_point import RecordProperty
from tests.process_harness import BotSubprocess, ProcessHarness, make_photo, open_process_harness
from tests.reverse_proxy import open_reverse_proxy
from tests.stateful.invariants import UNANSWERED_JOBS
from tests.stateful.user_actions import list_buttons

#: The long run: as many rounds as the other long forms take time.
SEED = int(os.environ.get("CRASH_SEED") or secrets.randbelow(1 << 32))
ROUNDS = int(os.environ.get("CRASH_ROUNDS") or 200)

#: Seconds that the end may take, when nothing goes wrong any more: orders are left alone for up to ten minutes
#: after several in a row that ended without a clear answer.
TIMEOUT_SECONDS = 900.0

#: Jobs that may be open while people go on: a bot that dies all the time gets less done than they can ask for.
MAX_OPEN_JOBS = 25

CUTS = (FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER)

TELEGRAM_CALLS = ("sendPhoto", "sendMessage", "editMessageText", "deleteMessage", "getFile", "getUpdates", "file")
TELEGRAM_FAULTS = (
    Fault(FaultKind.SLOW, seconds=0.3), *(Fault(kind) for kind in CUTS), server_error(), too_many_requests(1),
)  # fmt: skip
KIE_CALLS = ("createTask", "recordInfo", "upload", "result")
KIE_FAULTS = (
    Fault(FaultKind.SLOW, seconds=0.3), *(Fault(kind) for kind in CUTS), HTML_502,
    Fault(FaultKind.ANSWER, status=429, body=b'{"code": 429, "msg": "Too many requests"}'),
)  # fmt: skip

#: Tasks whose picture was sent as often as may be, each time without a clear answer, or by a bot that died: the person
#: is told so, and has a button for it.
UNCONFIRMED_ANSWERS = """
    SELECT task_id FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer
        WHERE state = 'succeeded' AND kind = 'text' AND replaces = 'image' AND outcome = 'sent'"""

#: What people press by the way; what they are asked about an order in doubt, they answer in any case.
PRESSED_ACTIONS = frozenset({ButtonAction.VARIATION, ButtonAction.SEND_ORIGINAL, ButtonAction.DELETE_ANSWER})


@dataclass
class RandomUsers:
    """What people did, and what they may expect for it."""

    users: SimulatedUsers
    dice: random.Random
    #: what people do at most between two deaths
    max_actions: int
    #: the words of every request
    prompts: list[str] = field(default_factory=list)
    #: presses of "Again", by the job that they were for
    variations: Counter[int] = field(default_factory=Counter)
    #: jobs whose pictures somebody has had deleted: who replies to one that is still there is told so, and that is all
    deleted_jobs: set[int] = field(default_factory=set)

    def act(self) -> None:
        """Let somebody do something."""
        self.dice.choice(
            (self._photo, self._album, self._in_group, self._reply, self._press, self._press, self._words)
        )()

    def _next_prompt(self) -> str:
        self.prompts.append(f"wish {len(self.prompts) + 1}")
        return self.prompts[-1]

    def _picture(self) -> bytes:
        return make_photo(f"#{self.dice.randrange(1 << 24):06x}", (48, 32))

    def _photo(self) -> None:
        self._somebody().send_photo(self._picture(), caption=self._next_prompt())

    def _album(self) -> None:
        self._somebody().send_album([self._picture(), self._picture()], {1: self._next_prompt()})

    def _in_group(self) -> None:
        self._somebody().send_photo(self._picture(), caption=f"/edit {self._next_prompt()}", chat=self.users.group)

    def _words(self) -> None:
        self._somebody().send_text("/status")

    def _reply(self) -> None:
        person = self._somebody()
        messages = self.users.harness.telegram.bot_messages(person.id)
        answers = [
            each for each in messages if "photo" in each and not self.deleted_jobs.intersection(_jobs_about(each))
        ]
        if answers:
            person.send_text(self._next_prompt(), reply_to=self.dice.choice(answers)["message_id"])

    def _press(self) -> None:
        person = self._somebody()
        found = list_buttons(self.users.harness.telegram.bot_messages(person.id))
        offered = [
            (message_id, data, pressed)
            for message_id, data in found
            if (pressed := parse_callback_data(data)) is not None
        ]
        wanted = [each for each in offered if each[2].action in PRESSED_ACTIONS]
        if wanted:
            message_id, data, pressed = self.dice.choice(wanted)
            self.variations[pressed.target] += pressed.action is ButtonAction.VARIATION
            self.deleted_jobs.update({pressed.target} if pressed.action is ButtonAction.DELETE_ANSWER else ())
            person.press_button(message_id, data)

    def _somebody(self) -> Person:
        return self.dice.choice((self.users.ada, self.users.grace))


def _jobs_about(message: dict[str, Any]) -> set[int]:
    """Return the job whose buttons are under a message."""
    return {pressed.target for _, data in list_buttons([message]) if (pressed := parse_callback_data(data)) is not None}


@dataclass
class CrashRequestAuditor:
    """Judges every request, and notes the calls of which the bot cannot know that they were carried out."""

    telegram: LocalTelegram
    unconfirmed_calls: set[int] = field(default_factory=set)

    def audit_request(self, method: str, params: Mapping[str, object], files: Mapping[str, object]) -> None:
        """Judge one request, which is the latest of the calls."""
        bot_api_validator.validate_request(method, params, files)
        waiting = self.telegram.faults._queued.get(method)
        if waiting and waiting[0].kind in CUTS:
            self.unconfirmed_calls.add(len(self.telegram.calls) - 1)


@dataclass
class RandomRunResult:
    """What became of it all."""

    rounds: int
    crashes: int
    requests: int
    orders: int
    questions: int
    lost: list[str]
    #: paid twice without a press
    paid_twice: list[str]
    #: answers that came twice: sent right before a death or without an answer from Telegram
    repeated_in_window: int
    repeated_outside_window: list[str]
    unanswered: list[str]
    #: pictures of which people were told that nobody knows whether they arrived
    unconfirmed: int
    #: milliseconds between `answering_at` and `answered_at`, where nothing came in between
    windows_ms: list[int]

    def __str__(self) -> str:
        window = (
            f"{median(self.windows_ms):.0f} ms, at most {max(self.windows_ms)} ms" if self.windows_ms else "unknown"
        )
        return (
            f"{self.rounds} rounds, {self.crashes} deaths, {self.requests} requests, {self.orders} orders, "
            f"lost {len(self.lost)}, paid twice {len(self.paid_twice)}, answered twice in the window "
            f"{self.repeated_in_window} and outside {len(self.repeated_outside_window)}, "
            f"unanswered {len(self.unanswered)}, "
            f"unconfirmed {self.unconfirmed}, asked {self.questions}; the window: {window}"
        )


@dataclass(frozen=True)
class RandomRunConfig:
    """How long a run is, and whether Kie calls back."""

    seed: int
    rounds: int
    #: what people do at most between two deaths
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
    tmp_path: Path, used: Path, run: RandomRunConfig, record_property: RecordProperty
) -> None:
    record_property("seed", run.seed)
    async with open_process_harness(tmp_path, credits=100_000.0) as world, open_reverse_proxy() as front:
        world.copy_database_from(used)
        witness = CrashRequestAuditor(world.telegram)
        world.telegram._server._check = witness.audit_request
        dice = random.Random(run.seed)  # noqa: S311 - reproducible on purpose
        crowd = RandomUsers(SimulatedUsers(world, TIMEOUT_SECONDS), dice, run.max_actions)
        settings = {"PUBLIC_URL": front.url} if run.has_callbacks else {}
        supervisor = Supervisor(world, None, front, ALBUM_WINDOW_SECONDS="0.3", **settings)
        await wait_for_first(
            asyncio.create_task(_run_rounds(crowd, supervisor, run.rounds)), asyncio.create_task(supervisor.run())
        )
        counts = _summarise(crowd, supervisor, witness, run.rounds)
        was_called = any(passed.status == 200 for passed in front.forwarded)
    record_property(f"killed at random, {'with' if run.has_callbacks else 'without'} callbacks", str(counts))
    assert (counts.lost, counts.paid_twice, counts.repeated_outside_window, counts.unanswered) == ([], [], [], [])
    assert counts.questions <= sum(len(death.ordering_jobs) for death in supervisor.crashes) + _count_uncertain_orders(
        world
    )
    assert was_called == run.has_callbacks


async def _run_rounds(crowd: RandomUsers, supervisor: Supervisor, rounds: int) -> None:
    """Let people act and things go wrong, kill the bot; in the end let it do what is left to do."""
    world = crowd.users.harness
    for round_ in range(rounds):
        for _ in range(crowd.dice.randint(1, crowd.max_actions)):
            if _count_open_jobs(world) < MAX_OPEN_JOBS:
                crowd.act()
        _inject_faults(world, crowd.dice)
        bot = supervisor.bots[-1]
        await _let_bot_run(crowd, bot)
        await bot.kill()
        await _wait_for_crash(crowd, supervisor, round_ + 1)
    world.telegram.faults.clear()
    world.kie.faults.clear()
    await crowd.users.wait_until_idle()


async def _wait_for_crash(crowd: RandomUsers, supervisor: Supervisor, times: int) -> None:
    await crowd.users.wait_until(lambda _: len(supervisor.crashes) >= times or None)


async def _let_bot_run(crowd: RandomUsers, bot: BotSubprocess) -> None:
    """Let a process live until it has logged so and so much, or for a moment."""
    begin, lines = len(bot.log), crowd.dice.randint(1, 120)
    await crowd.users.wait_until(lambda _: len(bot.log) > begin or None)
    with suppress(TimeoutError):
        await crowd.users.harness.telegram.wait_for(
            lambda _: bot.log.count("\n", begin) >= lines or None, crowd.dice.uniform(0.2, 3.0)
        )


def _inject_faults(world: ProcessHarness, dice: random.Random) -> None:
    for _ in range(dice.randint(0, 2)):
        world.telegram.faults.add(dice.choice(TELEGRAM_CALLS), dice.choice(TELEGRAM_FAULTS))
    if dice.random() < 0.5:
        world.kie.faults.add(dice.choice(KIE_CALLS), dice.choice(KIE_FAULTS))


def _count_open_jobs(world: ProcessHarness) -> int:
    return int(world.query("SELECT count(*) FROM jobs WHERE finished_at IS NULL")[0][0])


def _count_uncertain_orders(world: ProcessHarness) -> int:
    """Count the orders that were never clearly answered."""
    return int(world.query("SELECT count(*) FROM attempts WHERE outcome = 'uncertain'")[0][0])


def _summarise(
    crowd: RandomUsers, supervisor: Supervisor, witness: CrashRequestAuditor, rounds: int
) -> RandomRunResult:
    world = crowd.users.harness
    inside, outside = _repeated_answers(world, supervisor, witness)
    windows = world.query(
        "SELECT answered_at - answering_at FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer"
        " WHERE kind = 'image' AND uncertain_sends = 0 AND outbox.tries = 0 AND answered_at IS NOT NULL"
    )
    return RandomRunResult(
        rounds=rounds,
        crashes=len(supervisor.crashes),
        requests=len(crowd.prompts),
        orders=world.count_orders(),
        questions=len(crowd.users.retries_pressed),
        lost=[wish for wish in crowd.prompts if not _jobs_for_prompt(world, wish)],
        paid_twice=[wish for wish in crowd.prompts if _is_paid_twice(crowd, wish)],
        repeated_in_window=inside,
        repeated_outside_window=outside,
        unanswered=[f"job {row['id']}: {row['outcome']}" for row in world.query(UNANSWERED_JOBS)] + _never_shown(world),
        unconfirmed=len(world.query(UNCONFIRMED_ANSWERS)),
        windows_ms=[row[0] for row in windows],
    )


def _jobs_for_prompt(world: ProcessHarness, wish: str) -> list[int]:
    return [row["id"] for row in world.query("SELECT id, prompt FROM jobs") if row["prompt"] == wish]


def _is_paid_twice(crowd: RandomUsers, wish: str) -> bool:
    """Say whether a request led to more than was pressed for."""
    jobs = _jobs_for_prompt(crowd.users.harness, wish)
    tasks = [task for task in crowd.users.harness.kie.tasks.values() if task.prompt == wish]
    agains = sum(
        pressed.target in jobs
        for pressed in map(parse_callback_data, crowd.users.retries_pressed)
        if pressed is not None
    )
    variations = sum(crowd.variations[job] for job in jobs)
    return len(jobs) > 1 + variations or len(tasks) > len(jobs) + agains


def _sends_of_result(world: ProcessHarness, task: LocalKieTask) -> list[int]:
    """Return the numbers of the calls that put a task's picture into a chat as a photo."""
    return [
        number
        for number, call in enumerate(world.telegram.calls)
        if call.method == "sendPhoto" and isinstance(call.result, dict) and _contains_result(call, task)
    ]


def _contains_result(call: TelegramCall, task: LocalKieTask) -> bool:
    return any(file.content == task.result for file in call.files.values())


def _repeated_answers(
    world: ProcessHarness, supervisor: Supervisor, witness: CrashRequestAuditor
) -> tuple[int, list[str]]:
    """Tell the answers that were sent once more: in the documented window, and those with no such excuse."""
    inside, outside = 0, []
    excused = {key for death, key in supervisor.unrecorded_messages() if death.answering_jobs}
    for task in world.kie.tasks.values():
        for number in _sends_of_result(world, task)[:-1]:
            [key] = sent_messages([world.telegram.calls[number]])
            if number in witness.unconfirmed_calls or key in excused:
                inside += 1
            else:
                outside.append(f"{task.prompt}: {key}")
    return inside, outside


def _never_shown(world: ProcessHarness) -> list[str]:
    """Name the pictures that are said to have been sent, and never were: of the `UNCONFIRMED` it is not said."""
    succeeded = {row["task_id"] for row in world.query("SELECT task_id FROM jobs WHERE state = 'succeeded'")}
    tasks = succeeded - {row["task_id"] for row in world.query(UNCONFIRMED_ANSWERS)}
    edits = [call for call in world.telegram.calls if call.method == "editMessageMedia"]
    return [
        f"{task.prompt}: never shown"
        for task in world.kie.tasks.values()
        if task.id in tasks
        and not _sends_of_result(world, task)
        and not any(_contains_result(call, task) for call in edits)
    ]
