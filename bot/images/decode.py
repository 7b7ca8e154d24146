"""Opens a stranger's picture: one still frame, no larger than we can hold, the right way up.

Runs in the converting process only. What the header says is judged before any
pixel is decoded; after that the memory of the process is the bound.
"""

import hashlib
from io import BytesIO

import pillow_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    MpoImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from bot.images import format_detection, heif, jpeg, limits, tiff
from bot.images.errors import (
    AnimatedImage,
    DecodingTooCostly,
    OtherImageFormat,
    TooManyPixels,
    UnreadableImage,
    UnsupportedEncoding,
    UnsupportedImageFormat,
)

_ORIENTATION = 0x0112
_TRANSPOSE_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: width and height change places
SIDEWAYS_ORIENTATIONS = range(5, 9)

#: further pictures behind the first are its companions here (depth, brightness, the other eye), not a film
_FORMATS_WITH_COMPANIONS = {"JPEG", "MPO", "HEIF"}

#: MPO is opened as the JPEG that it begins with
_DECODED_FORMATS = tuple(limits.MAX_PIXELS_TO_DECODE.keys() - {"MPO"})

#: bytes: what a segment of a JPEG can hold, and other formats have taken over
_MAX_EXIF_BYTES = 1 << 16


#: Beside what Pillow always loads (BMP, GIF, JPEG, PNG and PPM); each of the forty others is one more way in.
_PLUGINS = (AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)


def load_decoders() -> None:
    """Load the decoders that will be needed, and no others; nothing can be loaded once the process is shut in."""
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None
    Image.preinit()
    for name in Image.OPEN.keys() - set(_DECODED_FORMATS):
        del Image.OPEN[name]


def open_image(content: bytes) -> tuple[Image.Image, bool]:
    """Read the header of a picture and judge it; the pixels are decoded when they are asked for.

    Also tells whether only half of each side will be decoded, because all of it
    is too much for our memory. Raises Animated, Recognised for a camera's raw file,
    TooManyPixels, TooMuchWork, TooNarrow, Unreadable, Unsupported, and whatever Pillow raises.
    """
    lacks_end = False
    if content.startswith(jpeg.JPEG_SIGNATURE):
        content, lacks_end = jpeg.repair_jpeg(content)
    content = _check_decoding_cost(content)
    found = format_detection.detect_format(content)
    if found is OtherImageFormat.TIFF and tiff.is_camera_raw(content):
        raise UnsupportedImageFormat(OtherImageFormat.RAW)
    try:
        image = Image.open(BytesIO(content), formats=_DECODED_FORMATS)
    except UnidentifiedImageError:
        _refuse_unsupported(found, content)
        raise
    if _has_several_frames(image, content):
        raise AnimatedImage("several frames or pages")
    is_halved = _check_pixel_count(image, content)
    if lacks_end:
        refuse_truncated_jpeg(content, is_halved=is_halved)
    return image, is_halved


def _refuse_unsupported(found: OtherImageFormat | None, content: bytes) -> None:
    """Raise Unsupported for a file that is no damaged one: its header can be read, but not what it asks for."""
    if found is OtherImageFormat.TIFF and tiff.describes_image(content):
        raise UnsupportedEncoding(found, "the pixels of the TIFF are of a kind that is not read")
    if found is OtherImageFormat.AVIF:
        try:
            AvifImagePlugin.AvifImageFile(BytesIO(content))
        except SyntaxError as error:
            if "Truncated" not in str(error):
                raise UnsupportedEncoding(found, str(error)) from None


def read_orientation(image: Image.Image) -> int:
    """Read the orientation, 1 to 8, from EXIF alone, as viewers do; 1 when there is none that makes sense.

    Decoders of HEIC and TIFF have turned the picture already and say so here.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b"")[:_MAX_EXIF_BYTES])
        found = exif.get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - broken EXIF raises anything, and must not cost the picture
        return 1
    return found if found in _TRANSPOSE_BY_ORIENTATION else 1


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn the pixels as EXIF asks."""
    return (
        image.transpose(_TRANSPOSE_BY_ORIENTATION[orientation]) if orientation in _TRANSPOSE_BY_ORIENTATION else image
    )


