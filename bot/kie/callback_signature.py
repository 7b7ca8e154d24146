"""Kie's callbacks: the task id in the body, and the signature (HMAC-SHA256 of the task id and a timestamp).

The signature does not cover the body, whose form has changed twice since 2025. So only the task id is used, and only to
poll the task.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum

from bot.kie.task_record import parse_json, read_mapping, read_task_id

TIMESTAMP_HEADER = "X-Webhook-Timestamp"
SIGNATURE_HEADER = "X-Webhook-Signature"

#: Seconds between the timestamp and the arrival, in either direction because of clock skew.
MAX_SIGNATURE_AGE = 300.0

_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")

#: The field in callbacks of this API, then that of Kie's other APIs.
_TASK_ID_NAMES = ("taskId", "task_id")


def parse_callback_task_id(body: bytes) -> str | None:
    """Return the task id in the body of a callback; None if there is none. Never raises."""
    payload = read_mapping(parse_json(body))
    data = read_mapping(payload.get("data"))
    found = (read_task_id(fields.get(name)) for fields in (data, payload) for name in _TASK_ID_NAMES)
    return next((each for each in found if each is not None), None)


class SignatureStatus(StrEnum):
    GENUINE = "genuine"
    #: no signature, no timestamp, or no task id
    UNSIGNED = "unsigned"
    #: with a valid signature, but so old that it may be a replay
    STALE = "stale"
    #: signed with another key, or for another task or time
    FORGED = "forged"


def sign_callback(key: str, task_id: str, timestamp: str) -> str:
    """Return Kie's signature for a callback about this task; `timestamp` is in seconds since 1970."""
    message = f"{task_id}.{timestamp}".encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(key.encode(), message, "sha256")).decode()


def verify_callback(key: str, task_id: str | None, headers: Mapping[str, str], now: float) -> SignatureStatus:
    """Verify a callback's signature in constant time; `now` is in seconds since 1970."""
    timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
    if task_id is None or not signature or not _UNIX_SECONDS.fullmatch(timestamp):
        return SignatureStatus.UNSIGNED
    expected = sign_callback(key, task_id, timestamp).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")):
        return SignatureStatus.FORGED
    return SignatureStatus.GENUINE if abs(now - int(timestamp)) <= MAX_SIGNATURE_AGE else SignatureStatus.STALE
