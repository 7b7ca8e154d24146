"""What the bot and its converting process say to each other, over the process's stdin and stdout.

The process says once that it is ready. Then it gets one picture and answers
with one reply. The parent believes nothing of a reply but its shape: the
process has opened a stranger's file, so what comes back is inspected again.
"""

import struct
from dataclasses import dataclass
from enum import Enum

#: bytes that follow
REQUEST_HEADER = struct.Struct(">I")
#: outcome, width, height, bytes that follow
REPLY_HEADER = struct.Struct(">cIII")


class ConversionOutcome(Enum):
    """What became of a picture; the value is the first byte of the reply."""

    #: no picture yet: the process is up and shut in
    READY = b"R"
    #: the same, but the kernel does not filter its system calls
    READY_UNFILTERED = b"F"
    #: the body is the picture
    CONVERTED = b"C"
    #: the body is the picture, with fewer pixels than it had
    DOWNSCALED = b"S"
    #: several frames or pages
    ANIMATED = b"A"
    #: a camera's raw file
    RAW = b"W"
    #: the body says why, in UTF-8
    UNREADABLE = b"U"
    #: the same, and it may be sound: it is of a kind that is read, written in a way that is not
    UNSUPPORTED_ENCODING = b"K"
    #: width and height say how many
    TOO_MANY_PIXELS = b"P"
    #: width and height say how narrow
    EXTREME_ASPECT_RATIO = b"N"
    #: the body says why, in UTF-8
    DECODING_TOO_COSTLY = b"L"


@dataclass(frozen=True, slots=True)
class ConverterReply:
    """One answer of the converting process."""

    outcome: ConversionOutcome
    body: bytes = b""
    #: pixels
    width: int = 0
    height: int = 0

    def pack(self) -> bytes:
        """The reply as it goes through the pipe."""
        return REPLY_HEADER.pack(self.outcome.value, self.width, self.height, len(self.body)) + self.body
