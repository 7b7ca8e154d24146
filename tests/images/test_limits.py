"""Which images are sent as they are, and which ones Telegram shows as a photo."""

from dataclasses import replace

import pytest

from bot.images.format_detection import ImageFormat, ImageInfo
from bot.images.inspect import SendObstacle, fits_as_photo, obstacle_to_sending

PLAIN_PHOTO = ImageInfo(
    format=ImageFormat.JPEG, width=1280, height=960, file_size=200_000, upright=True, has_metadata=False, animated=False
)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PLAIN_PHOTO, None),
        (replace(PLAIN_PHOTO, file_size=10_000_000), None),
        (replace(PLAIN_PHOTO, file_size=10_000_001), SendObstacle.TOO_BIG),
        (replace(PLAIN_PHOTO, upright=False), SendObstacle.ROTATED),
        (replace(PLAIN_PHOTO, has_metadata=True), SendObstacle.METADATA),
        (replace(PLAIN_PHOTO, animated=True), SendObstacle.ANIMATED),
        (replace(PLAIN_PHOTO, has_metadata=True, upright=False), SendObstacle.ROTATED),
        (replace(PLAIN_PHOTO, has_metadata=True, file_size=10_000_001), SendObstacle.TOO_BIG),
        (replace(PLAIN_PHOTO, file_size=10_000_001, animated=True), SendObstacle.ANIMATED),
    ],
)
def test_the_gravest_obstacle_is_named(image: ImageInfo, expected: SendObstacle | None) -> None:
    assert obstacle_to_sending(image) is expected


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
    assert fits_as_photo(replace(PLAIN_PHOTO, width=width, height=height, file_size=size)) is expected
