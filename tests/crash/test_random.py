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

from bot.chat.buttons import Action, read
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_tasks import Task
from bot.sandbox.telegram import Call, LocalTelegram, Person
from bot.sandbox.telegram.refusals import server_error, too_many
from tests import oracle
from tests.crash.stage import Stage
from tests.crash.supervisor import Supervisor, first_of, sent_by
from tests.crash.test_every_point import Note
from tests.front import a_front
from tests.machine.ledger import buttons_of
from tests.machine.truths import ANSWERLESS
from tests.world import Bot, World, a_photo, a_world

#: The long run: as many rounds as the other long forms take time.
SEED = int(os.environ.get("CRASH_SEED") or secrets.randbelow(1 << 32))
ROUNDS = int(os.environ.get("CRASH_ROUNDS") or 200)

#: Seconds that the end may take, when nothing goes wrong any more: orders are left alone for up to ten minutes
#: after several in a row that ended without a clear answer.
PATIENCE = 900.0

#: Jobs that may be open while people go on: a bot that dies all the time gets less done than they can ask for.
MOST_OPEN = 25

CUTS = (Kind.CUT_BEFORE, Kind.CUT_AFTER)

TELEGRAM_CALLS = ("sendPhoto", "sendMessage", "editMessageText", "deleteMessage", "getFile", "getUpdates", "file")
TELEGRAM_FAULTS = (
    Fault(Kind.SLOW, seconds=0.3), *(Fault(kind) for kind in CUTS), server_error(), too_many(1),
)  # fmt: skip
KIE_CALLS = ("createTask", "recordInfo", "upload", "result")
KIE_FAULTS = (
    Fault(Kind.SLOW, seconds=0.3), *(Fault(kind) for kind in CUTS), HTML_502,
    Fault(Kind.ANSWER, status=429, body=b'{"code": 429, "msg": "Too many requests"}'),
)  # fmt: skip

#: Tasks whose picture was sent as often as may be, each time without a clear answer, or by a bot that died: the person
#: is told so, and has a button for it.
UNCONFIRMED = """
    SELECT task_id FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer
        WHERE state = 'succeeded' AND kind = 'text' AND instead_of = 'picture' AND ending = 'sent'"""

#: What people press by the way; what they are asked about an order in doubt, they answer in any case.
PRESSED = frozenset({Action.VARIATION, Action.ORIGINAL, Action.DELETE})


@dataclass
class Crowd:
    """What people did, and what they may expect for it."""

    stage: Stage
    dice: random.Random
    #: what people do at most between two deaths
    most: int
    #: the words of every request
    wishes: list[str] = field(default_factory=list)
    #: presses of "Again", by the job that they were for
    variations: Counter[int] = field(default_factory=Counter)
    #: jobs whose pictures somebody has had deleted: who replies to one that is still there is told so, and that is all
    deleted: set[int] = field(default_factory=set)

    def acts(self) -> None:
        """Let somebody do something."""
        self.dice.choice(
            (self._photo, self._album, self._in_group, self._reply, self._press, self._press, self._words)
        )()

    def _wish(self) -> str:
        self.wishes.append(f"wish {len(self.wishes) + 1}")
        return self.wishes[-1]

    def _picture(self) -> bytes:
        return a_photo(f"#{self.dice.randrange(1 << 24):06x}", (48, 32))

    def _photo(self) -> None:
        self._somebody().send_photo(self._picture(), caption=self._wish())

    def _album(self) -> None:
        self._somebody().send_album([self._picture(), self._picture()], {1: self._wish()})

    def _in_group(self) -> None:
        self._somebody().send_photo(self._picture(), caption=f"/edit {self._wish()}", chat=self.stage.group)

    def _words(self) -> None:
        self._somebody().send_text("/status")

    def _reply(self) -> None:
        person = self._somebody()
        messages = self.stage.world.telegram.bot_messages(person.id)
        answers = [each for each in messages if "photo" in each and not self.deleted.intersection(_jobs_about(each))]
        if answers:
            person.send_text(self._wish(), reply_to=self.dice.choice(answers)["message_id"])

    def _press(self) -> None:
        person = self._somebody()
        found = buttons_of(self.stage.world.telegram.bot_messages(person.id))
        offered = [(message_id, data, pressed) for message_id, data in found if (pressed := read(data)) is not None]
        wanted = [each for each in offered if each[2].action in PRESSED]
        if wanted:
            message_id, data, pressed = self.dice.choice(wanted)
            self.variations[pressed.about] += pressed.action is Action.VARIATION
            self.deleted.update({pressed.about} if pressed.action is Action.DELETE else ())
            person.press(message_id, data)

    def _somebody(self) -> Person:
        return self.dice.choice((self.stage.ada, self.stage.grace))


