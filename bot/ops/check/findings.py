"""A finding: what was found out about one subject, and what to do about it."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class FindingStatus(StrEnum):
    OK = "ok"
    #: it works, and yet somebody should know
    WARNING = "warning"
    #: it does not work, or would not
    FAILURE = "failure"
    #: it could not be looked at, for the reason that is found
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """A line of the table."""

    #: the subject, one word, always the same
    name: str
    status: FindingStatus
    found: str
    #: what to do; None where nothing has to be done
    remedy: str | None = None


def ok(name: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(name, FindingStatus.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that somebody should know of."""
    return Finding(name, FindingStatus.WARNING, found, remedy)


def failure(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(name, FindingStatus.FAILURE, found, remedy)


def skipped(name: str, why: str) -> Finding:
    """Return a finding that there was nothing to be found."""
    return Finding(name, FindingStatus.SKIPPED, why)


def finding_from_message(name: str, status: FindingStatus, words: str) -> Finding:
    """Return what an error of ours says: what it is, a colon, and the remedy."""
    found, _, remedy = words.partition(": ")
    return Finding(name, status, found, remedy or None)


_COLOURS = {
    FindingStatus.OK: "32",
    FindingStatus.WARNING: "33",
    FindingStatus.FAILURE: "31",
    FindingStatus.SKIPPED: "2",
}

#: Columns of the mark and of the name.
_STATUS_WIDTH, _SUBJECT_WIDTH = 9, 11


def render_table(findings: Sequence[Finding], *, in_colour: bool) -> str:
    """Return a line for each finding, and one for all of them."""
    return "\n".join(
        [*(_render_finding(each, in_colour=in_colour) for each in findings), "", _render_summary(findings)]
    )


def render_json(findings: Sequence[Finding]) -> str:
    """Return a list with an object for each finding: name, status, found, remedy (null where there is none)."""
    return json.dumps([asdict(each) for each in findings], indent=2)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if something would fail, else 0."""
    return int(any(each.status is FindingStatus.FAILURE for each in findings))


def _render_finding(finding: Finding, *, in_colour: bool) -> str:
    mark = f"{finding.status:{_STATUS_WIDTH}}"
    if in_colour:
        mark = f"\x1b[{_COLOURS[finding.status]}m{mark}\x1b[0m"
    remedy = f": {finding.remedy}" if finding.remedy else ""
    return f"{mark}{finding.name:{_SUBJECT_WIDTH}}{finding.found}{remedy}"


def _render_summary(findings: Sequence[Finding]) -> str:
    count = Counter(each.status for each in findings)
    failures, warnings = count[FindingStatus.FAILURE], count[FindingStatus.WARNING]
    if failures:
        counted = f"{_pluralize(failures, 'failure')}, {_pluralize(warnings, 'warning')}"
        return f"{counted}: the bot cannot do its work like this."
    return f"{_pluralize(warnings, 'warning')}: the bot can do its work." if warnings else "All is well."


def _pluralize(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
