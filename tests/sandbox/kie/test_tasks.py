"""A task's states by the clock, its record in either API year, and the durations of tasks."""

import json
import statistics
from typing import Any

import pytest

from bot.sandbox.kie.account import KieAccount
from bot.sandbox.kie.create_task import ApiYear
from bot.sandbox.kie.tasks import (
    LONGEST_SECONDS,
    MEDIAN_SECONDS,
    STUCK,
    SUCCESS,
    SUCCESS_WITHOUT_URL,
    UNKNOWN_STATUS,
    LocalKieTask,
    ScriptedOutcome,
    TaskDurations,
    failure,
    longest_duration,
    task_record,
)
from tests.sandbox.kie.api_client import SandboxManualClock

CALLBACK_URL = "http://127.0.0.1:1/back"
COMMON_FIELDS = ["taskId", "model", "state", "param", "resultJson", "failCode", "failMsg"]
TIME_FIELDS = ["costTime", "completeTime", "createTime"]
FIELDS_OF_2026 = ["creditsConsumed", "operationType", "successFlag", "paramJson"]


def make_account(clock: SandboxManualClock, api_year: ApiYear = 2026) -> KieAccount:
    return KieAccount(
        clock=clock, duration=lambda: 100.0, paid_in=10.0, api_year=api_year, creates_per_10_seconds=20, price=4.0
    )


def make_task(
    books: KieAccount, clock: SandboxManualClock, outcome: ScriptedOutcome = SUCCESS, **beside: Any
) -> LocalKieTask:
    """Create a task whose images were fetched."""
    books.outcomes.append(outcome)
    wanted = {"prompt": "snow ❄", "image_urls": ["http://127.0.0.1/a.png"]}
    body = {"model": "google/nano-banana-edit", "input": wanted, **beside}
    task = books.create_task(body, "http://127.0.0.1:1")
    task.prepared_at = clock.now
    return task


def test_it_waits_then_generates_then_succeeds(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock), clock)
    states = []
    for seconds in (0, 49, 2, 48, 1):
        clock.now += seconds
        states.append(task.state)
    assert states == ["waiting", "waiting", "generating", "generating", "success"]


def test_it_cannot_finish_before_its_pictures_were_fetched(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock), clock)
    task.prepared_at = None
    clock.now += 200
    assert task.state == "generating"
    task.prepared_at = clock.now
    assert task.finished_at == clock.now


@pytest.mark.parametrize("outcome", [STUCK, UNKNOWN_STATUS])
def test_some_never_end(clock: SandboxManualClock, outcome: ScriptedOutcome) -> None:
    task = make_task(make_account(clock), clock, outcome)
    clock.now += 1e6
    assert task.state == outcome.state
    assert task_record(task, 2026)["completeTime"] is None


def test_a_running_record_shows_the_2026_fields_in_order(clock: SandboxManualClock) -> None:
    shown = task_record(make_task(make_account(clock), clock), 2026)
    assert list(shown) == COMMON_FIELDS + TIME_FIELDS + FIELDS_OF_2026
    assert shown["resultJson"] == ""
    assert [shown[name] for name in ("failCode", "failMsg", "costTime", "completeTime")] == [None] * 4
    assert (shown["creditsConsumed"], shown["successFlag"]) == (4.0, 0)


def test_a_success_names_its_picture_and_whole_seconds(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock), clock)
    clock.now += 143.7
    task.prepared_at = clock.now
    shown = task_record(task, 2026)
    assert json.loads(shown["resultJson"]) == shown["response"] == {"resultUrls": [task.result_url]}
    assert (shown["costTime"], shown["successFlag"]) == (143, 1)
    assert shown["completeTime"] - shown["createTime"] == 143_700
    assert list(shown) == [*COMMON_FIELDS, *TIME_FIELDS, *FIELDS_OF_2026[:2], "response", *FIELDS_OF_2026[2:]]


def test_a_success_can_lack_its_picture(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock), clock, SUCCESS_WITHOUT_URL)
    clock.now += 100
    assert json.loads(task_record(task, 2026)["resultJson"]) == {"resultUrls": []}


