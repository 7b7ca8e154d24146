"""Every file is recognised by its bytes."""

import threading
from io import BytesIO

import pytest
from PIL import Image

from bot.images import inspect
from bot.images.errors import NotAnImage, UnreadableImage, UnsupportedImageFormat
from bot.images.format_detection import ImageFormat, ImageInfo, OtherImageFormat
from bot.images.inspect import inspect_image
from tests.images.sample_files import (
    SRGB_PROFILE,
    draw_image,
    draw_transparent_image,
    encode_image,
    heif_container,
    jpeg_segment,
    jpeg_with_segment,
)

MPF_HEADER = b"MPF\x00"

SUPPORTED_FILES = {
    "baseline": encode_image("JPEG"),
    "progressive": encode_image("JPEG", progressive=True),
    "grey JPEG": encode_image("JPEG", draw_image("L")),
    "CMYK": encode_image("JPEG", draw_image("CMYK")),
    "restarts": encode_image("JPEG", restart_marker_blocks=1),
    "JPEG with profile": encode_image("JPEG", icc_profile=SRGB_PROFILE),
    "JPEG with resolution": encode_image("JPEG", dpi=(300, 300)),
    "PNG": encode_image("PNG"),
    "palette": encode_image("PNG", draw_image("P")),
    "palette with transparency": encode_image("PNG", draw_image("P"), transparency=1),
    "16 bit": encode_image("PNG", draw_image("I").convert("I;16")),
    "1 bit": encode_image("PNG", draw_image("1")),
    "RGBA": encode_image("PNG", draw_image("RGBA")),
    "PNG with profile": encode_image("PNG", icc_profile=SRGB_PROFILE),
    "PNG with resolution": encode_image("PNG", dpi=(300, 300)),
    "WebP": encode_image("WEBP"),
    "lossless": encode_image("WEBP", lossless=True),
    "transparent WebP": encode_image("WEBP", draw_transparent_image()),
    "WebP with profile": encode_image("WEBP", icc_profile=SRGB_PROFILE),
}


@pytest.mark.parametrize("content", SUPPORTED_FILES.values(), ids=SUPPORTED_FILES.keys())
def test_a_plain_picture_is_described_as_it_is(content: bytes) -> None:
    image = inspect_image(content)
    assert image.format.name == Image.open(BytesIO(content)).format
    assert (image.width, image.height, image.file_size) == (48, 32, len(content))
    assert (image.upright, image.has_metadata, image.animated) == (True, False, False)


UNSUPPORTED_FILES = {
    "GIF": (encode_image("GIF"), OtherImageFormat.GIF),
    "BMP": (encode_image("BMP"), OtherImageFormat.BMP),
    "TIFF": (encode_image("TIFF"), OtherImageFormat.TIFF),
    "big-endian TIFF": (b"MM\x00*" + bytes(60), OtherImageFormat.TIFF),
    "ICO": (encode_image("ICO"), OtherImageFormat.ICO),
    "JPEG 2000": (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(60), OtherImageFormat.JPEG_2000),
    "JPEG XL": (b"\xff\x0a" + bytes(60), OtherImageFormat.JPEG_XL),
    "Photoshop": (b"8BPS" + bytes(60), OtherImageFormat.PSD),
    "AVIF": (encode_image("AVIF"), OtherImageFormat.AVIF),
    "AVIF in a general container": (heif_container(b"mif1", b"miaf", b"avif"), OtherImageFormat.AVIF),
    "HEIC": (heif_container(b"heic", b"mif1"), OtherImageFormat.HEIC),
    "HEIC in a general container": (heif_container(b"mif1", b"heic"), OtherImageFormat.HEIC),
    "HEIF": (heif_container(b"mif1", b"miaf"), OtherImageFormat.HEIF),
    "MPO": (encode_image("MPO", save_all=True, append_images=[draw_image()]), OtherImageFormat.MPO),
    "SVG": (b'<?xml version="1.0"?>\n<!-- a comment -->\n<svg width="9"></svg>', OtherImageFormat.SVG),
}


@pytest.mark.parametrize(("content", "expected"), UNSUPPORTED_FILES.values(), ids=UNSUPPORTED_FILES.keys())
def test_a_known_format_that_is_not_taken_is_named(content: bytes, expected: OtherImageFormat) -> None:
    with pytest.raises(UnsupportedImageFormat) as raised:
        inspect_image(content)
    assert raised.value.format is expected


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
        heif_container(b"isom", b"mp42"),
        b"<html><body><svg></svg></body></html>",
        b"\x1f\x8b" + bytes(60),
    ],
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    with pytest.raises(NotAnImage) as raised:
        inspect_image(content)
    assert not isinstance(raised.value, UnsupportedImageFormat)


def test_the_transparent_webp_keeps_its_transparency_apart() -> None:
    assert b"ALPH" in SUPPORTED_FILES["transparent WebP"]


def test_a_photo_with_a_brightness_map_behind_it_is_an_ordinary_photo() -> None:
    note = b"http://ns.adobe.com/xap/1.0/\x00<x hdrgm:Version='1.0'/>"
    photo = jpeg_with_segment(0xE1, note, jpeg_with_segment(0xE2, MPF_HEADER + bytes(30))) + encode_image("JPEG")
    image = inspect_image(photo)
    assert (image.format, image.has_metadata) == (ImageFormat.JPEG, True)


def test_padding_before_a_marker_is_allowed() -> None:
    content = encode_image("JPEG")
    padded = content[:2] + b"\xff\xff\xff" + jpeg_segment(0xFE, b"x")[1:] + content[2:]
    assert inspect_image(padded).width == 48


@pytest.mark.parametrize(
    ("file_format", "mime", "extension"),
    [
        (ImageFormat.JPEG, "image/jpeg", "jpg"),
        (ImageFormat.PNG, "image/png", "png"),
        (ImageFormat.WEBP, "image/webp", "webp"),
    ],
)
def test_a_kind_knows_its_type_and_its_extension(file_format: ImageFormat, mime: str, extension: str) -> None:
    assert (file_format.mime, file_format.extension) == (mime, extension)


SMALL_FILE = encode_image("PNG")
#: as large as the results of some models; most of it is padding
LARGE_FILE = encode_image("JPEG") + bytes(3 << 20)


@pytest.mark.parametrize(("content", "in_thread"), [(SMALL_FILE, False), (LARGE_FILE, True)])
async def test_only_what_is_large_is_inspected_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, content: bytes, in_thread: bool
) -> None:
    threads = []

    def inspect_and_record(given: bytes) -> ImageInfo:
        threads.append(threading.current_thread())
        return inspect_image(given)

    monkeypatch.setattr(inspect, "inspect_image", inspect_and_record)
    image = await inspect.inspect_image_in_thread(content)
    assert image.file_size == len(content)
    assert [each is not threading.main_thread() for each in threads] == [in_thread]


@pytest.mark.parametrize("content", [SMALL_FILE[:50], LARGE_FILE[:50] + bytes(3 << 20)])
async def test_what_is_broken_is_told_the_same(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        await inspect.inspect_image_in_thread(content)
