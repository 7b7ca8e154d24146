"""The signature of a callback: whether it is Kie that calls.

Kie signs the task's id and the second at which it sends, nothing else: the rest of a callback can be swapped by
anybody who has seen one, and is never believed. Pure: the caller says what time it is. (Kie's page on webhook
verification, 2026.)
"""

import base64
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum

TIMESTAMP = "X-Webhook-Timestamp"
SIGNATURE = "X-Webhook-Signature"

#: seconds by which the two clocks may differ, the way included
MOST_AGE = 300.0

_SECONDS = re.compile(r"[0-9]{1,12}")


class Verdict(StrEnum):
    GENUINE = "genuine"
    #: without signature or timestamp, or about no task
    UNSIGNED = "unsigned"
    #: well signed, but so long ago that it may be a repetition of somebody else's
    STALE = "stale"
    #: signed with another key, or for another task or time
    FORGED = "forged"


def sign(key: str, task_id: str, timestamp: str) -> str:
    """Return the signature that Kie gives to a callback about this task, sent at this second since 1970."""
    message = f"{task_id}.{timestamp}".encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(key.encode(), message, "sha256")).decode()


def verify(key: str, task_id: str | None, headers: Mapping[str, str], now: float) -> Verdict:
    """Judge a callback by its headers, at `now` in seconds since 1970; takes the same time whatever was guessed."""
    timestamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if task_id is None or not signature or not _SECONDS.fullmatch(timestamp):
        return Verdict.UNSIGNED
    expected = sign(key, task_id, timestamp).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")):
        return Verdict.FORGED
    return Verdict.GENUINE if abs(now - int(timestamp)) <= MOST_AGE else Verdict.STALE