def _check_decoding_cost(content: bytes) -> bytes:
    """Give what is to be decoded, once its header does not ask for more work than it is worth; raises TooMuchWork."""
    if content.startswith(jpeg.JPEG_SIGNATURE):
        return jpeg.keep_first_exif(content)
    if content[4:8] == b"ftyp":
        heif.check_heif_items(content)
    elif content[:2] in (b"II", b"MM"):
        tiff.check_tiff_directory(content)
    return content


def _check_pixel_count(image: Image.Image, content: bytes) -> bool:
    """Compare with the bounds; tell whether every second pixel has to be left out.

    Only JPEG can be decoded at half its sides, at a quarter of the memory.
    """
    limits.check_aspect_ratio(image.width, image.height)
    pixels, most = image.width * image.height, limits.MAX_PIXELS_TO_DECODE[str(image.format)]
    is_jpeg = content.startswith(jpeg.JPEG_SIGNATURE)
    is_lean = is_jpeg and jpeg.has_single_scan(content)
    if _is_transparent(image):
        most = limits.MAX_PIXELS
    if _is_bmp_rle(image) and pixels > limits.MAX_PIXELS_OF_RLE_BMP:
        raise DecodingTooCostly("the bitmap is too large for repeated colours")
    if pixels > (limits.MAX_PIXELS_OF_SINGLE_SCAN_JPEG if is_lean else most):
        raise TooManyPixels(image.width, image.height)
    if is_jpeg:
        jpeg.check_scans(jpeg.count_scans(content), pixels)
    if pixels <= (most if is_lean else limits.MAX_PIXELS):
        return False
    return image.draft(None, (image.width // 2, image.height // 2)) is not None


def _is_transparent(image: Image.Image) -> bool:
    return image.mode.endswith(("A", "a")) or "transparency" in image.info


def _is_bmp_rle(image: Image.Image) -> bool:
    return isinstance(image, BmpImagePlugin.BmpImageFile) and any(tile.codec_name == "bmp_rle" for tile in image.tile)


def _has_several_frames(image: Image.Image, content: bytes) -> bool:
    if image.format == "TIFF":
        return tiff.has_several_pages(content)
    return image.format not in _FORMATS_WITH_COMPANIONS and getattr(image, "is_animated", False)


_EOI = b"\xff\xd9"

#: Rows that are hashed at once.
_ROWS_PER_HASH = 64

#: Compressed data of no meaning, with every restart marker that a scan may be waiting for.
_FILLER = b"".join(bytes(range(1, 0xFF, 2)) + bytes([0xFF, 0xD0 + number]) for number in range(8)) * 2


def refuse_truncated_jpeg(content: bytes, *, is_halved: bool = False) -> None:
    """Decode a JPEG twice whose end marker was added; raises Unreadable when a part of the picture is missing.

    `is_halved` decodes half of each side, where all of it is too much for our memory.
    """
    filled = content.removesuffix(_EOI).removesuffix(b"\xff") + _FILLER + _EOI
    if jpeg.lacks_scans(content) or _hash_pixels(content, is_halved=is_halved) != _hash_pixels(
        filled, is_halved=is_halved
    ):
        raise UnreadableImage("the JPEG is cut short inside the picture")


def _hash_pixels(content: bytes, *, is_halved: bool) -> bytes:
    """Name what a decoder makes of these bytes, without a second copy of its pixels."""
    image = Image.open(BytesIO(content), formats=["JPEG"])
    if is_halved:
        image.draft(None, (image.width // 2, image.height // 2))
    found = hashlib.sha256()
    for top in range(0, image.height, _ROWS_PER_HASH):
        found.update(image.crop((0, top, image.width, min(top + _ROWS_PER_HASH, image.height))).tobytes())
    return found.digest()
