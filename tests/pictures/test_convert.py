"""A person's picture, made fit to be sent and changed as little as possible."""

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.pictures.convert import Converter, How
from bot.pictures.errors import Animated, Format, NotAPicture, Recognised, TooManyPixels, Unreadable
from bot.pictures.inspect import Kind, inspect, why_not_as_it_is
from tests.pictures.files import (
    PROFILE,
    chunk,
    container,
    drawn,
    exif,
    exif_with_position,
    plain_exif,
    png_header,
    saved,
    see_through,
)
from tests.pictures.heic import TURNED
from tests.pictures.quarters import SHOWN, opened, quarters, seen
from tests.pictures.telling import COMPANION, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL_FORMATS = ["JPEG", "PNG", "WEBP"]


def rms(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are apart, in steps of 256, on average over the worst channel."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).rms)


@pytest.mark.parametrize(
    "content",
    [saved("JPEG", icc_profile=PROFILE), saved("PNG", see_through()), saved("PNG", drawn("P")), saved("WEBP")],
)
async def test_what_is_fine_stays_byte_for_byte(converter: Converter, content: bytes) -> None:
    fitted = await converter.fit(content)
    assert fitted.content is content
    assert (fitted.how, fitted.kind) == (How.AS_IS, inspect(content).kind)


@pytest.mark.parametrize("file_format", SMALL_FORMATS)
async def test_what_only_tells_too_much_is_stripped(converter: Converter, file_format: str) -> None:
    fitted = await converter.fit(saved(file_format, exif=exif_with_position()))
    assert fitted.how is How.STRIPPED
    assert opened(fitted).tobytes() == Image.open(BytesIO(saved(file_format))).tobytes()


async def test_a_photo_that_is_too_big_only_by_its_film_keeps_its_pixels(converter: Converter) -> None:
    fitted = await converter.fit(saved("JPEG") + bytes(11_000_000))
    assert (fitted.how, fitted.content) == (How.STRIPPED, saved("JPEG"))


async def test_of_several_pictures_in_a_file_the_first_is_taken_as_it_is(converter: Converter) -> None:
    fitted = await converter.fit(saved("MPO", save_all=True, append_images=[COMPANION]))
    assert (fitted.how, fitted.kind) == (How.STRIPPED, Kind.JPEG)
    assert opened(fitted).tobytes() == Image.open(BytesIO(saved("JPEG"))).tobytes()


@pytest.mark.parametrize("file_format", [*SMALL_FORMATS, "TIFF", "AVIF", "MPO"])
@pytest.mark.parametrize(("orientation", "expected"), SHOWN.items())
async def test_every_picture_comes_out_upright(
    converter: Converter, file_format: str, orientation: int, expected: str
) -> None:
    more = {"save_all": True, "append_images": [COMPANION]} if file_format == "MPO" else {}
    fitted = await converter.fit(saved(file_format, quarters(), exif=exif(orientation), **more))
    assert seen(opened(fitted)) == expected
    assert opened(fitted).size == ((64, 128) if orientation > 4 else (128, 64))


async def test_a_photo_of_an_iphone_comes_out_upright_and_silent(converter: Converter) -> None:
    fitted = await converter.fit(TURNED)
    assert (fitted.kind, fitted.how, opened(fitted).size) == (Kind.JPEG, How.CONVERTED, (128, 64))
    assert seen(opened(fitted)) == "RGBW"
    assert b"canary" in TURNED
    assert b"canary" not in fitted.content


@pytest.mark.parametrize(
    ("file_format", "expected"), [("GIF", Kind.PNG), ("BMP", Kind.PNG), ("TIFF", Kind.PNG), ("AVIF", Kind.JPEG)]
)
async def test_other_formats_become_ours(converter: Converter, file_format: str, expected: Kind) -> None:
    fitted = await converter.fit(saved(file_format, quarters()))
    assert (fitted.kind, fitted.how) == (expected, How.CONVERTED)
    assert seen(opened(fitted)) == "RGBW"


@pytest.mark.parametrize("file_format", ["BMP", "TIFF"])
async def test_what_came_without_loss_goes_without_loss(converter: Converter, file_format: str) -> None:
    fitted = await converter.fit(saved(file_format))
    assert opened(fitted).tobytes() == drawn().tobytes()


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF"])
async def test_transparency_is_kept(converter: Converter, file_format: str) -> None:
    fitted = await converter.fit(saved(file_format, see_through(), exif=exif(3), quality=100))
    found, expected = opened(fitted).getchannel("A"), see_through().getchannel("A").rotate(180)
    assert rms(found, expected) < 3


async def test_a_transparent_colour_of_a_palette_is_kept(converter: Converter) -> None:
    palette = quarters("P")
    content = saved("PNG", palette, transparency=palette.getpixel((0, 0)), exif=exif(3))
    expected = Image.open(BytesIO(content)).convert("RGBA").rotate(180)
    assert expected.getchannel("A").getextrema() == (0, 255)
    assert opened(await converter.fit(content)).convert("RGBA").tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [(640, 480), (641, 479)])
async def test_a_turned_photo_keeps_its_quality(converter: Converter, size: tuple[int, int]) -> None:
    photo = saved("JPEG", drawn(size=size), quality=85, exif=exif(6))
    fitted = await converter.fit(photo)
    expected = Image.open(BytesIO(photo)).transpose(Image.Transpose.ROTATE_270)
    assert rms(opened(fitted), expected) < 0.5


