"""The table: findings as people and as machines read them."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from bot.operate.check.finding import Finding, Status

_COLOURS = {Status.OK: "32", Status.WARNING: "33", Status.FAILURE: "31", Status.SKIPPED: "2"}

#: Columns of the mark and of the name.
_MARK, _NAME = 9, 11


def table(findings: Sequence[Finding], *, in_colour: bool) -> str:
    """Return a line for each finding, and one for all of them."""
    return "\n".join([*(_line(each, in_colour=in_colour) for each in findings), "", _summary(findings)])


def as_json(findings: Sequence[Finding]) -> str:
    """Return a list with an object for each finding: name, status, found, remedy (null where there is none)."""
    return json.dumps([asdict(each) for each in findings], indent=2)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if something would fail, else 0."""
    return int(any(each.status is Status.FAILURE for each in findings))


def _line(finding: Finding, *, in_colour: bool) -> str:
    mark = f"{finding.status:{_MARK}}"
    if in_colour:
        mark = f"\x1b[{_COLOURS[finding.status]}m{mark}\x1b[0m"
    remedy = f": {finding.remedy}" if finding.remedy else ""
    return f"{mark}{finding.name:{_NAME}}{finding.found}{remedy}"


def _summary(findings: Sequence[Finding]) -> str:
    count = Counter(each.status for each in findings)
    failures, warnings = count[Status.FAILURE], count[Status.WARNING]
    if failures:
        return f"{_number(failures, 'failure')}, {_number(warnings, 'warning')}: the bot cannot do its work like this."
    return f"{_number(warnings, 'warning')}: the bot can do its work." if warnings else "All is well."


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
