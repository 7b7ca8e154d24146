"""Errors of Kie's API, grouped by what the caller should do next.

    KieError
    ├── KieUnavailable      certainly no effect: retry later
    ├── OrderUncertain      may have been ordered: find out before ordering again
    ├── RequestRefused      never accepted as it is: tell the user why
    ├── AccountBlocked      nothing is accepted until the operator acts
    └── UnexpectedResponse  undocumented: tell the operator

No error contains the API key: its text is Kie's message, redacted by the client, or our own, and it is never chained to
an error of the HTTP library, whose messages may quote headers.
"""

from enum import StrEnum
from typing import ClassVar

#: Characters of Kie's message that are kept.
TEXT_LIMIT = 500


#: Kie's codes for too many requests (430 is in older documentation).
RATE_LIMIT_CODES = (429, 430)


def sanitize_text(text: str, max_length: int = TEXT_LIMIT) -> str:
    """Make Kie's text safe to log and store: printable, on one line, at most `max_length` characters."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * max_length])
    return " ".join(printable.split())[:max_length]


class KieError(Exception):
    """The base class: Kie's `code` (None without an envelope) and its sanitized text.

    Kie's text may repeat the prompt, so only the user may see it. `str()`, for logs and operators, has the code and our
    own `reason`; without a code it is the text, which is then our own as well.
    """

    #: the value of the metric label
    metric_label: ClassVar[str]

    def __init__(self, text: str, *, code: int | None = None, reason: str = "") -> None:
        self.code = code
        self.text = sanitize_text(text)
        super().__init__(self.text if code is None else f"code {code}{reason and f', {reason}'}")

    @property
    def kind(self) -> str:
        """The value of the metric label `outcome`."""
        return "too_often" if self.code in RATE_LIMIT_CODES else self.metric_label


class KieUnavailable(KieError):
    """The call had no effect and may be repeated, after `retry_after` seconds if Kie says so."""

    metric_label = "unavailable"

    def __init__(self, text: str, *, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text, code=code)
        self.retry_after = retry_after


class OrderUncertain(KieError):
    """The order may have been placed, and charged."""

    metric_label = "unclear"


class RequestRefused(KieError):
    """Kie refused the request; nothing was charged.

    `transient`: a few retries are worthwhile, because such requests have been seen to succeed minutes later. `policy`:
    the text mentions safety or moderation.
    """

    metric_label = "refused"

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
    """Nothing is accepted until `cause` is resolved; `retry_after` is in seconds, if Kie names a time."""

    metric_label = "halted"

    def __init__(
        self, text: str, *, cause: BlockCause, code: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(text, code=code)
        self.cause = cause
        self.retry_after = retry_after


class UnexpectedResponse(KieError):
    """The response to a free call is not one that Kie documents."""

    metric_label = "garbled"
