"""Long work reports its progress, throttled: in one line of a terminal, or in a log now and then; short work never."""

import asyncio
import io

import pytest

from bot.ops.terminal_progress import TerminalProgress, show_progress
from bot.store.backup import ProgressThrottle


class FakeTerminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


class ManualMonotonicClock:
    """Seconds; changes only when a test sets `now`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def _report_progress(stream: io.StringIO, seconds: float) -> None:
    clock = ManualMonotonicClock()
    progress = TerminalProgress(stream, monotonic=clock)
    for step in range(round(seconds * 10)):
        progress.report(f"step {step}")
        clock.now += 0.1
    progress.clear()


def test_of_long_work_a_log_gets_a_line_every_five_seconds() -> None:
    log = io.StringIO()
    _report_progress(log, 21)
    assert len(log.getvalue().splitlines()) == 4


@pytest.mark.parametrize(("stream", "seconds"), [(io.StringIO(), 4.9), (FakeTerminal(), 0.2)])
def test_of_short_work_nobody_hears(stream: io.StringIO, seconds: float) -> None:
    _report_progress(stream, seconds)
    assert stream.getvalue() == ""


def test_a_terminal_has_one_line_that_is_renewed_and_goes() -> None:
    terminal = FakeTerminal()
    _report_progress(terminal, 3)
    lines = terminal.getvalue().split("\r\x1b[K")
    assert "\n" not in terminal.getvalue()
    assert len(lines) > 8
    assert lines[-1] == "", "nothing is left of it"


def test_a_pulse_counts_from_the_beginning_of_the_work() -> None:
    said: list[str] = []
    clock = ManualMonotonicClock()
    pulse = ProgressThrottle(said.append, every=5.0, monotonic=clock)
    for second in range(12):
        pulse(f"{second}")
        clock.now += 1
    assert said == ["5", "10"]


async def test_telling_ends_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.ops.terminal_progress.REFRESH_SECONDS", 0.0)
    terminal, before = FakeTerminal(), asyncio.all_tasks()
    async with show_progress(TerminalProgress(terminal), lambda: "checking: database"):
        while "checking: database" not in terminal.getvalue():  # noqa: ASYNC110 - no event announces it
            await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert terminal.getvalue().endswith("\r\x1b[K")
