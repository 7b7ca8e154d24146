"""The stand-in edit is visible, honest, repeatable and never in the way."""

import hashlib
import io

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.sandbox.samples import sample
from bot.sandbox.stand_in import SIDE, edit, origin
from tests.sandbox.kie_asking import picture


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, 0 to 255, over all channels."""
    gap = ImageChops.difference(one.convert("RGB"), other.convert("RGB").resize(one.size))
    return sum(ImageStat.Stat(gap).mean) / 3


@pytest.mark.parametrize(("wanted", "kind"), [("png", "PNG"), ("jpeg", "JPEG")])
def test_the_result_has_the_wanted_format_and_says_what_it_came_from(wanted: str, kind: str) -> None:
    data = picture("red")
    result = edit([data], "снег 🎉", wanted, task_id="abc")
    made_from = origin(result)
    assert opened(result).format == kind
    assert made_from is not None
    assert (made_from.task_id, made_from.prompt) == ("abc", "снег 🎉")
    assert made_from.inputs == (hashlib.sha256(data).hexdigest(),)


def test_a_picture_that_is_no_result_has_no_origin() -> None:
    assert origin(picture()) is None


def test_the_same_order_gives_the_same_picture() -> None:
    assert edit([sample()], "make it snow", "png") == edit([sample()], "make it snow", "png")


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
    original, result = opened(sample()), opened(edit([sample()], prompt, "png"))
    assert difference(result, original) > 4


def test_different_words_make_different_pictures() -> None:
    results = {edit([sample()], f"{word} please", "jpeg") for word in ("sepia", "night", "mirror", "snow")}
    assert len(results) == 4


def test_several_pictures_stand_side_by_side() -> None:
    pictures = [picture(colour, size=(50, 50)) for colour in ("red", "blue")]
    result = opened(edit(pictures, "mirror", "png"))
    assert result.size == (2 * SIDE, SIDE)


def test_a_ratio_is_kept_to() -> None:
    assert opened(edit([sample()], "snow", "png", ratio="16:9")).size == (1024, 576)


@pytest.mark.parametrize(
    "prompt", ["こんにちは", "🎉" * 200, "عربى", "\ud800", "a\x00b\n\tc", "word " * 900, "x" * 5000]
)
def test_no_text_is_too_strange(prompt: str) -> None:
    assert opened(edit([picture()], prompt, "jpeg")).width == SIDE


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1)])
def test_no_shape_is_too_strange(size: tuple[int, int]) -> None:
    assert opened(edit([picture(kind="png", size=size), picture()], "", "png")).width > 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_no_colour_mode_is_too_strange(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (30, 30)).save(out, "jpeg" if mode == "CMYK" else "png")
    assert opened(edit([out.getvalue()], "sketch", "jpeg")).mode == "RGB"


def test_the_sample_is_a_picture_that_the_bot_can_take() -> None:
    image = opened(sample())
    assert (image.format, image.size) == ("JPEG", (1280, 960))
