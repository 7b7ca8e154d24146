"""What a picture tells beside what it shows, and which way up it is."""

import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.pictures.exif import is_upright
from bot.pictures.inspect import inspect
from tests.pictures.files import (
    ORIENTATION,
    chunk,
    drawn,
    exif,
    exif_with_position,
    plain_exif,
    riff,
    saved,
    texts,
    webp_canvas,
    webp_picture,
    with_chunk,
    with_segment,
)

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
FORMATS = ["JPEG", "PNG", "WEBP"]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_from_exif(file_format: str, orientation: int) -> None:
    picture = inspect(saved(file_format, exif=exif(orientation)))
    assert picture.upright is (orientation == 1)
    assert picture.has_metadata
    assert (picture.width, picture.height) == (48, 32)


@pytest.mark.parametrize("file_format", FORMATS)
def test_exif_without_orientation_is_upright(file_format: str) -> None:
    picture = inspect(saved(file_format, exif=exif(title="a holiday")))
    assert (picture.upright, picture.has_metadata) == (True, True)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_position_is_metadata(file_format: str) -> None:
    assert inspect(saved(file_format, exif=exif_with_position())).has_metadata


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_xmp_is_metadata(file_format: str) -> None:
    assert inspect(saved(file_format, xmp=XMP)).has_metadata


JPEG_EXTRAS = {
    "comment": saved("JPEG", comment=b"made by me"),
    "IPTC": with_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04" + bytes(8)),
    "thumbnail in JFIF": with_segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01\x09\x09\x09"),
    "thumbnail in JFXX": with_segment(0xE0, b"JFXX\x00\x13\x01\x01\x09\x09\x09"),
    "something behind Adobe's header": with_segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x00secret"),
    "FlashPix": with_segment(0xE2, b"FPXR\x00" + bytes(8)),
    "a maker's own segment": with_segment(0xE5, b"whatever"),
    "a film behind the photo": saved("JPEG") + b"\x00\x00\x00\x18ftypmp42",
}


@pytest.mark.parametrize("content", JPEG_EXTRAS.values(), ids=JPEG_EXTRAS.keys())
def test_whatever_a_jpeg_carries_beside_its_picture_is_metadata(content: bytes) -> None:
    assert inspect(content).has_metadata


PNG_EXTRAS = {
    "text": saved("PNG", pnginfo=texts(Author="me")),
    "time": with_chunk(b"tIME", bytes(7)),
    "exif behind the picture": with_chunk(b"eXIf", plain_exif(1), behind_picture=True),
    "a program's own chunk": with_chunk(b"prVt", b"secret"),
    "something behind the end": saved("PNG") + b"secret",
}


@pytest.mark.parametrize("content", PNG_EXTRAS.values(), ids=PNG_EXTRAS.keys())
def test_whatever_a_png_carries_beside_its_picture_is_metadata(content: bytes) -> None:
    assert inspect(content).has_metadata


def test_whatever_a_webp_carries_beside_its_picture_is_metadata() -> None:
    picture = webp_picture(saved("WEBP"))
    assert inspect(riff(webp_canvas(48, 32), picture, (b"what", b"secret"))).has_metadata
    assert inspect(saved("WEBP") + b"secret").has_metadata


def test_exif_behind_the_picture_of_a_png_turns_it_too() -> None:
    assert not inspect(with_chunk(b"eXIf", plain_exif(6), behind_picture=True)).upright


def test_of_two_exif_blocks_one_that_turns_is_enough() -> None:
    twice = with_segment(0xE1, exif(1), with_segment(0xE1, exif(6)))
    assert not inspect(twice).upright


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\x00\x00"])
def test_exif_is_read_in_both_byte_orders_and_with_or_without_prefix(order: str, prefix: bytes) -> None:
    assert is_upright(prefix + plain_exif(1, order=order))
    assert not is_upright(prefix + plain_exif(3, order=order))


BROKEN_EXIF = {
    "empty": b"",
    "no byte order": b"XX" + plain_exif(1)[2:],
    "not TIFF": plain_exif(1)[:2] + b"\x00\x00" + plain_exif(1)[4:],
    "cut in the header": plain_exif(1)[:6],
    "cut in the directory": plain_exif(1)[:15],
    "directory far away": b"II*\x00\xff\xff\xff\xff",
    "more entries than bytes": b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(12),
    "orientation as a text": plain_exif(1, kind=2),
    "orientation of no meaning": plain_exif(0),
}


@pytest.mark.parametrize("block", BROKEN_EXIF.values(), ids=BROKEN_EXIF.keys())
def test_exif_that_cannot_be_read_is_not_taken_for_upright(block: bytes) -> None:
    picture = inspect(with_segment(0xE1, b"Exif\x00\x00" + block))
    assert (picture.upright, picture.has_metadata) == (False, True)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_exif_whatever_crashes(block: bytes) -> None:
    assert is_upright(b"II*\x00\x08\x00\x00\x00" + block) in {True, False}


@settings(deadline=None)
@given(st.dictionaries(st.integers(0x0100, 0x0140), st.integers(0, 9), max_size=6))
def test_we_agree_with_pillow_about_orientation(entries: dict[int, int]) -> None:
    block = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries))
    for tag in sorted(entries):
        block += struct.pack("<HHIHH", tag, 3, 1, entries[tag], 0)
    pillow = Image.Exif()
    pillow.load(block + bytes(4))
    assert is_upright(block + bytes(4)) is (pillow.get(ORIENTATION, 1) == 1)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_more_than_one_frame_is_animated(file_format: str) -> None:
    frames = [drawn(), drawn().rotate(180), drawn().rotate(90)]
    content = saved(file_format, frames[0], save_all=True, append_images=frames[1:])
    assert Image.open(BytesIO(content)).is_animated  # type: ignore[attr-defined] # Pillow types the base class only
    assert inspect(content).animated


def test_a_single_frame_announced_as_animation_is_a_still_picture() -> None:
    content = saved("PNG")
    announced = content[:33] + chunk(b"acTL", struct.pack(">II", 1, 0)) + content[33:]
    picture = inspect(announced)
    assert (picture.animated, picture.has_metadata) == (False, True)
