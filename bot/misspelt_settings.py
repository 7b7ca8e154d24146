"""Settings with a misspelt name: what nobody reads, though somebody meant it.

A wrong name is ignored like any variable of another program, so a limit that was meant to hold would not. Names close
to one of ours are told, in `.env` and in the environment alike.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

#: How alike two names have to be, of 1. DAILY_EDIT and DAILY_EDITS are at 0.95, TELEGRAM_TOKEN and TELEGRAM_BOT_TOKEN
#: at 0.88; TELEGRAM_API_ID, which a self-hosted Bot API server reads, and TELEGRAM_API_URL at 0.84.
MIN_SIMILARITY = 0.86

#: Characters of a name below which likeness means nothing: POST is no PORT.
MIN_NAME_LENGTH = 6

#: Settings that keep people or money within bounds: without them more is allowed than was meant.
LIMIT_SETTINGS = frozenset(
    {
        "allowed_ids",
        "daily_edits_per_user",
        "daily_edits_per_chat",
        "daily_edits",
        "daily_credits",
        "kie_webhook_key",
        "kie_webhook_key_file",
    }
)


@dataclass(frozen=True)
class Misspelling:
    """A name that nobody reads, and the one that was meant; both in capitals."""

    found: str
    meant: str
    #: whether a limit does not hold because of it
    lifts_limit: bool

    def __str__(self) -> str:
        """Name both, and say what to do."""
        return f"{self.found} is not a setting, so it is ignored: write {self.meant}, or remove it"


def find_misspellings(given: Iterable[str], known: Iterable[str]) -> Iterator[Misspelling]:
    """Return those of the `given` names that are close to one of the `known` ones, which are in lower case.

    Where the right one is given as well, it holds, and nothing is lifted.
    """
    names, known = {name.lower() for name in given}, list(known)
    for name in sorted(names.difference(known)):
        if len(name) >= MIN_NAME_LENGTH:
            for meant in get_close_matches(name, known, 1, MIN_SIMILARITY):
                yield Misspelling(name.upper(), meant.upper(), lifts_limit=meant in LIMIT_SETTINGS - names)
