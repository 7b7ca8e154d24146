"""The process that decodes a stranger's picture, apart from the bot and with nothing to lose.

Started by `conversion_process` as `python -m bot.pictures.conversion_child SECONDS`. It holds no secret and no
network: before it reads the picture it shuts itself in (`bot.confinement`). It ends with that one picture, when the bot
closes its stdin, and when the picture takes longer than SECONDS, so that it never outlives a bot that was killed.

Its stderr is not kept. If it does not start, run the command above by hand.
"""

import os
import signal
import sys
from typing import BinaryIO

from bot.confinement import close_inherited_files, confine
from bot.pictures import bounds, opening
from bot.pictures.errors import Animated, PictureError, Recognised, TooManyPixels, TooMuchWork, TooNarrow, Unsupported
from bot.pictures.redraw import redrawn
from bot.pictures.wire import PICTURE_HEAD, Outcome, Reply

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def _picture(pictures: BinaryIO) -> bytes | None:
    """Wait for the picture; None means that there will be none."""
    head = pictures.read(PICTURE_HEAD.size)
    if len(head) < PICTURE_HEAD.size:
        return None
    (size,) = PICTURE_HEAD.unpack(head)
    content = pictures.read(size)
    return content if len(content) == size else None


def _answer(content: bytes) -> Reply:
    try:
        done = redrawn(content)
    except PictureError as error:
        return _refusal(error)
    except Exception as error:  # noqa: BLE001 - decoders raise anything when they meet a broken file
        return Reply(Outcome.UNREADABLE, f"the picture cannot be decoded ({type(error).__name__})".encode())
    return Reply(Outcome.SHRUNK if done.is_smaller else Outcome.CONVERTED, done.content)


def _refusal(error: PictureError) -> Reply:
    match error:
        case Animated():
            return Reply(Outcome.ANIMATED)
        case Recognised():
            return Reply(Outcome.RAW)
        case TooManyPixels():
            return Reply(Outcome.TOO_MANY_PIXELS, width=error.width, height=error.height)
        case TooNarrow():
            return Reply(Outcome.TOO_NARROW, width=error.width, height=error.height)
        case TooMuchWork():
            return Reply(Outcome.TOO_MUCH_WORK, error.reason.encode())
        case Unsupported():
            return Reply(Outcome.UNSUPPORTED, error.reason.encode())
        case _:
            return Reply(Outcome.UNREADABLE, str(error).encode())


def _send(replies: BinaryIO, reply: Reply) -> None:
    replies.write(reply.packed())
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
    opening.prepare()
    pictures = os.fdopen(_STDIN, "rb", closefd=False)
    seconds = float(sys.argv[1])
    is_filtered = confine(memory=bounds.CHILD_MEMORY, seconds=seconds)
    _send(replies, Reply(Outcome.READY if is_filtered else Outcome.READY_UNFILTERED))
    if (content := _picture(pictures)) is not None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        _send(replies, _answer(content))


if __name__ == "__main__":
    _main()