def _jobs_about(message: dict[str, Any]) -> set[int]:
    """Return the job whose buttons are under a message."""
    return {pressed.about for _, data in buttons_of([message]) if (pressed := read(data)) is not None}


@dataclass
class Witness:
    """Judges every request, and notes the calls of which the bot cannot know that they were carried out."""

    telegram: LocalTelegram
    at_risk: set[int] = field(default_factory=set)

    def check(self, method: str, params: Mapping[str, object], files: Mapping[str, object]) -> None:
        """Judge one request, which is the latest of the calls."""
        oracle.check(method, params, files)
        waiting = self.telegram.faults._waiting.get(method)
        if waiting and waiting[0].kind in CUTS:
            self.at_risk.add(len(self.telegram.calls) - 1)


@dataclass
class Counts:
    """What became of it all."""

    rounds: int
    deaths: int
    wishes: int
    orders: int
    asked: int
    lost: list[str]
    #: paid twice without a press
    paid_twice: list[str]
    #: answers that came twice: sent right before a death or without an answer from Telegram
    twice_inside: int
    twice_outside: list[str]
    unanswered: list[str]
    #: pictures of which people were told that nobody knows whether they arrived
    unconfirmed: int
    #: milliseconds between `answering_at` and `answered_at`, where nothing came in between
    window: list[int]

    def __str__(self) -> str:
        window = f"{median(self.window):.0f} ms, at most {max(self.window)} ms" if self.window else "unknown"
        return (
            f"{self.rounds} rounds, {self.deaths} deaths, {self.wishes} requests, {self.orders} orders, "
            f"lost {len(self.lost)}, paid twice {len(self.paid_twice)}, answered twice in the window "
            f"{self.twice_inside} and outside {len(self.twice_outside)}, unanswered {len(self.unanswered)}, "
            f"unconfirmed {self.unconfirmed}, asked {self.asked}; the window: {window}"
        )


@dataclass(frozen=True)
class Run:
    """How long a run is, and whether Kie calls back."""

    seed: int
    rounds: int
    #: what people do at most between two deaths
    most: int
    is_called: bool


FEW = Run(seed=7, rounds=3, most=3, is_called=False)
MANY = Run(SEED, ROUNDS, most=4, is_called=False)
LONG = (pytest.mark.long, pytest.mark.timeout(3600))


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(FEW, id="a few"),
        pytest.param(MANY, marks=LONG, id="many without callbacks"),
        pytest.param(replace(MANY, is_called=True), marks=LONG, id="many with callbacks"),
    ],
)
async def test_killed_at_random_the_bot_loses_nothing_and_pays_nothing_twice(
    tmp_path: Path, used: Path, run: Run, record_property: Note
) -> None:
    record_property("seed", run.seed)
    async with a_world(tmp_path, credits=100_000.0) as world, a_front() as front:
        world.begin_with(used)
        witness = Witness(world.telegram)
        world.telegram._door._check = witness.check
        dice = random.Random(run.seed)  # noqa: S311 - reproducible on purpose
        crowd = Crowd(Stage(world, PATIENCE), dice, run.most)
        settings = {"PUBLIC_URL": front.url} if run.is_called else {}
        supervisor = Supervisor(world, None, front, ALBUM_WINDOW_SECONDS="0.3", **settings)
        await first_of(asyncio.create_task(_play(crowd, supervisor, run.rounds)), asyncio.create_task(supervisor.run()))
        counts = _counted(crowd, supervisor, witness, run.rounds)
        was_called = any(passed.status == 200 for passed in front.passed)
    record_property(f"killed at random, {'with' if run.is_called else 'without'} callbacks", str(counts))
    assert (counts.lost, counts.paid_twice, counts.twice_outside, counts.unanswered) == ([], [], [], [])
    assert counts.asked <= sum(len(death.ordering) for death in supervisor.deaths) + _unclear(world)
    assert was_called == run.is_called


async def _play(crowd: Crowd, supervisor: Supervisor, rounds: int) -> None:
    """Let people act and things go wrong, kill the bot; in the end let it do what is left to do."""
    world = crowd.stage.world
    for round_ in range(rounds):
        for _ in range(crowd.dice.randint(1, crowd.most)):
            if _open_jobs(world) < MOST_OPEN:
                crowd.acts()
        _go_wrong(world, crowd.dice)
        bot = supervisor.bots[-1]
        await _lives(crowd, bot)
        await bot.kill()
        await _has_died(crowd, supervisor, round_ + 1)
    world.telegram.faults.clear()
    world.kie.faults.clear()
    await crowd.stage.settles()


async def _has_died(crowd: Crowd, supervisor: Supervisor, times: int) -> None:
    await crowd.stage.until(lambda _: len(supervisor.deaths) >= times or None)


