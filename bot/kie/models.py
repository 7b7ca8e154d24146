"""The data types of Kie's API: the input of an order and a task's record; what its error texts mean; retention times.

The input is validated here because Kie charges for a senseless prompt as for any other, and ignores unknown fields.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: Models whose input has the fields of `EditInput`.
KNOWN_MODELS = frozenset({"google/nano-banana-edit"})

#: Code points; Kie refuses longer prompts with "The text length cannot exceed the maximum limit"
PROMPT_LIMIT = 5000
IMAGES_LIMIT = 10

OutputFormat = Literal["png", "jpeg"]
ImageSize = Literal["auto", "1:1", "3:4", "9:16", "4:3", "16:9"]


def _validate_url(url: str) -> str:
    """Return the URL unchanged: normalising could invalidate its signature, or make it differ from Kie's echo."""
    if not url.isprintable() or " " in url:
        raise ValueError("a URL has no spaces or control characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("needs an http or https URL with a host")
    return url


HttpUrl = Annotated[str, AfterValidator(_validate_url)]


class EditInput(BaseModel):
    """The input of an order: a prompt of 1 to 5000 code points and 1 to 10 image URLs. Raises `ValidationError`.

    With `image_size` "auto" the result has the image's aspect ratio. It is always sent, because in later documentation
    the default is 1:1, which crops.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    prompt: Annotated[str, Field(min_length=1, max_length=PROMPT_LIMIT, pattern=r"\S")]
    image_urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=IMAGES_LIMIT)]
    output_format: OutputFormat = "png"
    image_size: ImageSize = "auto"

    def to_wire(self) -> dict[str, object]:
        """Return the `input` object of createTask, with the aspect ratio under both of its names.

        The documentation of 2025 has only `image_size`; that of 2026 deprecates it in favour of `aspect_ratio`. Kie
        ignores unknown fields, so either version finds its own.
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
    #: Kie's status, or TASK_NOT_FOUND
    status: str
    #: also None for a success without a result, which others have reported and the operator must learn of
    result_url: str | None = None
    #: for such a success: the record without Kie's copy of our order, as JSON on one line, perhaps truncated
    unparsed: str = ""
    #: a number or a word; only `fail_text` distinguishes moderation from a failure of Kie
    fail_code: str = ""
    fail_text: str = ""
    #: charged so far, at most 10,000; None if missing or implausible
    credits: float | None = None
    #: milliseconds since 1970, UTC
    created_at: int | None = None
    #: milliseconds since 1970, UTC
    completed_at: int | None = None
    #: from Kie's copy of our order; None if that is missing or unreadable
    callback_url: str | None = None
    #: from Kie's copy of our order
    image_urls: tuple[str, ...] = ()
    #: names of fields with an implausible number (negative, infinite, far too large), which count as missing
    out_of_range: tuple[str, ...] = ()

    @property
    def has_out_of_range_price(self) -> bool:
        """Whether Kie's price is implausible, so that the task may have cost something."""
        return self.credits is None and any("credits" in name.lower() for name in self.out_of_range)

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds that Kie worked on the task, by its own clock; None if unknown."""
        if self.created_at is None or self.completed_at is None:
            return None
        return max(0, self.completed_at - self.created_at)


#: The status of a task that recordInfo does not know: too new, deleted, or never created.
TASK_NOT_FOUND = "unseen"

# The patterns must not match technical errors such as "constraint violation", "case sensitive",
# "enable_safety_checker" and "the upstream rejected the connection".
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
    """Tell whether Kie's text mentions safety or moderation."""
    return _POLICY_TEXT.search(text) is not None


def is_refusal(text: str) -> bool:
    """Tell whether Kie's text blames the prompt or the images, so that retrying is pointless.

    The code is no help: 422 and 500 have both been seen with refusals and with failures of Kie (2025, 2026).
    """
    return is_policy_refusal(text) or _INPUT_ERROR_TEXT.search(text) is not None


#: Days for which Kie keeps an upload (the newest documentation says one).
UPLOAD_RETENTION_DAYS = 3

#: Days for which Kie keeps a result.
RESULT_RETENTION_DAYS = 14

#: Months for which Kie keeps a task's record, which contains the prompt.
RECORD_RETENTION_MONTHS = 2


def is_result_retained(age: float) -> bool:
    """Tell whether Kie may still have a result that is `age` seconds old."""
    return age < RESULT_RETENTION_DAYS * 86_400.0
