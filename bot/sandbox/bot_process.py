"""The real bot as a child process, which sees nothing of the settings around it.

It gets an environment made here and an empty working directory, so neither
the operator's variables nor a `.env` can send a sandbox bot to the real
services or hand it a real key. It answers with its log, line by line.
"""

import asyncio
import contextlib
import itertools
import json
import re
import signal
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

#: what a program needs from its surroundings to run at all, and no more
INHERITED_VARIABLES = (
    "PATH",
    "SYSTEMROOT",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
KEPT_LAST_LINES = 15
#: what starts the bot
BOT_COMMAND = (sys.executable, "-m", "bot", "run")
#: seconds that the bot may take to stop when asked to; it promises 10
STOP_SECONDS = 12.0
MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ServiceEndpoints:
    """Where the bot's two partners are, and what it shows them."""

    telegram_url: str
    telegram_token: str
    kie_url: str
    kie_key: str


def build_environment(
    endpoints: ServiceEndpoints, folder: Path, outer_environment: Mapping[str, str]
) -> dict[str, str]:
    """The bot's whole environment; of the one `around` only what every program needs is kept."""
    kept = {name: outer_environment[name] for name in INHERITED_VARIABLES if name in outer_environment}
    return kept | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONUNBUFFERED": "1",
        # Says "no proxy" also where the system, and not the environment, names one.
        "NO_PROXY": "*",
        "TELEGRAM_API_URL": endpoints.telegram_url,
        "TELEGRAM_BOT_TOKEN": endpoints.telegram_token,
        "KIE_API_URL": endpoints.kie_url,
        "KIE_UPLOAD_URL": endpoints.kie_url,
        "KIE_API_KEY": endpoints.kie_key,
        "DATABASE_PATH": str(folder / "sandbox.db"),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LOG_FORMAT": "json",
        # whoever tries it out shall not have to wait for tomorrow
        "DAILY_EDITS_PER_USER": "0",
        "DAILY_EDITS_PER_CHAT": "0",
        "DAILY_EDITS": "0",
    }


def task_duration_setting(seconds: float) -> dict[str, str]:
    """What tells the bot that half of the tasks take less than this, so that it looks in time from the first one on."""
    return {"TASK_USUAL_SECONDS": f"{max(0.1, seconds)}"}


@dataclass(frozen=True)
class BotLogLine:
    """A line of the bot's log; one that is no JSON object is all text."""

    text: str
    level: str = ""
    is_about_job: bool = False

    @property
    def is_ready_line(self) -> bool:
        return "ready" in self.text and "@" in self.text

    @property
    def is_noteworthy(self) -> bool:
        """Whether a person who tries the bot wants to see it: a job's steps, and trouble."""
        return self.is_about_job or self.level not in {"DEBUG", "INFO"}


def parse_log_line(raw: str) -> BotLogLine:
    """Understand one line of the log."""
    try:
        entry = json.loads(raw)
        text = str(entry["message"])
    except (ValueError, TypeError, KeyError):
        return BotLogLine(raw)
    error = f"\n{entry['error']}" if entry.get("error") else ""
    about_job = "job" in entry or text.startswith("job ")
    return BotLogLine(text + error, str(entry.get("level", "")), about_job)


class BotStopped(Exception):
    """The bot ended by itself; the text holds the last lines of its log."""


