"""A file that viewers open is accepted, however oddly it was written; a truncated one is not."""

import re
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bot.images import decode, jpeg
from bot.images.convert import ImageChange, ImageConverter
from bot.images.errors import (
    AnimatedImage,
    DecodingTooCostly,
    TooManyPixels,
    UnreadableImage,
    UnsupportedEncoding,
    UnsupportedImageFormat,
    WrongChecksum,
)
from bot.images.format_detection import OtherImageFormat
from bot.images.inspect import inspect_image, obstacle_to_sending
from tests.images.sample_files import (
    QUARTERS_BY_ORIENTATION,
    draw_image,
    draw_quarters,
    draw_transparent_image,
    encode_image,
    insert_bytes,
    jpeg_segment,
    jpeg_with_segment,
    make_exif,
    make_plain_exif,
    make_tiff,
    open_converted,
    png_chunk,
    png_texts,
    read_quarters,
    webp_canvas_chunk,
    webp_file,
    webp_image_chunk,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN = encode_image("JPEG", draw_quarters())
TABLE = PLAIN.index(b"\xff\xc4")
SCAN = PLAIN.index(b"\xff\xda")


SKIPPED_BY_DECODERS = {
    "two zero bytes before a table": insert_bytes(TABLE, bytes(2), PLAIN),
    "text before a table": insert_bytes(TABLE, b"canary", PLAIN),
    "an escaped FF before the scan": insert_bytes(SCAN, b"\xff\x00canary\xff\xff\x00", PLAIN),
    "stray bytes before the first segment but one": insert_bytes(20, b"canary", PLAIN),
    "a restart before the first scan": insert_bytes(TABLE, b"\xff\xd0", PLAIN),
    "a segment of no length": insert_bytes(2, b"\xff\xe5\x00\x00", PLAIN),
    "a comment of length one": insert_bytes(2, b"\xff\xfe\x00\x01", PLAIN),
    "a segment of an unknown kind": jpeg_with_segment(0xF0, b"canary", PLAIN),
    "an index of several images that makes no sense": jpeg_with_segment(0xE2, b"MPF\x00canary", PLAIN),
    "a film behind the image": PLAIN + b"\x00\x00\x00\x18ftypmp42canary",
}


@pytest.mark.parametrize("content", SKIPPED_BY_DECODERS.values(), ids=SKIPPED_BY_DECODERS.keys())
async def test_what_decoders_step_over_is_left_out_and_the_picture_stays_byte_for_byte(
    converter: ImageConverter, content: bytes
) -> None:
    converted = await converter.convert(content)
    assert (converted.change, converted.content) == (ImageChange.STRIPPED, PLAIN)


async def test_what_decoders_step_over_survives_no_conversion_either(converter: ImageConverter) -> None:
    turned = jpeg_with_segment(
        0xE1, make_exif(6), insert_bytes(TABLE, b"canary" + b"\xff" * 1_000_000 + b"\xff\x00canary", PLAIN)
    )
    converted = await converter.convert(turned)
    assert (converted.change, read_quarters(open_converted(converted))) == (
        ImageChange.CONVERTED,
        QUARTERS_BY_ORIENTATION[6],
    )
    assert b"canary" not in converted.content


def remove_end_marker(content: bytes) -> bytes:
    assert content.endswith(b"\xff\xd9")
    return content[:-2]


WITHOUT_END_MARKER = {
    "baseline": (1, remove_end_marker(PLAIN)),
    "half a marker": (1, PLAIN[:-1]),
    "progressive": (1, remove_end_marker(encode_image("JPEG", draw_quarters(), progressive=True))),
    "restarts": (1, remove_end_marker(encode_image("JPEG", draw_quarters(), restart_marker_blocks=1))),
    "turned": (
        6,
        remove_end_marker(encode_image("JPEG", draw_quarters(), exif=make_exif(6, camera="canary"), comment=b"canary")),
    ),
    "thumbnail": (
        1,
        remove_end_marker(jpeg_with_segment(0xE1, make_exif(1) + encode_image("JPEG", comment=b"canary"), PLAIN)),
    ),
}


@pytest.mark.parametrize(("orientation", "content"), WITHOUT_END_MARKER.values(), ids=WITHOUT_END_MARKER.keys())
async def test_a_jpeg_without_its_end_marker_is_whole(
    converter: ImageConverter, orientation: int, content: bytes
) -> None:
    converted = await converter.convert(content)
    assert read_quarters(open_converted(converted)) == QUARTERS_BY_ORIENTATION[orientation]
    assert obstacle_to_sending(inspect_image(converted.content)) is None
    assert b"canary" not in converted.content


def find_markers(content: bytes, pattern: bytes) -> list[int]:
    return [found.start() for found in re.finditer(pattern, content)]


BUSY = draw_image(size=(160, 120))
BASELINE, PROGRESSIVE = encode_image("JPEG", BUSY), encode_image("JPEG", BUSY, progressive=True)
RESTARTS = encode_image("JPEG", BUSY, restart_marker_rows=1)
TRUNCATED = {
    "half": BASELINE[: len(BASELINE) // 2],
    "half of a progressive one": PROGRESSIVE[: len(PROGRESSIVE) // 2],
    "ten bytes": BASELINE[:-12],
    "at a restart": RESTARTS[: find_markers(RESTARTS, rb"\xff[\xd0-\xd7]")[3]],
    "at the last restart": RESTARTS[: find_markers(RESTARTS, rb"\xff[\xd0-\xd7]")[-1]],
    "at the last restart but one": RESTARTS[: find_markers(RESTARTS, rb"\xff[\xd0-\xd7]")[-2]],
    "behind a restart": RESTARTS[: find_markers(RESTARTS, rb"\xff[\xd0-\xd7]")[3] + 2],
    "before the last scan": PROGRESSIVE[: find_markers(PROGRESSIVE, rb"\xff\xda")[-1]],
    "where the second scan ends": PROGRESSIVE[: jpeg.read_segments_until_damage(PROGRESSIVE)[-3].start],
    "in a table": BASELINE[: BASELINE.index(b"\xff\xc4") + 9],
    "in the profile": jpeg_with_segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + bytes(5000))[:3000],
    "half a PNG": encode_image("PNG", BUSY)[:2000],
    "half a WebP": encode_image("WEBP", BUSY)[:400],
}


@pytest.mark.parametrize("content", TRUNCATED.values(), ids=TRUNCATED.keys())
async def test_a_part_of_a_picture_is_not_edited(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        await converter.convert(content)


def _pixels(content: bytes) -> bytes:
    return Image.open(BytesIO(content)).tobytes()


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([BASELINE, PROGRESSIVE, RESTARTS]), st.data())
async def test_wherever_a_jpeg_is_cut_nothing_of_it_is_missing_or_it_is_refused(
    content: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(content.index(b"\xff\xda") + 20, len(content) - 2))
    whole, lacks_end = jpeg.repair_jpeg(content[:length])
    if not lacks_end:  # truncated between two scans: decoders notice that themselves
        with pytest.raises(OSError, match="truncated"):
            _pixels(whole)
        return
    try:
        decode.refuse_truncated_jpeg(whole)
    except UnreadableImage:
        return
    assert _pixels(whole) == _pixels(content)


IMAGE = encode_image("PNG", draw_quarters())
FRAME = webp_image_chunk(encode_image("WEBP", draw_quarters()))
FRAMED = b"ANMF", bytes(6) + b"\x7f\x00\x00\x3f\x00\x00" + bytes(4) + webp_file(FRAME)[12:]


@pytest.mark.parametrize(
    "content",
    [
        IMAGE[:-12],
        IMAGE[:-1],
        encode_image("PNG", draw_quarters(), pnginfo=png_texts(Author="canary"))[:-12],
        insert_bytes(33, png_chunk(b"NEED", b"canary"), IMAGE),
        insert_bytes(33, png_chunk(b"eXIf", make_plain_exif(1) + b"canary"), IMAGE)[:-12],
        webp_file(webp_canvas_chunk(128, 64, flags=2), (b"ANIM", bytes(6)), FRAMED, (b"XMP ", b"canary")),
    ],
    ids=["PNG without end", "half an end", "with a text", "needed chunk", "EXIF", "WebP of one frame"],
)
async def test_what_cannot_be_followed_is_decoded(converter: ImageConverter, content: bytes) -> None:
    converted = await converter.convert(content)
    assert (converted.change, read_quarters(open_converted(converted))) == (ImageChange.CONVERTED, "RGBW")
    assert b"canary" not in converted.content


async def test_an_animation_of_one_frame_is_a_still_picture_and_loses_nothing(converter: ImageConverter) -> None:
    frame = png_chunk(b"acTL", b"\x00\x00\x00\x01\x00\x00\x00\x00canary"), png_chunk(b"fcTL", bytes(26))
    converted = await converter.convert(insert_bytes(33, b"".join(frame), IMAGE))
    assert (converted.change, converted.content) == (ImageChange.STRIPPED, IMAGE)


async def test_damage_that_a_checksum_tells_is_final(converter: ImageConverter) -> None:
    place = IMAGE.index(b"IDAT") + 30
    with pytest.raises(WrongChecksum):
        await converter.convert(IMAGE[:place] + bytes([IMAGE[place] ^ 1]) + IMAGE[place + 1 :])


async def test_what_cannot_be_followed_gets_around_no_bound(converter: ImageConverter) -> None:
    dimensions = PLAIN.index(b"\xff\xc0") + 5
    huge = PLAIN[:dimensions] + b"\xff\xdc\xff\xdc" + PLAIN[dimensions + 4 :]
    with pytest.raises(TooManyPixels):
        await converter.convert(remove_end_marker(huge))
    with pytest.raises(DecodingTooCostly):
        await converter.convert(remove_end_marker(insert_bytes(2, jpeg_segment(0xE5, b"") * 60_000, PLAIN)))


@pytest.mark.parametrize("is_followed", [True, False])
async def test_a_jpeg_that_goes_over_many_pixels_many_times_is_refused(
    converter: ImageConverter, is_followed: bool
) -> None:
    large = encode_image("JPEG", Image.new("L", (6000, 4000), 90), progressive=True, exif=make_exif(6))
    last = jpeg.read_segments_until_damage(large)[-2]
    many = insert_bytes(last.end, large[last.start : last.end] * 200, large)
    with pytest.raises(UnreadableImage, match="paints over itself"):
        await converter.convert(many if is_followed else insert_bytes(last.end, b"\xff\x01", many))


GREY, SMALL = draw_image("L"), draw_image("L", (24, 16))
LARGE = draw_image("L", (96, 64))
REDUCED, SENSOR = {254: 1}, {262: 32803}


@pytest.mark.parametrize(
    "content",
    [
        make_tiff((GREY, {}), inside=[(SMALL, REDUCED)]),
        make_tiff((GREY, {}), inside=[(SMALL, REDUCED), (draw_image("L", (12, 8)), REDUCED)]),
        make_tiff((GREY, {}), inside=[(SMALL, {})]),
        make_tiff((GREY, {330: 2_000_000_000})),
        make_tiff((GREY, {}), (SMALL, REDUCED)),
        make_tiff((GREY, {}), (GREY, {254: 4})),
    ],
    ids=["smaller copy inside", "two of them", "unmarked", "nothing there", "smaller copy behind", "mask behind"],
)
async def test_a_tiff_with_smaller_copies_is_a_picture(converter: ImageConverter, content: bytes) -> None:
    assert open_converted(await converter.convert(content)).tobytes() == GREY.tobytes()


@pytest.mark.parametrize(
    "content",
    [
        make_tiff((SMALL, {}), inside=[(LARGE, {})]),
        make_tiff((SMALL, REDUCED), inside=[(LARGE, {})]),
        make_tiff((SMALL, {}), inside=[(GREY, REDUCED), (SMALL, SENSOR)]),
        make_tiff((GREY, SENSOR)),
    ],
    ids=["larger inside", "marked", "what a sensor saw inside", "what a sensor saw"],
)
async def test_a_cameras_raw_file_is_called_so(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(UnsupportedImageFormat) as raised:
        await converter.convert(content)
    assert raised.value.format is OtherImageFormat.RAW


@pytest.mark.parametrize(
    "content",
    [
        make_tiff((GREY, {}), (SMALL, {})),
        make_tiff((GREY, {}), (SMALL, REDUCED), (GREY, {})),
        make_tiff((GREY, {}), *[(SMALL, REDUCED)] * 40),
    ],
    ids=["two pages", "a page behind a copy", "too many to look at"],
)
async def test_pages_of_a_tiff_are_several_pictures(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(AnimatedImage):
        await converter.convert(content)


async def test_directories_that_lead_in_a_circle_end(converter: ImageConverter) -> None:
    content = bytearray(make_tiff((GREY, {}), (SMALL, REDUCED)))
    content[-4:] = content[4:8]
    with pytest.raises(AnimatedImage):
        await converter.convert(bytes(content))


async def test_colours_by_brightness_and_hue_become_those_of_screens(converter: ImageConverter) -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(draw_quarters(), to_lab)
    assert lab is not None
    converted = await converter.convert(encode_image("TIFF", lab))
    assert (read_quarters(open_converted(converted)), open_converted(converted).mode) == ("RGBW", "RGB")


def _without_alpha_dimensions(content: bytes) -> bytes:
    """An AVIF as older encoders wrote it: the alpha image has no dimensions."""
    old = content.replace(b"\x00\x02\x04\x01\x05\x86\x07", b"\x00\x02\x04\x05\x05\x86\x07")
    assert old != content
    return old


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encode_image("TIFF", draw_image("F")), OtherImageFormat.TIFF),
        (make_tiff((GREY, {262: 9})), OtherImageFormat.TIFF),
        (_without_alpha_dimensions(encode_image("AVIF", draw_transparent_image())), OtherImageFormat.AVIF),
    ],
    ids=["measurements", "colours of a rare kind", "alpha without dimensions"],
)
async def test_what_no_decoder_of_ours_knows_is_not_called_damaged(
    converter: ImageConverter, content: bytes, expected: OtherImageFormat
) -> None:
    with pytest.raises(UnsupportedEncoding) as raised:
        await converter.convert(content)
    assert raised.value.format is expected


async def test_a_photo_cut_in_its_header_is_damaged(converter: ImageConverter) -> None:
    with pytest.raises(UnreadableImage) as raised:
        await converter.convert(encode_image("AVIF")[:200])
    assert not isinstance(raised.value, UnsupportedEncoding)
