"""Runs the bot with meters in it: CPU by step and by thread, told on SIGUSR1 in the file `METERS`.

The bot knows nothing of this. With `LOOKS_PER_SECOND` the pace of looks, which is Kie's limit and no setting,
is another one. Time in a step is that of the step's own thread between its waits, so what others do meanwhile
is not in it.
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
from bot.doors.poll import Poll
from bot.jobs import looks
from bot.jobs.prepare import Prepare
from bot.jobs.send import Send
from bot.jobs.submit import Submit
from bot.jobs.tell import Tell
from bot.jobs.watch import Watch
from bot.jobs.worker import Worker
from bot.store import connection
from bot.store.transaction import Transaction
from bot.talk.intake import Intake

#: What is measured: the class, its coroutine, and what it is called in the table.
STEPS: tuple[tuple[type, str, str], ...] = (
    (Poll, "once", "receive the update"),
    (Intake, "handle_all", "understand it"),
    (Worker, "start_due", "find what is due"),
    (Prepare, "_carry", "fetch, look at and upload the photo"),
    (Submit, "order", "order"),
    (Watch, "look", "look"),
    (Send, "run", "fetch and send the answer"),
    (Tell, "run", "tell how it stands"),
)

#: Nanoseconds of CPU, and how often, by step.
Book = dict[str, list[int]]


@types.coroutine
def metered(book: Book, name: str, step: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a step to its end and count the CPU that its thread uses for it."""
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


def put_in(book: Book) -> None:
    """Put a meter into every step, and into the thread of the database."""
    for kind, method, name in STEPS:
        setattr(kind, method, _metered(book, name, getattr(kind, method)))
    together = connection._commit_together

    def commit_together(db: sqlite3.Connection, transaction: Transaction, works: list[Any], file: Any) -> list[Any]:
        before, began = db.total_changes, time.thread_time_ns()
        outcomes = together(db, transaction, works, file)
        line = book["commits" if db.total_changes != before else "questions to the database"]
        line[0] += time.thread_time_ns() - began
        line[1] += 1
        return outcomes

    connection._commit_together = commit_together


def _metered(book: Book, name: str, real: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    async def run(*arguments: Any, **named: Any) -> Any:
        return await metered(book, name, real(*arguments, **named))

    return run


def _tell(book: Book, path: Path) -> None:
    path.with_suffix(".new").write_text(json.dumps(book))
    path.with_suffix(".new").rename(path)


def launch() -> int:
    """Run the bot with what the environment asks for."""
    looks.PER_SECOND = float(os.environ.get("LOOKS_PER_SECOND", looks.PER_SECOND))  # type: ignore[assignment]
    if "METERS" in os.environ:
        book: Book = defaultdict(lambda: [0, 0])
        put_in(book)
        signal.signal(signal.SIGUSR1, lambda *_: _tell(book, Path(os.environ["METERS"])))
    return main(["run"])


if __name__ == "__main__":
    sys.exit(launch())