def test_a_failure_gives_its_credits_back_when_it_happens(clock: SandboxManualClock) -> None:
    books = make_account(clock)
    task = make_task(books, clock, failure("Internal Error, Please try again later."))
    held = books.credits
    clock.now += 100
    shown = task_record(task, 2026)
    assert (held, books.credits) == (6.0, 10.0)
    assert (shown["state"], shown["failCode"], shown["creditsConsumed"]) == ("fail", "500", 0.0)
    assert (shown["resultJson"], "response" in shown) == ("", False)


def test_a_failure_can_keep_its_credits(clock: SandboxManualClock) -> None:
    books = make_account(clock)
    task = make_task(books, clock, failure("Content was flagged", "422", refunded=False))
    clock.now += 100
    assert (books.credits, task_record(task, 2026)["creditsConsumed"]) == (6.0, 4.0)


def test_a_record_of_2025_has_no_later_fields(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock, 2025), clock, failure("Director: unexpected error (E6716)", "422"))
    clock.now += 100
    shown = task_record(task, 2025)
    assert list(shown) == COMMON_FIELDS + TIME_FIELDS
    assert (shown["failCode"], shown["costTime"]) == ("422", 100)


def test_param_of_2025_holds_the_input_as_an_object(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock, 2025), clock, callBackUrl=CALLBACK_URL)
    echo = json.loads(task.param)
    assert list(echo) == ["model", "callBackUrl", "input"]
    assert echo["input"]["prompt"] == "snow ❄"


def test_param_of_2026_holds_the_input_as_a_text(clock: SandboxManualClock) -> None:
    task = make_task(make_account(clock), clock, callBackUrl=CALLBACK_URL)
    echo = json.loads(task.param)
    assert list(echo) == ["input", "callBackUrl", "model"]
    assert json.loads(echo["input"])["image_urls"] == ["http://127.0.0.1/a.png"]
    assert task_record(task, 2026)["paramJson"] == task.param


def test_param_can_hide_the_callback(clock: SandboxManualClock) -> None:
    books = make_account(clock)
    books.echoes_callback = False
    assert "callBackUrl" not in json.loads(make_task(books, clock, callBackUrl=CALLBACK_URL).param)


def test_only_creates_of_one_window_are_counted_together(clock: SandboxManualClock) -> None:
    books = make_account(clock)
    books.paid_in = 100
    for wait in (0, 5, 5, 4):
        clock.now += wait
        make_task(books, clock)
    assert (books.creates_in_window(10), books.creates_in_window(100)) == (3, 4)


def test_the_moments_ahead_are_half_time_and_the_end(clock: SandboxManualClock) -> None:
    books = make_account(clock)
    make_task(books, clock)
    clock.now += 60
    assert books.seconds_until_changes() == [40.0]


def draw_durations(durations: TaskDurations, number: int = 4000) -> list[float]:
    return sorted(durations() for _ in range(number))


def test_most_take_about_ten_seconds_and_a_few_a_minute() -> None:
    seconds = draw_durations(TaskDurations(seed=1))
    assert MEDIAN_SECONDS < statistics.median(seconds) < 1.15 * MEDIAN_SECONDS
    assert 4 < seconds[len(seconds) // 20] < 6
    assert 0.08 < sum(duration > 35 for duration in seconds) / len(seconds) < 0.11
    assert seconds[-1] <= LONGEST_SECONDS


def test_a_seed_gives_the_same_again() -> None:
    assert draw_durations(TaskDurations(seed=7), 20) == draw_durations(TaskDurations(seed=7), 20)
    assert draw_durations(TaskDurations(seed=7), 20) != draw_durations(TaskDurations(seed=8), 20)


def test_the_scale_counts_from_the_next_task_on() -> None:
    slow, changed = TaskDurations(seed=3), TaskDurations(seed=3)
    assert changed() == slow()
    changed.scale = 0.1
    assert changed() == pytest.approx(slow() / 10)
    changed.scale = 0
    assert changed() == 0


@pytest.mark.parametrize("scale", [-1, float("nan"), float("inf")])
def test_a_scale_is_a_sensible_number(scale: float) -> None:
    durations = TaskDurations(0.5)
    with pytest.raises(ValueError, match="the scale must be"):
        durations.scale = scale
    assert durations.scale == 0.5


def test_nothing_takes_longer_than_is_waited_for() -> None:
    assert draw_durations(TaskDurations(2 / MEDIAN_SECONDS, seed=5))[-1] <= longest_duration(2)
