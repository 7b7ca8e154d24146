"""What is wanted: the words, and how the edited picture is to come.

The form of a picture is a preference of a person, or of a group; a shape at the
end of the words is a wish for that one picture.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class ResultFormat(StrEnum):
    """The kind of file that the image model makes."""

    PNG = "png"
    JPEG = "jpeg"


class AspectRatio(StrEnum):
    """The ratio of width to height; Kie may charge more for any but the picture's own."""

    AUTO = "auto"
    SQUARE = "1:1"
    PORTRAIT = "3:4"
    TALL = "9:16"
    LANDSCAPE = "4:3"
    WIDE = "16:9"


class AnswerAs(StrEnum):
    """How the edited picture is sent."""

    #: which Telegram compresses
    PHOTO = "photo"
    #: byte for byte
    FILE = "file"
    BOTH = "both"


@dataclass(frozen=True)
class EditOptions:
    """How an edited picture is to come."""

    format: ResultFormat = ResultFormat.PNG
    aspect_ratio: AspectRatio = AspectRatio.AUTO
    answer_as: AnswerAs = AnswerAs.PHOTO


#: How a picture comes to those who chose nothing.
DEFAULT_OPTIONS = EditOptions()

_RATIOS = "|".join(sorted(set(AspectRatio) - {AspectRatio.AUTO}))
_SEPARATOR = r"[\s,;，；、]"
#: Set apart by a space or a comma, because 12:16:9 is no shape. Chinese and Japanese are written without spaces, and
#: their keyboards have colons, commas and full stops of their own. A row of spaces is only tried from its beginning:
#: tried from each of them, 4,096 take a sixth of a second.
_TRAILING_RATIO = re.compile(
    rf"(?:^|(?<!{_SEPARATOR}){_SEPARATOR}+|(?<=[\u3040-\u30ff\u3400-\u9fff]))({_RATIOS.replace(':', '[:：]')})[\s.。]*$"
)


def split_trailing_ratio(words: str) -> tuple[str, AspectRatio | None]:
    """Return words without the shape that they end with, and that shape; None when they end with none.

    Words that are nothing but a shape are left as they are: the model needs something to read.
    """
    found = _TRAILING_RATIO.search(words)
    if found is None:
        return words, None
    return words[: found.start()].rstrip() or words, AspectRatio(found[1].replace("：", ":"))
