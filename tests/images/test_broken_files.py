"""No damaged, truncated or inconsistent file passes the inspection, whose work grows only with the file size."""

import contextlib
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.images.errors import ImageError, TooManyPixels, UnreadableImage
from bot.images.inspect import inspect_image
from tests.images.sample_files import (
    SRGB_PROFILE,
    draw_image,
    encode_image,
    jpeg_segment,
    jpeg_with_segment,
    make_exif,
    png_chunk,
    png_header,
    webp_canvas_chunk,
    webp_file,
    webp_image_chunk,
)

THUMBNAIL = encode_image("JPEG", draw_image(size=(16, 16)))

WHOLE = [
    encode_image("JPEG", icc_profile=SRGB_PROFILE),
    encode_image("JPEG", progressive=True, exif=make_exif(6)),
    jpeg_with_segment(0xE1, make_exif(1) + THUMBNAIL),
    encode_image("PNG", exif=make_exif(6)),
    encode_image("PNG", draw_image("P")),
    encode_image("WEBP"),
    encode_image("WEBP", lossless=True),
    encode_image("WEBP", exif=make_exif(6), icc_profile=SRGB_PROFILE),
    encode_image("WEBP", save_all=True, append_images=[draw_image().rotate(180)]),
]


@settings(deadline=None)
@given(st.sampled_from(WHOLE), st.data())
def test_a_file_that_was_cut_short_is_never_taken_for_whole(content: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ImageError):
        inspect_image(content[:length])


@pytest.mark.parametrize("content", WHOLE)
def test_a_missing_last_byte_is_noticed(content: bytes) -> None:
    inspect_image(content)
    with pytest.raises(UnreadableImage):
        inspect_image(content[:-1])


