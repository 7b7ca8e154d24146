"""Image files for the tests, written by Pillow, or byte by byte where Pillow would refuse."""

import struct
import zlib
from base64 import b64decode
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from bot.images.convert import SendableImage

ORIENTATION_TAG = 0x0112
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def draw_image(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    """An image whose compressed data is not trivial."""
    return Image.effect_mandelbrot(size, (-3, -2.5, 2, 2.5), 100).convert(mode)


def draw_transparent_image() -> Image.Image:
    """An image that is partly transparent."""
    image = draw_image("RGBA")
    image.putalpha(draw_image("L"))
    return image


def encode_image(file_format: str, image: Image.Image | None = None, **options: object) -> bytes:
    """An image file as Pillow writes it."""
    out = BytesIO()
    (image or draw_image()).save(out, file_format, **options)
    return out.getvalue()


def make_exif(orientation: int | None = None, **texts: str) -> bytes:
    """An EXIF block with the prefix that JPEG requires."""
    block = Image.Exif()
    if orientation is not None:
        block[ORIENTATION_TAG] = orientation
    for number, text in enumerate(texts.values()):
        block[0x010E + number] = text
    return block.tobytes()


def make_exif_with_position() -> bytes:
    """An EXIF block with a GPS position."""
    block = Image.Exif()
    block.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0)})
    return block.tobytes()


def make_plain_exif(value: int, kind: int = 3, order: str = "<") -> bytes:
    """The TIFF part of EXIF with one entry, the orientation."""
    name = b"II" if order == "<" else b"MM"
    return name + struct.pack(order + "HIHHHIHHI", 42, 8, 1, ORIENTATION_TAG, kind, 1, value, 0, 0)


def insert_bytes(place: int, stray: bytes, content: bytes) -> bytes:
    """Insert bytes at an offset, as in a slice."""
    return content[:place] + stray + content[place:]


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with_segment(marker: int, body: bytes, content: bytes | None = None) -> bytes:
    """A JPEG with one more segment at its beginning."""
    content = content or encode_image("JPEG")
    return content[:2] + jpeg_segment(marker, body) + content[2:]


