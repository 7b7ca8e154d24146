"""The isolated converter process: decodes one untrusted image and encodes it within the limits.

`convert` starts it as `python -m bot.images.converter_process SECONDS`. The request is the file. The reply is CONVERTED
or DOWNSCALED, one byte, with the new file after it, or an error (`errors.pack_error`).

Its stderr is discarded: if it does not start, run that command by hand.
"""

from bot.images import colour_modes, decode, encode
from bot.images.errors import CONVERTED, DOWNSCALED, ImageError, TooManyPixels, UnreadableImage, pack_error
from bot.process_isolation import serve_one_request


def reencode(content: bytes) -> tuple[bytes, bool]:
    """Decode an image, turn it upright and encode it within the limits; return the file, and whether it is downscaled.

    Raises ImageError, and whatever decoders raise.
    """
    image, is_halved = decode.open_image(content)
    declared_size = image.size
    try:
        image.load()
        orientation, is_lossless = decode.read_orientation(image), image.format in encode.LOSSLESS_FORMATS
        jpeg_options = encode.jpeg_options_like_source(image, is_sideways=orientation in decode.SIDEWAYS_ORIENTATIONS)
        image, profile = colour_modes.normalise_colour_mode(image)
        size = image.size
        # Downscale first, because turning copies all pixels. Always assign to `image`: a second name would keep the
        # pixels of the previous step in memory.
        image = encode.downscale_to_max_pixels(image)
        is_downscaled = is_halved or image.size != size
        image = decode.turn_upright(image, orientation)
        encoded, has_shrunk = encode.encode_within_limits(
            image, profile, is_lossless=is_lossless, jpeg_options=jpeg_options
        )
    except MemoryError:
        raise TooManyPixels(*declared_size) from None
    return encoded, is_downscaled or has_shrunk


def _convert(content: bytes) -> bytes:
    try:
        encoded, is_downscaled = reencode(content)
    except ImageError as error:
        return pack_error(error)
    except Exception as error:  # noqa: BLE001 - decoders raise anything on a broken file
        return pack_error(UnreadableImage(f"the image cannot be decoded ({type(error).__name__})"))
    return (DOWNSCALED if is_downscaled else CONVERTED) + encoded


if __name__ == "__main__":
    serve_one_request(decode.load_decoders, _convert)
