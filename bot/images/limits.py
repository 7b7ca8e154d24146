"""All limits on images. Those on structure and decoding allow what real files need, to stop decompression bombs."""

from bot.images.errors import DecodingTooCostly, ExtremeAspectRatio, TooManyPixels, UnreadableImage

# Images that we send

#: Bytes. Kie allows "10.0 MB" and Telegram "10 MB" for a photo; neither defines a megabyte, so this is the smaller one.
MAX_FILE_BYTES = 10_000_000
#: About 150 MB decoded; the largest phone sensors deliver 12 to 50 million by default.
MAX_PIXELS = 50_000_000
#: Longer side to shorter side: the limit of Telegram's sendPhoto (Bot API). Kie's models go up to 8:1.
MAX_ASPECT_RATIO = 20
#: Pixels: the limit of Telegram's sendPhoto (Bot API).
MAX_WIDTH_PLUS_HEIGHT = 10_000

# Downloads

MAX_DOWNLOAD_BYTES = 50 << 20
#: Seconds for one download, redirects included.
DOWNLOAD_TIMEOUT = 120.0
MAX_REDIRECTS = 3

# The structure of a file, checked before anything is decoded

#: Segments, chunks or boxes in one file. Real files have tens, or thousands if their data is split into small parts.
MAX_PARTS = 50_000
#: libjpeg writes 10 scans into a progressive JPEG, mozjpeg 11; libtiff and GDAL give up at 100, too.
MAX_JPEG_SCANS = 100
#: An empty scan of a few bytes takes as long as any other (libjpeg-turbo, "Two Issues with the JPEG Standard").
MAX_JPEG_SCANS_TIMES_PIXELS = 2_500_000_000
#: The largest image that we decode has 45,000 rows, and some scanners write one strip per row.
MAX_TIFF_STRIPS_OR_TILES = 100_000
#: Copies at half the size, a quarter and so on are at most 16.
MAX_TIFF_DIRECTORIES = 32
#: Tags of one directory; real ones have tens, and Pillow takes a few microseconds for each.
MAX_TIFF_TAGS = 4096
#: Pixels of all items that a HEIF image is derived from. Those of a phone are tiles of 512 x 512, which reach beyond
#: the edges of the image, and smaller auxiliary images such as alpha or a gain map.
MAX_HEIF_ITEM_PIXELS = 3 * MAX_PIXELS
#: Levels of items derived from other items.
MAX_HEIF_ITEM_DEPTH = 4

# Decoding

#: Seconds for one image. The slowest that we accept take a quarter of it on a small server (100 million pixels in 100
#: scans within a TIFF 7 s, as a JPEG of noise 5 s, 49 million as HEIC of noise 5 s), and photos a second or two.
CONVERSION_TIMEOUT = 30.0
#: By Pillow's name of the format.
MAX_PIXELS_TO_DECODE = {
    "JPEG": 100_000_000,
    "MPO": 100_000_000,
    "PNG": 100_000_000,
    "BMP": 100_000_000,
    "GIF": 100_000_000,
    "TIFF": 100_000_000,
    # these decoders hold the image several times over
    "WEBP": MAX_PIXELS,
    "AVIF": MAX_PIXELS,
    "HEIF": MAX_PIXELS,
}
#: Pillow decodes run-length encoded bitmaps in Python, pixel by pixel. They have at most 256 colours, and come from a
#: time when screens had less than two million pixels.
MAX_PIXELS_OF_RLE_BMP = 16_000_000
#: Such a JPEG can be decoded at half its width and height, row by row.
MAX_PIXELS_OF_SINGLE_SCAN_JPEG = 200_000_000
#: Bytes: the capacity of a JPEG segment, which other formats have taken over.
MAX_EXIF_BYTES = 1 << 16
#: Bytes; profiles of cameras and screens have a few thousand.
MAX_PROFILE_BYTES = 1_000_000


def check_dimensions(width: int, height: int) -> None:
    """Raise UnreadableImage for an empty side (pixels), and TooManyPixels above MAX_PIXELS."""
    if width < 1 or height < 1:
        raise UnreadableImage("the image has an empty side")
    if width * height > MAX_PIXELS:
        raise TooManyPixels(width, height)


def check_aspect_ratio(width: int, height: int) -> None:
    """Raise ExtremeAspectRatio above MAX_ASPECT_RATIO."""
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ExtremeAspectRatio(width, height)


def check_part_count(count: int) -> None:
    """Raise DecodingTooCostly above MAX_PARTS."""
    if count > MAX_PARTS:
        raise DecodingTooCostly("the file has too many parts")
