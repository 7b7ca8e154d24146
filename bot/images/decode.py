"""Opens an untrusted image in the converter process: a single frame within the pixel limits.

The header is checked before any pixel is decoded (decompression bombs); after that, only the memory and the deadline of
the process limit the work.
"""

import hashlib
import re
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

from bot.images import heif_tiff, jpeg, limits
from bot.images.errors import (
    AnimatedImage,
    DecodingTooCostly,
    TooManyPixels,
    UnreadableImage,
    UnsupportedEncoding,
    UnsupportedImageFormat,
)
from bot.images.format_detection import OtherImageFormat, detect_format

_ORIENTATION_TAG = 0x0112
_TRANSPOSE_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: The orientations that swap width and height.
SIDEWAYS_ORIENTATIONS = range(5, 9)

#: In these formats further images accompany the first (depth map, gain map, the other eye); they are no animation.
_FORMATS_WITH_COMPANIONS = {"JPEG", "MPO", "HEIF"}
#: MPO is opened as the JPEG that it begins with.
_DECODED_FORMATS = tuple(limits.MAX_PIXELS_TO_DECODE.keys() - {"MPO"})
#: Loaded in addition to Pillow's default ones (BMP, GIF, JPEG, PNG, PPM). The other forty would add attack surface.
_PLUGINS = (AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)

#: Rows that are hashed at once.
_ROWS_PER_HASH = 64


def load_decoders() -> None:
    """Load the decoders that we need and unregister all others; after the isolation none can be loaded."""
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None
    Image.preinit()
    for name in Image.OPEN.keys() - set(_DECODED_FORMATS):
        del Image.OPEN[name]


def open_image(content: bytes) -> tuple[Image.Image, bool]:
    """Read and check the header of an image; Pillow decodes its pixels lazily.

    Also returns whether it will be decoded at half its width and height, to save memory. Raises ImageError, with
    UnsupportedImageFormat for a camera raw file, and whatever Pillow raises.
    """
    lacks_end = False
    if content.startswith(jpeg.SIGNATURE):
        content, lacks_end = jpeg.repair_jpeg(content)
    content = _check_decoding_cost(content)
    found = detect_format(content)
    if found is OtherImageFormat.TIFF and heif_tiff.is_camera_raw(content):
        raise UnsupportedImageFormat(OtherImageFormat.RAW)
    try:
        image = Image.open(BytesIO(content), formats=_DECODED_FORMATS)
    except UnidentifiedImageError:
        _refuse_unsupported_encoding(found, content)
        raise
    if _has_several_frames(image, content):
        raise AnimatedImage("several frames or pages")
    is_halved = _check_pixel_count(image, content)
    if lacks_end:
        refuse_truncated_jpeg(content, is_halved=is_halved)
    return image, is_halved


def _refuse_unsupported_encoding(found: OtherImageFormat | None, content: bytes) -> None:
    """Raise UnsupportedEncoding if the header is readable and the encoding that it names is not supported."""
    if found is OtherImageFormat.TIFF and heif_tiff.describes_image(content):
        raise UnsupportedEncoding(found, "the encoding of the TIFF is not supported")
    if found is OtherImageFormat.AVIF:
        try:
            AvifImagePlugin.AvifImageFile(BytesIO(content))
        except SyntaxError as error:
            if "Truncated" not in str(error):
                raise UnsupportedEncoding(found, str(error)) from None


def read_orientation(image: Image.Image) -> int:
    """Return the orientation, 1 to 8, from EXIF only, as in viewers; 1 if there is no valid one.

    The decoders of HEIC and TIFF rotate the image themselves and then report 1.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b"")[: limits.MAX_EXIF_BYTES])
        found = exif.get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - broken EXIF raises anything and is no reason to refuse the image
        return 1
    return found if found in _TRANSPOSE_BY_ORIENTATION else 1


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate or mirror the pixels as EXIF asks."""
    turn = _TRANSPOSE_BY_ORIENTATION.get(orientation)
    return image if turn is None else image.transpose(turn)


