"""The ratio at the end of a prompt, and the options that Kie knows."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.edit_options import AspectRatio, ResultFormat, split_trailing_ratio
from bot.kie.models import ImageSize, OutputFormat


@pytest.mark.parametrize("shape", [each for each in AspectRatio if each is not AspectRatio.AUTO])
@pytest.mark.parametrize("between", [" ", ", ", "\n", "，", "; "])
def test_every_shape_is_understood_at_the_end(shape: AspectRatio, between: str) -> None:
    assert split_trailing_ratio(f"make it snow{between}{shape}") == ("make it snow", shape)


@pytest.mark.parametrize("words", ["让它下雪16:9", "让它下雪 16：9。", "让它下雪、16:9", "雪を降らせて16:9"])
def test_it_is_understood_where_nobody_writes_spaces(words: str) -> None:
    prompt, shape = split_trailing_ratio(words)
    assert shape is AspectRatio.WIDE
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
    assert split_trailing_ratio(words) == (words, None)


def test_a_shape_alone_is_the_whole_wish() -> None:
    assert split_trailing_ratio("16:9") == ("16:9", AspectRatio.WIDE)


@given(st.text())
def test_no_words_are_lost_but_the_shape(words: str) -> None:
    prompt, shape = split_trailing_ratio(words)
    assert words.startswith(prompt)
    assert bool(prompt) == bool(words)
    assert shape is not None or prompt == words


def test_they_are_those_that_kie_knows() -> None:
    assert set(AspectRatio) == set(get_args(ImageSize))
    assert set(ResultFormat) == set(get_args(OutputFormat))
