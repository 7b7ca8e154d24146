"""What the readers of the three formats find out, and the bounds that they share.

The readers (`jpeg`, `png`, `webp`) walk through a file from part to part by the
lengths written in it and never decode a pixel. So their work grows with the
bytes that are there, not with the size that a header claims: a hundred bytes
that announce 2.5 gigapixels cost as little as any other hundred bytes.
"""

from dataclasses import dataclass

from bot.pictures.errors import TooManyPixels, TooMuchWork, TooNarrow, Unreadable

#: about 150 MB once decoded; the largest phone sensors deliver 12 to 50 million by default
MOST_PIXELS = 50_000_000

#: how often the longer side may hold the shorter. Telegram's sendPhoto takes no more (Bot API), and the longest shape
#: that any of Kie's models makes is 8:1.
MOST_RATIO = 20

#: segments or chunks in one file. Real files have tens, or thousands when they are cut in
#: small pieces; a million empty ones exist only to keep a reader busy.
MOST_PARTS = 50_000


@dataclass(frozen=True, slots=True)
class Structure:
    """One picture file as its parts describe it."""

    #: pixels, as stored, before any rotation
    width: int
    height: int
    #: EXIF says nothing about the orientation, or that nothing needs turning
    upright: bool
    #: there is something beside the picture and its colours
    has_metadata: bool
    #: there is more than one frame
    animated: bool = False


def check_sides(width: int, height: int) -> None:
    """Accept sides (pixels) that a picture can have and that we can afford.

    Raises Unreadable for an empty side and TooManyPixels above MOST_PIXELS.
    """
    if width < 1 or height < 1:
        raise Unreadable("a side of the picture is empty")
    if width * height > MOST_PIXELS:
        raise TooManyPixels(width, height)


def check_ratio(width: int, height: int) -> None:
    """Accept sides (pixels) of a shape that a model can do something with; raises TooNarrow."""
    if max(width, height) > MOST_RATIO * min(width, height):
        raise TooNarrow(width, height)


def check_parts(count: int) -> None:
    """Give up on a file that is cut into more pieces than any real one."""
    if count > MOST_PARTS:
        raise TooMuchWork("the file consists of too many pieces")
