"""Converts pixels to the four colour modes that we encode: grey or RGB, each with or without alpha.

The ICC profile is kept as long as the pixels stay in its colour space. CMYK and Lab pixels are converted to sRGB and
need no profile afterwards.
"""

from io import BytesIO

from PIL import Image, ImageCms

from bot.images.errors import UnsupportedEncoding
from bot.images.format_detection import OtherImageFormat
from bot.images.limits import MAX_PROFILE_BYTES

#: Where the header of an ICC profile names its colour space.
_COLOUR_SPACE_FIELD = slice(16, 20)
_COLOUR_SPACE_BY_MODE = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}

#: By Pillow's mode; an image with a transparent colour in its info becomes RGBA instead.
_TARGET_MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA",
    "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "CMYK": "RGB",
    "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA",
}  # fmt: skip
_SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B", "I;16N"}


def normalise_colour_mode(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Return the image in L, LA, RGB or RGBA without an opaque alpha channel, and its ICC profile or None.

    Raises UnsupportedEncoding for pixels that are measurements and not colours, which only TIFF can have.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        return _convert_to_srgb(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))), None
    if image.mode == "CMYK" and profile:
        return _convert_cmyk(image, profile), None
    image = _drop_opaque_alpha(_convert_to_target_mode(image))
    return image, profile if _profile_matches_mode(profile, image.mode) else None


def _convert_to_target_mode(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT_MODES:
        return image.convert("I").point([value >> 8 for value in range(1 << 16)], "L")
    if image.mode not in _TARGET_MODES:
        raise UnsupportedEncoding(OtherImageFormat.TIFF, "the pixels are no colours")
    target = _TARGET_MODES[image.mode]
    if "transparency" in image.info and not target.endswith("A"):
        target = "RGBA"
    return image if image.mode == target else image.convert(target)


def _drop_opaque_alpha(image: Image.Image) -> Image.Image:
    if not image.mode.endswith("A"):
        return image
    lowest, _ = image.getchannel("A").getextrema()
    return image.convert(image.mode[:-1]) if lowest == 255 else image


def _convert_cmyk(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert through the profile, without which an image for print looks wrong; ignore a broken profile."""
    try:
        return _convert_to_srgb(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB")


def _convert_to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert from the colour space of the profile to sRGB. Raises PyCMSError."""
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return converted or image.convert("RGB")


def _profile_matches_mode(profile: bytes | None, mode: str) -> bool:
    return (
        profile is not None
        and profile[_COLOUR_SPACE_FIELD] == _COLOUR_SPACE_BY_MODE[mode]
        and len(profile) <= MAX_PROFILE_BYTES
    )
