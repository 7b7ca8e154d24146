"""What a file may ask of a decoder is bounded by what real ones have, before anything is decoded."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.pictures import heif, tiff
from bot.pictures.bounds import MOST_PIXELS_OF_BMP_RLE
from bot.pictures.convert import Converter, How
from bot.pictures.errors import TooManyPixels, TooMuchWork, TooNarrow, Unreadable
from bot.pictures.inspect import inspect
from bot.pictures.jpeg import MOST_SCANS
from bot.pictures.tiff import MOST_PIECES
from tests.pictures.excess import bitmap_of_runs, heic_of, jpeg_of_exifs, jpeg_of_scans, tiff_of_strips
from tests.pictures.files import between, chunk, png_header, saved
from tests.pictures.heic import TURNED

TILE = (512, 512)
#: what a phone makes: 48 tiles, an alpha channel of as many, and a map of brightness beside them
PHONE = heic_of(
    {1: range(10, 58), 2: range(60, 108)},
    {1: (4032, 3024), **dict.fromkeys(range(10, 58), TILE), **dict.fromkeys(range(60, 108), TILE), 200: (2016, 1512)},
    {2: 1, 200: 1},
)

#: a marker for private use, at which our walk ends, and no decoder does
TEMPORARY = b"\xff\x01"

LABORIOUS = {
    "JPEG of many scans": jpeg_of_scans(MOST_SCANS + 1),
    "JPEG of many scans that cannot be followed": between(-2, TEMPORARY, jpeg_of_scans(MOST_SCANS + 1)),
    "large JPEG of some scans": jpeg_of_scans(26, 9984, 9984, orientation=6),
    "BMP of runs": bitmap_of_runs(4000, MOST_PIXELS_OF_BMP_RLE // 4000 + 1),
    "TIFF of strips": tiff_of_strips(MOST_PIECES + 1),
    "BigTIFF of strips": tiff_of_strips(MOST_PIECES + 1, big=True),
    "HEIC of one tile many times": heic_of({1: [10] * 961}, {1: (4096, 4096), 10: (4096, 4096)}),
    "HEIC of many tiles": heic_of({1: range(10, 60)}, {1: (2048, 2048), **dict.fromkeys(range(10, 60), (2048, 2048))}),
    "HEIC of grids of grids": heic_of(
        {1: [2] * 30, 2: [3] * 30, 3: [10] * 30}, {1: (512, 512), **dict.fromkeys((2, 3, 10), TILE)}
    ),
    "HEIC with a laborious companion": heic_of({2: [10] * 900}, {1: TILE, 2: TILE, 10: TILE}, {2: 1}),
    "HEIC made of itself": heic_of({1: [1]}, {1: TILE}),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("content", LABORIOUS.values(), ids=LABORIOUS.keys())
async def test_what_asks_for_more_work_than_any_real_file_is_refused(converter: Converter, content: bytes) -> None:
    with pytest.raises(TooMuchWork):
        await converter.fit(content)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_real_files_have_is_no_excess(converter: Converter) -> None:
    progressive = Image.open(io.BytesIO(jpeg_of_scans(11, 640, 480)))
    progressive.load()
    assert inspect(jpeg_of_scans(MOST_SCANS)).width == 64
    assert (await converter.fit(jpeg_of_scans(11, 640, 480, orientation=6))).how is How.CONVERTED
    assert (await converter.fit(bitmap_of_runs(640, 480))).how is How.CONVERTED
    assert (await converter.fit(tiff_of_strips(64))).how is How.CONVERTED
    assert (await converter.fit(tiff_of_strips(64, big=True))).how is How.CONVERTED
    heif.check_items(PHONE)
    heif.check_items(TURNED)


@pytest.mark.parametrize("stray", [b"", TEMPORARY], ids=["followed", "not followed"])
async def test_exif_in_very_many_pieces_takes_no_longer_than_its_bytes(stray: bytes) -> None:
    converter = Converter(timeout=8)  # it would be a minute, where each piece is put to all before it
    fitted = await converter.fit(between(-2, stray, jpeg_of_exifs(49_000, 400)))
    await converter.aclose()
    shown = Image.open(io.BytesIO(fitted.content))
    assert (fitted.how, shown.size) == (How.CONVERTED, (32, 48))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_picture_of_one_line_is_refused_before_it_is_paid_for(converter: Converter) -> None:
    tall, wide = (
        png_header(*sides) + chunk(b"IDAT", b"x") + chunk(b"IEND") for sides in ((1, 49_000_000), (2001, 100))
    )
    for narrow in (tall, wide, saved("BMP", Image.new("L", (100, 2001)))):
        with pytest.raises(TooNarrow):
            await converter.fit(narrow)


@pytest.mark.parametrize("size", [(2000, 100), (100, 2000), (20, 1), (1, 1), (31_600, 1580)])
@pytest.mark.asyncio(loop_scope="module")
async def test_panoramas_and_long_screenshots_are_taken(converter: Converter, size: tuple[int, int]) -> None:
    for file_format, how in (("PNG", How.AS_IS), ("BMP", How.CONVERTED)):
        assert (await converter.fit(saved(file_format, Image.new("1", size)))).how is how


def test_too_many_pixels_are_called_so_however_many_scans_there_are() -> None:
    with pytest.raises(TooManyPixels):
        inspect(jpeg_of_scans(10, 65_000, 65_000))


@settings(deadline=None)
@given(st.data())
def test_damaged_headers_raise_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from([PHONE, TURNED, tiff_of_strips(3), tiff_of_strips(3, big=True)])))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for check in (heif.check_items, tiff.check_directory):
        with contextlib.suppress(Unreadable):  # of which TooMuchWork is one
            check(content)
