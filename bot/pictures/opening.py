"""Opens a stranger's picture: one still frame, no larger than we can hold, the right way up.

Runs in the converting process only. What the header says is judged before any
pixel is decoded; after that the memory of the process is the bound.
"""

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

from bot.pictures import bounds, foreign, heif, jpeg, structure, tiff, tiff_pages, truncation
from bot.pictures.errors import Animated, Format, Recognised, TooManyPixels, TooMuchWork, Unsupported

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: width and height change places
SIDEWAYS = range(5, 9)

#: further pictures behind the first are its companions here (depth, brightness, the other eye), not a film
_WITH_COMPANIONS = {"JPEG", "MPO", "HEIF"}

#: MPO is opened as the JPEG that it begins with
_OPENED = tuple(bounds.MOST_PIXELS_TO_OPEN.keys() - {"MPO"})

#: bytes: what a segment of a JPEG can hold, and other formats have taken over
_LONGEST_EXIF = 1 << 16


#: Beside what Pillow always loads (BMP, GIF, JPEG, PNG and PPM); each of the forty others is one more way in.
_PLUGINS = (AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)


def prepare() -> None:
    """Load the decoders that will be needed, and no others; nothing can be loaded once the process is shut in."""
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None
    Image.preinit()
    for name in Image.OPEN.keys() - set(_OPENED):
        del Image.OPEN[name]


def opened(content: bytes) -> tuple[Image.Image, bool]:
    """Read the header of a picture and judge it; the pixels are decoded when they are asked for.

    Also tells whether only half of each side will be decoded, because all of it
    is too much for our memory. Raises Animated, Recognised for a camera's raw file,
    TooManyPixels, TooMuchWork, TooNarrow, Unreadable, Unsupported, and whatever Pillow raises.
    """
    lacks_end = False
    if content.startswith(jpeg.SIGNATURE):
        content, lacks_end = jpeg.for_decoder(content)
    content = _checked(content)
    found = foreign.name_of(content)
    if found is Format.TIFF and tiff_pages.is_raw(content):
        raise Recognised(Format.RAW)
    try:
        image = Image.open(BytesIO(content), formats=_OPENED)
    except UnidentifiedImageError:
        _refuse_unsupported(found, content)
        raise
    if _has_frames(image, content):
        raise Animated("several frames or pages")
    is_halved = _check_pixels(image, content)
    if lacks_end:
        truncation.refuse_cut(content, is_halved=is_halved)
    return image, is_halved


def _refuse_unsupported(found: Format | None, content: bytes) -> None:
    """Raise Unsupported for a file that is no damaged one: its header can be read, but not what it asks for."""
    if found is Format.TIFF and tiff_pages.describes_picture(content):
        raise Unsupported(found, "the pixels of the TIFF are of a kind that is not read")
    if found is Format.AVIF:
        try:
            AvifImagePlugin.AvifImageFile(BytesIO(content))
        except SyntaxError as error:
            if "Truncated" not in str(error):
                raise Unsupported(found, str(error)) from None


def orientation_of(image: Image.Image) -> int:
    """Read the orientation, 1 to 8, from EXIF alone, as viewers do; 1 when there is none that makes sense.

    Decoders of HEIC and TIFF have turned the picture already and say so here.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b"")[:_LONGEST_EXIF])
        found = exif.get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - broken EXIF raises anything, and must not cost the picture
        return 1
    return found if found in _TURNS else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn the pixels as EXIF asks."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _checked(content: bytes) -> bytes:
    """Give what is to be decoded, once its header does not ask for more work than it is worth; raises TooMuchWork."""
    if content.startswith(jpeg.SIGNATURE):
        return jpeg.with_one_exif(content)
    if content[4:8] == b"ftyp":
        heif.check_items(content)
    elif content[:2] in (b"II", b"MM"):
        tiff.check_directory(content)
    return content


def _check_pixels(image: Image.Image, content: bytes) -> bool:
    """Compare with the bounds; tell whether every second pixel has to be left out.

    Only JPEG can be decoded at half its sides, at a quarter of the memory.
    """
    structure.check_ratio(image.width, image.height)
    pixels, most = image.width * image.height, bounds.MOST_PIXELS_TO_OPEN[str(image.format)]
    is_jpeg = content.startswith(jpeg.SIGNATURE)
    is_lean = is_jpeg and jpeg.is_in_one_scan(content)
    if _is_transparent(image):
        most = bounds.MOST_PIXELS
    if _is_bmp_rle(image) and pixels > bounds.MOST_PIXELS_OF_BMP_RLE:
        raise TooMuchWork("the bitmap is too large for repeated colours")
    if pixels > (bounds.MOST_PIXELS_OF_JPEG_IN_ONE_SCAN if is_lean else most):
        raise TooManyPixels(image.width, image.height)
    if is_jpeg:
        jpeg.check_scans(jpeg.most_scans(content), pixels)
    if pixels <= (most if is_lean else bounds.MOST_PIXELS):
        return False
    return image.draft(None, (image.width // 2, image.height // 2)) is not None


def _is_transparent(image: Image.Image) -> bool:
    return image.mode.endswith(("A", "a")) or "transparency" in image.info


def _is_bmp_rle(image: Image.Image) -> bool:
    return isinstance(image, BmpImagePlugin.BmpImageFile) and any(tile.codec_name == "bmp_rle" for tile in image.tile)


def _has_frames(image: Image.Image, content: bytes) -> bool:
    if image.format == "TIFF":
        return tiff_pages.has_pages(content)
    return image.format not in _WITH_COMPANIONS and getattr(image, "is_animated", False)
