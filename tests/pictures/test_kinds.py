"""Every file is called what it is."""

from io import BytesIO

import pytest
from PIL import Image

from bot.pictures.inspect import Format, Kind, NotAPicture, Recognised, inspect
from tests.pictures.files import PROFILE, container, drawn, saved, see_through, segment, with_segment

MULTI = b"MPF\x00"

PICTURES = {
    "baseline": saved("JPEG"),
    "progressive": saved("JPEG", progressive=True),
    "grey JPEG": saved("JPEG", drawn("L")),
    "CMYK": saved("JPEG", drawn("CMYK")),
    "restarts": saved("JPEG", restart_marker_blocks=1),
    "JPEG with profile": saved("JPEG", icc_profile=PROFILE),
    "JPEG with resolution": saved("JPEG", dpi=(300, 300)),
    "PNG": saved("PNG"),
    "palette": saved("PNG", drawn("P")),
    "palette with transparency": saved("PNG", drawn("P"), transparency=1),
    "16 bit": saved("PNG", drawn("I").convert("I;16")),
    "1 bit": saved("PNG", drawn("1")),
    "RGBA": saved("PNG", drawn("RGBA")),
    "PNG with profile": saved("PNG", icc_profile=PROFILE),
    "PNG with resolution": saved("PNG", dpi=(300, 300)),
    "WebP": saved("WEBP"),
    "lossless": saved("WEBP", lossless=True),
    "transparent WebP": saved("WEBP", see_through()),
    "WebP with profile": saved("WEBP", icc_profile=PROFILE),
}


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES.keys())
def test_a_plain_picture_is_described_as_it_is(content: bytes) -> None:
    picture = inspect(content)
    assert picture.kind.name == Image.open(BytesIO(content)).format
    assert (picture.width, picture.height, picture.size) == (48, 32, len(content))
    assert (picture.upright, picture.has_metadata, picture.animated) == (True, False, False)


FOREIGN = {
    "GIF": (saved("GIF"), Format.GIF),
    "BMP": (saved("BMP"), Format.BMP),
    "TIFF": (saved("TIFF"), Format.TIFF),
    "big-endian TIFF": (b"MM\x00*" + bytes(60), Format.TIFF),
    "ICO": (saved("ICO"), Format.ICO),
    "JPEG 2000": (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(60), Format.JPEG_2000),
    "JPEG XL": (b"\xff\x0a" + bytes(60), Format.JPEG_XL),
    "Photoshop": (b"8BPS" + bytes(60), Format.PSD),
    "AVIF": (saved("AVIF"), Format.AVIF),
    "AVIF in a general container": (container(b"mif1", b"miaf", b"avif"), Format.AVIF),
    "HEIC": (container(b"heic", b"mif1"), Format.HEIC),
    "HEIC in a general container": (container(b"mif1", b"heic"), Format.HEIC),
    "HEIF": (container(b"mif1", b"miaf"), Format.HEIF),
    "MPO": (saved("MPO", save_all=True, append_images=[drawn()]), Format.MPO),
    "SVG": (b'<?xml version="1.0"?>\n<!-- a comment -->\n<svg width="9"></svg>', Format.SVG),
}


@pytest.mark.parametrize(("content", "expected"), FOREIGN.values(), ids=FOREIGN.keys())
def test_a_known_format_that_is_not_taken_is_named(content: bytes, expected: Format) -> None:
    with pytest.raises(Recognised) as caught:
        inspect(content)
    assert caught.value.format is expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"hello",
        b"BMW is a brand of cars, not a bitmap",
        b"%PDF-1.7",
        b"PK\x03\x04" + bytes(60),
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        container(b"isom", b"mp42"),
        b"<html><body><svg></svg></body></html>",
        b"\x1f\x8b" + bytes(60),
    ],
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    with pytest.raises(NotAPicture) as caught:
        inspect(content)
    assert not isinstance(caught.value, Recognised)


def test_the_transparent_webp_keeps_its_transparency_apart() -> None:
    assert b"ALPH" in PICTURES["transparent WebP"]


def test_a_photo_with_a_brightness_map_behind_it_is_an_ordinary_photo() -> None:
    note = b"http://ns.adobe.com/xap/1.0/\x00<x hdrgm:Version='1.0'/>"
    photo = with_segment(0xE1, note, with_segment(0xE2, MULTI + bytes(30))) + saved("JPEG")
    picture = inspect(photo)
    assert (picture.kind, picture.has_metadata) == (Kind.JPEG, True)


def test_padding_before_a_marker_is_allowed() -> None:
    content = saved("JPEG")
    padded = content[:2] + b"\xff\xff\xff" + segment(0xFE, b"x")[1:] + content[2:]
    assert inspect(padded).width == 48


@pytest.mark.parametrize(
    ("kind", "mime", "extension"),
    [
        (Kind.JPEG, "image/jpeg", "jpg"),
        (Kind.PNG, "image/png", "png"),
        (Kind.WEBP, "image/webp", "webp"),
    ],
)
def test_a_kind_knows_its_type_and_its_extension(kind: Kind, mime: str, extension: str) -> None:
    assert (kind.mime, kind.extension) == (mime, extension)
