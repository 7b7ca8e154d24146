"""What is taken out of a file goes entirely, and what stays is the very same."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.pictures import jpeg, png, webp
from bot.pictures.inspect import Kind, inspect, why_not_as_it_is
from bot.pictures.strip import first_of_several, stripped
from tests.pictures.files import (
    PROFILE,
    chunk,
    drawn,
    exif,
    exif_with_position,
    riff,
    saved,
    see_through,
    segment,
    texts,
    webp_canvas,
    webp_picture,
    with_segment,
)

CANARY = b"canary-52.5163N-13.3777E"
KINDS = {"JPEG": Kind.JPEG, "PNG": Kind.PNG, "WEBP": Kind.WEBP}

PLAIN = {
    "baseline": saved("JPEG", icc_profile=PROFILE),
    "progressive": saved("JPEG", progressive=True),
    "restarts": saved("JPEG", restart_marker_blocks=1),
    "grey": saved("JPEG", drawn("L")),
    "CMYK": saved("JPEG", drawn("CMYK")),
    "PNG": saved("PNG", icc_profile=PROFILE, dpi=(300, 300)),
    "palette": saved("PNG", drawn("P"), transparency=1),
    "16 bit": saved("PNG", drawn("I").convert("I;16")),
    "WebP": saved("WEBP"),
    "lossless": saved("WEBP", see_through(), lossless=True),
    "WebP with profile": saved("WEBP", see_through(), icc_profile=PROFILE),
}


def kind_of(content: bytes) -> Kind:
    return inspect(content).kind


def pixels(content: bytes) -> bytes:
    return Image.open(BytesIO(content)).tobytes()


def told_about(content: bytes, places: list[int]) -> bytes:
    """The picture with the canary put wherever its format takes something in."""
    kind = kind_of(content)
    if kind is Kind.JPEG:
        return _told_jpeg(content, places)
    return _told_png(content, places) if kind is Kind.PNG else _told_webp(content, places)


def _told_jpeg(content: bytes, places: list[int]) -> bytes:
    parts = list(jpeg.segments(content))
    pieces = [content[part.start : part.end] for part in parts]
    extras = [
        segment(0xE1, exif_with_position() + CANARY),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + CANARY),
        segment(0xED, b"Photoshop 3.0\x00" + CANARY),
        segment(0xFE, CANARY),
        segment(0xE2, b"FPXR\x00" + CANARY),
        segment(0xE0, b"JFXX\x00\x10" + CANARY),
    ]
    for number, place in enumerate(places):
        pieces.insert(place % len(parts), extras[number % len(extras)])
    return content[:2] + b"".join(pieces) + CANARY


def _told_png(content: bytes, places: list[int]) -> bytes:
    ends = [part.end + 4 for part in png.chunks(content)][:-1]
    names = [b"tEXt", b"eXIf", b"iTXt", b"zTXt", b"tIME", b"prVt"]
    for number, place in enumerate(places):
        cut = ends[place % len(ends)]
        content = content[:cut] + chunk(names[number % len(names)], CANARY) + content[cut:]
        ends = [part.end + 4 for part in png.chunks(content)][:-1]
    return content + CANARY


def _told_webp(content: bytes, places: list[int]) -> bytes:
    found = inspect(content)
    parts = [(part.name, content[part.body : part.end]) for part in webp.chunks(content, len(content))]
    if parts[0][0] != b"VP8X":
        parts.insert(0, webp_canvas(found.width, found.height))
    parts[0] = (b"VP8X", bytes([parts[0][1][0] | 0x0C]) + parts[0][1][1:])
    for number, place in enumerate(places):
        parts.insert(1 + place % len(parts), ([b"EXIF", b"XMP ", b"what"][number % 3], CANARY))
    return riff(*parts) + CANARY


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(list(PLAIN.values())), st.lists(st.integers(0, 30), max_size=8))
def test_wherever_metadata_hides_it_goes_and_the_rest_stays_byte_for_byte(content: bytes, places: list[int]) -> None:
    clean = stripped(kind_of(content), told_about(content, places))
    assert b"canary" not in clean
    if kind_of(content) is not Kind.WEBP:
        assert clean == content
    assert why_not_as_it_is(inspect(clean)) is None
    assert pixels(clean) == pixels(content)


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN.keys())
def test_what_has_no_metadata_comes_out_the_same(content: bytes) -> None:
    assert stripped(kind_of(content), content) == content


@pytest.mark.parametrize("file_format", KINDS)
def test_the_colour_profile_stays(file_format: str) -> None:
    content = saved(file_format, icc_profile=PROFILE, exif=exif(1, title="canary"))
    clean = stripped(KINDS[file_format], content)
    assert Image.open(BytesIO(clean)).info["icc_profile"] == PROFILE
    assert b"canary" not in clean


def test_a_webp_announces_no_metadata_that_it_does_not_hold() -> None:
    clean = stripped(Kind.WEBP, saved("WEBP", see_through(), exif=exif(1), xmp=b"<x/>", icc_profile=PROFILE))
    (header, *_) = webp.chunks(clean, len(clean))
    assert clean[header.body] == 0x20 | 0x10
    assert webp.announced_end(clean) == len(clean)


def test_odd_chunks_of_a_webp_stay_padded() -> None:
    name, data = webp_picture(saved("WEBP"))
    odd = riff(
        webp_canvas(48, 32, 0x08), (b"ICCP", PROFILE[:-1] + b"x" * (len(PROFILE) % 2)), (name, data), (b"EXIF", b"x")
    )
    assert pixels(stripped(Kind.WEBP, odd)) == pixels(odd)


def test_texts_of_a_png_go_and_its_resolution_stays() -> None:
    content = saved("PNG", pnginfo=texts(Author="canary"), dpi=(300, 300))
    clean = stripped(Kind.PNG, content)
    assert b"canary" not in clean
    assert b"pHYs" in clean


def test_a_thumbnail_in_the_jfif_header_goes_and_the_header_stays() -> None:
    plain = saved("JPEG", dpi=(72, 72))
    with_thumbnail = plain[:2] + segment(0xE0, plain[6:18] + b"\x01\x01" + b"xyz") + plain[20:]
    assert inspect(with_thumbnail).has_metadata
    assert stripped(Kind.JPEG, with_thumbnail) == plain


def test_what_hangs_on_an_adobe_header_goes_and_the_colours_stay() -> None:
    plain = saved("JPEG", drawn("CMYK"))
    place = plain.index(b"\xff\xee")
    longer = plain[:place] + segment(0xEE, plain[place + 4 : place + 16] + CANARY) + plain[place + 16 :]
    assert stripped(Kind.JPEG, longer) == plain


def test_the_first_of_several_pictures_keeps_its_own_exif() -> None:
    several = saved("MPO", save_all=True, append_images=[drawn().rotate(180)], exif=exif(6))
    first = first_of_several(several)
    assert pixels(first) == pixels(several)
    assert not inspect(first).upright


def test_a_brightness_map_goes_with_its_index() -> None:
    note = b"http://ns.adobe.com/xap/1.0/\x00<x hdrgm:Version='1.0'/>"
    plain = saved("JPEG")
    photo = with_segment(0xE1, note, with_segment(0xE2, b"MPF\x00" + bytes(30), plain)) + saved("JPEG")
    assert stripped(Kind.JPEG, photo) == plain
