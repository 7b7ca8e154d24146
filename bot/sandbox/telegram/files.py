"""The file store: everything that was sent can be named by file_id and fetched again.

Sending the same bytes again gives another file_id and the same file_unique_id,
as with Telegram. A file has a path for downloads only once getFile was asked.
"""

import hashlib
import itertools
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.sandbox.telegram.pictures import Version
from bot.sandbox.telegram.refusals import Json, bad

#: The largest file, in bytes, that a bot can fetch.
MAX_DOWNLOAD = 20 << 20
#: The largest file, in bytes, that a bot can send.
MAX_UPLOAD = 50 << 20

_LETTERS = {"photo": "AgAC", "document": "BQAC", "sticker": "CAAC"}


@dataclass(frozen=True)
class Stored:
    """One stored file: its kind ("photo", "document", ...), bytes, and what messages show of it."""

    kind: str
    content: bytes
    #: a list of sizes for a photo, an object for everything else
    shown: list[Json] | Json
    suffix: str


class Files:
    """All files of this Telegram, in memory."""

    def __init__(self) -> None:
        self._stored: dict[str, Stored] = {}
        self._paths: dict[str, str] = {}
        self._serials = itertools.count(1)

    def add_photo(self, versions: Sequence[Version]) -> list[Json]:
        """Keep a photo; return its sizes as a message shows them."""
        sizes = [
            self._names("photo", version.content) | {"width": version.width, "height": version.height}
            for version in versions
        ]
        for version, size in zip(versions, sizes, strict=True):
            self._stored[size["file_id"]] = Stored("photo", version.content, sizes, ".jpg")
        return sizes

    def add(self, kind: str, content: bytes, file_name: str | None = None, **fields: object) -> Json:
        """Keep any other file; return it as a message shows it, `fields` included.

        `file_name` and `mime_type` are whatever the sender claims.
        """
        shown: Json = {name: value for name, value in fields.items() if value is not None}
        shown |= {"file_name": file_name} if file_name is not None else {}
        shown |= self._names(kind, content)
        suffix = PurePosixPath(file_name or "").suffix or ".bin"
        self._stored[shown["file_id"]] = Stored(kind, content, shown, suffix)
        return shown

    def get(self, file_id: str) -> Stored:
        """Return a stored file; raise KeyError for an unknown file_id."""
        return self._stored[file_id]

    def locate(self, file_id: str) -> Json:
        """Answer getFile: give the file a path; raise Refused above 20 MiB or when unknown."""
        stored = self._stored.get(file_id)
        if stored is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if len(stored.content) > MAX_DOWNLOAD:
            raise bad("file is too big")
        path = f"{stored.kind}s/file_{int(file_id[-8:])}{stored.suffix}"
        self._paths[path] = file_id
        return self._identity(file_id, stored.content) | {"file_path": path}

    def at_path(self, path: str) -> bytes | None:
        """Return the bytes behind a download path, None when getFile never gave it out."""
        file_id = self._paths.get(path)
        return None if file_id is None else self._stored[file_id].content

    def forget_paths(self) -> None:
        """Let every download link expire, as happens after an hour."""
        self._paths.clear()

    def _names(self, kind: str, content: bytes) -> Json:
        serial = next(self._serials)
        tail = hashlib.sha256(str(serial).encode()).hexdigest()[:24]
        return self._identity(f"{_LETTERS.get(kind, 'DQAC')}{tail}{serial:08d}", content)

    def _identity(self, file_id: str, content: bytes) -> Json:
        unique = f"AQAD{hashlib.sha256(content).hexdigest()[:12]}"
        return {"file_id": file_id, "file_unique_id": unique, "file_size": len(content)}


def mime_of(file_name: str | None) -> str | None:
    """Return the type that an app would claim for a file of this name."""
    return mimetypes.guess_type(file_name)[0] if file_name else None