async def test_a_turned_photo_does_not_grow(converter: Converter) -> None:
    photo = saved("JPEG", drawn(size=(640, 480)), quality=70, exif=exif(6))
    assert len((await converter.fit(photo)).content) == pytest.approx(len(photo), rel=0.05)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("orientation", [3, 6])
async def test_any_spacing_of_colours_can_be_turned(converter: Converter, subsampling: int, orientation: int) -> None:
    content = saved("JPEG", quarters(), subsampling=subsampling, exif=exif(orientation))
    assert seen(opened(await converter.fit(content))) == SHOWN[orientation]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
async def test_the_colour_profile_goes_with_its_colours(converter: Converter, file_format: str) -> None:
    fitted = await converter.fit(saved(file_format, exif=exif(3), icc_profile=PROFILE))
    assert opened(fitted).info["icc_profile"] == PROFILE


async def test_a_profile_of_other_colours_is_dropped(converter: Converter) -> None:
    fitted = await converter.fit(saved("JPEG", drawn("L"), exif=exif(3), icc_profile=PROFILE))
    assert "icc_profile" not in opened(fitted).info


@pytest.mark.parametrize("profile", [None, b"no profile at all", PROFILE])
async def test_a_picture_for_print_becomes_one_for_screens(converter: Converter, profile: bytes | None) -> None:
    fitted = await converter.fit(saved("JPEG", quarters("CMYK"), exif=exif(3), icc_profile=profile, quality=95))
    assert opened(fitted).mode == "RGB"
    assert seen(opened(fitted)) == SHOWN[3]
    assert "icc_profile" not in opened(fitted).info


async def test_sixteen_bits_become_eight(converter: Converter) -> None:
    row = b"".join(struct.pack("<H", 257 * value) for value in range(256))
    grey = Image.frombytes("I;16", (256, 16), 16 * row)
    fitted = await converter.fit(saved("PNG", grey, exif=exif(2)))
    assert opened(fitted).mode == "L"
    assert list(opened(fitted).get_flattened_data()) == 16 * list(range(255, -1, -1))


@pytest.mark.parametrize("content", TELLING.values(), ids=TELLING.keys())
async def test_nothing_beside_the_picture_survives_a_conversion(converter: Converter, content: bytes) -> None:
    fitted = await converter.fit(content)
    assert b"canary" in content
    assert b"canary" not in fitted.content
    assert why_not_as_it_is(inspect(fitted.content)) is None


FILMS = {
    name: saved(name, save_all=True, append_images=[drawn().rotate(90), drawn().rotate(180)])
    for name in ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
}
FILMS["HEIC"] = container(b"hevc", b"heic", b"mif1")


@pytest.mark.parametrize("content", FILMS.values(), ids=FILMS.keys())
async def test_several_frames_or_pages_are_refused(converter: Converter, content: bytes) -> None:
    with pytest.raises(Animated):
        await converter.fit(content)


BROKEN = {
    "BMP": saved("BMP")[:-100],
    "TIFF": saved("TIFF", compression="tiff_lzw")[:-100],
    "GIF": saved("GIF")[:-60],
    "AVIF": saved("AVIF")[:-60],
    "HEIC": TURNED[:-60],
    "HEIC without anything": container(b"heic", b"mif1"),
    "JPEG": saved("JPEG", exif=exif(6))[:-60],
    "PNG that is no PNG inside": png_header(8, 8)
    + chunk(b"eXIf", plain_exif(6))
    + chunk(b"IDAT", b"x")
    + chunk(b"IEND"),
    "measurements": saved("TIFF", drawn("F")),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
async def test_what_cannot_be_decoded_is_unreadable(converter: Converter, content: bytes) -> None:
    with pytest.raises(Unreadable):
        await converter.fit(content)


RAW = [
    (saved("TIFF", tiffinfo={0xC612: b"\x01\x04\x00\x00"}), Format.RAW),
    (saved("TIFF", tiffinfo={0x00FE: 1}), Format.RAW),
    (saved("TIFF")[:8] + b"CR" + saved("TIFF")[10:], Format.RAW),
]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\xff\x0a" + bytes(60), Format.JPEG_XL), (b"8BPS" + bytes(60), Format.PSD), (saved("ICO"), Format.ICO), *RAW],
)
async def test_formats_that_are_not_read_are_named(converter: Converter, content: bytes, expected: Format) -> None:
    with pytest.raises(Recognised) as caught:
        await converter.fit(content)
    assert caught.value.format is expected


async def test_what_is_no_picture_is_called_so(converter: Converter) -> None:
    with pytest.raises(NotAPicture):
        await converter.fit(b"hello")


def bitmap(width: int, height: int) -> bytes:
    """The beginning of a bitmap that claims these sides."""
    return b"BM" + struct.pack("<IIIIiiHH", 60, 0, 54, 40, width, height, 1, 24) + bytes(64)


#: transparent pixels take twice the memory when they are scaled
SEE_THROUGH = b"".join(
    [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 5_001, 8, 6, 0, 0, 0)),
        chunk(b"IDAT", b"x"),
        chunk(b"IEND"),
    ]
)


@pytest.mark.parametrize(
    "content", [png_header(50_000, 50_000), bitmap(50_000, 50_000), bitmap(10_001, 10_000), SEE_THROUGH]
)
async def test_a_file_that_claims_a_huge_picture_is_refused(converter: Converter, content: bytes) -> None:
    with pytest.raises(TooManyPixels):
        await converter.fit(content)