def _check_decoding_cost(content: bytes) -> bytes:
    """Return what to decode. Raises DecodingTooCostly."""
    if content.startswith(jpeg.SIGNATURE):
        return jpeg.keep_first_exif(content)
    if content[4:8] == b"ftyp":
        heif_tiff.check_heif_items(content)
    elif content[:2] in (b"II", b"MM"):
        heif_tiff.check_tiff_directory(content)
    return content


def _check_pixel_count(image: Image.Image, content: bytes) -> bool:
    """Check the limits; return whether to decode at half the width and height.

    That takes a quarter of the memory; only JPEG decoders can do it.
    """
    limits.check_aspect_ratio(image.width, image.height)
    pixels = image.width * image.height
    max_pixels = limits.MAX_PIXELS if _is_transparent(image) else limits.MAX_PIXELS_TO_DECODE[str(image.format)]
    is_jpeg = content.startswith(jpeg.SIGNATURE)
    has_single_scan = is_jpeg and jpeg.has_single_scan(content)
    if _is_rle_bmp(image) and pixels > limits.MAX_PIXELS_OF_RLE_BMP:
        raise DecodingTooCostly("the run-length encoded bitmap is too large")
    if pixels > (limits.MAX_PIXELS_OF_SINGLE_SCAN_JPEG if has_single_scan else max_pixels):
        raise TooManyPixels(image.width, image.height)
    if is_jpeg:
        jpeg.check_scans(jpeg.count_scans(content), pixels)
    if pixels <= (max_pixels if has_single_scan else limits.MAX_PIXELS):
        return False
    return _halve(image)


def _halve(image: Image.Image) -> bool:
    return image.draft(None, (image.width // 2, image.height // 2)) is not None


def _is_transparent(image: Image.Image) -> bool:
    return image.mode.endswith(("A", "a")) or "transparency" in image.info


def _is_rle_bmp(image: Image.Image) -> bool:
    return isinstance(image, BmpImagePlugin.BmpImageFile) and any(tile.codec_name == "bmp_rle" for tile in image.tile)


def _has_several_frames(image: Image.Image, content: bytes) -> bool:
    if image.format == "TIFF":
        return heif_tiff.has_several_pages(content)
    return image.format not in _FORMATS_WITH_COMPANIONS and getattr(image, "is_animated", False)


def refuse_truncated_jpeg(content: bytes, *, is_halved: bool = False) -> None:
    """Raise UnreadableImage if a part of the image is missing from a JPEG to which an end marker was added.

    It is decoded twice, with different data after its last scan: that changes the pixels of a truncated image only.
    """
    filled = content.removesuffix(jpeg.EOI).removesuffix(b"\xff") + _filler(content) + jpeg.EOI
    if jpeg.lacks_scans(content) or _hash_pixels(content, is_halved) != _hash_pixels(filled, is_halved):
        raise UnreadableImage("the JPEG is truncated inside a scan")


def _filler(content: bytes) -> bytes:
    """Return arbitrary scan data with all restart markers, beginning with the one that the last scan expects.

    From one of the next two, libjpeg would conclude that data is missing, and fill in the same grey as without any.
    """
    last_scan = jpeg.read_segments_until_damage(content)[-2].data
    restarts = re.findall(rb"\xff[\xd0-\xd7]", last_scan)
    expected = restarts[-1][1] - 0xD0 + 1 if restarts else 0
    markers = (bytes([0xFF, 0xD0 + (expected + number) % 8]) for number in range(16))
    return b"".join(bytes(range(1, 0xFF, 2)) + marker for marker in markers)


def _hash_pixels(content: bytes, is_halved: bool) -> bytes:
    """Hash the decoded pixels without a second copy of them."""
    image = Image.open(BytesIO(content), formats=["JPEG"])
    if is_halved:
        _halve(image)
    found = hashlib.sha256()
    for top in range(0, image.height, _ROWS_PER_HASH):
        found.update(image.crop((0, top, image.width, min(top + _ROWS_PER_HASH, image.height))).tobytes())
    return found.digest()