@settings(deadline=None)
@given(st.sampled_from([b"", *(content[:20] for content in WHOLE)]), st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(beginning: bytes, rest: bytes) -> None:
    with contextlib.suppress(ImageError):
        inspect_image(beginning + rest)


@settings(deadline=None)
@given(st.sampled_from(WHOLE), st.data())
def test_damaged_bytes_raise_nothing_else(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        inspect_image(bytes(damaged))


def jpeg_frame(marker: int = 0xC0, height: int = 32, width: int = 48, colours: int = 3, bits: int = 8) -> bytes:
    body = struct.pack(">BHHB", bits, height, width, colours) + bytes(3 * colours)
    return jpeg_segment(marker, body)


START, END, SCAN = b"\xff\xd8", b"\xff\xd9", jpeg_segment(0xDA, bytes(10)) + b"\x12\xff\x00\x34"

BROKEN_JPEG = {
    "no image": START + jpeg_frame() + END,
    "no header": START + SCAN + END,
    "header after the image": START + SCAN + jpeg_frame() + END,
    "an image before the header": START + SCAN + jpeg_frame() + SCAN + END,
    "two headers": START + jpeg_frame() + SCAN + jpeg_frame() + SCAN + END,
    "empty height": START + jpeg_frame(height=0) + SCAN + END,
    "empty width": START + jpeg_frame(width=0) + SCAN + END,
    "two colours": START + jpeg_frame(colours=2) + SCAN + END,
    "12 bits": START + jpeg_frame(bits=12) + SCAN + END,
    "header too short": START + jpeg_segment(0xC0, b"\x08\x00") + SCAN + END,
    "lossless coding": START + jpeg_frame(0xC3) + SCAN + END,
    "arithmetic coding": START + jpeg_frame(0xC9) + SCAN + END,
    "length of a table below two": START + b"\xff\xdb\x00\x01" + jpeg_frame() + SCAN + END,
    "segment beyond the end": START + jpeg_frame() + b"\xff\xe5\xff\xff" + SCAN + END,
    "nothing but rubbish": START + jpeg_frame() + b"rubbish",
    "a second beginning": START + jpeg_frame() + START + SCAN + END,
    "nothing but padding": START + b"\xff" * 500,
    "end only in a thumbnail": START + jpeg_segment(0xE1, make_exif(1) + THUMBNAIL) + jpeg_frame() + SCAN,
}


@pytest.mark.parametrize("content", BROKEN_JPEG.values(), ids=BROKEN_JPEG.keys())
def test_a_broken_jpeg_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        inspect_image(content)


def test_the_parts_that_the_broken_ones_are_made_of_are_sound() -> None:
    image = inspect_image(START + jpeg_frame() + SCAN + END)
    assert (image.width, image.height) == (48, 32)


HEAD, DATA, LAST = png_header(48, 32), png_chunk(b"IDAT", b"x"), png_chunk(b"IEND")


def png_header_chunk(depth: int, colour: int, packing: int = 0, filtering: int = 0, interlace: int = 0) -> bytes:
    body = struct.pack(">IIBBBBB", 48, 32, depth, colour, packing, filtering, interlace)
    return HEAD[:8] + png_chunk(b"IHDR", body) + DATA + LAST


BROKEN_PNG = {
    "no image": HEAD + LAST,
    "no end": HEAD + DATA,
    "wrong checksum in the header": HEAD[:-1] + b"x" + DATA + LAST,
    "wrong checksum in the image": HEAD + DATA[:-1] + b"x" + LAST,
    "dimensions changed": HEAD[:19] + b"\x31" + HEAD[20:] + DATA + LAST,
    "header not first": HEAD[:8] + png_chunk(b"tIME", bytes(7)) + HEAD[8:] + DATA + LAST,
    "header too long": HEAD[:8] + png_chunk(b"IHDR", bytes(14)) + DATA + LAST,
    "chunk beyond the end": HEAD + b"\x7f\xff\xff\xffIDAT" + DATA + LAST,
    "Apple's own variant": HEAD[:8] + png_chunk(b"CgBI", bytes(4)) + HEAD[8:] + DATA + LAST,
    "a needed chunk that nobody knows": HEAD + png_chunk(b"NEED", b"") + DATA + LAST,
    "a chunk without a name": HEAD + png_chunk(b"\x00\x01\x02\x03") + DATA + LAST,
    "3 bits": png_header_chunk(3, 0),
    "no such colour type": png_header_chunk(8, 5),
    "unknown packing": png_header_chunk(8, 2, packing=1),
    "unknown filtering": png_header_chunk(8, 2, filtering=1),
    "unknown interlace": png_header_chunk(8, 2, interlace=2),
    "empty side": png_header(0, 32) + DATA + LAST,
}


@pytest.mark.parametrize("content", BROKEN_PNG.values(), ids=BROKEN_PNG.keys())
def test_a_broken_png_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        inspect_image(content)


LOSSY, LOSSLESS = webp_image_chunk(encode_image("WEBP")), webp_image_chunk(encode_image("WEBP", lossless=True))

BROKEN_WEBP = {
    "no chunk": webp_file(),
    "no image": webp_file((b"ICCP", b"x" * 20)),
    "a canvas alone": webp_file(webp_canvas_chunk(48, 32)),
    "an animation without frames": webp_file(webp_canvas_chunk(48, 32, flags=2), (b"ANIM", bytes(6))),
    "a canvas of other dimensions": webp_file(webp_canvas_chunk(32, 48), LOSSY),
    "two images": webp_file(webp_canvas_chunk(48, 32), LOSSY, LOSSLESS),
    "canvas too short": webp_file((b"VP8X", bytes(4)), LOSSY),
    "image too short": webp_file((b"VP8 ", LOSSY[1][:8])),
    "lossy under the wrong name": webp_file((b"VP8L", LOSSY[1])),
    "lossless under the wrong name": webp_file((b"VP8 ", LOSSLESS[1])),
    "chunk beyond the end": webp_file(LOSSY)[:16] + b"\xff\xff\xff\x7f" + webp_file(LOSSY)[20:],
    "shorter than it says": b"RIFF\xff\xff\xff\x7f" + webp_file(LOSSY)[8:],
    "half a chunk at the end": b"RIFF" + struct.pack("<I", 4 + 8 + 4) + b"WEBP" + bytes(12),
}


@pytest.mark.parametrize("content", BROKEN_WEBP.values(), ids=BROKEN_WEBP.keys())
def test_a_broken_webp_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        inspect_image(content)


DECOMPRESSION_BOMBS = {
    "PNG": png_header(50_000, 50_000) + bytes(60),
    "JPEG": START + jpeg_frame(height=65_500, width=65_500) + SCAN + END,
    "WebP canvas": webp_file(webp_canvas_chunk(1 << 24, 1 << 24, flags=2), (b"ANMF", bytes(16))),
    "WebP": webp_file((b"VP8L", b"\x2f\xff\xff\xff\xff" + bytes(20))),
}


@pytest.mark.parametrize("content", DECOMPRESSION_BOMBS.values(), ids=DECOMPRESSION_BOMBS.keys())
def test_gigapixels_in_a_hundred_bytes_are_refused_without_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooManyPixels):
            inspect_image(content)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_fifty_megapixels_are_the_bound() -> None:
    assert inspect_image(png_header(10_000, 5_000) + DATA + LAST).width == 10_000
    with pytest.raises(TooManyPixels, match="10000 x 5001"):
        inspect_image(png_header(10_000, 5_001) + DATA + LAST)


MANY_TINY_PIECES = {
    "JPEG": START + jpeg_segment(0xE5, b"") * 60_000 + jpeg_frame() + SCAN + END,
    "PNG": HEAD + png_chunk(b"prVt") * 60_000 + DATA + LAST,
    "WebP": webp_file(webp_canvas_chunk(48, 32), LOSSY, *[(b"what", b"")] * 60_000),
}


@pytest.mark.parametrize("content", MANY_TINY_PIECES.values(), ids=MANY_TINY_PIECES.keys())
def test_a_file_of_endless_tiny_pieces_is_given_up(content: bytes) -> None:
    with pytest.raises(UnreadableImage, match="too many parts"):
        inspect_image(content)


def test_a_large_file_is_not_copied() -> None:
    content = START + jpeg_frame() + SCAN + b"\xff\x00" * 5_000_000 + END
    tracemalloc.start()
    try:
        assert inspect_image(content).file_size == len(content)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
