"""Validates createTask requests, with Kie's own error messages as recorded in 2025 and 2026.

The order of the real service's checks is unknown; here it is: model, required fields,
allowed options, prompt length, image URLs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

ApiYear = Literal[2025, 2026]

MODEL = "google/nano-banana-edit"
MAX_PROMPT_CHARACTERS = 5000
MAX_IMAGES = 10
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")
OUTPUT_FORMATS = frozenset({"png", "jpeg"})
RATIOS_2025 = frozenset({"auto", "1:1", "3:4", "9:16", "4:3", "16:9"})
RATIOS_2026 = RATIOS_2025 | {"3:2", "2:3", "5:4", "4:5", "21:9"}

UNAUTHORIZED_MESSAGE = (
    "Unauthorized – Authentication failed. "
    "Please check that your Authorization and Content-Type headers are correctly set."
)
INSUFFICIENT_CREDITS_MESSAGE = (
    "Credits insufficient : Your current balance isn’t enough to run this request. Please top up to continue."
)
RATE_LIMITED_MESSAGE = "Your call frequency is too high. Please try again later."


class KieRefusalError(Exception):
    """A response whose envelope's code is not 200; those of the gateway have no `data`."""

    def __init__(self, code: int, msg: str, *, from_gateway: bool = False) -> None:
        super().__init__(f"{code}: {msg}")
        self.code = code
        self.msg = msg
        self.from_gateway = from_gateway

    @property
    def envelope(self) -> dict[str, Any]:
        said: dict[str, Any] = {"code": self.code, "msg": self.msg}
        return said if self.from_gateway else {**said, "data": None}


@dataclass(frozen=True)
class CreateTaskRequest:
    """A valid createTask request."""

    model: str
    input: Mapping[str, Any]
    call_back_url: str | None
    #: width to height, such as `16:9`, or `auto` for the input's ratio
    ratio: str

    @property
    def prompt(self) -> str:
        return str(self.input["prompt"])

    @property
    def image_urls(self) -> tuple[str, ...]:
        return tuple(self.input["image_urls"])

    @property
    def output_format(self) -> str:
        return str(self.input.get("output_format", "png"))


def parse_create_task(body: object, api_year: ApiYear) -> CreateTaskRequest:
    """Validate the decoded JSON of a createTask; raises `KieRefusalError`."""
    if not isinstance(body, dict):
        raise KieRefusalError(500, "Server Error - An unexpected error occurred while processing the request")
    if body.get("model") != MODEL:
        raise KieRefusalError(422, "The page does not exist or is not published")
    given = body.get("input")
    if not isinstance(given, dict) or not given.get("prompt") or not given.get("image_urls"):
        raise KieRefusalError(500, "This field is required")
    _check_types(given)
    _check_options(given, api_year)
    if len(given["prompt"]) > MAX_PROMPT_CHARACTERS:
        raise KieRefusalError(500, "The text length cannot exceed the maximum limit")
    _check_urls(given["image_urls"])
    return CreateTaskRequest(MODEL, given, body.get("callBackUrl"), _requested_ratio(given, api_year))


def _check_types(given: Mapping[str, Any]) -> None:
    if not isinstance(given["prompt"], str):
        raise KieRefusalError(500, "prompt it must be a string")
    if not isinstance(given["image_urls"], list):
        raise KieRefusalError(500, "image_urls it must be an array")


def _check_options(given: Mapping[str, Any], api_year: ApiYear) -> None:
    ratios = RATIOS_2025 if api_year == 2025 else RATIOS_2026
    if given.get("output_format", "png") not in OUTPUT_FORMATS:
        raise KieRefusalError(500, "output_format is not within the range of allowed options")
    if given.get("image_size", "auto") not in ratios:
        raise KieRefusalError(500, "image_size is not within the range of allowed options")
    # the field did not exist in 2025, and Kie ignores unknown fields
    if api_year == 2026 and given.get("aspect_ratio", "auto") not in ratios:
        raise KieRefusalError(500, "This aspect_ratio is not within the range of allowed options")


def _check_urls(urls: list[Any]) -> None:
    if len(urls) > MAX_IMAGES:
        raise KieRefusalError(500, "image_urls exceeds the maximum number of files")
    for url in urls:
        if not isinstance(url, str) or not _is_image_url(url):
            raise KieRefusalError(500, "image_urls file type not supported")


def _is_image_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.path.lower().endswith(IMAGE_EXTENSIONS)


def _requested_ratio(given: Mapping[str, Any], api_year: ApiYear) -> str:
    """Return the effective ratio; the default is `auto` in 2025 and `1:1` in 2026."""
    if api_year == 2025:
        return str(given.get("image_size", "auto"))
    return str(given.get("aspect_ratio", given.get("image_size", "1:1")))
