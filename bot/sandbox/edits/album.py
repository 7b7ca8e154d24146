"""Several pictures side by side, in rows of about the same number."""

import itertools
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageOps

#: a longer or thinner picture is cut to this, so that it leaves room for the others
LONGEST = 3.0


def side_by_side(images: Sequence[Image.Image], side: int) -> Image.Image:
    """One picture of all, at most twice `side` pixels wide and `side` high."""
    rows = _rows(images)
    across = [sum(_ratio(image) for image in row) for row in rows]
    width = min(2.0 * side, side / sum(1 / ratio for ratio in across))
    ends = _ends([width / ratio for ratio in across])
    album = Image.new("RGB", (max(1, round(width)), max(1, ends[-1])), "white")
    for row, ratio, top, bottom in zip(rows, across, [0, *ends], ends, strict=False):
        _fill(album, row, width / ratio, (top, bottom))
    return album


def _rows(images: Sequence[Image.Image]) -> list[Sequence[Image.Image]]:
    number = 1 if len(images) <= 3 else 2 if len(images) <= 8 else 3
    starts = [round(len(images) * row / number) for row in range(number + 1)]
    return [images[start:end] for start, end in itertools.pairwise(starts)]


def _ratio(image: Image.Image) -> float:
    return min(LONGEST, max(1 / LONGEST, image.width / image.height))


def _ends(lengths: Sequence[float]) -> list[int]:
    """Where each of them ends when they are laid end to end, in whole pixels."""
    return [round(sum(lengths[: number + 1])) for number in range(len(lengths))]


def _fill(album: Image.Image, row: Sequence[Image.Image], height: float, rows: tuple[int, int]) -> None:
    top, bottom = rows
    draw = ImageDraw.Draw(album)
    gap = max(1, min(album.size) // 100)
    ends = _ends([_ratio(image) * height for image in row])
    for image, left, right in zip(row, [0, *ends], ends, strict=False):
        album.paste(ImageOps.fit(image, (max(1, right - left), max(1, bottom - top))), (left, top))
        if left:
            draw.line((left, top, left, bottom), fill="white", width=gap)
    if top:
        draw.line((0, top, album.width, top), fill="white", width=gap)
