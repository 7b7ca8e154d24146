"""A picture that every viewer opens is not damaged, however oddly it was written; and a part of one is not whole."""

import re
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bot.pictures import jpeg, truncation
from bot.pictures.convert import Converter, How
from bot.pictures.errors import (
    Animated,
    Format,
    Recognised,
    TooManyPixels,
    TooMuchWork,
    Unreadable,
    Unsupported,
    WrongChecksum,
)
from bot.pictures.inspect import inspect, why_not_as_it_is
from tests.pictures.files import (
    between,
    chunk,
    drawn,
    exif,
    plain_exif,
    riff,
    saved,
    see_through,
    segment,
    texts,
    tiff,
    webp_canvas,
    webp_picture,
    with_segment,
)
from tests.pictures.quarters import SHOWN, opened, quarters, seen

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN = saved("JPEG", quarters())
TABLE = PLAIN.index(b"\xff\xc4")
SCAN = PLAIN.index(b"\xff\xda")


STEPPED_OVER = {
    "two zero bytes before a table": between(TABLE, bytes(2), PLAIN),
    "text before a table": between(TABLE, b"canary", PLAIN),
    "an escaped FF before the scan": between(SCAN, b"\xff\x00canary\xff\xff\x00", PLAIN),
    "stray bytes before the first segment but one": between(20, b"canary", PLAIN),
    "a restart before the first scan": between(TABLE, b"\xff\xd0", PLAIN),
    "a segment of no length": between(2, b"\xff\xe5\x00\x00", PLAIN),
    "a comment of length one": between(2, b"\xff\xfe\x00\x01", PLAIN),
    "a segment of an unknown kind": with_segment(0xF0, b"canary", PLAIN),
    "an index of several pictures that makes no sense": with_segment(0xE2, b"MPF\x00canary", PLAIN),
    "a film behind the picture": PLAIN + b"\x00\x00\x00\x18ftypmp42canary",
}


@pytest.mark.parametrize("content", STEPPED_OVER.values(), ids=STEPPED_OVER.keys())
async def test_what_decoders_step_over_is_left_out_and_the_picture_stays_byte_for_byte(
    converter: Converter, content: bytes
) -> None:
    fitted = await converter.fit(content)
    assert (fitted.how, fitted.content) == (How.STRIPPED, PLAIN)


async def test_what_decoders_step_over_survives_no_conversion_either(converter: Converter) -> None:
    turned = with_segment(0xE1, exif(6), between(TABLE, b"canary" + b"\xff" * 1_000_000 + b"\xff\x00canary", PLAIN))
    fitted = await converter.fit(turned)
    assert (fitted.how, seen(opened(fitted))) == (How.CONVERTED, SHOWN[6])
    assert b"canary" not in fitted.content


def without_end(content: bytes) -> bytes:
    assert content.endswith(b"\xff\xd9")
    return content[:-2]


ENDLESS = {
    "baseline": (1, without_end(PLAIN)),
    "half a marker": (1, PLAIN[:-1]),
    "progressive": (1, without_end(saved("JPEG", quarters(), progressive=True))),
    "restarts": (1, without_end(saved("JPEG", quarters(), restart_marker_blocks=1))),
    "turned": (6, without_end(saved("JPEG", quarters(), exif=exif(6, camera="canary"), comment=b"canary"))),
    "thumbnail": (1, without_end(with_segment(0xE1, exif(1) + saved("JPEG", comment=b"canary"), PLAIN))),
}


@pytest.mark.parametrize(("orientation", "content"), ENDLESS.values(), ids=ENDLESS.keys())
async def test_a_jpeg_without_its_end_marker_is_whole(converter: Converter, orientation: int, content: bytes) -> None:
    fitted = await converter.fit(content)
    assert seen(opened(fitted)) == SHOWN[orientation]
    assert why_not_as_it_is(inspect(fitted.content)) is None
    assert b"canary" not in fitted.content


def markers(content: bytes, pattern: bytes) -> list[int]:
    return [found.start() for found in re.finditer(pattern, content)]


