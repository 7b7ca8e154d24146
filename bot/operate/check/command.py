"""`check`: goes round with the settings of the environment, and shows what was found."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot import logs
from bot.kie.errors import one_line
from bot.operate.check import configuration
from bot.operate.check.doorway import OpenDoor
from bot.operate.check.finding import Finding
from bot.operate.check.round import UNUSABLE, Means, go_round, none_of
from bot.operate.check.table import as_json, exit_code, table
from bot.operate.progress import Progress, told
from bot.redaction import Redaction
from bot.settings import CannotRun, load, secrets_given


async def check(open_door: OpenDoor, *, for_machines: bool) -> int:
    """Check everything, print it to stdout, and return the exit code: 1 if anything would fail, else 0."""
    findings = await _findings(open_door)
    if for_machines:
        shown = as_json(findings)
    else:
        shown = table(findings, in_colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()
    return exit_code(findings)


async def _findings(open_door: OpenDoor) -> list[Finding]:
    try:
        settings = load()
    except CannotRun as error:
        return _shown([*configuration.mistakes(error), *none_of(UNUSABLE)], secrets_given())
    logs.configure("WARNING", "text", settings.secrets)
    left: list[str] = []

    def note(names: Sequence[str]) -> None:
        left[:] = names

    async with told(Progress(sys.stderr), lambda: f"checking: {', '.join(left)}"):
        found = await go_round(settings, Means(open_door, of_day=time.time, tell=note))
    return _shown(found, settings.secrets)


def _shown(findings: Sequence[Finding], secrets: Iterable[str]) -> list[Finding]:
    """Return the findings as anybody may see them: no secret, and nothing of others that could act on a terminal."""
    redact = Redaction(secrets)
    return [
        replace(
            each,
            found=one_line(redact(each.found)),
            remedy=None if each.remedy is None else one_line(redact(each.remedy)),
        )
        for each in findings
    ]