class BotProcess:
    """A running program whose stderr is its log."""

    def __init__(self, on_line: Callable[[BotLogLine], None]) -> None:
        self._on_line = on_line
        self._last_lines: deque[str] = deque(maxlen=KEPT_LAST_LINES)
        self._ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._log_reader: asyncio.Task[None] | None = None

    async def start(self, command2: Sequence[str], variables: Mapping[str, str], folder: Path) -> None:
        """Start it in a folder with exactly these variables.

        A session of its own keeps the terminal's Ctrl-C for us, who stop it in order.
        """
        self._process = await asyncio.create_subprocess_exec(
            *command2,
            env=dict(variables),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=MAX_LINE_BYTES,
        )
        if self._process.stderr is not None:
            self._log_reader = asyncio.create_task(self._read_log(self._process.stderr))

    async def wait_until_ready(self, seconds: float) -> None:
        """Wait for the line that says it takes updates; raises `BotStopped`, and `TimeoutError`."""
        async with asyncio.timeout(seconds):
            await self._ready.wait()
        self.raise_if_stopped()

    @property
    def pid(self) -> int | None:
        """The id of the process, None before it was started."""
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it takes updates, or has ended."""
        return self._ready.is_set()

    def raise_if_stopped(self) -> None:
        """Raise `BotStopped` once it has ended and said its last."""
        if self._log_reader is None or self._log_reader.done():
            raise BotStopped("\n".join(self._last_lines))

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it with SIGTERM, and if that is not heard within so many seconds, without asking."""
        process, reading = self._process, self._log_reader
        if process is None or reading is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        process, reading = self._process, self._log_reader
        if process is None or reading is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading

    async def _read_log(self, log: asyncio.StreamReader) -> None:
        while raw := await log.readline():
            line = parse_log_line(raw.decode(errors="replace").rstrip())
            self._last_lines.append(line.text)
            if line.is_ready_line:
                self._ready.set()
            self._on_line(line)
        self._ready.set()


class BotProcessState(StrEnum):
    """Where the process is."""

    STARTING = "starting"
    RUNNING = "running"
    #: killed, stopped, or ended by itself
    STOPPED = "stopped"


class RestartableBot:
    """One process at a time, in the same folder in each of its lives; `variables` is its whole environment."""

    def __init__(
        self,
        command2: Sequence[str],
        variables: Callable[[], Mapping[str, str]],
        folder: Path,
        on_line: Callable[[BotLogLine], None],
    ) -> None:
        self._command = command2
        self._environment = variables
        self._folder = folder
        self._on_line = on_line
        self._process: BotProcess | None = None
        # two clicks at once must not leave two bots on one database
        self._lock = asyncio.Lock()

    @property
    def state(self) -> BotProcessState:
        """Where the process is at this moment."""
        if self._process is None:
            return BotProcessState.STOPPED
        try:
            self._process.raise_if_stopped()
        except BotStopped:
            return BotProcessState.STOPPED
        return BotProcessState.RUNNING if self._process.is_ready else BotProcessState.STARTING

    @property
    def pid(self) -> int | None:
        """The id of the process that runs or ran last, None before the first."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it, unless it runs; whether it gets ready is seen by its `life`."""
        async with self._lock:
            await self._start()

    async def kill(self) -> None:
        """End it as a power cut would."""
        async with self._lock:
            if self._process is not None:
                await self._process.kill()

    async def restart(self) -> None:
        """End it as a supervisor would, and start it again."""
        async with self._lock:
            await self._stop()
            await self._start()

    async def stop(self) -> None:
        """End it as a supervisor would."""
        async with self._lock:
            await self._stop()

    async def _start(self) -> None:
        if self.state is BotProcessState.STOPPED:
            self._process = BotProcess(self._on_line)
            await self._process.start(self._command, self._environment(), self._folder)

    async def _stop(self) -> None:
        if self._process is not None:
            await self._process.stop()


#: how many lines that are about no job are kept
MAX_OTHER_ENTRIES = 200

_JOB_LINE = re.compile(r"job (\d+): (.*)", re.DOTALL)


class BotLogEntry(NamedTuple):
    """A line of the log; `at` in Unix seconds."""

    at: float
    level: str
    text: str


class BotLog:
    """Everything that the bot logged, through all its lives."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: by the number of the job, oldest first
        self.jobs: dict[int, list[BotLogEntry]] = defaultdict(list)
        #: what is about no job, each with its number, oldest first
        self.other_entries: deque[tuple[int, BotLogEntry]] = deque(maxlen=MAX_OTHER_ENTRIES)
        self._numbers = itertools.count(1)

    def on_log_line(self, line: BotLogLine) -> None:
        """Take a line of the bot's log down."""
        self.add_entry(line.text, line.level)

    def add_entry(self, text: str, level: str = "INFO") -> None:
        """Take down what happened, where it belongs."""
        found = _JOB_LINE.fullmatch(text)
        if found:
            self.jobs[int(found[1])].append(BotLogEntry(self._clock(), level, found[2]))
        else:
            self.other_entries.append((next(self._numbers), BotLogEntry(self._clock(), level, text)))
