"""Which pictures are handed on as they are, and which ones Telegram shows as a photo."""

from dataclasses import replace

import pytest

from bot.pictures.inspect import Kind, Obstacle, Picture, fits_as_photo, why_not_as_it_is

PLAIN = Picture(kind=Kind.JPEG, width=1280, height=960, size=200_000, upright=True, has_metadata=False, animated=False)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (PLAIN, None),
        (replace(PLAIN, size=10_000_000), None),
        (replace(PLAIN, size=10_000_001), Obstacle.TOO_BIG),
        (replace(PLAIN, upright=False), Obstacle.ROTATED),
        (replace(PLAIN, has_metadata=True), Obstacle.METADATA),
        (replace(PLAIN, animated=True), Obstacle.ANIMATED),
        (replace(PLAIN, has_metadata=True, upright=False), Obstacle.ROTATED),
        (replace(PLAIN, has_metadata=True, size=10_000_001), Obstacle.TOO_BIG),
        (replace(PLAIN, size=10_000_001, animated=True), Obstacle.ANIMATED),
    ],
)
def test_the_gravest_obstacle_is_named(picture: Picture, expected: Obstacle | None) -> None:
    assert why_not_as_it_is(picture) is expected


@pytest.mark.parametrize(
    ("width", "height", "size", "expected"),
    [
        (1024, 1024, 1_500_000, True),
        (5_000, 5_000, 10_000_000, True),
        (5_000, 5_000, 10_000_001, False),
        (5_000, 5_001, 1_000, False),
        (2_000, 100, 1_000, True),
        (2_001, 100, 1_000, False),
        (100, 2_001, 1_000, False),
    ],
)
def test_telegram_shows_as_a_photo_what_is_within_its_limits(
    width: int, height: int, size: int, expected: bool
) -> None:
    assert fits_as_photo(replace(PLAIN, width=width, height=height, size=size)) is expected
