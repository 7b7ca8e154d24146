"""What is read of a callback: which task it is about, and nothing else.

Its shape has changed twice since 2025 and is not signed, so whatever arrives is taken, and no more of it is used
than a task id that can be asked about.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum

from bot.kie.task_record import parse_json, read_mapping, read_task_id

#: where Kie's interfaces put it: this one's first, then those of its sisters
_TASK_ID_NAMES = ("taskId", "task_id")


def parse_callback_task_id(body: bytes) -> str | None:
    """Return the id of the task that a callback names; None for a body that names none, whatever it is."""
    payload = read_mapping(parse_json(body))
    data = read_mapping(payload.get("data"))
    found = (read_task_id(fields.get(name)) for fields in (data, payload) for name in _TASK_ID_NAMES)
    return next((each for each in found if each is not None), None)


TIMESTAMP_HEADER = "X-Webhook-Timestamp"
SIGNATURE_HEADER = "X-Webhook-Signature"

#: seconds by which the two clocks may differ, the way included
MAX_SIGNATURE_AGE = 300.0

_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")


class SignatureStatus(StrEnum):
    GENUINE = "genuine"
    #: without signature or timestamp, or about no task
    UNSIGNED = "unsigned"
    #: well signed, but so long ago that it may be a repetition of somebody else's
    STALE = "stale"
    #: signed with another key, or for another task or time
    FORGED = "forged"


def sign_callback(key: str, task_id: str, timestamp: str) -> str:
    """Return the signature that Kie gives to a callback about this task, sent at this second since 1970."""
    message = f"{task_id}.{timestamp}".encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(key.encode(), message, "sha256")).decode()


def verify_callback(key: str, task_id: str | None, headers: Mapping[str, str], now: float) -> SignatureStatus:
    """Judge a callback by its headers, at `now` in seconds since 1970; takes the same time whatever was guessed."""
    timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
    if task_id is None or not signature or not _UNIX_SECONDS.fullmatch(timestamp):
        return SignatureStatus.UNSIGNED
    expected = sign_callback(key, task_id, timestamp).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")):
        return SignatureStatus.FORGED
    return SignatureStatus.GENUINE if abs(now - int(timestamp)) <= MAX_SIGNATURE_AGE else SignatureStatus.STALE
