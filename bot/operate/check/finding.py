"""A finding: what was found out about one subject, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
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
    status: Status
    found: str
    #: what to do; None where nothing has to be done
    remedy: str | None = None


def ok(name: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(name, Status.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that somebody should know of."""
    return Finding(name, Status.WARNING, found, remedy)


def failure(name: str, found: str, remedy: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(name, Status.FAILURE, found, remedy)


def skipped(name: str, why: str) -> Finding:
    """Return a finding that there was nothing to be found."""
    return Finding(name, Status.SKIPPED, why)


def sentence(name: str, status: Status, words: str) -> Finding:
    """Return what an error of ours says: what it is, a colon, and the remedy."""
    found, _, remedy = words.partition(": ")
    return Finding(name, status, found, remedy or None)