def png_chunk(name: bytes, body: bytes = b"") -> bytes:
    """A PNG chunk with a valid checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with_chunk(name: bytes, body: bytes, *, behind_image: bool = False) -> bytes:
    """A PNG with one more chunk, before or after the image data."""
    content = encode_image("PNG")
    place = len(content) - 12 if behind_image else 33
    return content[:place] + png_chunk(name, body) + content[place:]


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that declares these dimensions."""
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def webp_file(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_canvas_chunk(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The header chunk of an extended WebP."""
    dimensions = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + dimensions


def webp_image_chunk(content: bytes) -> tuple[bytes, bytes]:
    """The only chunk of a simple WebP."""
    return content[12:16], content[20:]


def png_texts(**values: str) -> PngInfo:
    """Text chunks for a PNG."""
    info = PngInfo()
    for name, value in values.items():
        info.add_text(name, value)
    return info


def make_tiff(
    *pages: tuple[Image.Image, dict[int, int]], inside: Sequence[tuple[Image.Image, dict[int, int]]] = ()
) -> bytes:
    """A TIFF of grey images with tags; those inside are SubIFDs of the first page."""
    out, link = bytearray(b"II*\x00\x00\x00\x00\x00"), 4
    places = [_add_tiff_directory(out, image, {tag: [value] for tag, value in tags.items()}) for image, tags in inside]
    for image, tags in pages:
        lists = {tag: [value] for tag, value in tags.items()} | ({330: places} if link == 4 and places else {})
        struct.pack_into("<I", out, link, _add_tiff_directory(out, image, lists))
        link = len(out) - 4
    return bytes(out)


def _add_tiff_directory(out: bytearray, image: Image.Image, tags: dict[int, list[int]]) -> int:
    width, height = image.size
    tags = {
        256: [width],
        257: [height],
        258: [8],
        262: [1],
        273: [len(out)],
        278: [height],
        279: [width * height],
    } | tags
    out += image.tobytes()
    entries = b""
    for tag, values in sorted(tags.items()):
        entries += struct.pack("<HHII", tag, 4, len(values), values[0] if len(values) == 1 else len(out))
        out += struct.pack(f"<{len(values)}I", *values) if len(values) > 1 else b""
    place = len(out)
    out += struct.pack("<H", len(tags)) + entries + bytes(4)
    return place


def heif_container(main: bytes, *compatible: bytes) -> bytes:
    """The beginning of an ISO base media file (HEIC, AVIF, video)."""
    body = b"ftyp" + main + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(body) + 4) + body + bytes(64)


ROTATED_HEIC = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAddtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "AA5waXRtAAAAAAABAAAARmlsb2MAAAAAREAAAwABAAAAAAH7AAEAAAAAAAAASAACAAAAAAJDAAEAAAAAAAAAggADAAAAAALFAAEA"
    "AAAAAAAAPQAAAGJpaW5mAAAAAAADAAAAFWluZmUCAAAAAAEAAGh2YzEAAAAAFWluZmUCAAABAAIAAEV4aWYAAAAAKmluZmUCAAAB"
    "AAMAAG1pbWUAYXBwbGljYXRpb24vcmRmK3htbAAAAAAAzGlwcnAAAACtaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAA"
    "DwMgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCAgWW6kkprm4EBAwIAAAMAAgAA"
    "AwACECIAAQAHRAHBcrAiQAAAAAlpcm90AwAAABRpc3BlAAAAAAAAAEAAAACAAAAAEHBpeGkAAAAAAwgICAAAABdpcG1hAAAAAAAA"
    "AAEAAQSBAgOEAAAAKGlyZWYAAAAAAAAADmNkc2MAAgABAAEAAAAOY2RzYwADAAEAAQAAAQ9tZGF0AAAARCgBrxOA5qhw07/JUf/3"
    "LOr/2FExKrftMqaPz3fi/UYtFSKyf5/ML0v/8n6WO+I7f7y6ZAR/9F27/waPr7jn570b/dAHAAAAAE1NACoAAAAIAAMBDwACAAAA"
    "FQAAADIBEgADAAAAAQAGAACIJQAEAAAAAQAAAEgAAAAAY2FuYXJ5LW9mLXRoZS1jYW1lcmEAAAACAAEAAgAAAAJOAAAAAAIABQAA"
    "AAMAAABmAAAAAAAAADQAAAABAAAAHwAAAAEAAAAAAAAAATx4OnhtcG1ldGEgeG1sbnM6eD0nYWRvYmU6bnM6bWV0YS8nPmNhbmFy"
    "eS1pbi14bXA8L3g6eG1wbWV0YT4="
)


QUARTERS_SIZE = (128, 64)
QUARTER_COLOURS = {"R": (220, 30, 30), "G": (30, 200, 30), "B": (30, 30, 220), "W": (240, 240, 240)}

#: by EXIF orientation: the quarters of the upright image, row by row, when R G B W are stored
QUARTERS_BY_ORIENTATION = {1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}


def draw_quarters(mode: str = "RGB") -> Image.Image:
    """Red and green above blue and white, 128 x 64 pixels."""
    image = Image.new("RGB", QUARTERS_SIZE)
    for number, colour in enumerate(QUARTER_COLOURS.values()):
        left, top = 64 * (number % 2), 32 * (number // 2)
        image.paste(colour, (left, top, left + 64, top + 32))
    return image.convert(mode)


def open_converted(converted: SendableImage) -> Image.Image:
    """Open the result of a conversion."""
    return Image.open(BytesIO(converted.content))


def read_quarters(image: Image.Image) -> str:
    """The letters of the four quarters, row by row, by the nearest colour to the middle of each."""
    image = image.convert("RGB")
    places = [(x * image.width // 4, y * image.height // 4) for y in (1, 3) for x in (1, 3)]
    return "".join(_nearest_colour(image.getpixel(place)) for place in places)


def _nearest_colour(found: object) -> str:
    assert isinstance(found, tuple)
    return min(
        QUARTER_COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(QUARTER_COLOURS[name], found, strict=True))
    )


SECOND_IMAGE = draw_image().rotate(180)
CANARY_XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>canary</x:xmpmeta>"
FILES_WITH_METADATA = {
    "JPEG": encode_image("JPEG", exif=make_exif(6, camera="canary"), xmp=CANARY_XMP, comment=b"canary"),
    "JPEG with a thumbnail": jpeg_with_segment(0xE1, make_exif(6) + encode_image("JPEG", comment=b"canary")),
    "PNG": encode_image(
        "PNG", exif=make_exif(6, camera="canary"), pnginfo=png_texts(Author="canary", Comment="canary")
    ),
    "PNG with exif behind": png_with_chunk(b"eXIf", make_plain_exif(6) + b"canary", behind_image=True),
    "WebP": encode_image("WEBP", exif=make_exif(6, camera="canary"), xmp=CANARY_XMP),
    "GIF": encode_image("GIF", comment=b"canary"),
    "TIFF": encode_image("TIFF", tiffinfo={270: "canary", 305: "canary", 700: CANARY_XMP}),
    "AVIF": encode_image("AVIF", exif=make_exif(6, camera="canary"), xmp=CANARY_XMP),
    "MPO": encode_image(
        "MPO", save_all=True, append_images=[SECOND_IMAGE], exif=make_exif(6, camera="canary"), comment=b"canary"
    ),
    "HEIC": ROTATED_HEIC,
}
