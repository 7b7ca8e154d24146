"""The process that decodes strangers' pictures, apart from the bot and with nothing to lose.

Started by `child_process` as `python -m bot.pictures.conversion_child SECONDS IDLE`.
It holds no secret and no network: before the first picture it gives up the right to open
anything, to write files and to use more memory than CHILD_MEMORY. It ends when
the bot closes its stdin or leaves it idle for IDLE seconds, and ends itself when a picture takes
longer than SECONDS, so that it never outlives a bot that was killed.

Its stderr is not kept. If it does not start, run the command above by hand.
"""

import os
import resource
import select
import signal
import sys
from typing import BinaryIO

from bot.pictures import bounds, opening
from bot.pictures.errors import Animated, Recognised, TooManyPixels, TooMuchWork, TooNarrow, Unreadable
from bot.pictures.redraw import redrawn
from bot.pictures.wire import PICTURE_HEAD, Outcome, Reply

_POLITENESS = 5
_STDIN, _STDOUT, _STDERR = 0, 1, 2
#: the numbers of files that could be open when the process starts are below
_FILES = 1 << 16


def serve(pictures: BinaryIO, replies: BinaryIO, seconds: float, idle: float) -> None:
    """Answer one picture after the other until there are no more."""
    _send(replies, Reply(Outcome.READY))
    while (content := _next(pictures, idle)) is not None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        reply = _answer(content)
        signal.setitimer(signal.ITIMER_REAL, 0)
        del content
        _send(replies, reply)
        del reply


def _next(pictures: BinaryIO, idle: float) -> bytes | None:
    """Wait for a picture; None means that there will be no more.

    Asking whether something is there does not see what a buffer holds, but the
    buffer is empty: the next picture comes after the last reply.
    """
    readable, _, _ = select.select([pictures], [], [], idle)
    head = pictures.read(PICTURE_HEAD.size) if readable else b""
    if len(head) < PICTURE_HEAD.size:
        return None
    (size,) = PICTURE_HEAD.unpack(head)
    content = pictures.read(size)
    return content if len(content) == size else None


def _answer(content: bytes) -> Reply:
    try:
        done = redrawn(content)
    except Animated:
        return Reply(Outcome.ANIMATED)
    except Recognised:
        return Reply(Outcome.RAW)
    except TooManyPixels as error:
        return Reply(Outcome.TOO_MANY_PIXELS, width=error.width, height=error.height)
    except TooNarrow as error:
        return Reply(Outcome.TOO_NARROW, width=error.width, height=error.height)
    except TooMuchWork as error:
        return Reply(Outcome.TOO_MUCH_WORK, error.reason.encode())
    except Unreadable as error:
        return Reply(Outcome.UNREADABLE, error.reason.encode())
    except Exception as error:  # noqa: BLE001 - decoders raise anything when they meet a broken file
        return Reply(Outcome.UNREADABLE, f"the picture cannot be decoded ({type(error).__name__})".encode())
    return Reply(Outcome.SHRUNK if done.is_smaller else Outcome.CONVERTED, done.content)


def _send(replies: BinaryIO, reply: Reply) -> None:
    replies.write(reply.packed())
    replies.flush()


def _shut_in() -> None:
    """Give up what decoding does not need; there is no way back.

    A system that does not know a bound (macOS knows none for memory) goes
    without it: the bounds on pixels hold everywhere.
    """
    os.nice(_POLITENESS)
    for bound, most in (
        (resource.RLIMIT_AS, bounds.CHILD_MEMORY),
        (resource.RLIMIT_NOFILE, _open_files()),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(bound, (most, most))
        except (ValueError, OSError):
            continue


def _open_files() -> int:
    """The number of the next file that would be opened: with it as the bound, no file and no connection can be."""
    probe = os.dup(_STDIN)
    os.close(probe)
    return probe


def _main() -> None:
    """The bot alone ends this process: a signal to the whole group is not meant for a picture at work.

    Libraries may print; what they print must not get between the replies.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(_STDERR + 1, _FILES)  # the loop leaves copies of ours, and what the bot itself was started with
    replies = os.fdopen(os.dup(_STDOUT), "wb")
    os.dup2(_STDERR, _STDOUT)
    opening.prepare()
    pictures = os.fdopen(_STDIN, "rb", closefd=False)
    _shut_in()
    serve(pictures, replies, seconds=float(sys.argv[1]), idle=float(sys.argv[2]))


if __name__ == "__main__":
    _main()
