"""What can go wrong between us and Kie, grouped by what the caller should do next.

    KieError
    ├── Unavailable   certainly no effect: repeat later
    ├── Unclear       may have had its effect: look before repeating
    ├── Refused       never accepted as it is: tell the person why
    ├── Halted        nothing is accepted until the operator acts
    └── Garbled       not what the documentation promises: tell the operator

No error carries the API key: its text is Kie's own message (redacted by the client) or our own words, and it
is never chained to an error of the HTTP library, whose messages may quote headers.
"""

from enum import StrEnum

#: characters of Kie's message that are kept
TEXT_LIMIT = 500


def sanitize_text(text: str, most: int = TEXT_LIMIT) -> str:
    """Make foreign text safe to log and store: printable, one line, at most `most` characters."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * most])
    return " ".join(printable.split())[:most]


class KieError(Exception):
    """The base: Kie's `code` (None where no envelope was seen) and its text, made safe by `one_line`.

    Kie's words may repeat those of the order, so they are for the one who ordered. Written out, as for a log or an
    operator, an error says no more than the code and `why`, which like every text without a code is our own.
    """

    def __init__(self, text: str, *, code: int | None = None, why: str = "") -> None:
        self.code = code
        self.text = sanitize_text(text)
        super().__init__(self.text if code is None else f"code {code}{why and f', {why}'}")


class KieUnavailable(KieError):
    """The call had no effect and may be repeated; `retry_after` is Kie's wish in seconds, if it named one."""

    def __init__(self, text: str, *, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text, code=code)
        self.retry_after = retry_after


class OrderUncertain(KieError):
    """The call may have had its effect, and may have been charged."""


class RequestRefused(KieError):
    """The call was understood and turned down; nothing was charged.

    `transient`: the same code has been seen to pass unchanged minutes later, so a few repetitions are worth
    it. `policy`: the text speaks of safety or moderation.
    """

    def __init__(self, text: str, *, code: int | None = None, transient: bool = False, policy: bool = False) -> None:
        super().__init__(text, code=code)
        self.transient = transient
        self.policy = policy


class BlockCause(StrEnum):
    #: the API key is wrong or switched off
    KEY = "key"
    #: the account has no credits left
    CREDITS = "credits"
    #: the key's own hourly, daily or total limit is used up
    CAP = "cap"


class AccountBlocked(KieError):
    """Nothing will be accepted until `cause` is dealt with; `retry_after` in seconds where Kie names a time."""

    def __init__(
        self, text: str, *, cause: BlockCause, code: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(text, code=code)
        self.cause = cause
        self.retry_after = retry_after


class UnexpectedResponse(KieError):
    """The answer to a repeatable call is not one that Kie documents."""


#: Kie's codes for "too often" (430 in older documentation).
RATE_LIMIT_CODES = (429, 430)


def error_kind(error: KieError) -> str:
    """Name what went wrong in one word out of few, for a count."""
    return "too_often" if error.code in RATE_LIMIT_CODES else type(error).__name__.lower()
