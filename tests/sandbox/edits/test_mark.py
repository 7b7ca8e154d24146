"""Every result says in its corner that it is a stand-in."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.sandbox import stand_in
from bot.sandbox.edits.mark import GROUND, LETTERS, box, marked
from bot.sandbox.edits.vocabulary import Edit
from tests.sandbox.edits.seeing import opened, share_of
from tests.sandbox.edits.test_words import WISHES
from tests.sandbox.kie_asking import picture


def is_marked(image: Image.Image) -> bool:
    corner = image.convert("RGB").crop(box(image.size))
    return share_of(corner, GROUND) > 0.3 and share_of(corner, LETTERS, tolerance=60) > 0.02


@pytest.mark.parametrize("prompt", [*(WISHES[edit][0] for edit in Edit), "give the cat a hat"])
@pytest.mark.parametrize("colour", ["black", "white"])
def test_whatever_was_done_the_mark_is_there(prompt: str, colour: str) -> None:
    assert is_marked(opened(stand_in.edit([picture(colour, "png")], prompt, "png")))


def test_what_has_no_mark_is_seen_to_have_none() -> None:
    assert not is_marked(Image.new("RGB", (160, 120), GROUND))
    assert not is_marked(Image.new("RGB", (160, 120), LETTERS))


@pytest.mark.parametrize("size", [(160, 120), (1024, 768), (2048, 500)])
def test_the_mark_is_small_and_in_the_corner(size: tuple[int, int]) -> None:
    left, top, right, bottom = box(size)
    assert is_marked(marked(Image.new("RGB", size)))
    assert (right - left) * (bottom - top) < size[0] * size[1] / 20
    assert left > size[0] / 2
    assert top > size[1] / 2
    assert right <= size[0]
    assert bottom <= size[1]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (20, 20)])
def test_a_picture_that_is_too_small_is_marked_as_far_as_there_is_room(size: tuple[int, int]) -> None:
    blank = Image.new("RGB", size, "red")
    assert marked(blank.copy()).tobytes() != blank.tobytes()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.one_of(
        st.text(max_size=300), st.lists(st.sampled_from([words[0] for words in WISHES.values()])).map(" ".join)
    ),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    number=st.integers(1, 3),
    ratio=st.sampled_from(["auto", "9:16", "21:9"]),
    kind=st.sampled_from(["png", "jpeg"]),
)
def test_no_prompt_and_no_shape_makes_it_fail(
    prompt: str, shape: tuple[int, int], number: int, ratio: str, kind: str
) -> None:
    result = stand_in.edit([picture("teal", "png", shape)] * number, prompt, kind, ratio=ratio)
    assert opened(result).format == kind.upper()
    made_from = stand_in.origin(result)
    assert made_from is not None
    assert made_from.prompt == prompt


@pytest.mark.parametrize("prompt", ["x" * 5000, "снег " * 1000, "猫" * 5000, "word " * 1000, "🎉" * 5000])
def test_the_longest_prompt_is_no_trouble(prompt: str) -> None:
    assert is_marked(opened(stand_in.edit([picture()], prompt, "png")))


def test_a_huge_picture_is_brought_to_size() -> None:
    out = io.BytesIO()
    Image.new("L", (5000, 3000), 90).save(out, "png")
    assert opened(stand_in.edit([out.getvalue()], "snow", "png")).width == stand_in.SIDE
