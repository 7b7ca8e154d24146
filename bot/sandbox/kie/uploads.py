"""The local Kie's uploads: in memory, public to anybody who knows the URL, deleted after a day.

The response is as recorded in 2026: every path contains the account's id, and a name used twice overwrites.
"""

import mimetypes
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

ACCOUNT_ID = 100001
#: how long an uploaded file can be fetched, in seconds (24 h; older pages say three days)
UPLOAD_LIFETIME_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class FormFilePart:
    """The file part of a multipart form."""

    data: bytes
    file_name: str | None
    mime_type: str | None


@dataclass(frozen=True)
class StoredUpload:
    data: bytes
    mime_type: str
    uploaded_at: float


class UploadStore:
    """The uploads, by path."""

    def __init__(self) -> None:
        self._files: dict[str, StoredUpload] = {}

    def store_form_file(self, form: Mapping[str, Any], origin: str, now: float) -> tuple[int, dict[str, Any]]:
        """Store the file of a form; return the HTTP status and body of the response."""
        part = form.get("file")
        folder = str(form.get("uploadPath", "")).strip("/")
        if not folder:
            return _error_answer(400, "Missing required parameter: uploadPath")
        if not isinstance(part, FormFilePart):
            return _error_answer(400, "Missing required parameter: file")
        name = str(form.get("fileName") or _automatic_name(part, now))
        path = f"kieai/{ACCOUNT_ID}/{folder}/{name}"
        self._files[path] = StoredUpload(part.data, _mime_type(part, name), now)
        return 200, _upload_answer(path, self._files[path], origin)

    def find(self, path: str, now: float) -> StoredUpload | None:
        """Return the file at this path, None after its lifetime."""
        found = self._files.get(path)
        return found if found and now - found.uploaded_at <= UPLOAD_LIFETIME_SECONDS else None

    def expire_all(self) -> None:
        """Delete every file, as after its lifetime."""
        self._files.clear()


def unauthorized_answer() -> tuple[int, dict[str, Any]]:
    """Return the upload service's response to a wrong key (documented, not recorded)."""
    return _error_answer(401, "Authentication failed: Invalid API Key")


def _error_answer(code: int, msg: str) -> tuple[int, dict[str, Any]]:
    return code, {"success": False, "code": code, "msg": msg}


def _upload_answer(path: str, stored: StoredUpload, origin: str) -> dict[str, Any]:
    uploaded = datetime.fromtimestamp(stored.uploaded_at, UTC).isoformat(timespec="milliseconds")
    data = {
        "success": True,
        "fileName": PurePosixPath(path).name,
        "filePath": path,
        "downloadUrl": f"{origin}/{quote(path)}",
        "fileSize": len(stored.data),
        "mimeType": stored.mime_type,
        "uploadedAt": uploaded.replace("+00:00", "Z"),
    }
    return {"success": True, "code": 200, "msg": "File uploaded successfully", "data": data}


def _mime_type(part: FormFilePart, name: str) -> str:
    return part.mime_type or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _automatic_name(part: FormFilePart, now: float) -> str:
    suffix = PurePosixPath(part.file_name or "").suffix
    if not suffix:
        suffix = mimetypes.guess_extension(part.mime_type or "") or ".bin"
    return f"{int(now * 1000)}-{random_text(11)}{suffix}"


def random_text(length: int) -> str:
    """Return random digits and lower-case letters, as in Kie's file names."""
    return "".join(secrets.choice(string.digits + string.ascii_lowercase) for _ in range(length))
