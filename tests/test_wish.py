"""The shape at the end of the words, and the forms that Kie knows."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kie.models import ImageSize, OutputFormat
from bot.wish import Format, Shape, shape_at_the_end


@pytest.mark.parametrize("shape", [each for each in Shape if each is not Shape.AUTO])
@pytest.mark.parametrize("between", [" ", ", ", "\n", "，", "; "])
def test_every_shape_is_understood_at_the_end(shape: Shape, between: str) -> None:
    assert shape_at_the_end(f"make it snow{between}{shape}") == ("make it snow", shape)


@pytest.mark.parametrize("words", ["让它下雪16:9", "让它下雪 16：9。", "让它下雪、16:9", "雪を降らせて16:9"])
def test_it_is_understood_where_nobody_writes_spaces(words: str) -> None:
    prompt, shape = shape_at_the_end(words)
    assert shape is Shape.WIDE
    assert prompt in ("让它下雪", "雪を降らせて")


@pytest.mark.parametrize(
    "words",
    [
        "make it snow",
        "make it snow16:9",
        "make it snow 3:2",
        "a clock that shows 12:16:9",
        "16:9 make it snow",
        "make it 16:90",
        "auto",
        "",
    ],
)
def test_other_words_are_left_as_they_are(words: str) -> None:
    assert shape_at_the_end(words) == (words, None)


def test_a_shape_alone_is_the_whole_wish() -> None:
    assert shape_at_the_end("16:9") == ("16:9", Shape.WIDE)


@given(st.text())
def test_no_words_are_lost_but_the_shape(words: str) -> None:
    prompt, shape = shape_at_the_end(words)
    assert words.startswith(prompt)
    assert bool(prompt) == bool(words)
    assert shape is not None or prompt == words


def test_they_are_those_that_kie_knows() -> None:
    assert set(Shape) == set(get_args(ImageSize))
    assert set(Format) == set(get_args(OutputFormat))
