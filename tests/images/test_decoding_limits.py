"""Files that would cost a decoder more than any real one are refused before anything is decoded."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.images import heif_tiff
from bot.images.convert import ImageChange, ImageConverter
from bot.images.errors import DecodingTooCostly, ExtremeAspectRatio, TooManyPixels, UnreadableImage
from bot.images.inspect import inspect_image
from bot.images.limits import MAX_JPEG_SCANS, MAX_PIXELS_OF_RLE_BMP, MAX_TIFF_STRIPS_OR_TILES
from tests.images.costly_files import (
    heic_with_items,
    jpeg_with_exif_segments,
    jpeg_with_scans,
    rle_bitmap,
    tiff_with_strips,
)
from tests.images.sample_files import ROTATED_HEIC, encode_image, insert_bytes, png_chunk, png_header

TILE = (512, 512)
#: as from a phone: 48 tiles, an alpha channel of as many, and a gain map
PHONE_HEIC = heic_with_items(
    {1: range(10, 58), 2: range(60, 108)},
    {1: (4032, 3024), **dict.fromkeys(range(10, 58), TILE), **dict.fromkeys(range(60, 108), TILE), 200: (2016, 1512)},
    {2: 1, 200: 1},
)

#: a marker for private use: our reader stops there, decoders do not
TEMPORARY = b"\xff\x01"

COSTLY_FILES = {
    "JPEG of many scans": jpeg_with_scans(MAX_JPEG_SCANS + 1),
    "JPEG of many scans that cannot be followed": insert_bytes(-2, TEMPORARY, jpeg_with_scans(MAX_JPEG_SCANS + 1)),
    "large JPEG of some scans": jpeg_with_scans(26, 9984, 9984, orientation=6),
    "BMP of runs": rle_bitmap(4000, MAX_PIXELS_OF_RLE_BMP // 4000 + 1),
    "TIFF of strips": tiff_with_strips(MAX_TIFF_STRIPS_OR_TILES + 1),
    "BigTIFF of strips": tiff_with_strips(MAX_TIFF_STRIPS_OR_TILES + 1, big=True),
    "HEIC of one tile many times": heic_with_items({1: [10] * 961}, {1: (4096, 4096), 10: (4096, 4096)}),
    "HEIC of many tiles": heic_with_items(
        {1: range(10, 60)}, {1: (2048, 2048), **dict.fromkeys(range(10, 60), (2048, 2048))}
    ),
    "HEIC of grids of grids": heic_with_items(
        {1: [2] * 30, 2: [3] * 30, 3: [10] * 30}, {1: (512, 512), **dict.fromkeys((2, 3, 10), TILE)}
    ),
    "HEIC with a laborious companion": heic_with_items({2: [10] * 900}, {1: TILE, 2: TILE, 10: TILE}, {2: 1}),
    "HEIC made of itself": heic_with_items({1: [1]}, {1: TILE}),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("content", COSTLY_FILES.values(), ids=COSTLY_FILES.keys())
async def test_what_asks_for_more_work_than_any_real_file_is_refused(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(DecodingTooCostly):
        await converter.convert(content)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_real_files_have_is_no_excess(converter: ImageConverter) -> None:
    progressive = Image.open(io.BytesIO(jpeg_with_scans(11, 640, 480)))
    progressive.load()
    assert inspect_image(jpeg_with_scans(MAX_JPEG_SCANS)).width == 64
    assert (await converter.convert(jpeg_with_scans(11, 640, 480, orientation=6))).change is ImageChange.CONVERTED
    assert (await converter.convert(rle_bitmap(640, 480))).change is ImageChange.CONVERTED
    assert (await converter.convert(tiff_with_strips(64))).change is ImageChange.CONVERTED
    assert (await converter.convert(tiff_with_strips(64, big=True))).change is ImageChange.CONVERTED
    heif_tiff.check_heif_items(PHONE_HEIC)
    heif_tiff.check_heif_items(ROTATED_HEIC)


@pytest.mark.parametrize("stray", [b"", TEMPORARY], ids=["followed", "not followed"])
async def test_exif_in_very_many_pieces_takes_no_longer_than_its_bytes(stray: bytes) -> None:
    converter = ImageConverter(timeout=8)  # joining the segments one by one would take a minute
    converted = await converter.convert(insert_bytes(-2, stray, jpeg_with_exif_segments(49_000, 400)))
    await converter.aclose()
    upright = Image.open(io.BytesIO(converted.content))
    assert (converted.change, upright.size) == (ImageChange.CONVERTED, (32, 48))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_picture_of_one_line_is_refused_before_it_is_paid_for(converter: ImageConverter) -> None:
    rest = png_chunk(b"IDAT", b"x") + png_chunk(b"IEND")
    tall, wide = png_header(1, 49_000_000) + rest, png_header(2001, 100) + rest
    for narrow in (tall, wide, encode_image("BMP", Image.new("L", (100, 2001)))):
        with pytest.raises(ExtremeAspectRatio):
            await converter.convert(narrow)


@pytest.mark.parametrize("size", [(2000, 100), (100, 2000), (20, 1), (1, 1), (31_600, 1580)])
@pytest.mark.asyncio(loop_scope="module")
async def test_panoramas_and_long_screenshots_are_taken(converter: ImageConverter, size: tuple[int, int]) -> None:
    for file_format, change in (("PNG", ImageChange.AS_IS), ("BMP", ImageChange.CONVERTED)):
        assert (await converter.convert(encode_image(file_format, Image.new("1", size)))).change is change


def test_too_many_pixels_are_called_so_however_many_scans_there_are() -> None:
    with pytest.raises(TooManyPixels):
        inspect_image(jpeg_with_scans(10, 65_000, 65_000))


@settings(deadline=None)
@given(st.data())
def test_damaged_headers_raise_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(
        data.draw(st.sampled_from([PHONE_HEIC, ROTATED_HEIC, tiff_with_strips(3), tiff_with_strips(3, big=True)]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for check in (heif_tiff.check_heif_items, heif_tiff.check_tiff_directory):
        with contextlib.suppress(UnreadableImage):  # includes DecodingTooCostly
            check(content)
