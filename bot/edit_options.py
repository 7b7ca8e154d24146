"""Edit options: file format, aspect ratio, and whether the result is sent as a photo or a file.

They are settings of a user or a group; a ratio at the end of a prompt overrides them for that one edit.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class ResultFormat(StrEnum):
    """The file format of the result."""

    PNG = "png"
    JPEG = "jpeg"


class AspectRatio(StrEnum):
    """Width to height; Kie may charge more for any but `AUTO`, the ratio of the source image."""

    AUTO = "auto"
    SQUARE = "1:1"
    PORTRAIT = "3:4"
    TALL = "9:16"
    LANDSCAPE = "4:3"
    WIDE = "16:9"


class AnswerAs(StrEnum):
    """How the result is sent."""

    #: compressed by Telegram
    PHOTO = "photo"
    #: byte for byte
    FILE = "file"
    BOTH = "both"


@dataclass(frozen=True)
class EditOptions:
    """The options of one edit."""

    format: ResultFormat = ResultFormat.PNG
    aspect_ratio: AspectRatio = AspectRatio.AUTO
    answer_as: AnswerAs = AnswerAs.PHOTO


DEFAULT_OPTIONS = EditOptions()

_RATIOS = "|".join(sorted(set(AspectRatio) - {AspectRatio.AUTO}))
_SEPARATOR = r"[\s,;，；、]"
#: After a space or a comma, because 12:16:9 contains no ratio. Chinese and Japanese are written without spaces, and
#: with their own colons, commas and full stops. A run of spaces is matched only from its beginning: matching it from
#: each space takes quadratic time (ReDoS), a sixth of a second for 4,096 spaces.
_TRAILING_RATIO = re.compile(
    rf"(?:^|(?<!{_SEPARATOR}){_SEPARATOR}+|(?<=[\u3040-\u30ff\u3400-\u9fff]))({_RATIOS.replace(':', '[:：]')})[\s.。]*$"
)


def split_trailing_ratio(text: str) -> tuple[str, AspectRatio | None]:
    """Return the prompt without the ratio at its end, and that ratio or None.

    A text that is only a ratio stays as it is, because the model needs a prompt.
    """
    found = _TRAILING_RATIO.search(text)
    if found is None:
        return text, None
    return text[: found.start()].rstrip() or text, AspectRatio(found[1].replace("：", ":"))
