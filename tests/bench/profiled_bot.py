"""Runs the bot with a profiler: CPU by step and by thread, written to the file `METERS` on SIGUSR1.

The bot knows nothing of this. `POLLS_PER_SECOND` replaces Kie's limit of polls, which is not a setting. The CPU of a
step is that of its own thread between its waits, without what others do meanwhile.
"""

import json
import os
import signal
import sqlite3
import sys
import time
import types
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

from bot.__main__ import main
from bot.handlers.dispatch import Dispatcher
from bot.inbound.long_polling import LongPoller
from bot.pipeline import poll_schedule
from bot.pipeline.poll_task import TaskPoller
from bot.pipeline.prepare_images import ImagePreparer
from bot.pipeline.progress_message import ProgressMessageSender
from bot.pipeline.send_message import MessageSender
from bot.pipeline.submit_order import OrderSubmitter
from bot.pipeline.worker import Worker
from bot.store import database
from bot.store.database import Transaction

#: What is measured: the class, its coroutine, and what it is called in the table.
STEPS: tuple[tuple[type, str, str], ...] = (
    (LongPoller, "poll_once", "receive the update"),
    (Dispatcher, "handle_all", "understand it"),
    (Worker, "start_due", "find what is due"),
    (ImagePreparer, "_upload", "fetch, look at and upload the photo"),
    (OrderSubmitter, "place_order", "order"),
    (TaskPoller, "poll", "look"),
    (MessageSender, "run", "fetch and send the answer"),
    (ProgressMessageSender, "run", "tell how it stands"),
)

#: Nanoseconds of CPU, and how often, by step.
StepTimes = dict[str, list[int]]


@types.coroutine
def measure_step(book: StepTimes, name: str, step: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a step and count the CPU that its thread uses for it."""
    book[name][1] += 1
    resume: Callable[..., Any] = step.send
    given: Any = None
    while True:
        began = time.thread_time_ns()
        try:
            wanted = resume(given)
        except StopIteration as end:
            return end.value
        finally:
            book[name][0] += time.thread_time_ns() - began
        try:
            resume, given = step.send, (yield wanted)
        except BaseException as error:  # noqa: BLE001 - a cancellation above all: it is the step's own
            resume, given = step.throw, error


def install_profiler(book: StepTimes) -> None:
    """Profile every step, and the database's thread."""
    for kind, method, name in STEPS:
        setattr(kind, method, _wrap_step(book, name, getattr(kind, method)))
    together = database._commit_together

    def commit_together(db: sqlite3.Connection, transaction: Transaction, works: list[Any], file: Any) -> list[Any]:
        before, began = db.total_changes, time.thread_time_ns()
        outcomes = together(db, transaction, works, file)
        line = book["commits" if db.total_changes != before else "questions to the database"]
        line[0] += time.thread_time_ns() - began
        line[1] += 1
        return outcomes

    database._commit_together = commit_together


def _wrap_step(book: StepTimes, name: str, real: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    async def run(*arguments: Any, **named: Any) -> Any:
        return await measure_step(book, name, real(*arguments, **named))

    return run


def _write_times(book: StepTimes, path: Path) -> None:
    path.with_suffix(".new").write_text(json.dumps(book))
    path.with_suffix(".new").rename(path)


def launch() -> int:
    """Run the bot with the profiler."""
    poll_schedule.MAX_POLLS_PER_SECOND = float(os.environ.get("POLLS_PER_SECOND", poll_schedule.MAX_POLLS_PER_SECOND))  # type: ignore[assignment]
    if "METERS" in os.environ:
        book: StepTimes = defaultdict(lambda: [0, 0])
        install_profiler(book)
        signal.signal(signal.SIGUSR1, lambda *_: _write_times(book, Path(os.environ["METERS"])))
    return main(["run"])


if __name__ == "__main__":
    sys.exit(launch())
