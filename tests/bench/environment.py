"""The environment of a benchmark: the local servers as a process, the bot as another, and a folder."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.resource_usage import cpu_seconds, rss_bytes

#: Obviously fake.
TOKEN, KEY = "424242:" + "bench-telegram-" * 3, "bench-kie-" * 3

PROJECT_ROOT = Path(__file__).parents[2]

#: Lifts every limit that an operator may lift.
NO_LIMITS = {
    "CREATES_PER_10_SECONDS": "100000",
    "MAX_RUNNING": "100000",
    "TELEGRAM_MESSAGES_PER_SECOND": "100000",
    "DAILY_EDITS_PER_USER": "0",
    "DAILY_EDITS_PER_CHAT": "0",
    "DAILY_EDITS": "0",
}

#: The bot as an operator starts it, and with the profiler.
PLAIN_COMMAND, PROFILED_COMMAND = ("-m", "bot", "run"), ("-m", "tests.bench.profiled_bot")


class MeasuredBot:
    """The bot as a process; its log goes to a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, ready_after: float) -> None:
        self._process = process
        self.log = log
        #: seconds from its start to the ready line
        self.ready_after = ready_after

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """CPU seconds so far, of all threads."""
        return cpu_seconds(self.pid)

    @property
    def rss(self) -> int:
        """Bytes of memory."""
        return rss_bytes(self.pid)

    async def stop(self) -> None:
        """Stop it with SIGTERM, like a supervisor."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        await self._process.wait()


class JsonLineProcess:
    """A process that answers one JSON line with another."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, question: object) -> Any:
        """Send a question, and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        line = await self._process.stdout.readline()
        assert line, f"it ended at {question}"
        return json.loads(line)

    async def end(self) -> None:
        """Close its stdin, and wait until it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


class BaselineProcess:
    """The baseline: a plain script without the bot."""

    def __init__(self, talk: JsonLineProcess) -> None:
        self._process = talk

    async def edit(self, edits: int, *, polls: int, commits: int) -> float:
        """Let it make concurrent edits of photos that users have sent or send now; return its CPU seconds."""
        return float(await self._process.ask({"edits": edits, "polls": polls, "commits": commits}))


class BenchEnvironment:
    """The local servers, and the processes that use them."""

    def __init__(self, side: JsonLineProcess, folder: Path) -> None:
        self._servers = side
        self.folder = folder
        self.telegram = self.kie = ""

    @property
    def database(self) -> Path:
        """The bot's database file."""
        return self.folder / "darkroom.db"

    async def ask(self, name: str, /, **arguments: Any) -> Any:
        """Call a method of `fake_servers_process`."""
        return await self._servers.ask([name, arguments])

    @asynccontextmanager
    async def bot(self, *command: str, **settings: str) -> AsyncIterator[MeasuredBot]:
        """Run a bot, from when it is ready."""
        log = self.folder / "bot.log"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_ROOT),
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": self.telegram,
            "KIE_API_KEY": KEY,
            "KIE_API_URL": self.kie,
            "KIE_UPLOAD_URL": self.kie,
            "DATABASE_PATH": str(self.database),
            "PORT": "0",
            "TASK_USUAL_SECONDS": "1",
        }
        began = time.monotonic()
        with log.open("w") as writing:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *(command or PLAIN_COMMAND),
                cwd=self.folder,
                env=environment | NO_LIMITS | settings,
                stderr=writing,
            )
        bot = MeasuredBot(process, log, await _wait_until_ready(process, log, began))
        try:
            yield bot
        finally:
            await bot.stop()

    @asynccontextmanager
    async def script(self) -> AsyncIterator["BaselineProcess"]:
        """Run the baseline, which makes the same calls."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.bench.baseline_script", TOKEN, self.telegram, self.kie, KEY, str(self.folder / "bare.db")),
            cwd=PROJECT_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        talk = JsonLineProcess(process)
        try:
            yield BaselineProcess(talk)
        finally:
            await talk.end()


async def _wait_until_ready(process: asyncio.subprocess.Process, log: Path, began: float) -> float:
    """Return the seconds until it was ready, checked every two milliseconds."""
    while "ready: " not in log.read_text():
        assert process.returncode is None, log.read_text()
        assert time.monotonic() - began < 60, log.read_text()
        await asyncio.sleep(0.002)
    return time.monotonic() - began


@asynccontextmanager
async def open_bench_environment() -> AsyncIterator[BenchEnvironment]:
    """Start the local servers."""
    side = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.fake_servers_process", TOKEN, KEY),
        cwd=PROJECT_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 28,
    )
    talk = JsonLineProcess(side)
    with TemporaryDirectory() as folder:
        scene = BenchEnvironment(talk, Path(folder))
        scene.telegram, scene.kie = await scene.ask("addresses")
        try:
            yield scene
        finally:
            await talk.end()
