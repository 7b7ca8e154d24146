"""The file store, and the content of messages with other attachments than photos and documents.

The same bytes sent again get another file_id and the same file_unique_id, as with
Telegram. A file can be downloaded only after getFile.
"""

import hashlib
import itertools
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.sandbox.telegram.errors import JsonObject, bad_request_error
from bot.sandbox.telegram.photo_sizes import PhotoVersion

#: the largest file that a bot can download, in bytes
MAX_DOWNLOAD_BYTES = 20 << 20
#: the largest file that a bot can send, in bytes
MAX_UPLOAD_BYTES = 50 << 20

_ID_PREFIXES = {"photo": "AgAC", "document": "BQAC", "sticker": "CAAC"}


@dataclass(frozen=True)
class StoredTelegramFile:
    """A stored file: its kind ("photo", "document", ...), bytes, and the Bot API's object in messages."""

    kind: str
    content: bytes
    #: a list of sizes for a photo, an object for everything else
    api_object: list[JsonObject] | JsonObject
    suffix: str


class TelegramFileStore:
    """All files, in memory."""

    def __init__(self) -> None:
        self._files: dict[str, StoredTelegramFile] = {}
        self._paths: dict[str, str] = {}
        self._serials = itertools.count(1)

    def add_photo(self, versions: Sequence[PhotoVersion]) -> list[JsonObject]:
        """Store a photo; return its list of PhotoSize."""
        sizes = [
            self._new_identity("photo", version.content) | {"width": version.width, "height": version.height}
            for version in versions
        ]
        for version, size in zip(versions, sizes, strict=True):
            self._files[size["file_id"]] = StoredTelegramFile("photo", version.content, sizes, ".jpg")
        return sizes

    def add(self, kind: str, content: bytes, file_name: str | None = None, **fields: object) -> JsonObject:
        """Store any other file; return its API object, with `fields`. Name and type are what the sender claims."""
        api_object: JsonObject = {name: value for name, value in fields.items() if value is not None}
        api_object |= {"file_name": file_name} if file_name is not None else {}
        api_object |= self._new_identity(kind, content)
        suffix = PurePosixPath(file_name or "").suffix or ".bin"
        self._files[api_object["file_id"]] = StoredTelegramFile(kind, content, api_object, suffix)
        return api_object

    def get(self, file_id: str) -> StoredTelegramFile:
        """Return a stored file; raises KeyError for an unknown file_id."""
        return self._files[file_id]

    def get_file(self, file_id: str) -> JsonObject:
        """Answer getFile with a download path; raises BotApiError for an unknown file and above 20 MiB."""
        stored = self._files.get(file_id)
        if stored is None:
            raise bad_request_error("wrong file_id or the file is temporarily unavailable")
        if len(stored.content) > MAX_DOWNLOAD_BYTES:
            raise bad_request_error("file is too big")
        path = f"{stored.kind}s/file_{int(file_id[-8:])}{stored.suffix}"
        self._paths[path] = file_id
        return self._identity(file_id, stored.content) | {"file_path": path}

    def read_path(self, path: str) -> bytes | None:
        """Return the file at a download path; None if getFile never returned this path."""
        file_id = self._paths.get(path)
        return None if file_id is None else self._files[file_id].content

    def expire_paths(self) -> None:
        """Expire every download path, as Telegram does after an hour."""
        self._paths.clear()

    def _new_identity(self, kind: str, content: bytes) -> JsonObject:
        serial = next(self._serials)
        tail = hashlib.sha256(str(serial).encode()).hexdigest()[:24]
        return self._identity(f"{_ID_PREFIXES.get(kind, 'DQAC')}{tail}{serial:08d}", content)

    def _identity(self, file_id: str, content: bytes) -> JsonObject:
        unique = f"AQAD{hashlib.sha256(content).hexdigest()[:12]}"
        return {"file_id": file_id, "file_unique_id": unique, "file_size": len(content)}


def guess_mime_type(file_name: str | None) -> str | None:
    """Return the MIME type that an app would claim for a file of this name."""
    return mimetypes.guess_type(file_name)[0] if file_name else None


#: attachments with a file, and their further fields (pixels, seconds)
_FILE_KINDS: Mapping[str, JsonObject] = {
    "animation": {"width": 320, "height": 240, "duration": 2, "mime_type": "video/mp4", "file_name": "wave.mp4"},
    "audio": {"duration": 180, "mime_type": "audio/mpeg", "file_name": "song.mp3", "title": "A song"},
    "sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False},
    "video": {"width": 640, "height": 480, "duration": 5, "mime_type": "video/mp4", "file_name": "clip.mp4"},
    "video_note": {"length": 240, "duration": 3},
    "voice": {"duration": 4, "mime_type": "audio/ogg"},
}  # fmt: skip

_POLL_OPTIONS = [
    {"persistent_id": "1", "text": "yes", "voter_count": 0},
    {"persistent_id": "2", "text": "no", "voter_count": 0},
]
_FILELESS_KINDS: Mapping[str, JsonObject] = {
    "contact": {"phone_number": "+10000000000", "first_name": "Grace"},
    "dice": {"emoji": "🎲", "value": 4},
    "location": {"latitude": 51.5, "longitude": -0.1},
    "poll": {
        "id": "1",
        "question": "Crop it?",
        "options": _POLL_OPTIONS,
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": True,
        "members_only": False,
    },
    "story": {"id": 1},
}

ATTACHMENT_KINDS = frozenset({*_FILE_KINDS, *_FILELESS_KINDS})


def make_attachment(files: TelegramFileStore, kind: str, data: bytes, chat: JsonObject) -> JsonObject:
    """Return the content of a message with an attachment of this kind; raises KeyError for an unknown one.

    An animation comes as a document too, as Telegram does for backward compatibility.
    """
    if kind in _FILELESS_KINDS:
        return {kind: _FILELESS_KINDS[kind] | ({"chat": chat} if kind == "story" else {})}
    api_object = files.add(kind, data, **_FILE_KINDS[kind])
    if kind != "animation":
        return {kind: api_object}
    document = {name: api_object[name] for name in api_object if name not in {"width", "height", "duration"}}
    return {kind: api_object, "document": document}
