"""Every result has a watermark."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.sandbox.fake_edit import render
from bot.sandbox.fake_edit.effect_keywords import EditEffect
from bot.sandbox.fake_edit.watermark import BACKGROUND_COLOUR, TEXT_COLOUR, add_watermark, watermark_box
from tests.sandbox.fake_edit.image_probes import colour_share, open_image
from tests.sandbox.fake_edit.test_effect_keywords import PROMPTS_BY_EDIT
from tests.sandbox.kie.api_client import make_picture


def is_marked(image: Image.Image) -> bool:
    corner = image.convert("RGB").crop(watermark_box(image.size))
    return colour_share(corner, BACKGROUND_COLOUR) > 0.3 and colour_share(corner, TEXT_COLOUR, tolerance=60) > 0.02


@pytest.mark.parametrize("prompt", [*(PROMPTS_BY_EDIT[effect][0] for effect in EditEffect), "give the cat a hat"])
@pytest.mark.parametrize("colour", ["black", "white"])
def test_whatever_was_done_the_mark_is_there(prompt: str, colour: str) -> None:
    assert is_marked(open_image(render.render_fake_edit([make_picture(colour, "png")], prompt, "png")))


def test_what_has_no_mark_is_seen_to_have_none() -> None:
    assert not is_marked(Image.new("RGB", (160, 120), BACKGROUND_COLOUR))
    assert not is_marked(Image.new("RGB", (160, 120), TEXT_COLOUR))


@pytest.mark.parametrize("size", [(160, 120), (1024, 768), (2048, 500)])
def test_the_mark_is_small_and_in_the_corner(size: tuple[int, int]) -> None:
    left, top, right, bottom = watermark_box(size)
    assert is_marked(add_watermark(Image.new("RGB", size)))
    assert (right - left) * (bottom - top) < size[0] * size[1] / 20
    assert left > size[0] / 2
    assert top > size[1] / 2
    assert right <= size[0]
    assert bottom <= size[1]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (20, 20)])
def test_a_picture_that_is_too_small_is_marked_in_the_available_space(size: tuple[int, int]) -> None:
    blank = Image.new("RGB", size, "red")
    assert add_watermark(blank.copy()).tobytes() != blank.tobytes()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.one_of(
        st.text(max_size=300), st.lists(st.sampled_from([words[0] for words in PROMPTS_BY_EDIT.values()])).map(" ".join)
    ),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    number=st.integers(1, 3),
    ratio=st.sampled_from(["auto", "9:16", "21:9"]),
    kind=st.sampled_from(["png", "jpeg"]),
)
def test_no_prompt_and_no_shape_makes_it_fail(
    prompt: str, shape: tuple[int, int], number: int, ratio: str, kind: str
) -> None:
    result = render.render_fake_edit([make_picture("teal", "png", shape)] * number, prompt, kind, ratio=ratio)
    assert open_image(result).format == kind.upper()
    made_from = render.read_origin(result)
    assert made_from is not None
    assert made_from.prompt == prompt


@pytest.mark.parametrize("prompt", ["x" * 5000, "снег " * 1000, "猫" * 5000, "word " * 1000, "🎉" * 5000])
def test_the_longest_prompt_is_no_trouble(prompt: str) -> None:
    assert is_marked(open_image(render.render_fake_edit([make_picture()], prompt, "png")))


def test_a_huge_picture_is_brought_to_size() -> None:
    out = io.BytesIO()
    Image.new("L", (5000, 3000), 90).save(out, "png")
    assert open_image(render.render_fake_edit([out.getvalue()], "snow", "png")).width == render.SIDE
