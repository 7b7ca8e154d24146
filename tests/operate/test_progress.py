"""Long work says how far it is: on a terminal a line that is renewed, in a log one now and then; short work nothing."""

import asyncio
import io

import pytest

from bot.operate.progress import Progress, told
from bot.store.pulse import Pulse


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


class Clock:
    """Seconds; stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def _work(stream: io.StringIO, seconds: float) -> None:
    """Tell ten times a second how far it is."""
    clock = Clock()
    progress = Progress(stream, monotonic=clock)
    for step in range(round(seconds * 10)):
        progress.tell(f"step {step}")
        clock.now += 0.1
    progress.end()


def test_of_long_work_a_log_gets_a_line_every_five_seconds() -> None:
    log = io.StringIO()
    _work(log, 21)
    assert len(log.getvalue().splitlines()) == 4


@pytest.mark.parametrize(("stream", "seconds"), [(io.StringIO(), 4.9), (Terminal(), 0.2)])
def test_of_short_work_nobody_hears(stream: io.StringIO, seconds: float) -> None:
    _work(stream, seconds)
    assert stream.getvalue() == ""


def test_a_terminal_has_one_line_that_is_renewed_and_goes() -> None:
    terminal = Terminal()
    _work(terminal, 3)
    lines = terminal.getvalue().split("\r\x1b[K")
    assert "\n" not in terminal.getvalue()
    assert len(lines) > 8
    assert lines[-1] == "", "nothing is left of it"


def test_a_pulse_counts_from_the_beginning_of_the_work() -> None:
    said: list[str] = []
    clock = Clock()
    pulse = Pulse(said.append, every=5.0, monotonic=clock)
    for second in range(12):
        pulse(f"{second}")
        clock.now += 1
    assert said == ["5", "10"]


async def test_telling_ends_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.operate.progress.RENEWED", 0.0)
    terminal, before = Terminal(), asyncio.all_tasks()
    async with told(Progress(terminal), lambda: "checking: database"):
        while "checking: database" not in terminal.getvalue():  # noqa: ASYNC110 - it announces itself to nobody
            await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert terminal.getvalue().endswith("\r\x1b[K")
