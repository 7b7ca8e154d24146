"""The local Telegram and Kie as one process, controlled and queried by lines of JSON.

A line on stdin is `[name, arguments]`, its answer a line on stdout.
`python -m tests.bench.fake_servers_process TOKEN KEY`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from bot.sandbox.telegram import Person
from tests.bench.recording_servers import RequestRecording, ScriptedKie, make_camera_photo, make_telegram, start_servers

#: Seconds after which an answer counts as never.
TIMEOUT_SECONDS = 120.0

#: Seconds, longer than any of this lasts.
NEVER = 1e6

#: What sends the answer.
ANSWER_METHODS = ("sendPhoto", "sendDocument")


class FakeServers:
    """The methods that this process answers."""

    def __init__(self, token: str, key: str) -> None:
        self.record = RequestRecording()
        self.telegram = make_telegram(token, self.record)
        self.kie = ScriptedKie(self.record, key=key, duration=lambda: self._duration)
        self._duration = 0.0
        self._people: list[Person] = []

    async def addresses(self) -> list[str]:
        """Return the URLs of Telegram and Kie."""
        return [self.telegram.url, self.kie.url]

    async def let_tasks_take(self, seconds: float) -> None:
        """Set the duration of new tasks, in seconds."""
        self._duration, self.kie.finish_at_poll = seconds, 0

    async def let_tasks_end_at_look(self, number: int) -> None:
        """Let new tasks finish at their nth poll."""
        self._duration, self.kie.finish_at_poll = NEVER, number

    async def let_results_take(self, seconds: float) -> None:
        """Set the duration of the download of a result, in seconds."""
        self.record.result_transfer_seconds = seconds

    async def send(self, people: int, each: int = 1, first: int = 0) -> None:
        """Let that many users send photos, beginning with `first`."""
        while len(self._people) < first + people:
            self._people.append(self.telegram.person())
        for number in range(each):
            for person in self._people[first : first + people]:
                person.send_photo(make_camera_photo(), caption=f"make it snow, {number}", recompress=False)

    async def know(self, people: int) -> int:
        """Create that many users with consecutive ids; return the first id."""
        while len(self._people) < people:
            self._people.append(self.telegram.person())
        return self._people[0].id

    async def send_in_group(self, count: int) -> int:
        """Let a user send photos to the bot in a group; return the user's id."""
        person = self.telegram.person()
        group = self.telegram.group(members=[person])
        name = self.telegram.state.bot_user["username"]
        for number in range(count):
            person.send_photo(
                make_camera_photo(), caption=f"@{name} of the group {number}", recompress=False, chat=group
            )
        return person.id

    async def answered(self, count: int) -> None:
        """Wait until that many images were sent since the start, and their progress messages deleted."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while self._count(ANSWER_METHODS) < count or self._count(("deleteMessage",)) < count:  # noqa: ASYNC110 - asked of what knows no events
                await asyncio.sleep(0.01)

    async def counted(self, name: str, count: int) -> None:
        """Wait until that many requests of a name were answered since the start."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while self._count((name,)) < count:  # noqa: ASYNC110 - asked of what knows no events
                await asyncio.sleep(0.01)

    async def rest(self) -> None:
        """Wait until nothing has happened for a fifth of a second."""
        await asyncio.sleep(0.2)

    async def ordered(self, prompt: str) -> None:
        """Wait until this was ordered."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while all(task.prompt != prompt for task in self.kie.tasks.values()):  # noqa: ASYNC110 - asked of what knows no events
                await asyncio.sleep(0.01)

    async def count(self, name: str) -> int:
        """Return the number of answered requests of a name since the start."""
        return self._count((name,))

    async def prompts(self) -> list[str]:
        """Return the prompts in the order of their orders."""
        return [task.prompt for task in self.kie.tasks.values()]

    async def refused(self) -> int:
        """Return the number of failed requests since the start."""
        return sum(1 for call in self.telegram.calls if call.error) + sum(
            1 for call in self.kie.calls if call.status >= 400 or (call.answer or {}).get("code", 200) != 200
        )

    async def seen(self) -> list[dict[str, Any]]:
        """Return every request since the start."""
        return [asdict(each) for each in self.record.requests]

    def _count(self, names: tuple[str, ...]) -> int:
        return sum(1 for each in self.record.requests if each.ended and each.name in names)


async def serve_commands(token: str, key: str) -> None:
    """Serve until stdin ends."""
    side = FakeServers(token, key)
    await start_servers(side.telegram, side.kie)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        name, arguments = json.loads(line)
        ask: Callable[..., Awaitable[Any]] = getattr(side, name)
        sys.stdout.write(json.dumps(await ask(**arguments)) + "\n")
        sys.stdout.flush()
    await side.kie.stop()
    await side.telegram.stop()


if __name__ == "__main__":
    asyncio.run(serve_commands(*sys.argv[1:]))
