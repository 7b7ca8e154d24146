"""The fake edit is visible, marked, deterministic, and accepts any input."""

import hashlib
import io

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.sandbox.fake_edit.render import SIDE, make_collage, read_origin, render_fake_edit
from bot.sandbox.samples import draw_house
from tests.sandbox.fake_edit.image_probes import open_image
from tests.sandbox.kie.api_client import make_picture


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures, 0 to 255, over all channels."""
    gap = ImageChops.difference(one.convert("RGB"), other.convert("RGB").resize(one.size))
    return sum(ImageStat.Stat(gap).mean) / 3


@pytest.mark.parametrize(("wanted", "kind"), [("png", "PNG"), ("jpeg", "JPEG")])
def test_the_result_has_the_wanted_format_and_says_what_it_came_from(wanted: str, kind: str) -> None:
    data = make_picture("red")
    result = render_fake_edit([data], "снег 🎉", wanted, task_id="abc")
    made_from = read_origin(result)
    assert open_image(result).format == kind
    assert made_from is not None
    assert (made_from.task_id, made_from.prompt) == ("abc", "снег 🎉")
    assert made_from.inputs == (hashlib.sha256(data).hexdigest(),)


def test_a_picture_that_is_no_result_has_no_origin() -> None:
    assert read_origin(make_picture()) is None


def test_the_same_order_gives_the_same_picture() -> None:
    assert render_fake_edit([draw_house()], "make it snow", "png") == render_fake_edit(
        [draw_house()], "make it snow", "png"
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "Make it black and white",
        "sepia, please",
        "blur it",
        "brighter",
        "at night",
        "make it snow",
        "mirror it",
        "rotate it",
        "invert",
        "a pencil sketch",
        "give the cat a hat",
        "",
    ],
)
def test_every_prompt_makes_a_visibly_different_picture(prompt: str) -> None:
    original, result = open_image(draw_house()), open_image(render_fake_edit([draw_house()], prompt, "png"))
    assert mean_difference(result, original) > 4


def test_different_words_make_different_pictures() -> None:
    results = {
        render_fake_edit([draw_house()], f"{word} please", "jpeg") for word in ("sepia", "night", "mirror", "snow")
    }
    assert len(results) == 4


def test_several_pictures_stand_side_by_side() -> None:
    pictures = [make_picture(colour, size=(50, 50)) for colour in ("red", "blue")]
    result = open_image(render_fake_edit(pictures, "mirror", "png"))
    assert result.size == (2 * SIDE, SIDE)


def test_a_ratio_is_kept_to() -> None:
    assert open_image(render_fake_edit([draw_house()], "snow", "png", ratio="16:9")).size == (1024, 576)


@pytest.mark.parametrize(
    "prompt", ["こんにちは", "🎉" * 200, "عربى", "\ud800", "a\x00b\n\tc", "word " * 900, "x" * 5000]
)
def test_no_text_is_too_strange(prompt: str) -> None:
    assert open_image(render_fake_edit([make_picture()], prompt, "jpeg")).width == SIDE


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1)])
def test_no_shape_is_too_strange(size: tuple[int, int]) -> None:
    assert open_image(render_fake_edit([make_picture(kind="png", size=size), make_picture()], "", "png")).width > 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_no_colour_mode_is_too_strange(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (30, 30)).save(out, "jpeg" if mode == "CMYK" else "png")
    assert open_image(render_fake_edit([out.getvalue()], "sketch", "jpeg")).mode == "RGB"


def test_the_sample_is_a_picture_that_the_bot_can_take() -> None:
    image = open_image(draw_house())
    assert (image.format, image.size) == ("JPEG", (1280, 960))


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
