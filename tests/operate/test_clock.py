"""A clock that is set does no harm to what waits, whatever state it is in."""

import itertools
import sys
import threading
from pathlib import Path

import pytest

from bot.job import State
from bot.operate.clock import SteadyClock
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import STUCK, SUCCESS
from tests.house import NOON, House, a_house
from tests.world import a_photo, english

HOUR, DAY = 3600.0, 86_400.0

JUMPS = (-3 * DAY, -HOUR, HOUR, 3 * DAY)


class Wall:
    """A clock on the wall, and seconds that really pass."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.off = 0.0
        self.clock = SteadyClock(self.of_day, lambda: self.passed)

    def of_day(self) -> int:
        """Return what the wall says."""
        return round((NOON + self.passed + self.off) * 1000)


@pytest.mark.parametrize("jump", JUMPS)
def test_time_goes_on_as_it_passes_when_the_clock_is_set(jump: float) -> None:
    wall = Wall()
    before = wall.clock()
    wall.off = jump
    wall.passed += 10.0
    assert wall.clock() - before == pytest.approx(10_000, abs=110)


def test_a_clock_that_goes_a_little_wrong_is_followed() -> None:
    wall = Wall()
    for _ in range(1000):
        wall.passed += 10.0
        wall.off += 0.05
        wall.clock()
    assert wall.clock() == wall.of_day()


def test_many_questions_in_a_moment_do_not_bring_the_jump_nearer() -> None:
    wall = Wall()
    wall.off = HOUR
    moments = [wall.clock() for _ in range(1000)]
    assert max(moments) - min(moments) <= 2


def test_two_threads_never_see_it_fall_back() -> None:
    passing = itertools.count()

    def seconds() -> float:
        return float(next(passing))  # each reading is a second after the one before, whichever thread makes it

    clock = SteadyClock(lambda: round((NOON + seconds()) * 1000), seconds)
    fell_back: list[int] = []

    def ask() -> None:
        before = clock()
        for _ in range(10_000):
            moment = clock()
            if moment < before:
                fell_back.append(before - moment)
            before = moment

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the threads take turns as often as they can
    try:
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert fell_back == []


def test_that_the_clock_was_set_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    wall = Wall()
    wall.off = HOUR
    for _ in range(5):
        wall.passed += 1
        wall.clock()
    assert [record.getMessage() for record in caplog.records if "the clock was set" in record.getMessage()] != []
    assert len(caplog.records) == 1


def _set(house: House, seconds: float) -> None:
    """Set the clock on the wall of a bot that runs: what it counts by goes on."""
    steady = house.bot.worker._clock
    assert isinstance(steady, SteadyClock)
    real = steady._of_day
    steady._of_day = lambda: real() + round(seconds * 1000)


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_is_set_while_the_bot_runs_changes_nothing_for_anybody(tmp_path: Path, jump: float) -> None:
    async with a_house(tmp_path, max_running=2, creates_per_10_seconds=2) as house:
        house.kie.script(SUCCESS, STUCK)
        house.ada.send_photo(a_photo())  # lacks its words
        for _ in range(4):  # of these one hangs at Kie, one is finished, and two wait
            house.ada.send_photo(a_photo(), caption="make it snow")
        house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))  # and the first one is in doubt
        await house.hear()
        _set(house, jump)
        await house.pass_time(1200)
        states = [(await house.job(number)).state for number in range(1, 6)]
        assert states[:2] == [State.GATHERING, State.SUBMITTING]
        assert len(house.pictures()) == 2
        assert house.words() == []
        assert house.kie.creates_in_window() <= 2
        texts = [status["text"] for status in house.statuses()]
        assert english("takes-long") in texts
        assert english("doubt") in texts


@pytest.mark.parametrize("back", [HOUR, 3 * DAY])
async def test_a_clock_that_was_set_back_while_the_bot_was_stopped_keeps_nobody_waiting(
    tmp_path: Path, back: float
) -> None:
    async with a_house(tmp_path, creates_per_10_seconds=2) as house:
        await house.ask(a_photo())
        house.kie.faults.add("createTask", Fault(Kind.ANSWER, body=b'{"code": 429, "msg": "too often"}', status=200))
        await house.ask(a_photo("red"))
        house.telegram.faults.add("sendPhoto", Fault(Kind.CUT_BEFORE))
        await house.kie.wait_for(house._pictures_are_made)
        house.clock.now -= back
        for task in house.kie.tasks.values():
            task.created_at -= back
            task.due_at -= back
        await house.restart()
        await house.pass_time(120)
        assert len(house.pictures()) == 2
        assert house.kie.creates_in_window() <= 2
