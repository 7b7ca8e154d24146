"""A clock that is set harms no job or message, whatever its state."""

import itertools
import sys
import threading
from pathlib import Path

import pytest

from bot.clock import SteadyClock
from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK, SUCCESS
from tests.bot_harness import NOON, BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

HOUR, DAY = 3600.0, 86_400.0

JUMPS = (-3 * DAY, -HOUR, HOUR, 3 * DAY)


class AdjustableClock:
    """A wall clock that can be set, and the seconds that really elapsed."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.offset = 0.0
        self.clock = SteadyClock(self.wall_time, lambda: self.elapsed)

    def wall_time(self) -> int:
        """Return the wall clock's time."""
        return round((NOON + self.elapsed + self.offset) * 1000)


@pytest.mark.parametrize("jump", JUMPS)
def test_time_goes_on_as_it_passes_when_the_clock_is_set(jump: float) -> None:
    wall = AdjustableClock()
    before = wall.clock()
    wall.offset = jump
    wall.elapsed += 10.0
    assert wall.clock() - before == pytest.approx(10_000, abs=110)


def test_a_clock_that_goes_a_little_wrong_is_followed() -> None:
    wall = AdjustableClock()
    for _ in range(1000):
        wall.elapsed += 10.0
        wall.offset += 0.05
        wall.clock()
    assert wall.clock() == wall.wall_time()


def test_many_questions_in_a_moment_do_not_bring_the_jump_nearer() -> None:
    wall = AdjustableClock()
    wall.offset = HOUR
    moments = [wall.clock() for _ in range(1000)]
    assert max(moments) - min(moments) <= 2


def test_two_threads_never_see_it_fall_back() -> None:
    passing = itertools.count()

    def seconds() -> float:
        return float(next(passing))  # each reading is a second later, whichever thread makes it

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
    wall = AdjustableClock()
    wall.offset = HOUR
    for _ in range(5):
        wall.elapsed += 1
        wall.clock()
    assert [record.getMessage() for record in caplog.records if "the clock was set" in record.getMessage()] != []
    assert len(caplog.records) == 1


def _set_wall_clock(house: BotHarness, seconds: float) -> None:
    """Set the wall clock of a running bot; its monotonic clock goes on."""
    steady = house.bot.worker._clock
    assert isinstance(steady, SteadyClock)
    real = steady._wall_clock
    steady._wall_clock = lambda: real() + round(seconds * 1000)


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_is_set_while_the_bot_runs_changes_nothing_for_anybody(tmp_path: Path, jump: float) -> None:
    async with open_bot_harness(tmp_path, max_running=2, creates_per_10_seconds=2) as house:
        house.kie.script_outcomes(SUCCESS, STUCK)
        house.ada.send_photo(make_photo())  # lacks its prompt
        for _ in range(4):  # one of them hangs at Kie, one is finished, and two wait
            house.ada.send_photo(make_photo(), caption="make it snow")
        house.kie.faults.add(
            "createTask", Fault(FaultKind.DISCONNECT_AFTER)
        )  # and the order of the first one is uncertain
        await house.process_updates()
        _set_wall_clock(house, jump)
        await house.advance_time(1200)
        states = [(await house.read_job(number)).state for number in range(1, 6)]
        assert states[:2] == [State.GATHERING, State.SUBMITTING]
        assert len(house.pictures()) == 2
        assert house.sent_texts() == []
        assert house.kie.creates_in_window() <= 2
        texts = [status["text"] for status in house.progress_messages()]
        assert render_english("takes-long") in texts
        assert render_english("doubt") in texts


@pytest.mark.parametrize("back", [HOUR, 3 * DAY])
async def test_a_clock_that_was_set_back_while_the_bot_was_stopped_keeps_nobody_waiting(
    tmp_path: Path, back: float
) -> None:
    async with open_bot_harness(tmp_path, creates_per_10_seconds=2) as house:
        await house.request_edit(make_photo())
        house.kie.faults.add(
            "createTask", Fault(FaultKind.RESPOND, body=b'{"code": 429, "msg": "too often"}', status=200)
        )
        await house.request_edit(make_photo("red"))
        house.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_BEFORE))
        await house.kie.wait_for(house._are_results_ready)
        house.clock.now -= back
        for task in house.kie.tasks.values():
            task.created_at -= back
            task.due_at -= back
        await house.restart()
        await house.advance_time(120)
        assert len(house.pictures()) == 2
        assert house.kie.creates_in_window() <= 2
