"""Files and images that are too large are made smaller, as little as needed."""

import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from bot.images import limits
from bot.images.convert import ImageChange, ImageConverter
from bot.images.format_detection import ImageFormat
from bot.images.inspect import inspect_image, obstacle_to_sending
from bot.images.limits import MAX_FILE_BYTES
from tests.images.sample_files import draw_quarters, encode_image, make_exif, open_converted, png_chunk, read_quarters

pytestmark = pytest.mark.asyncio(loop_scope="module")


def noise_image(mode: str, width: int, height: int) -> Image.Image:
    """An image that no encoder can compress well."""
    size = width * height * len(mode)
    return Image.frombytes(mode, (width, height), random.Random(1).randbytes(size))  # noqa: S311 - no secret is made of it


def flat_png(width: int, height: int) -> bytes:
    """A red PNG, made without its pixels in memory."""
    row = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 1)
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    parts = (
        png_chunk(b"IHDR", header),
        png_chunk(b"PLTE", bytes((220, 30, 30, 0, 0, 0))),
        png_chunk(b"IDAT", row),
        png_chunk(b"IEND"),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def flat_jpeg(width: int, height: int, **options: object) -> bytes:
    """A plain grey JPEG."""
    return encode_image("JPEG", Image.new("L", (width, height), 90), quality=50, **options)


async def test_a_big_png_of_a_photo_becomes_a_jpeg_with_all_its_pixels(converter: ImageConverter) -> None:
    big = encode_image("PNG", noise_image("RGB", 2000, 1800), compress_level=0)
    converted = await converter.convert(big)
    assert len(big) > MAX_FILE_BYTES >= len(converted.content)
    assert (converted.format, converted.change, open_converted(converted).size) == (
        ImageFormat.JPEG,
        ImageChange.CONVERTED,
        (2000, 1800),
    )


async def test_a_png_that_was_only_badly_packed_stays_without_loss(converter: ImageConverter) -> None:
    big = encode_image("PNG", draw_quarters().resize((2000, 1800)), compress_level=0)
    converted = await converter.convert(big)
    assert len(big) > MAX_FILE_BYTES
    assert (converted.format, converted.change) == (ImageFormat.PNG, ImageChange.CONVERTED)


async def test_a_big_transparent_png_becomes_a_transparent_webp(converter: ImageConverter) -> None:
    converted = await converter.convert(encode_image("PNG", noise_image("RGBA", 1700, 1700), compress_level=0))
    assert len(converted.content) <= MAX_FILE_BYTES
    assert (converted.format, open_converted(converted).mode, open_converted(converted).size) == (
        ImageFormat.WEBP,
        "RGBA",
        (1700, 1700),
    )


async def test_alpha_that_hides_nothing_is_no_reason_to_lose_pixels(converter: ImageConverter) -> None:
    opaque = noise_image("RGB", 1900, 1900).convert("RGBA")
    converted = await converter.convert(encode_image("PNG", opaque, compress_level=0))
    assert (converted.format, converted.change) == (ImageFormat.JPEG, ImageChange.CONVERTED)


async def test_only_when_nothing_else_helps_pixels_go(converter: ImageConverter) -> None:
    big = encode_image("JPEG", noise_image("RGB", 4400, 4400), quality=95)
    converted = await converter.convert(big)
    found = inspect_image(converted.content)
    assert (found.format, converted.change) == (ImageFormat.JPEG, ImageChange.DOWNSCALED)
    assert 0.75 * MAX_FILE_BYTES < found.file_size <= MAX_FILE_BYTES
    assert found.width == found.height < 4400


async def test_above_the_pixels_to_send_a_picture_shrinks_to_just_below(converter: ImageConverter) -> None:
    converted = await converter.convert(flat_jpeg(10_000, 6_000))
    found = inspect_image(converted.content)
    assert converted.change is ImageChange.DOWNSCALED
    assert 0.99 * limits.MAX_PIXELS < found.width * found.height <= limits.MAX_PIXELS


async def test_a_jpeg_too_large_for_one_pass_is_read_at_half_its_sides(converter: ImageConverter) -> None:
    huge = encode_image(
        "JPEG", draw_quarters().resize((12_800, 8_000), Image.Resampling.NEAREST), quality=30, exif=make_exif(6)
    )
    converted = await converter.convert(huge)
    assert (converted.change, open_converted(converted).size) == (ImageChange.DOWNSCALED, (4000, 6400))
    assert read_quarters(open_converted(converted)) == "BRWG"


async def test_the_costliest_accepted_file_fits_in_memory(converter: ImageConverter) -> None:
    converted = await converter.convert(flat_png(12_500, 8_000))
    assert (converted.change, converted.format) == (ImageChange.DOWNSCALED, ImageFormat.PNG)
    assert obstacle_to_sending(inspect_image(converted.content)) is None


LIMITED_MEMORY_SCRIPT = """
import resource, sys
from bot.images import converter_process, decode
from bot.images.errors import TooManyPixels
decode.load_decoders()
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (40 << 20), now + (40 << 20)))
try:
    converter_process.reencode(sys.stdin.buffer.read())
except TooManyPixels as error:
    print(error)
"""


async def test_a_picture_beyond_the_memory_has_too_many_pixels() -> None:
    content = flat_png(5_000, 4_000)  # 60 MB when it is decoded
    command = [sys.executable, "-c", LIMITED_MEMORY_SCRIPT]
    done = subprocess.run(command, input=content, capture_output=True, check=True, cwd=Path(limits.__file__).parents[2])  # noqa: ASYNC221 - nothing else is going on
    assert done.stdout == b"5000 x 4000 pixels\n"
