"""The process that decodes a stranger's picture, apart from the bot and with nothing to lose.

Started by `conversion_process` as `python -m bot.images.converter_main SECONDS`. It holds no secret and no
network: before it reads the picture it shuts itself in (`bot.process_isolation`).
It ends with that one picture, when the bot
closes its stdin, and when the picture takes longer than SECONDS, so that it never outlives a bot that was killed.

Its stderr is not kept. If it does not start, run the command above by hand.
"""

import os
import signal
import sys
from typing import BinaryIO

from bot.images import decode, limits
from bot.images.converter_protocol import REQUEST_HEADER, ConversionOutcome, ConverterReply
from bot.images.encode import reencode
from bot.images.errors import (
    AnimatedImage,
    DecodingTooCostly,
    ExtremeAspectRatio,
    ImageError,
    TooManyPixels,
    UnsupportedEncoding,
    UnsupportedImageFormat,
)
from bot.process_isolation import close_inherited_files, isolate_process

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def _read_image(pictures: BinaryIO) -> bytes | None:
    """Wait for the picture; None means that there will be none."""
    head = pictures.read(REQUEST_HEADER.size)
    if len(head) < REQUEST_HEADER.size:
        return None
    (size,) = REQUEST_HEADER.unpack(head)
    content = pictures.read(size)
    return content if len(content) == size else None


def _convert(content: bytes) -> ConverterReply:
    try:
        done = reencode(content)
    except ImageError as error:
        return _reply_for_error(error)
    except Exception as error:  # noqa: BLE001 - decoders raise anything when they meet a broken file
        return ConverterReply(
            ConversionOutcome.UNREADABLE, f"the picture cannot be decoded ({type(error).__name__})".encode()
        )
    return ConverterReply(
        ConversionOutcome.DOWNSCALED if done.is_downscaled else ConversionOutcome.CONVERTED, done.content
    )


def _reply_for_error(error: ImageError) -> ConverterReply:
    match error:
        case AnimatedImage():
            return ConverterReply(ConversionOutcome.ANIMATED)
        case UnsupportedImageFormat():
            return ConverterReply(ConversionOutcome.RAW)
        case TooManyPixels():
            return ConverterReply(ConversionOutcome.TOO_MANY_PIXELS, width=error.width, height=error.height)
        case ExtremeAspectRatio():
            return ConverterReply(ConversionOutcome.EXTREME_ASPECT_RATIO, width=error.width, height=error.height)
        case DecodingTooCostly():
            return ConverterReply(ConversionOutcome.DECODING_TOO_COSTLY, error.reason.encode())
        case UnsupportedEncoding():
            return ConverterReply(ConversionOutcome.UNSUPPORTED_ENCODING, error.reason.encode())
        case _:
            return ConverterReply(ConversionOutcome.UNREADABLE, str(error).encode())


def _send_reply(replies: BinaryIO, reply: ConverterReply) -> None:
    replies.write(reply.pack())
    replies.flush()


def _main() -> None:
    """The bot alone ends this process: a signal to the whole group is not meant for a picture at work.

    Libraries may print; what they print must not get between the replies.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    close_inherited_files()
    replies = os.fdopen(os.dup(_STDOUT), "wb")
    os.dup2(_STDERR, _STDOUT)
    decode.load_decoders()
    pictures = os.fdopen(_STDIN, "rb", closefd=False)
    seconds = float(sys.argv[1])
    is_filtered = isolate_process(memory=limits.CONVERTER_MEMORY_BYTES, seconds=seconds)
    _send_reply(replies, ConverterReply(ConversionOutcome.READY if is_filtered else ConversionOutcome.READY_UNFILTERED))
    if (content := _read_image(pictures)) is not None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        _send_reply(replies, _convert(content))


if __name__ == "__main__":
    _main()
