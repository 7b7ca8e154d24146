"""Brings the pixels of any picture into the four modes that are handed on: grey or RGB, each with alpha or without.

Runs in the converting process only. A colour profile stays with its pixels as
long as they stay in its colours; where they leave (CMYK), they are brought to
sRGB through it, and nothing needs to be said about them any more.
"""

from io import BytesIO

from PIL import Image, ImageCms

from bot.images.errors import OtherImageFormat, UnsupportedEncoding

#: bytes. Profiles of cameras and screens have a few thousand; a longer one is not for colours.
_MAX_PROFILE_BYTES = 1_000_000
#: where a profile names the colours that it is about
_COLOUR_SPACE_FIELD = slice(16, 20)
_COLOUR_SPACE_BY_MODE = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}

#: the mode to go on with, by Pillow's mode; "transparency" in a picture's notes overrules this
_TARGET_MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
    "CMYK": "RGB",
}
_SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B", "I;16N"}
_OPAQUE = 255


def normalise_colour_mode(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Give the picture in L, LA, RGB or RGBA, and the colour profile that goes with it, if any.

    An alpha channel that hides nothing is dropped. Raises Unsupported for pixels
    that are measurements rather than colours, which TIFF alone can hold.
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
        raise UnsupportedEncoding(OtherImageFormat.TIFF, "the values of the picture are no colours")
    target = _TARGET_MODES[image.mode]
    if "transparency" in image.info and not target.endswith("A"):
        target = "RGBA"
    return image if image.mode == target else image.convert(target)


def _drop_opaque_alpha(image: Image.Image) -> Image.Image:
    if not image.mode.endswith("A"):
        return image
    least, _ = image.getchannel("A").getextrema()
    return image.convert(image.mode[:-1]) if least == _OPAQUE else image


def _convert_cmyk(image: Image.Image, profile: bytes) -> Image.Image:
    """Pictures for print look wrong without their profile; a broken one is as good as none."""
    try:
        return _convert_to_srgb(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB")


def _convert_to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Bring a picture from the colours of its profile to sRGB; raises PyCMSError."""
    found = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return found or image.convert("RGB")


def _profile_matches_mode(profile: bytes | None, mode: str) -> bool:
    return (
        profile is not None
        and profile[_COLOUR_SPACE_FIELD] == _COLOUR_SPACE_BY_MODE[mode]
        and len(profile) <= _MAX_PROFILE_BYTES
    )
