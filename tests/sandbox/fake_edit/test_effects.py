"""Every effect visibly does what its name says."""

import pytest
from PIL import Image, ImageStat

from bot.sandbox.fake_edit.effects import MOUNT_COLOUR, WOOD_COLOURS
from bot.sandbox.samples import draw_house
from tests.sandbox.fake_edit.image_probes import (
    CORNER_COLOURS,
    RESULT_SIDE,
    brightness,
    colour_share,
    crop_middle,
    edit_image,
    read_corner_colours,
    saturation,
)
from tests.sandbox.kie.api_client import make_picture

RED, LIME, BLUE, YELLOW = CORNER_COLOURS


def plain() -> Image.Image:
    return Image.new("RGB", (RESULT_SIDE, RESULT_SIDE * 3 // 4))


@pytest.mark.parametrize(
    ("prompt", "corners"),
    [
        ("mirror it", (LIME, RED, YELLOW, BLUE)),
        ("upside down", (BLUE, YELLOW, RED, LIME)),
        ("rotate left", (LIME, BLUE, YELLOW, RED)),
        ("rotate right", (YELLOW, RED, LIME, BLUE)),
    ],
)
def test_corners_go_where_they_should(prompt: str, corners: tuple[str, ...]) -> None:
    assert read_corner_colours(edit_image(prompt)) == corners


def test_a_quarter_turn_makes_a_wide_picture_high() -> None:
    assert edit_image("rotate left").size == (RESULT_SIDE * 3 // 4, RESULT_SIDE)


@pytest.mark.parametrize("prompt", ["black and white", "black and white, make it snow", "black and white with a frame"])
def test_black_and_white_leaves_no_colour(prompt: str) -> None:
    assert saturation(edit_image(prompt)) == 0


def test_black_and_white_keeps_what_there_is_to_see() -> None:
    [spread] = ImageStat.Stat(crop_middle(edit_image("black and white", draw_house())).convert("L")).stddev
    assert spread > 30


def test_sepia_is_brown_throughout() -> None:
    red, green, blue = ImageStat.Stat(crop_middle(edit_image("sepia"))).mean
    assert red > green + 10 > blue + 20


def test_blur_softens_the_edge_between_two_colours() -> None:
    sharp, soft = edit_image("brighter"), edit_image("blur")
    assert _colours(soft) > 5 * _colours(sharp)


def test_brighter_and_darker_are_what_they_say() -> None:
    gray = make_picture("#808080", "png")
    assert brightness(edit_image("darker", gray)) < 80
    assert brightness(edit_image("brighter", gray)) > 160


def test_a_poster_has_few_colours() -> None:
    assert _colours(edit_image("posterise", draw_house())) <= 64 < _colours(edit_image("mirror", draw_house()))


def test_a_negative_has_the_opposite_colours() -> None:
    assert colour_share(edit_image("invert", make_picture("red", "png")), (0, 255, 255)) > 0.9


def test_a_sketch_is_gray_lines_on_light_paper() -> None:
    sketch = edit_image("pencil sketch", draw_house())
    assert saturation(sketch) == 0
    assert brightness(sketch) > 180
    [(darkest, _)] = ImageStat.Stat(crop_middle(sketch).convert("L")).extrema
    assert darkest < 60


def test_watercolour_is_paler_and_keeps_its_colours() -> None:
    before, after = edit_image("mirror", draw_house()), edit_image("watercolour", draw_house())
    assert saturation(after) > 30
    assert brightness(after) > brightness(before)


def test_night_is_dark_and_blue_and_has_a_moon() -> None:
    night = edit_image("at night", make_picture("#a0a0a0", "png"))
    red, _, blue = ImageStat.Stat(crop_middle(night)).mean
    assert blue > red + 20
    assert brightness(night) < 90
    assert colour_share(night, (255, 248, 214)) > 0.003


def test_snow_lies_at_the_foot_and_falls_everywhere() -> None:
    snowy = edit_image("make it snow", make_picture("navy", "png"))
    foot = snowy.crop((0, snowy.height - 3, snowy.width // 3, snowy.height))
    assert colour_share(foot, (255, 255, 255)) > 0.9
    for left in range(0, snowy.width, snowy.width // 4):
        part = snowy.crop((left, 0, left + snowy.width // 4, snowy.height // 2))
        assert colour_share(part, (255, 255, 255), tolerance=60) > 0


def test_a_frame_goes_all_the_way_round_and_keeps_the_size() -> None:
    framed = edit_image("frame")
    assert framed.size == plain().size
    assert [framed.getpixel(at) for at in ((0, 0), (80, 0), (159, 0), (0, 60), (159, 60), (0, 119))] == [
        WOOD_COLOURS[0]
    ] * 6
    assert colour_share(framed, MOUNT_COLOUR) > 0.05
    assert read_corner_colours(framed) == CORNER_COLOURS


def test_effects_combine_in_one_picture() -> None:
    both = edit_image("black and white with a frame, and let it snow, mirrored", draw_house())
    assert saturation(both) == 0
    assert both.getpixel((0, 0)) == WOOD_COLOURS[0]
    assert colour_share(both, (255, 255, 255)) > 0.01


@pytest.mark.parametrize("prompt", ["frame", "rotate left", "snow", "give the cat a hat"])
def test_a_ratio_is_kept_to_whatever_is_done(prompt: str) -> None:
    image = edit_image(prompt, ratio="16:9")
    assert image.width / image.height == pytest.approx(16 / 9, rel=0.02)
    if prompt == "frame":
        assert image.getpixel((image.width - 40, 0)) == WOOD_COLOURS[0]


def _colours(image: Image.Image) -> int:
    return len(crop_middle(image).getcolors(1 << 24) or ())
