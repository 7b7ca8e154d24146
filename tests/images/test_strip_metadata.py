"""Metadata is removed completely, and the rest of the file stays the same."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.images import jpeg, png, webp
from bot.images.format_detection import ImageFormat
from bot.images.inspect import inspect_image, obstacle_to_sending
from bot.images.strip_metadata import keep_first_jpeg, strip_metadata
from tests.images.sample_files import (
    SRGB_PROFILE,
    draw_image,
    draw_transparent_image,
    encode_image,
    jpeg_segment,
    jpeg_with_segment,
    make_exif,
    make_exif_with_position,
    png_chunk,
    png_texts,
    webp_canvas_chunk,
    webp_file,
    webp_image_chunk,
)

CANARY = b"canary-52.5163N-13.3777E"
KINDS = {"JPEG": ImageFormat.JPEG, "PNG": ImageFormat.PNG, "WEBP": ImageFormat.WEBP}

PLAIN = {
    "baseline": encode_image("JPEG", icc_profile=SRGB_PROFILE),
    "progressive": encode_image("JPEG", progressive=True),
    "restarts": encode_image("JPEG", restart_marker_blocks=1),
    "grey": encode_image("JPEG", draw_image("L")),
    "CMYK": encode_image("JPEG", draw_image("CMYK")),
    "PNG": encode_image("PNG", icc_profile=SRGB_PROFILE, dpi=(300, 300)),
    "palette": encode_image("PNG", draw_image("P"), transparency=1),
    "16 bit": encode_image("PNG", draw_image("I").convert("I;16")),
    "WebP": encode_image("WEBP"),
    "lossless": encode_image("WEBP", draw_transparent_image(), lossless=True),
    "WebP with profile": encode_image("WEBP", draw_transparent_image(), icc_profile=SRGB_PROFILE),
}


def format_of(content: bytes) -> ImageFormat:
    return inspect_image(content).format


def pixels(content: bytes) -> bytes:
    return Image.open(BytesIO(content)).tobytes()


def with_canary_metadata(content: bytes, places: list[int]) -> bytes:
    """The file with the canary wherever its format allows metadata."""
    file_format = format_of(content)
    if file_format is ImageFormat.JPEG:
        return _jpeg_with_canary(content, places)
    return _png_with_canary(content, places) if file_format is ImageFormat.PNG else _webp_with_canary(content, places)


def _jpeg_with_canary(content: bytes, places: list[int]) -> bytes:
    parts = list(jpeg.read_segments(content))
    pieces = [content[part.start : part.end] for part in parts]
    extras = [
        jpeg_segment(0xE1, make_exif_with_position() + CANARY),
        jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + CANARY),
        jpeg_segment(0xED, b"Photoshop 3.0\x00" + CANARY),
        jpeg_segment(0xFE, CANARY),
        jpeg_segment(0xE2, b"FPXR\x00" + CANARY),
        jpeg_segment(0xE0, b"JFXX\x00\x10" + CANARY),
    ]
    for number, place in enumerate(places):
        pieces.insert(place % len(parts), extras[number % len(extras)])
    return content[:2] + b"".join(pieces) + CANARY


def _png_with_canary(content: bytes, places: list[int]) -> bytes:
    ends = [part.end + 4 for part in png.read_png_chunks(content)][:-1]
    names = [b"tEXt", b"eXIf", b"iTXt", b"zTXt", b"tIME", b"prVt"]
    for number, place in enumerate(places):
        cut = ends[place % len(ends)]
        content = content[:cut] + png_chunk(names[number % len(names)], CANARY) + content[cut:]
        ends = [part.end + 4 for part in png.read_png_chunks(content)][:-1]
    return content + CANARY


def _webp_with_canary(content: bytes, places: list[int]) -> bytes:
    found = inspect_image(content)
    parts = [(part.name, content[part.body : part.end]) for part in webp.read_webp_chunks(content, len(content))]
    if parts[0][0] != b"VP8X":
        parts.insert(0, webp_canvas_chunk(found.width, found.height))
    parts[0] = (b"VP8X", bytes([parts[0][1][0] | 0x0C]) + parts[0][1][1:])
    for number, place in enumerate(places):
        parts.insert(1 + place % len(parts), ([b"EXIF", b"XMP ", b"what"][number % 3], CANARY))
    return webp_file(*parts) + CANARY


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(list(PLAIN.values())), st.lists(st.integers(0, 30), max_size=8))
def test_wherever_metadata_hides_it_goes_and_the_rest_stays_byte_for_byte(content: bytes, places: list[int]) -> None:
    clean = strip_metadata(format_of(content), with_canary_metadata(content, places))
    assert b"canary" not in clean
    if format_of(content) is not ImageFormat.WEBP:
        assert clean == content
    assert obstacle_to_sending(inspect_image(clean)) is None
    assert pixels(clean) == pixels(content)


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN.keys())
def test_what_has_no_metadata_comes_out_the_same(content: bytes) -> None:
    assert strip_metadata(format_of(content), content) == content


@pytest.mark.parametrize("file_format", KINDS)
def test_the_colour_profile_stays(file_format: str) -> None:
    content = encode_image(file_format, icc_profile=SRGB_PROFILE, exif=make_exif(1, title="canary"))
    clean = strip_metadata(KINDS[file_format], content)
    assert Image.open(BytesIO(clean)).info["icc_profile"] == SRGB_PROFILE
    assert b"canary" not in clean


def test_a_webp_announces_no_metadata_that_it_does_not_hold() -> None:
    clean = strip_metadata(
        ImageFormat.WEBP,
        encode_image("WEBP", draw_transparent_image(), exif=make_exif(1), xmp=b"<x/>", icc_profile=SRGB_PROFILE),
    )
    (header, *_) = webp.read_webp_chunks(clean, len(clean))
    assert clean[header.body] == 0x20 | 0x10
    assert webp.read_declared_end(clean) == len(clean)


def test_odd_chunks_of_a_webp_stay_padded() -> None:
    name, data = webp_image_chunk(encode_image("WEBP"))
    odd = webp_file(
        webp_canvas_chunk(48, 32, 0x08),
        (b"ICCP", SRGB_PROFILE[:-1] + b"x" * (len(SRGB_PROFILE) % 2)),
        (name, data),
        (b"EXIF", b"x"),
    )
    assert pixels(strip_metadata(ImageFormat.WEBP, odd)) == pixels(odd)


def test_texts_of_a_png_go_and_its_resolution_stays() -> None:
    content = encode_image("PNG", pnginfo=png_texts(Author="canary"), dpi=(300, 300))
    clean = strip_metadata(ImageFormat.PNG, content)
    assert b"canary" not in clean
    assert b"pHYs" in clean


def test_a_thumbnail_in_the_jfif_header_goes_and_the_header_stays() -> None:
    plain = encode_image("JPEG", dpi=(72, 72))
    with_thumbnail = plain[:2] + jpeg_segment(0xE0, plain[6:18] + b"\x01\x01" + b"xyz") + plain[20:]
    assert inspect_image(with_thumbnail).has_metadata
    assert strip_metadata(ImageFormat.JPEG, with_thumbnail) == plain


def test_what_hangs_on_an_adobe_header_goes_and_the_colours_stay() -> None:
    plain = encode_image("JPEG", draw_image("CMYK"))
    place = plain.index(b"\xff\xee")
    longer = plain[:place] + jpeg_segment(0xEE, plain[place + 4 : place + 16] + CANARY) + plain[place + 16 :]
    assert strip_metadata(ImageFormat.JPEG, longer) == plain


def test_the_first_of_several_pictures_keeps_its_own_exif() -> None:
    several = encode_image("MPO", save_all=True, append_images=[draw_image().rotate(180)], exif=make_exif(6))
    first = keep_first_jpeg(several)
    assert pixels(first) == pixels(several)
    assert not inspect_image(first).upright


def test_a_brightness_map_goes_with_its_index() -> None:
    note = b"http://ns.adobe.com/xap/1.0/\x00<x hdrgm:Version='1.0'/>"
    plain = encode_image("JPEG")
    photo = jpeg_with_segment(0xE1, note, jpeg_with_segment(0xE2, b"MPF\x00" + bytes(30), plain)) + encode_image("JPEG")
    assert strip_metadata(ImageFormat.JPEG, photo) == plain
