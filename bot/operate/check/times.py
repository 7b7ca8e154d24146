"""The clock, against those of the servers: Kie's callbacks are refused when they seem to be five minutes old."""

import asyncio
from collections.abc import Callable, Mapping

from bot.kie.signature import MOST_AGE
from bot.operate.check.finding import Finding, failure, ok, skipped, warning
from bot.operate.check.reach import NotReached, Reach

NAME = "clock"

#: Seconds from which a clock is worth a word; answers take a while, and headers tell whole seconds.
NOTEWORTHY = 30.0

REMEDY = "set this machine's clock, and let it be kept right (NTP)"


async def look(reach: Reach, servers: Mapping[str, str], of_day: Callable[[], float]) -> list[Finding]:
    """Compare with each server, by name and address; `of_day` gives our seconds since 1970."""
    offs = await asyncio.gather(*(_off(reach, url, of_day) for url in servers.values()))
    told = [(off, name) for name, off in zip(servers, offs, strict=True) if off is not None]
    if not told:
        return [skipped(NAME, "no server told what time it is")]
    return [judge(*max(told, key=lambda each: abs(each[0])))]


def judge(off: float, server: str) -> Finding:
    """Say what it means that we are so many seconds ahead of a server."""
    direction = "ahead of" if off > 0 else "behind"
    found = f"this machine's clock is {abs(off):.0f} s {direction} that of {server}"
    if abs(off) >= MOST_AGE:
        return failure(NAME, f"{found}, and callbacks of Kie would be refused", REMEDY)
    if abs(off) > NOTEWORTHY:
        return warning(NAME, found, REMEDY)
    return ok(NAME, f"right to {max(1.0, abs(off)):.0f} s")


async def _off(reach: Reach, url: str, of_day: Callable[[], float]) -> float | None:
    began = of_day()
    try:
        answer = await reach.ask(url)
    except NotReached:
        return None
    # a header tells the second that had begun, and the answer was under way
    return None if answer.date is None else (began + of_day()) / 2 - (answer.date + 0.5)
