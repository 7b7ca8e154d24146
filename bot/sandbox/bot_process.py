"""The real bot as a child process, isolated from the settings of its surroundings, and its log.

It gets its own environment and an empty working directory, so neither the
operator's variables nor a `.env` can lead it to the real services or give it a
real key.
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

#: what any program needs
INHERITED_VARIABLES = (
    "PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
BOT_COMMAND = (sys.executable, "-m", "bot", "run")
#: seconds between SIGTERM and SIGKILL; the bot promises to stop within 10
STOP_SECONDS = 12.0


@dataclass(frozen=True)
class ServiceEndpoints:
    """The URLs and credentials of Telegram and Kie."""

    telegram_url: str
    telegram_token: str
    kie_url: str
    kie_key: str


def build_environment(endpoints: ServiceEndpoints, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the bot's whole environment; of `environment` it inherits only INHERITED_VARIABLES."""
    inherited = {name: environment[name] for name in INHERITED_VARIABLES if name in environment}
    return inherited | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONUNBUFFERED": "1",
        # also overrides a proxy that the operating system configures
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
        # no daily limits in the sandbox
        "DAILY_EDITS_PER_USER": "0",
        "DAILY_EDITS_PER_CHAT": "0",
        "DAILY_EDITS": "0",
    }


def task_duration_setting(seconds: float) -> dict[str, str]:
    """Return the setting that tells the bot the median duration of tasks, for its poll schedule."""
    return {"TASK_USUAL_SECONDS": f"{max(0.1, seconds)}"}


@dataclass(frozen=True)
class BotLogLine:
    """A line of the bot's log; one that is no JSON object has only a text."""

    text: str
    level: str = ""
    is_about_job: bool = False

    @property
    def is_ready_line(self) -> bool:
        return "ready" in self.text and "@" in self.text

    @property
    def is_noteworthy(self) -> bool:
        """Whether a line is about a job's progress, or a warning or an error."""
        return self.is_about_job or self.level not in {"DEBUG", "INFO"}


def parse_log_line(raw: str) -> BotLogLine:
    try:
        entry = json.loads(raw)
        text = str(entry["message"])
    except (ValueError, TypeError, KeyError):
        return BotLogLine(raw)
    error = f"\n{entry['error']}" if entry.get("error") else ""
    is_about_job = "job" in entry or text.startswith("job ")
    return BotLogLine(text + error, str(entry.get("level", "")), is_about_job)


class BotStopped(Exception):
    """The bot has stopped; the text holds the last lines of its log."""


class BotProcess:
    """A process that logs to stderr."""

    def __init__(self, on_line: Callable[[BotLogLine], None]) -> None:
        self._on_line = on_line
        self._last_lines: deque[str] = deque(maxlen=15)
        self._ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._log_reader: asyncio.Task[None] | None = None

    async def start(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start the process in a folder, with exactly this environment.

        In its own session it does not get the terminal's Ctrl-C; the sandbox stops it.
        """
        self._process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=1024 * 1024,
        )
        if self._process.stderr is not None:
            self._log_reader = asyncio.create_task(self._read_log(self._process.stderr))

    async def wait_until_ready(self, seconds: float) -> None:
        """Wait for the ready line; raises `BotStopped` or `TimeoutError`."""
        async with asyncio.timeout(seconds):
            await self._ready.wait()
        self.raise_if_stopped()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether the process has logged its ready line, or has ended."""
        return self._ready.is_set()

    def raise_if_stopped(self) -> None:
        """Raise `BotStopped` unless the process is running."""
        if self._log_reader is None or self._log_reader.done():
            raise BotStopped("\n".join(self._last_lines))

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the process with SIGTERM, and with SIGKILL after so many seconds."""
        await self._end(signal.SIGTERM, seconds)

    async def kill(self) -> None:
        """Stop the process with SIGKILL."""
        await self._end(signal.SIGKILL, None)

    async def _end(self, number: signal.Signals, seconds: float | None) -> None:
        process, log_reader = self._process, self._log_reader
        if process is None or log_reader is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
        await log_reader

    async def _read_log(self, log: asyncio.StreamReader) -> None:
        while raw := await log.readline():
            line = parse_log_line(raw.decode(errors="replace").rstrip())
            self._last_lines.append(line.text)
            if line.is_ready_line:
                self._ready.set()
            self._on_line(line)
        self._ready.set()


class BotProcessState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    #: not started, killed, stopped, or ended by itself
    STOPPED = "stopped"


class RestartableBot:
    """A bot that can be started again in the same folder; `environment` is evaluated at each start."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        folder: Path,
        on_line: Callable[[BotLogLine], None],
    ) -> None:
        self._command = command
        self._environment = environment
        self._folder = folder
        self._on_line = on_line
        self._process: BotProcess | None = None
        # two clicks at once must not start two bots on one database
        self._lock = asyncio.Lock()

    @property
    def state(self) -> BotProcessState:
        if self._process is None:
            return BotProcessState.STOPPED
        try:
            self._process.raise_if_stopped()
        except BotStopped:
            return BotProcessState.STOPPED
        return BotProcessState.RUNNING if self._process.is_ready else BotProcessState.STARTING

    @property
    def pid(self) -> int | None:
        """The id of the current or last process."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the bot unless it is running, without waiting until it is ready."""
        async with self._lock:
            await self._start()

    async def kill(self) -> None:
        """Stop the bot with SIGKILL."""
        async with self._lock:
            if self._process is not None:
                await self._process.kill()

    async def stop(self) -> None:
        """Stop the bot with SIGTERM."""
        async with self._lock:
            await self._stop()

    async def restart(self) -> None:
        """Stop the bot with SIGTERM and start it again."""
        async with self._lock:
            await self._stop()
            await self._start()

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
    """The bot's log across restarts, by job."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: by job number, oldest first
        self.jobs: dict[int, list[BotLogEntry]] = defaultdict(list)
        #: numbered lines about no job, oldest first
        self.other_entries: deque[tuple[int, BotLogEntry]] = deque(maxlen=MAX_OTHER_ENTRIES)
        self._numbers = itertools.count(1)

    def on_log_line(self, line: BotLogLine) -> None:
        self.add_entry(line.text, line.level)

    def add_entry(self, text: str, level: str = "INFO") -> None:
        """Add a line to its job, or to the other lines."""
        found = _JOB_LINE.fullmatch(text)
        if found:
            self.jobs[int(found[1])].append(BotLogEntry(self._clock(), level, found[2]))
        else:
            self.other_entries.append((next(self._numbers), BotLogEntry(self._clock(), level, text)))
