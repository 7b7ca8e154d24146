"""Images are made fit to be sent, and changed as little as possible."""

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.images.convert import ImageChange, ImageConverter
from bot.images.errors import (
    AnimatedImage,
    NotAnImage,
    TooManyPixels,
    UnreadableImage,
    UnsupportedImageFormat,
)
from bot.images.format_detection import ImageFormat, OtherImageFormat
from bot.images.inspect import inspect_image, obstacle_to_sending
from tests.images.sample_files import (
    FILES_WITH_METADATA,
    QUARTERS_BY_ORIENTATION,
    ROTATED_HEIC,
    SECOND_IMAGE,
    SRGB_PROFILE,
    draw_image,
    draw_quarters,
    draw_transparent_image,
    encode_image,
    heif_container,
    make_exif,
    make_exif_with_position,
    make_plain_exif,
    open_converted,
    png_chunk,
    png_header,
    read_quarters,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL_FORMATS = ["JPEG", "PNG", "WEBP"]


def rms_difference(one: Image.Image, other: Image.Image) -> float:
    """The root mean square difference of the worst channel, of 256 levels."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).rms)


@pytest.mark.parametrize(
    "content",
    [
        encode_image("JPEG", icc_profile=SRGB_PROFILE),
        encode_image("PNG", draw_transparent_image()),
        encode_image("PNG", draw_image("P")),
        encode_image("WEBP"),
    ],
)
async def test_what_is_fine_stays_byte_for_byte(converter: ImageConverter, content: bytes) -> None:
    converted = await converter.convert(content)
    assert converted.content is content
    assert (converted.change, converted.format) == (ImageChange.AS_IS, inspect_image(content).format)


@pytest.mark.parametrize("file_format", SMALL_FORMATS)
async def test_what_only_tells_too_much_is_stripped(converter: ImageConverter, file_format: str) -> None:
    converted = await converter.convert(encode_image(file_format, exif=make_exif_with_position()))
    assert converted.change is ImageChange.STRIPPED
    assert open_converted(converted).tobytes() == Image.open(BytesIO(encode_image(file_format))).tobytes()


async def test_a_photo_that_is_too_big_only_by_its_film_keeps_its_pixels(converter: ImageConverter) -> None:
    converted = await converter.convert(encode_image("JPEG") + bytes(11_000_000))
    assert (converted.change, converted.content) == (ImageChange.STRIPPED, encode_image("JPEG"))


async def test_of_several_pictures_in_a_file_the_first_is_taken_as_it_is(converter: ImageConverter) -> None:
    converted = await converter.convert(encode_image("MPO", save_all=True, append_images=[SECOND_IMAGE]))
    assert (converted.change, converted.format) == (ImageChange.STRIPPED, ImageFormat.JPEG)
    assert open_converted(converted).tobytes() == Image.open(BytesIO(encode_image("JPEG"))).tobytes()


@pytest.mark.parametrize("file_format", [*SMALL_FORMATS, "TIFF", "AVIF", "MPO"])
@pytest.mark.parametrize(("orientation", "expected"), QUARTERS_BY_ORIENTATION.items())
async def test_every_picture_comes_out_upright(
    converter: ImageConverter, file_format: str, orientation: int, expected: str
) -> None:
    more = {"save_all": True, "append_images": [SECOND_IMAGE]} if file_format == "MPO" else {}
    converted = await converter.convert(encode_image(file_format, draw_quarters(), exif=make_exif(orientation), **more))
    assert read_quarters(open_converted(converted)) == expected
    assert open_converted(converted).size == ((64, 128) if orientation > 4 else (128, 64))


async def test_a_photo_of_an_iphone_comes_out_upright_and_silent(converter: ImageConverter) -> None:
    converted = await converter.convert(ROTATED_HEIC)
    assert (converted.format, converted.change, open_converted(converted).size) == (
        ImageFormat.JPEG,
        ImageChange.CONVERTED,
        (128, 64),
    )
    assert read_quarters(open_converted(converted)) == "RGBW"
    assert b"canary" in ROTATED_HEIC
    assert b"canary" not in converted.content


@pytest.mark.parametrize(
    ("file_format", "expected"),
    [("GIF", ImageFormat.PNG), ("BMP", ImageFormat.PNG), ("TIFF", ImageFormat.PNG), ("AVIF", ImageFormat.JPEG)],
)
async def test_other_formats_become_ours(converter: ImageConverter, file_format: str, expected: ImageFormat) -> None:
    converted = await converter.convert(encode_image(file_format, draw_quarters()))
    assert (converted.format, converted.change) == (expected, ImageChange.CONVERTED)
    assert read_quarters(open_converted(converted)) == "RGBW"


@pytest.mark.parametrize("file_format", ["BMP", "TIFF"])
async def test_what_came_without_loss_goes_without_loss(converter: ImageConverter, file_format: str) -> None:
    converted = await converter.convert(encode_image(file_format))
    assert open_converted(converted).tobytes() == draw_image().tobytes()


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF"])
async def test_transparency_is_kept(converter: ImageConverter, file_format: str) -> None:
    converted = await converter.convert(
        encode_image(file_format, draw_transparent_image(), exif=make_exif(3), quality=100)
    )
    found, expected = open_converted(converted).getchannel("A"), draw_transparent_image().getchannel("A").rotate(180)
    assert rms_difference(found, expected) < 3


async def test_a_transparent_colour_of_a_palette_is_kept(converter: ImageConverter) -> None:
    palette = draw_quarters("P")
    content = encode_image("PNG", palette, transparency=palette.getpixel((0, 0)), exif=make_exif(3))
    expected = Image.open(BytesIO(content)).convert("RGBA").rotate(180)
    assert expected.getchannel("A").getextrema() == (0, 255)
    assert open_converted(await converter.convert(content)).convert("RGBA").tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [(640, 480), (641, 479)])
async def test_a_turned_photo_keeps_its_quality(converter: ImageConverter, size: tuple[int, int]) -> None:
    photo = encode_image("JPEG", draw_image(size=size), quality=85, exif=make_exif(6))
    converted = await converter.convert(photo)
    expected = Image.open(BytesIO(photo)).transpose(Image.Transpose.ROTATE_270)
    assert rms_difference(open_converted(converted), expected) < 0.5


async def test_a_turned_photo_does_not_grow(converter: ImageConverter) -> None:
    photo = encode_image("JPEG", draw_image(size=(640, 480)), quality=70, exif=make_exif(6))
    assert len((await converter.convert(photo)).content) == pytest.approx(len(photo), rel=0.05)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("orientation", [3, 6])
async def test_any_spacing_of_colours_can_be_turned(
    converter: ImageConverter, subsampling: int, orientation: int
) -> None:
    content = encode_image("JPEG", draw_quarters(), subsampling=subsampling, exif=make_exif(orientation))
    assert read_quarters(open_converted(await converter.convert(content))) == QUARTERS_BY_ORIENTATION[orientation]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
async def test_the_colour_profile_goes_with_its_colours(converter: ImageConverter, file_format: str) -> None:
    converted = await converter.convert(encode_image(file_format, exif=make_exif(3), icc_profile=SRGB_PROFILE))
    assert open_converted(converted).info["icc_profile"] == SRGB_PROFILE


async def test_a_profile_of_other_colours_is_dropped(converter: ImageConverter) -> None:
    converted = await converter.convert(
        encode_image("JPEG", draw_image("L"), exif=make_exif(3), icc_profile=SRGB_PROFILE)
    )
    assert "icc_profile" not in open_converted(converted).info


@pytest.mark.parametrize("profile", [None, b"no profile at all", SRGB_PROFILE])
async def test_a_picture_for_print_becomes_one_for_screens(converter: ImageConverter, profile: bytes | None) -> None:
    converted = await converter.convert(
        encode_image("JPEG", draw_quarters("CMYK"), exif=make_exif(3), icc_profile=profile, quality=95)
    )
    assert open_converted(converted).mode == "RGB"
    assert read_quarters(open_converted(converted)) == QUARTERS_BY_ORIENTATION[3]
    assert "icc_profile" not in open_converted(converted).info


async def test_sixteen_bits_become_eight(converter: ImageConverter) -> None:
    row = b"".join(struct.pack("<H", 257 * value) for value in range(256))
    grey = Image.frombytes("I;16", (256, 16), 16 * row)
    converted = await converter.convert(encode_image("PNG", grey, exif=make_exif(2)))
    assert open_converted(converted).mode == "L"
    assert list(open_converted(converted).get_flattened_data()) == 16 * list(range(255, -1, -1))


@pytest.mark.parametrize("content", FILES_WITH_METADATA.values(), ids=FILES_WITH_METADATA.keys())
async def test_nothing_beside_the_picture_survives_a_conversion(converter: ImageConverter, content: bytes) -> None:
    converted = await converter.convert(content)
    assert b"canary" in content
    assert b"canary" not in converted.content
    assert obstacle_to_sending(inspect_image(converted.content)) is None


ANIMATIONS = {
    name: encode_image(name, save_all=True, append_images=[draw_image().rotate(90), draw_image().rotate(180)])
    for name in ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
}
ANIMATIONS["HEIC"] = heif_container(b"hevc", b"heic", b"mif1")


@pytest.mark.parametrize("content", ANIMATIONS.values(), ids=ANIMATIONS.keys())
async def test_several_frames_or_pages_are_refused(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(AnimatedImage):
        await converter.convert(content)


BROKEN_FILES = {
    "BMP": encode_image("BMP")[:-100],
    "TIFF": encode_image("TIFF", compression="tiff_lzw")[:-100],
    "GIF": encode_image("GIF")[:-60],
    "AVIF": encode_image("AVIF")[:-60],
    "HEIC": ROTATED_HEIC[:-60],
    "HEIC without anything": heif_container(b"heic", b"mif1"),
    "JPEG": encode_image("JPEG", exif=make_exif(6))[:-60],
    "PNG that is no PNG inside": png_header(8, 8)
    + png_chunk(b"eXIf", make_plain_exif(6))
    + png_chunk(b"IDAT", b"x")
    + png_chunk(b"IEND"),
    "measurements": encode_image("TIFF", draw_image("F")),
}


@pytest.mark.parametrize("content", BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
async def test_what_cannot_be_decoded_is_unreadable(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        await converter.convert(content)


RAW_FILES = [
    (encode_image("TIFF", tiffinfo={0xC612: b"\x01\x04\x00\x00"}), OtherImageFormat.RAW),
    (encode_image("TIFF", tiffinfo={0x00FE: 1}), OtherImageFormat.RAW),
    (encode_image("TIFF")[:8] + b"CR" + encode_image("TIFF")[10:], OtherImageFormat.RAW),
]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\x0a" + bytes(60), OtherImageFormat.JPEG_XL),
        (b"8BPS" + bytes(60), OtherImageFormat.PSD),
        (encode_image("ICO"), OtherImageFormat.ICO),
        *RAW_FILES,
    ],
)
async def test_formats_that_are_not_read_are_named(
    converter: ImageConverter, content: bytes, expected: OtherImageFormat
) -> None:
    with pytest.raises(UnsupportedImageFormat) as raised:
        await converter.convert(content)
    assert raised.value.format is expected


async def test_what_is_no_picture_is_called_so(converter: ImageConverter) -> None:
    with pytest.raises(NotAnImage):
        await converter.convert(b"hello")


def bitmap_header(width: int, height: int) -> bytes:
    """The beginning of a bitmap that declares these dimensions."""
    return b"BM" + struct.pack("<IIIIiiHH", 60, 0, 54, 40, width, height, 1, 24) + bytes(64)


#: transparent pixels take twice the memory when they are scaled
LARGE_TRANSPARENT_PNG = b"".join(
    [
        b"\x89PNG\r\n\x1a\n",
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 5_001, 8, 6, 0, 0, 0)),
        png_chunk(b"IDAT", b"x"),
        png_chunk(b"IEND"),
    ]
)


@pytest.mark.parametrize(
    "content",
    [png_header(50_000, 50_000), bitmap_header(50_000, 50_000), bitmap_header(10_001, 10_000), LARGE_TRANSPARENT_PNG],
)
async def test_a_file_that_claims_a_huge_picture_is_refused(converter: ImageConverter, content: bytes) -> None:
    with pytest.raises(TooManyPixels):
        await converter.convert(content)
