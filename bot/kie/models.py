"""The input of an order, a task's record, and what Kie's texts mean.

The input is validated before it costs anything: Kie bills an order with a senseless prompt like any other, and ignores
input names that it does not know.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: Models whose input has the names of `EditInput`.
KNOWN_MODELS = frozenset({"google/nano-banana-edit"})

#: Code points; Kie refuses longer prompts with "The text length cannot exceed the maximum limit"
PROMPT_LIMIT = 5000
IMAGES_LIMIT = 10

OutputFormat = Literal["png", "jpeg"]
ImageSize = Literal["auto", "1:1", "3:4", "9:16", "4:3", "16:9"]


def _validate_url(url: str) -> str:
    """Return the URL unchanged: a normalised one may differ from the one that was signed or that Kie repeats."""
    if not url.isprintable() or " " in url:
        raise ValueError("a URL has no spaces or control characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("needs an http or https URL with a host")
    return url


HttpUrl = Annotated[str, AfterValidator(_validate_url)]


class EditInput(BaseModel):
    """One order: a prompt of 1 to 5000 code points and 1 to 10 image URLs; raises `ValidationError`.

    `image_size` "auto" keeps the image's own shape. It is always sent: in later documentation the default is 1:1, which
    crops.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    prompt: Annotated[str, Field(min_length=1, max_length=PROMPT_LIMIT, pattern=r"\S")]
    image_urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=IMAGES_LIMIT)]
    output_format: OutputFormat = "png"
    image_size: ImageSize = "auto"

    def to_wire(self) -> dict[str, object]:
        """Return the `input` object of createTask, with the ratio under both of its names.

        Documentation of 2025 has only `image_size`; that of 2026 deprecates it in favour of `aspect_ratio`. Kie ignores
        unknown names, so either version of its API finds the one that it reads.
        """
        return {
            "prompt": self.prompt,
            "image_urls": list(self.image_urls),
            "output_format": self.output_format,
            "image_size": self.image_size,
            "aspect_ratio": self.image_size,
        }


class TaskOutcome(StrEnum):
    #: not finished, not visible yet, or an unknown status
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class TaskRecord:
    """A task as recordInfo describes it."""

    task_id: str
    outcome: TaskOutcome
    #: Kie's own word, or TASK_NOT_FOUND
    status: str
    #: None also for a success without a result, which has been reported and needs an alert
    result_url: str | None = None
    #: for such a success: the record without Kie's copy of our order, as JSON on one line, perhaps cut short
    unparsed: str = ""
    #: a number or a word; only the text tells moderation from a failure of Kie
    fail_code: str = ""
    fail_text: str = ""
    #: charged so far, at most 10,000; None where Kie does not say, or names an implausible number
    credits: float | None = None
    #: milliseconds since 1970, UTC
    created_at: int | None = None
    #: milliseconds since 1970, UTC
    completed_at: int | None = None
    #: from Kie's copy of our order; None where that is missing or unreadable
    callback_url: str | None = None
    #: from Kie's copy of our order
    image_urls: tuple[str, ...] = ()
    #: names of fields with an implausible number (negative, infinite, far too large); they count as unknown
    out_of_range: tuple[str, ...] = ()

    @property
    def has_out_of_range_price(self) -> bool:
        """Whether Kie named an implausible price, so that the task may have cost something."""
        return self.credits is None and any("credits" in name.lower() for name in self.out_of_range)

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds that Kie worked on the task, by its own clock; None where it does not say."""
        if self.created_at is None or self.completed_at is None:
            return None
        return max(0, self.completed_at - self.created_at)


#: The status of a task that recordInfo does not know: too new, deleted, or never created.
TASK_NOT_FOUND = "unseen"

# Broad words are narrowed where technical errors use them too: "constraint violation", "case sensitive",
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
    """Say whether Kie's text speaks of safety or moderation."""
    return _POLICY_TEXT.search(text) is not None


def is_refusal(text: str) -> bool:
    """Say whether Kie's text blames the prompt or the images, so that repeating the request is pointless.

    Only the text can tell: both 422 and 500 have been seen with refusals and with failures of Kie (2025, 2026).
    """
    return is_policy_refusal(text) or _INPUT_ERROR_TEXT.search(text) is not None


#: Days after an upload (the newest documentation says one).
UPLOAD_RETENTION_DAYS = 3

#: Days after the task.
RESULT_RETENTION_DAYS = 14

#: Months after the task; its record contains the prompt.
RECORD_RETENTION_MONTHS = 2


def is_result_retained(age: float) -> bool:
    """Say whether Kie may still have a result that is `age` seconds old."""
    return age < RESULT_RETENTION_DAYS * 86_400.0