async def _lives(crowd: Crowd, bot: Bot) -> None:
    """Let a process live until it has logged so and so much, or for a moment."""
    begin, lines = len(bot.log), crowd.dice.randint(1, 120)
    await crowd.stage.until(lambda _: len(bot.log) > begin or None)
    with suppress(TimeoutError):
        await crowd.stage.world.telegram.wait_for(
            lambda _: bot.log.count("\n", begin) >= lines or None, crowd.dice.uniform(0.2, 3.0)
        )


def _go_wrong(world: World, dice: random.Random) -> None:
    for _ in range(dice.randint(0, 2)):
        world.telegram.faults.add(dice.choice(TELEGRAM_CALLS), dice.choice(TELEGRAM_FAULTS))
    if dice.random() < 0.5:
        world.kie.faults.add(dice.choice(KIE_CALLS), dice.choice(KIE_FAULTS))


def _open_jobs(world: World) -> int:
    return int(world.rows("SELECT count(*) FROM jobs WHERE finished_at IS NULL")[0][0])


def _unclear(world: World) -> int:
    """Count the orders that were never clearly answered."""
    return int(world.rows("SELECT count(*) FROM attempts WHERE outcome = 'unclear'")[0][0])


def _counted(crowd: Crowd, supervisor: Supervisor, witness: Witness, rounds: int) -> Counts:
    world = crowd.stage.world
    inside, outside = _twice(world, supervisor, witness)
    windows = world.rows(
        "SELECT answered_at - answering_at FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer"
        " WHERE kind = 'picture' AND in_doubt = 0 AND outbox.tries = 0 AND answered_at IS NOT NULL"
    )
    return Counts(
        rounds=rounds,
        deaths=len(supervisor.deaths),
        wishes=len(crowd.wishes),
        orders=world.creates(),
        asked=len(crowd.stage.agains),
        lost=[wish for wish in crowd.wishes if not _jobs(world, wish)],
        paid_twice=[wish for wish in crowd.wishes if _is_paid_twice(crowd, wish)],
        twice_inside=inside,
        twice_outside=outside,
        unanswered=[f"job {row['id']}: {row['ending']}" for row in world.rows(ANSWERLESS)] + _not_shown(world),
        unconfirmed=len(world.rows(UNCONFIRMED)),
        window=[row[0] for row in windows],
    )


def _jobs(world: World, wish: str) -> list[int]:
    return [row["id"] for row in world.rows("SELECT id, prompt FROM jobs") if row["prompt"] == wish]


def _is_paid_twice(crowd: Crowd, wish: str) -> bool:
    """Say whether a request led to more than was pressed for."""
    jobs = _jobs(crowd.stage.world, wish)
    tasks = [task for task in crowd.stage.world.kie.tasks.values() if task.prompt == wish]
    agains = sum(pressed.about in jobs for pressed in map(read, crowd.stage.agains) if pressed is not None)
    variations = sum(crowd.variations[job] for job in jobs)
    return len(jobs) > 1 + variations or len(tasks) > len(jobs) + agains


def _sends(world: World, task: Task) -> list[int]:
    """Return the numbers of the calls that put a task's picture into a chat as a photo."""
    return [
        number
        for number, call in enumerate(world.telegram.calls)
        if call.method == "sendPhoto" and isinstance(call.result, dict) and _shows(call, task)
    ]


def _shows(call: Call, task: Task) -> bool:
    return any(file.content == task.result for file in call.files.values())


def _twice(world: World, supervisor: Supervisor, witness: Witness) -> tuple[int, list[str]]:
    """Tell the answers that were sent once more: in the documented window, and those with no such excuse."""
    inside, outside = 0, []
    excused = {key for death, key in supervisor.unwritten() if death.answering}
    for task in world.kie.tasks.values():
        for number in _sends(world, task)[:-1]:
            [key] = sent_by([world.telegram.calls[number]])
            if number in witness.at_risk or key in excused:
                inside += 1
            else:
                outside.append(f"{task.prompt}: {key}")
    return inside, outside


def _not_shown(world: World) -> list[str]:
    """Name the pictures that are said to have been sent, and never were: of the `UNCONFIRMED` it is not said."""
    succeeded = {row["task_id"] for row in world.rows("SELECT task_id FROM jobs WHERE state = 'succeeded'")}
    tasks = succeeded - {row["task_id"] for row in world.rows(UNCONFIRMED)}
    edits = [call for call in world.telegram.calls if call.method == "editMessageMedia"]
    return [
        f"{task.prompt}: never shown"
        for task in world.kie.tasks.values()
        if task.id in tasks and not _sends(world, task) and not any(_shows(call, task) for call in edits)
    ]
