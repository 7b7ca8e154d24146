"""What we say to Kie, strictly, and what we understand of its answers.

What is sent is checked here before it costs anything: Kie bills an order with a silly prompt like any
other, and ignores input names that it does not know.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: models whose input names are the ones of `EditInput`
KNOWN_MODELS = frozenset({"google/nano-banana-edit"})

#: code points; Kie refuses longer prompts with "The text length cannot exceed the maximum limit"
PROMPT_LIMIT = 5000
IMAGES_LIMIT = 10

OutputFormat = Literal["png", "jpeg"]
ImageSize = Literal["auto", "1:1", "3:4", "9:16", "4:3", "16:9"]


def _validate_url(url: str) -> str:
    """Return the very text that was given: a normalised URL may no longer be the one that was signed or echoed."""
    if not url.isprintable() or " " in url:
        raise ValueError("a URL has no spaces or control characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("needs an http or https URL with a host")
    return url


HttpUrl = Annotated[str, AfterValidator(_validate_url)]


class EditInput(BaseModel):
    """One order: a prompt of 1 to 5000 code points and 1 to 10 picture URLs; raises `ValidationError`.

    `image_size` defaults to "auto" (keep the picture's own shape), and is always said: later documentation
    makes 1:1 the default, which crops.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    prompt: Annotated[str, Field(min_length=1, max_length=PROMPT_LIMIT, pattern=r"\S")]
    image_urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=IMAGES_LIMIT)]
    output_format: OutputFormat = "png"
    image_size: ImageSize = "auto"

    def to_wire(self) -> dict[str, object]:
        """Return the `input` object of createTask, with the ratio under both of its names.

        Documentation of 2025 knows `image_size` only; that of 2026 deprecates it in favour of `aspect_ratio`,
        whose default 1:1 would crop. Unknown names are ignored, so each vintage finds the one it reads.
        """
        return {
            "prompt": self.prompt,
            "image_urls": list(self.image_urls),
            "output_format": self.output_format,
            "image_size": self.image_size,
            "aspect_ratio": self.image_size,
        }


class TaskOutcome(StrEnum):
    #: not finished, not visible yet, or a status word that we do not know
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class TaskRecord:
    """One recordInfo answer: how far a task has come."""

    task_id: str
    outcome: TaskOutcome
    #: Kie's own word, or `UNSEEN`
    status: str
    #: None also for a success without a picture, which has been reported and needs an alert
    result_url: str | None = None
    #: of such a success: Kie's record without the echo of our order, as JSON on one line, perhaps cut short
    unparsed: str = ""
    #: a number or a word; it cannot tell moderation from a breakdown, the text can
    fail_code: str = ""
    fail_text: str = ""
    #: charged so far, at most 10,000; None = Kie did not say, or named what cannot be
    credits: float | None = None
    #: milliseconds since 1970, UTC
    created_at: int | None = None
    #: milliseconds since 1970, UTC
    completed_at: int | None = None
    #: from Kie's echo of our order; None where the echo is missing or unreadable
    callback_url: str | None = None
    #: from Kie's echo of our order
    image_urls: tuple[str, ...] = ()
    #: names of figures that are numbers and cannot be: negative, endless, beyond all measure; they count as unknown
    out_of_range: tuple[str, ...] = ()

    @property
    def has_out_of_range_price(self) -> bool:
        """Whether Kie named a price that cannot be, so that nobody can say that it was nothing."""
        return self.credits is None and any("credits" in name.lower() for name in self.out_of_range)

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds that Kie worked on it, by its own clock; None where it does not say so."""
        if self.created_at is None or self.completed_at is None:
            return None
        return max(0, self.completed_at - self.created_at)


#: the status of a task that recordInfo does not know: too fresh, purged, or never made
TASK_NOT_FOUND = "unseen"

# Broad words are narrowed where machines use them too: "constraint violation", "case sensitive",
# "enable_safety_checker", "the upstream rejected the connection".
_POLICY_TEXT = re.compile(
    r"nsfw|moderat(?:ion|or|ed)|(?<!case[ -])\bsensitive|\bsafety\b|\bpolic(?:y|ies)\b|prohibit|flagged"
    r"|violat(?:es?|ed|ing)\b|(?:content|terms|guidelines?) violation|filtered out"
    r"|(?:input|prompt|image|content)s? (?:was|were|is|are|has been|have been) rejected",
    re.IGNORECASE,
)
_INPUT_ERROR_TEXT = re.compile(
    r"different (?:prompt|input|image)|not within the range of allowed options|text length cannot exceed"
    r"|file type not supported|images? size exceeds|english prompts only|invalid (?:prompt|input|image)"
    r"|must be an? (?:boolean|string|number|integer|array|object)\b",
    re.IGNORECASE,
)


def is_policy_refusal(text: str) -> bool:
    """Tell whether Kie's words speak of safety or moderation."""
    return _POLICY_TEXT.search(text) is not None


def is_refusal(text: str) -> bool:
    """Tell whether Kie's words blame the prompt or the pictures, so that an unchanged repetition is pointless.

    Only the text can tell: both 422 and 500 have been seen with refusals and with breakdowns (2025, 2026).
    """
    return is_policy_refusal(text) or _INPUT_ERROR_TEXT.search(text) is not None


#: Days after the upload of a picture (the newest pages say one).
UPLOAD_RETENTION_DAYS = 3

#: Days after a picture was made.
RESULT_RETENTION_DAYS = 14

#: Months for which the record of a task is kept, with the words of the order.
RECORD_RETENTION_MONTHS = 2


def is_result_retained(age: float) -> bool:
    """Say whether Kie may still have a picture that was made so many seconds ago."""
    return age < RESULT_RETENTION_DAYS * 86_400.0
