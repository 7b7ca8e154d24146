"""Brings the pixels of any picture into the four modes that are handed on: grey or RGB, each with alpha or without.

Runs in the converting process only. A colour profile stays with its pixels as
long as they stay in its colours; where they leave (CMYK), they are brought to
sRGB through it, and nothing needs to be said about them any more.
"""

from io import BytesIO

from PIL import Image, ImageCms

from bot.pictures.errors import Format, Unsupported

#: bytes. Profiles of cameras and screens have a few thousand; a longer one is not for colours.
_LONGEST_PROFILE = 1_000_000
#: where a profile names the colours that it is about
_SPACE = slice(16, 20)
_SPACES = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}

#: the mode to go on with, by Pillow's mode; "transparency" in a picture's notes overrules this
_TARGETS = {
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
_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
_OPAQUE = 255


def plain(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Give the picture in L, LA, RGB or RGBA, and the colour profile that goes with it, if any.

    An alpha channel that hides nothing is dropped. Raises Unsupported for pixels
    that are measurements rather than colours, which TIFF alone can hold.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        return _converted(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))), None
    if image.mode == "CMYK" and profile:
        return _from_print(image, profile), None
    image = _without_idle_alpha(_in_target_mode(image))
    return image, profile if _suits(profile, image.mode) else None


def _in_target_mode(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS:
        return image.convert("I").point([value >> 8 for value in range(1 << 16)], "L")
    if image.mode not in _TARGETS:
        raise Unsupported(Format.TIFF, "the values of the picture are no colours")
    target = _TARGETS[image.mode]
    if "transparency" in image.info and not target.endswith("A"):
        target = "RGBA"
    return image if image.mode == target else image.convert(target)


def _without_idle_alpha(image: Image.Image) -> Image.Image:
    if not image.mode.endswith("A"):
        return image
    least, _ = image.getchannel("A").getextrema()
    return image.convert(image.mode[:-1]) if least == _OPAQUE else image


def _from_print(image: Image.Image, profile: bytes) -> Image.Image:
    """Pictures for print look wrong without their profile; a broken one is as good as none."""
    try:
        return _converted(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB")


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Bring a picture from the colours of its profile to sRGB; raises PyCMSError."""
    found = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return found or image.convert("RGB")


def _suits(profile: bytes | None, mode: str) -> bool:
    return profile is not None and profile[_SPACE] == _SPACES[mode] and len(profile) <= _LONGEST_PROFILE
