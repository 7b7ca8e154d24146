"""Several pictures share one, each to be seen and in order."""

import pytest
from PIL import Image

from bot.sandbox.fake_edit.render import make_collage

TONES = [(25 * number, 60, 255 - 25 * number) for number in range(10)]


@pytest.mark.parametrize("number", [2, 3, 4, 7, 10])
def test_every_picture_of_an_album_is_there_in_order(number: int) -> None:
    album = make_collage([Image.new("RGB", (40, 30), tone) for tone in TONES[:number]], 200)
    seen = [pixel for row in range(3) for pixel in _row(album, row)]
    assert list(dict.fromkeys(pixel for pixel in seen if pixel in TONES)) == TONES[:number]


def _row(album: Image.Image, row: int) -> list[object]:
    y = album.height * (2 * row + 1) // 6
    return [album.getpixel((x, y)) for x in range(album.width)]


@pytest.mark.parametrize("sizes", [[(1, 900), (900, 1)], [(1, 1)] * 10, [(900, 1)] * 3, [(4000, 10), (50, 50)]])
def test_an_album_is_never_larger_than_two_pictures(sizes: list[tuple[int, int]]) -> None:
    album = make_collage([Image.new("RGB", size, "red") for size in sizes], 64)
    assert album.width <= 128
    assert album.height <= 64


def test_a_thin_picture_leaves_room_for_the_others() -> None:
    album = make_collage([Image.new("RGB", (900, 1), "red"), Image.new("RGB", (50, 50), "blue")], 64)
    blue = sum(album.getpixel((x, album.height // 2)) == (0, 0, 255) for x in range(album.width))
    assert blue > album.width // 5
