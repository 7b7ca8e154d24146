"""What is too big is made smaller, as little as needed."""

import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from bot.pictures import bounds
from bot.pictures.convert import Converter, How
from bot.pictures.inspect import MOST_BYTES, Kind, inspect, why_not_as_it_is
from tests.pictures.files import chunk, exif, saved
from tests.pictures.quarters import opened, quarters, seen

pytestmark = pytest.mark.asyncio(loop_scope="module")


def noise(mode: str, width: int, height: int) -> Image.Image:
    """A picture that no encoder can make much smaller."""
    size = width * height * len(mode)
    return Image.frombytes(mode, (width, height), random.Random(1).randbytes(size))  # noqa: S311 - no secret is made of it


def flat_png(width: int, height: int) -> bytes:
    """A PNG of two colours, one of them nowhere, made without holding its pixels."""
    row = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 1)
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"PLTE", bytes((220, 30, 30, 0, 0, 0))), chunk(b"IDAT", row), chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def flat_jpeg(width: int, height: int, **options: object) -> bytes:
    """A JPEG of these sides in one even grey."""
    return saved("JPEG", Image.new("L", (width, height), 90), quality=50, **options)


async def test_a_big_png_of_a_photo_becomes_a_jpeg_with_all_its_pixels(converter: Converter) -> None:
    big = saved("PNG", noise("RGB", 2000, 1800), compress_level=0)
    fitted = await converter.fit(big)
    assert len(big) > MOST_BYTES >= len(fitted.content)
    assert (fitted.kind, fitted.how, opened(fitted).size) == (Kind.JPEG, How.CONVERTED, (2000, 1800))


async def test_a_png_that_was_only_badly_packed_stays_without_loss(converter: Converter) -> None:
    big = saved("PNG", quarters().resize((2000, 1800)), compress_level=0)
    fitted = await converter.fit(big)
    assert len(big) > MOST_BYTES
    assert (fitted.kind, fitted.how) == (Kind.PNG, How.CONVERTED)


async def test_a_big_transparent_png_becomes_a_transparent_webp(converter: Converter) -> None:
    fitted = await converter.fit(saved("PNG", noise("RGBA", 1700, 1700), compress_level=0))
    assert len(fitted.content) <= MOST_BYTES
    assert (fitted.kind, opened(fitted).mode, opened(fitted).size) == (Kind.WEBP, "RGBA", (1700, 1700))


async def test_alpha_that_hides_nothing_is_no_reason_to_lose_pixels(converter: Converter) -> None:
    opaque = noise("RGB", 1900, 1900).convert("RGBA")
    fitted = await converter.fit(saved("PNG", opaque, compress_level=0))
    assert (fitted.kind, fitted.how) == (Kind.JPEG, How.CONVERTED)


async def test_only_when_nothing_else_helps_pixels_go(converter: Converter) -> None:
    big = saved("JPEG", noise("RGB", 4400, 4400), quality=95)
    fitted = await converter.fit(big)
    found = inspect(fitted.content)
    assert (found.kind, fitted.how) == (Kind.JPEG, How.SHRUNK)
    assert 0.75 * MOST_BYTES < found.size <= MOST_BYTES
    assert found.width == found.height < 4400


async def test_above_the_pixels_to_send_a_picture_shrinks_to_just_below(converter: Converter) -> None:
    fitted = await converter.fit(flat_jpeg(10_000, 6_000))
    found = inspect(fitted.content)
    assert fitted.how is How.SHRUNK
    assert 0.99 * bounds.MOST_PIXELS < found.width * found.height <= bounds.MOST_PIXELS


async def test_a_jpeg_too_large_for_one_pass_is_read_at_half_its_sides(converter: Converter) -> None:
    huge = saved("JPEG", quarters().resize((12_800, 8_000), Image.Resampling.NEAREST), quality=30, exif=exif(6))
    fitted = await converter.fit(huge)
    assert (fitted.how, opened(fitted).size) == (How.SHRUNK, (4000, 6400))
    assert seen(opened(fitted)) == "BRWG"


async def test_the_costliest_accepted_file_fits_in_memory(converter: Converter) -> None:
    fitted = await converter.fit(flat_png(12_500, 8_000))
    assert (fitted.how, fitted.kind) == (How.SHRUNK, Kind.PNG)
    assert why_not_as_it_is(inspect(fitted.content)) is None


TIGHT = """
import resource, sys
from bot.pictures import opening, redraw
from bot.pictures.errors import TooManyPixels
opening.prepare()
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (40 << 20), now + (40 << 20)))
try:
    redraw.redrawn(sys.stdin.buffer.read())
except TooManyPixels as error:
    print(error)
"""


async def test_a_picture_beyond_the_memory_has_too_many_pixels() -> None:
    content = flat_png(5_000, 4_000)  # 60 MB when it is decoded
    command = [sys.executable, "-c", TIGHT]
    done = subprocess.run(command, input=content, capture_output=True, check=True, cwd=Path(bounds.__file__).parents[2])  # noqa: ASYNC221 - nothing else is going on
    assert done.stdout == b"5000 x 4000 pixels\n"
