"""Kie's callbacks: the task id in their body, and their signature.

The body has changed twice since 2025 and is not part of the signature, so nothing but the task id is used, and that
only to ask Kie for the task's record.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum

from bot.kie.task_record import parse_json, read_mapping, read_task_id

TIMESTAMP_HEADER = "X-Webhook-Timestamp"
SIGNATURE_HEADER = "X-Webhook-Signature"

#: Seconds between signature and arrival, clock skew included.
MAX_SIGNATURE_AGE = 300.0

_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")

#: This API's name first, then that of Kie's other APIs.
_TASK_ID_NAMES = ("taskId", "task_id")


def parse_callback_task_id(body: bytes) -> str | None:
    """Return the task id in a callback's body; None where there is none, whatever the body is."""
    payload = read_mapping(parse_json(body))
    data = read_mapping(payload.get("data"))
    found = (read_task_id(fields.get(name)) for fields in (data, payload) for name in _TASK_ID_NAMES)
    return next((each for each in found if each is not None), None)


class SignatureStatus(StrEnum):
    GENUINE = "genuine"
    #: no signature, no timestamp, or no task id
    UNSIGNED = "unsigned"
    #: signed well, but so long ago that it may be replayed
    STALE = "stale"
    #: signed with another key, or for another task or time
    FORGED = "forged"


def sign_callback(key: str, task_id: str, timestamp: str) -> str:
    """Return Kie's signature for a callback about this task; `timestamp` in seconds since 1970."""
    message = f"{task_id}.{timestamp}".encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(key.encode(), message, "sha256")).decode()


def verify_callback(key: str, task_id: str | None, headers: Mapping[str, str], now: float) -> SignatureStatus:
    """Check a callback's signature at `now`, in seconds since 1970, in constant time."""
    timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
    if task_id is None or not signature or not _UNIX_SECONDS.fullmatch(timestamp):
        return SignatureStatus.UNSIGNED
    expected = sign_callback(key, task_id, timestamp).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")):
        return SignatureStatus.FORGED
    return SignatureStatus.GENUINE if abs(now - int(timestamp)) <= MAX_SIGNATURE_AGE else SignatureStatus.STALE
