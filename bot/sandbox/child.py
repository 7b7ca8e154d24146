"""The real bot as a child process, which sees nothing of the settings around it.

It gets an environment made here and an empty working directory, so neither
the operator's variables nor a `.env` can send a sandbox bot to the real
services or hand it a real key. It answers with its log, line by line.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: what a program needs from its surroundings to run at all, and no more
KEPT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
LAST_LINES = 15
#: what starts the bot
BOT = (sys.executable, "-m", "bot", "run")
#: seconds that the bot may take to stop when asked to; it promises 10
STOP_SECONDS = 12.0
LINE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Servers:
    """Where the bot's two partners are, and what it shows them."""

    telegram_url: str
    telegram_token: str
    kie_url: str
    kie_key: str


def environment(servers: Servers, folder: Path, around: Mapping[str, str]) -> dict[str, str]:
    """The bot's whole environment; of the one `around` only what every program needs is kept."""
    kept = {name: around[name] for name in KEPT if name in around}
    return kept | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONUNBUFFERED": "1",
        # Says "no proxy" also where the system, and not the environment, names one.
        "NO_PROXY": "*",
        "TELEGRAM_API_URL": servers.telegram_url,
        "TELEGRAM_BOT_TOKEN": servers.telegram_token,
        "KIE_API_URL": servers.kie_url,
        "KIE_UPLOAD_URL": servers.kie_url,
        "KIE_API_KEY": servers.kie_key,
        "DATABASE_PATH": str(folder / "sandbox.db"),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LOG_FORMAT": "json",
        # whoever tries it out shall not have to wait for tomorrow
        "DAILY_EDITS_PER_USER": "0",
        "DAILY_EDITS_PER_CHAT": "0",
        "DAILY_EDITS": "0",
    }


def usual(seconds: float) -> dict[str, str]:
    """What tells the bot that half of the tasks take less than this, so that it looks in time from the first one on."""
    return {"TASK_USUAL_SECONDS": f"{max(0.1, seconds)}"}


@dataclass(frozen=True)
class LogLine:
    """A line of the bot's log; one that is no JSON object is all text."""

    text: str
    level: str = ""
    about_job: bool = False

    @property
    def says_ready(self) -> bool:
        return "ready" in self.text and "@" in self.text

    @property
    def is_news(self) -> bool:
        """Whether a person who tries the bot wants to see it: a job's steps, and trouble."""
        return self.about_job or self.level not in {"DEBUG", "INFO"}


def read_line(raw: str) -> LogLine:
    """Understand one line of the log."""
    try:
        entry = json.loads(raw)
        text = str(entry["message"])
    except (ValueError, TypeError, KeyError):
        return LogLine(raw)
    error = f"\n{entry['error']}" if entry.get("error") else ""
    about_job = "job" in entry or text.startswith("job ")
    return LogLine(text + error, str(entry.get("level", "")), about_job)


class BotStopped(Exception):
    """The bot ended by itself; the text holds the last lines of its log."""


class Child:
    """A running program whose stderr is its log."""

    def __init__(self, on_line: Callable[[LogLine], None]) -> None:
        self._on_line = on_line
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self, words: Sequence[str], variables: Mapping[str, str], folder: Path) -> None:
        """Start it in a folder with exactly these variables.

        A session of its own keeps the terminal's Ctrl-C for us, who stop it in order.
        """
        self._process = await asyncio.create_subprocess_exec(
            *words,
            env=dict(variables),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=LINE_BYTES,
        )
        if self._process.stderr is not None:
            self._reading = asyncio.create_task(self._read(self._process.stderr))

    async def ready(self, seconds: float) -> None:
        """Wait for the line that says it takes updates; raises `BotStopped`, and `TimeoutError`."""
        async with asyncio.timeout(seconds):
            await self._ready.wait()
        self.check()

    @property
    def pid(self) -> int | None:
        """The id of the process, None before it was started."""
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it takes updates, or has ended."""
        return self._ready.is_set()

    def check(self) -> None:
        """Raise `BotStopped` once it has ended and said its last."""
        if self._reading is None or self._reading.done():
            raise BotStopped("\n".join(self._last))

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it with SIGTERM, and if that is not heard within so many seconds, without asking."""
        process, reading = self._process, self._reading
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
        process, reading = self._process, self._reading
        if process is None or reading is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading

    async def _read(self, log: asyncio.StreamReader) -> None:
        while raw := await log.readline():
            line = read_line(raw.decode(errors="replace").rstrip())
            self._last.append(line.text)
            if line.says_ready:
                self._ready.set()
            self._on_line(line)
        self._ready.set()