BUSY = drawn(size=(160, 120))
BASELINE, PROGRESSIVE = saved("JPEG", BUSY), saved("JPEG", BUSY, progressive=True)
RESTARTS = saved("JPEG", BUSY, restart_marker_rows=1)
CUT = {
    "half": BASELINE[: len(BASELINE) // 2],
    "half of a progressive one": PROGRESSIVE[: len(PROGRESSIVE) // 2],
    "ten bytes": BASELINE[:-12],
    "at a restart": RESTARTS[: markers(RESTARTS, rb"\xff[\xd0-\xd7]")[3]],
    "behind a restart": RESTARTS[: markers(RESTARTS, rb"\xff[\xd0-\xd7]")[3] + 2],
    "before the last scan": PROGRESSIVE[: markers(PROGRESSIVE, rb"\xff\xda")[-1]],
    "where the second scan ends": PROGRESSIVE[: jpeg.followed(PROGRESSIVE)[-3].start],
    "in a table": BASELINE[: BASELINE.index(b"\xff\xc4") + 9],
    "in the profile": with_segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + bytes(5000))[:3000],
    "half a PNG": saved("PNG", BUSY)[:2000],
    "half a WebP": saved("WEBP", BUSY)[:400],
}


@pytest.mark.parametrize("content", CUT.values(), ids=CUT.keys())
async def test_a_part_of_a_picture_is_not_edited(converter: Converter, content: bytes) -> None:
    with pytest.raises(Unreadable):
        await converter.fit(content)


def _pixels(content: bytes) -> bytes:
    return Image.open(BytesIO(content)).tobytes()


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([BASELINE, PROGRESSIVE, RESTARTS]), st.data())
async def test_wherever_a_jpeg_is_cut_nothing_of_it_is_missing_or_it_is_refused(
    content: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(content.index(b"\xff\xda") + 20, len(content) - 2))
    whole, lacks_end = jpeg.for_decoder(content[:length])
    if not lacks_end:  # cut between two scans, which decoders notice by themselves
        with pytest.raises(OSError, match="truncated"):
            _pixels(whole)
        return
    try:
        truncation.refuse_cut(whole)
    except Unreadable:
        return
    assert _pixels(whole) == _pixels(content)


PICTURE = saved("PNG", quarters())
FRAME = webp_picture(saved("WEBP", quarters()))
FRAMED = b"ANMF", bytes(6) + b"\x7f\x00\x00\x3f\x00\x00" + bytes(4) + riff(FRAME)[12:]


@pytest.mark.parametrize(
    "content",
    [
        PICTURE[:-12],
        PICTURE[:-1],
        saved("PNG", quarters(), pnginfo=texts(Author="canary"))[:-12],
        between(33, chunk(b"NEED", b"canary"), PICTURE),
        between(33, chunk(b"eXIf", plain_exif(1) + b"canary"), PICTURE)[:-12],
        riff(webp_canvas(128, 64, flags=2), (b"ANIM", bytes(6)), FRAMED, (b"XMP ", b"canary")),
    ],
    ids=["PNG without end", "half an end", "with a text", "needed chunk", "EXIF", "WebP of one frame"],
)
async def test_what_cannot_be_followed_is_decoded(converter: Converter, content: bytes) -> None:
    fitted = await converter.fit(content)
    assert (fitted.how, seen(opened(fitted))) == (How.CONVERTED, "RGBW")
    assert b"canary" not in fitted.content


async def test_an_animation_of_one_frame_is_a_still_picture_and_loses_nothing(converter: Converter) -> None:
    frame = chunk(b"acTL", b"\x00\x00\x00\x01\x00\x00\x00\x00canary"), chunk(b"fcTL", bytes(26))
    fitted = await converter.fit(between(33, b"".join(frame), PICTURE))
    assert (fitted.how, fitted.content) == (How.STRIPPED, PICTURE)


async def test_damage_that_a_checksum_tells_is_final(converter: Converter) -> None:
    place = PICTURE.index(b"IDAT") + 30
    with pytest.raises(WrongChecksum):
        await converter.fit(PICTURE[:place] + bytes([PICTURE[place] ^ 1]) + PICTURE[place + 1 :])


async def test_what_cannot_be_followed_gets_around_no_bound(converter: Converter) -> None:
    sides = PLAIN.index(b"\xff\xc0") + 5
    huge = PLAIN[:sides] + b"\xff\xdc\xff\xdc" + PLAIN[sides + 4 :]
    with pytest.raises(TooManyPixels):
        await converter.fit(without_end(huge))
    with pytest.raises(TooMuchWork):
        await converter.fit(without_end(between(2, segment(0xE5, b"") * 60_000, PLAIN)))


