"""Misspelt settings: variables that nothing reads, although their names resemble that of a setting."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

#: Limits of access and money: when one is misspelt, more is allowed than was meant.
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

#: How similar a misspelt name is, at least. DAILY_EDIT and DAILY_EDITS reach 0.95, TELEGRAM_TOKEN and
#: TELEGRAM_BOT_TOKEN 0.88; TELEGRAM_API_ID, which a self-hosted Bot API server reads, and TELEGRAM_API_URL 0.84.
MIN_SIMILARITY = 0.86

#: Shorter names are not compared: POST is no misspelt PORT.
MIN_NAME_LENGTH = 6


@dataclass(frozen=True)
class Misspelling:
    """A name that is not a setting, and the setting that was probably meant; both in capitals."""

    found: str
    meant: str
    #: whether a limit is not in effect because of it
    lifts_limit: bool

    def __str__(self) -> str:
        """Return the problem and the remedy."""
        return f"{self.found} is not a setting, so it is ignored: write {self.meant}, or remove it"


def find_misspellings(names: Iterable[str], known: Iterable[str]) -> Iterator[Misspelling]:
    """Yield the `names` that resemble one of the `known` ones (in lower case).

    Where the right name is set as well, no limit is lifted.
    """
    names, known = {name.lower() for name in names}, list(known)
    for name in sorted(names.difference(known)):
        if len(name) >= MIN_NAME_LENGTH:
            for meant in get_close_matches(name, known, 1, MIN_SIMILARITY):
                yield Misspelling(name.upper(), meant.upper(), lifts_limit=meant in LIMIT_SETTINGS - names)
