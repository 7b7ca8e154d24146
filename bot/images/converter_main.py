"""The converter process: decodes one untrusted image and encodes it within the limits.

`convert` starts it as `python -m bot.images.converter_main SECONDS`. The request is the file. The first byte of the
reply is CONVERTED or DOWNSCALED, and the new file follows; or the reply is an error (`errors.pack_error`).

Its stderr is dropped: if it does not start, run that command by hand.
"""

from bot.images.colour_modes import normalise_colour_mode
from bot.images.decode import SIDEWAYS_ORIENTATIONS, load_decoders, open_image, read_orientation, turn_upright
from bot.images.encode import EncodedImage, downscale_to_max_pixels, encode_within_limits, source_encoding
from bot.images.errors import CONVERTED, DOWNSCALED, ImageError, TooManyPixels, UnreadableImage, pack_error
from bot.process_isolation import serve_one_request


def reencode(content: bytes) -> EncodedImage:
    """Decode an image, turn it upright and encode it within the limits.

    Raises ImageError and whatever decoders raise.
    """
    image, is_halved = open_image(content)
    declared_size = image.size
    try:
        image.load()
        orientation = read_orientation(image)
        source = source_encoding(image, is_sideways=orientation in SIDEWAYS_ORIENTATIONS)
        image, profile = normalise_colour_mode(image)
        size = image.size
        # Scale before turning, which takes memory for every pixel that is left. Always assign to `image`: a second
        # name would keep the pixels of the step before.
        image = downscale_to_max_pixels(image)
        is_downscaled = is_halved or image.size != size
        encoded = encode_within_limits(turn_upright(image, orientation), profile, source)
    except MemoryError:
        raise TooManyPixels(*declared_size) from None
    return EncodedImage(encoded.content, is_downscaled=is_downscaled or encoded.is_downscaled)


def _convert(content: bytes) -> bytes:
    try:
        encoded = reencode(content)
    except ImageError as error:
        return pack_error(error)
    except Exception as error:  # noqa: BLE001 - decoders raise anything when they meet a broken file
        return pack_error(UnreadableImage(f"the image cannot be decoded ({type(error).__name__})"))
    return (DOWNSCALED if encoded.is_downscaled else CONVERTED) + encoded.content


if __name__ == "__main__":
    serve_one_request(load_decoders, _convert)