@pytest.mark.parametrize("is_followed", [True, False])
async def test_a_jpeg_that_goes_over_many_pixels_many_times_is_refused(converter: Converter, is_followed: bool) -> None:
    large = saved("JPEG", Image.new("L", (6000, 4000), 90), progressive=True, exif=exif(6))
    last = jpeg.followed(large)[-2]
    many = between(last.end, large[last.start : last.end] * 200, large)
    with pytest.raises(Unreadable, match="paints over itself"):
        await converter.fit(many if is_followed else between(last.end, b"\xff\x01", many))


GREY, SMALL = drawn("L"), drawn("L", (24, 16))
LARGE = drawn("L", (96, 64))
REDUCED, SENSOR = {254: 1}, {262: 32803}


@pytest.mark.parametrize(
    "content",
    [
        tiff((GREY, {}), inside=[(SMALL, REDUCED)]),
        tiff((GREY, {}), inside=[(SMALL, REDUCED), (drawn("L", (12, 8)), REDUCED)]),
        tiff((GREY, {}), inside=[(SMALL, {})]),
        tiff((GREY, {330: 2_000_000_000})),
        tiff((GREY, {}), (SMALL, REDUCED)),
        tiff((GREY, {}), (GREY, {254: 4})),
    ],
    ids=["smaller copy inside", "two of them", "unmarked", "nothing there", "smaller copy behind", "mask behind"],
)
async def test_a_tiff_with_smaller_copies_is_a_picture(converter: Converter, content: bytes) -> None:
    assert opened(await converter.fit(content)).tobytes() == GREY.tobytes()


@pytest.mark.parametrize(
    "content",
    [
        tiff((SMALL, {}), inside=[(LARGE, {})]),
        tiff((SMALL, REDUCED), inside=[(LARGE, {})]),
        tiff((SMALL, {}), inside=[(GREY, REDUCED), (SMALL, SENSOR)]),
        tiff((GREY, SENSOR)),
    ],
    ids=["larger inside", "marked", "what a sensor saw inside", "what a sensor saw"],
)
async def test_a_cameras_raw_file_is_called_so(converter: Converter, content: bytes) -> None:
    with pytest.raises(Recognised) as caught:
        await converter.fit(content)
    assert caught.value.format is Format.RAW


@pytest.mark.parametrize(
    "content",
    [
        tiff((GREY, {}), (SMALL, {})),
        tiff((GREY, {}), (SMALL, REDUCED), (GREY, {})),
        tiff((GREY, {}), *[(SMALL, REDUCED)] * 40),
    ],
    ids=["two pages", "a page behind a copy", "too many to look at"],
)
async def test_pages_of_a_tiff_are_several_pictures(converter: Converter, content: bytes) -> None:
    with pytest.raises(Animated):
        await converter.fit(content)


async def test_directories_that_lead_in_a_circle_end(converter: Converter) -> None:
    content = bytearray(tiff((GREY, {}), (SMALL, REDUCED)))
    content[-4:] = content[4:8]
    with pytest.raises(Animated):
        await converter.fit(bytes(content))


async def test_colours_by_brightness_and_hue_become_those_of_screens(converter: Converter) -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(quarters(), to_lab)
    assert lab is not None
    fitted = await converter.fit(saved("TIFF", lab))
    assert (seen(opened(fitted)), opened(fitted).mode) == ("RGBW", "RGB")


def _without_sides_of_alpha(content: bytes) -> bytes:
    """The alpha of an AVIF as an older encoder wrote it: of its four properties the sides are gone."""
    old = content.replace(b"\x00\x02\x04\x01\x05\x86\x07", b"\x00\x02\x04\x05\x05\x86\x07")
    assert old != content
    return old


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (saved("TIFF", drawn("F")), Format.TIFF),
        (tiff((GREY, {262: 9})), Format.TIFF),
        (_without_sides_of_alpha(saved("AVIF", see_through())), Format.AVIF),
    ],
    ids=["measurements", "colours of a rare kind", "alpha without sides"],
)
async def test_what_no_decoder_of_ours_knows_is_not_called_damaged(
    converter: Converter, content: bytes, expected: Format
) -> None:
    with pytest.raises(Unsupported) as caught:
        await converter.fit(content)
    assert caught.value.format is expected


async def test_a_photo_cut_in_its_header_is_damaged(converter: Converter) -> None:
    with pytest.raises(Unreadable) as caught:
        await converter.fit(saved("AVIF")[:200])
    assert not isinstance(caught.value, Unsupported)
