"""A picture of every format that can tell more than it shows; each says "canary" wherever it can."""

from tests.pictures.files import drawn, exif, plain_exif, saved, texts, with_chunk, with_segment
from tests.pictures.heic import TURNED

COMPANION = drawn().rotate(180)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>canary</x:xmpmeta>"
TELLING = {
    "JPEG": saved("JPEG", exif=exif(6, camera="canary"), xmp=XMP, comment=b"canary"),
    "JPEG with a thumbnail": with_segment(0xE1, exif(6) + saved("JPEG", comment=b"canary")),
    "PNG": saved("PNG", exif=exif(6, camera="canary"), pnginfo=texts(Author="canary", Comment="canary")),
    "PNG with exif behind": with_chunk(b"eXIf", plain_exif(6) + b"canary", behind_picture=True),
    "WebP": saved("WEBP", exif=exif(6, camera="canary"), xmp=XMP),
    "GIF": saved("GIF", comment=b"canary"),
    "TIFF": saved("TIFF", tiffinfo={270: "canary", 305: "canary", 700: XMP}),
    "AVIF": saved("AVIF", exif=exif(6, camera="canary"), xmp=XMP),
    "MPO": saved("MPO", save_all=True, append_images=[COMPANION], exif=exif(6, camera="canary"), comment=b"canary"),
    "HEIC": TURNED,
}
