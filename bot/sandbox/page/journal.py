"""The journal: what the bot logs, by the job it is about."""

import itertools
import re
from collections import defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple

from bot.sandbox.child import LogLine

#: how many lines that are about no job are kept
LINES = 200

_OF_A_JOB = re.compile(r"job (\d+): (.*)", re.DOTALL)


class Entry(NamedTuple):
    """A line of the log; `at` in Unix seconds."""

    at: float
    level: str
    text: str


class Journal:
    """Everything that the bot logged, through all its lives."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: by the number of the job, oldest first
        self.jobs: dict[int, list[Entry]] = defaultdict(list)
        #: what is about no job, each with its number, oldest first
        self.others: deque[tuple[int, Entry]] = deque(maxlen=LINES)
        self._numbers = itertools.count(1)

    def hear(self, line: LogLine) -> None:
        """Take a line of the bot's log down."""
        self.note(line.text, line.level)

    def note(self, text: str, level: str = "INFO") -> None:
        """Take down what happened, where it belongs."""
        found = _OF_A_JOB.fullmatch(text)
        if found:
            self.jobs[int(found[1])].append(Entry(self._clock(), level, found[2]))
        else:
            self.others.append((next(self._numbers), Entry(self._clock(), level, text)))
