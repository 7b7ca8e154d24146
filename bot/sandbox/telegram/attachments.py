"""Everything that is neither photo nor document: what people send although nobody asked."""

from collections.abc import Mapping

from bot.sandbox.telegram.files import Files
from bot.sandbox.telegram.refusals import Json

#: Kinds that carry a file, with what a message says about them (pixels, seconds).
_FILED: Mapping[str, Json] = {
    "animation": {"width": 320, "height": 240, "duration": 2, "mime_type": "video/mp4", "file_name": "wave.mp4"},
    "audio": {"duration": 180, "mime_type": "audio/mpeg", "file_name": "song.mp3", "title": "A song"},
    "sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False},
    "video": {"width": 640, "height": 480, "duration": 5, "mime_type": "video/mp4", "file_name": "clip.mp4"},
    "video_note": {"length": 240, "duration": 3},
    "voice": {"duration": 4, "mime_type": "audio/ogg"},
}  # fmt: skip

_CHOICES = [
    {"persistent_id": "1", "text": "yes", "voter_count": 0},
    {"persistent_id": "2", "text": "no", "voter_count": 0},
]
_PLAIN: Mapping[str, Json] = {
    "contact": {"phone_number": "+10000000000", "first_name": "Grace"},
    "dice": {"emoji": "🎲", "value": 4},
    "location": {"latitude": 51.5, "longitude": -0.1},
    "poll": {
        "id": "1",
        "question": "Crop it?",
        "options": _CHOICES,
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

KINDS = frozenset({*_FILED, *_PLAIN})


def attachment(files: Files, kind: str, data: bytes, chat: Json) -> Json:
    """Return the content of a message of this kind; raise KeyError for an unknown one.

    `data` is the file's content, for kinds that have one. An animation is also
    shown as a document, as Telegram does for old bots.
    """
    if kind in _PLAIN:
        return {kind: _PLAIN[kind] | ({"chat": chat} if kind == "story" else {})}
    shown = files.add(kind, data, **_FILED[kind])
    if kind != "animation":
        return {kind: shown}
    document = {name: shown[name] for name in shown if name not in {"width", "height", "duration"}}
    return {kind: shown, "document": document}
