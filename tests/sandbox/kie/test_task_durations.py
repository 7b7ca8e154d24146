"""Local tasks take as long as real ones, by the scale that somebody chose."""

import statistics

import pytest

from bot.sandbox.kie.tasks import LONGEST_SECONDS, MEDIAN_SECONDS, TaskDurations, longest_duration


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
