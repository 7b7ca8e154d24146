"""Metadata and the orientation are recognised."""

import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.images.exif_orientation import is_upright
from bot.images.inspect import inspect_image
from tests.images.sample_files import (
    ORIENTATION_TAG,
    draw_image,
    encode_image,
    jpeg_with_segment,
    make_exif,
    make_exif_with_position,
    make_plain_exif,
    png_chunk,
    png_texts,
    png_with_chunk,
    webp_canvas_chunk,
    webp_file,
    webp_image_chunk,
)

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
FORMATS = ["JPEG", "PNG", "WEBP"]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_from_exif(file_format: str, orientation: int) -> None:
    image = inspect_image(encode_image(file_format, exif=make_exif(orientation)))
    assert image.upright is (orientation == 1)
    assert image.has_metadata
    assert (image.width, image.height) == (48, 32)


@pytest.mark.parametrize("file_format", FORMATS)
def test_exif_without_orientation_is_upright(file_format: str) -> None:
    image = inspect_image(encode_image(file_format, exif=make_exif(title="a holiday")))
    assert (image.upright, image.has_metadata) == (True, True)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_position_is_metadata(file_format: str) -> None:
    assert inspect_image(encode_image(file_format, exif=make_exif_with_position())).has_metadata


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_xmp_is_metadata(file_format: str) -> None:
    assert inspect_image(encode_image(file_format, xmp=XMP)).has_metadata


JPEG_EXTRAS = {
    "comment": encode_image("JPEG", comment=b"made by me"),
    "IPTC": jpeg_with_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04" + bytes(8)),
    "thumbnail in JFIF": jpeg_with_segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01\x09\x09\x09"),
    "thumbnail in JFXX": jpeg_with_segment(0xE0, b"JFXX\x00\x13\x01\x01\x09\x09\x09"),
    "something behind Adobe's header": jpeg_with_segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x00secret"),
    "FlashPix": jpeg_with_segment(0xE2, b"FPXR\x00" + bytes(8)),
    "a maker's own segment": jpeg_with_segment(0xE5, b"whatever"),
    "a film behind the photo": encode_image("JPEG") + b"\x00\x00\x00\x18ftypmp42",
}


@pytest.mark.parametrize("content", JPEG_EXTRAS.values(), ids=JPEG_EXTRAS.keys())
def test_whatever_a_jpeg_carries_beside_its_picture_is_metadata(content: bytes) -> None:
    assert inspect_image(content).has_metadata


PNG_EXTRAS = {
    "text": encode_image("PNG", pnginfo=png_texts(Author="me")),
    "time": png_with_chunk(b"tIME", bytes(7)),
    "exif behind the image": png_with_chunk(b"eXIf", make_plain_exif(1), behind_image=True),
    "a program's own chunk": png_with_chunk(b"prVt", b"secret"),
    "something behind the end": encode_image("PNG") + b"secret",
}


@pytest.mark.parametrize("content", PNG_EXTRAS.values(), ids=PNG_EXTRAS.keys())
def test_whatever_a_png_carries_beside_its_picture_is_metadata(content: bytes) -> None:
    assert inspect_image(content).has_metadata


def test_whatever_a_webp_carries_beside_its_picture_is_metadata() -> None:
    image = webp_image_chunk(encode_image("WEBP"))
    assert inspect_image(webp_file(webp_canvas_chunk(48, 32), image, (b"what", b"secret"))).has_metadata
    assert inspect_image(encode_image("WEBP") + b"secret").has_metadata


def test_exif_behind_the_picture_of_a_png_turns_it_too() -> None:
    assert not inspect_image(png_with_chunk(b"eXIf", make_plain_exif(6), behind_image=True)).upright


def test_of_two_exif_blocks_one_that_turns_is_enough() -> None:
    twice = jpeg_with_segment(0xE1, make_exif(1), jpeg_with_segment(0xE1, make_exif(6)))
    assert not inspect_image(twice).upright


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\x00\x00"])
def test_exif_is_read_in_both_byte_orders_and_with_or_without_prefix(order: str, prefix: bytes) -> None:
    assert is_upright(prefix + make_plain_exif(1, order=order))
    assert not is_upright(prefix + make_plain_exif(3, order=order))


BROKEN_EXIF = {
    "empty": b"",
    "no byte order": b"XX" + make_plain_exif(1)[2:],
    "not TIFF": make_plain_exif(1)[:2] + b"\x00\x00" + make_plain_exif(1)[4:],
    "cut in the header": make_plain_exif(1)[:6],
    "cut in the directory": make_plain_exif(1)[:15],
    "directory far away": b"II*\x00\xff\xff\xff\xff",
    "more entries than bytes": b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(12),
    "orientation as a text": make_plain_exif(1, kind=2),
    "orientation of no meaning": make_plain_exif(0),
}


@pytest.mark.parametrize("block", BROKEN_EXIF.values(), ids=BROKEN_EXIF.keys())
def test_exif_that_cannot_be_read_is_not_taken_for_upright(block: bytes) -> None:
    image = inspect_image(jpeg_with_segment(0xE1, b"Exif\x00\x00" + block))
    assert (image.upright, image.has_metadata) == (False, True)


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
    assert is_upright(block + bytes(4)) is (pillow.get(ORIENTATION_TAG, 1) == 1)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_more_than_one_frame_is_animated(file_format: str) -> None:
    frames = [draw_image(), draw_image().rotate(180), draw_image().rotate(90)]
    content = encode_image(file_format, frames[0], save_all=True, append_images=frames[1:])
    assert Image.open(BytesIO(content)).is_animated  # type: ignore[attr-defined] # Pillow types the base class only
    assert inspect_image(content).animated


def test_a_single_frame_announced_as_animation_is_a_still_picture() -> None:
    content = encode_image("PNG")
    announced = content[:33] + png_chunk(b"acTL", struct.pack(">II", 1, 0)) + content[33:]
    image = inspect_image(announced)
    assert (image.animated, image.has_metadata) == (False, True)
