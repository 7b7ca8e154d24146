"""How Telegram says no: the same words as an exception inside and as a fault for tests.

Bots decide by status, description and `parameters`, so a refusal of the local
server must read like the real one's (descriptions as in the public Bot API
server's source and in reports from the field, 2026).
"""

import json
from typing import Any

from bot.sandbox.faults import Fault, Kind

#: A JSON object as the Bot API shows it. Its members are of every JSON type, hence Any.
Json = dict[str, Any]


class Refused(Exception):
    """A call was refused: HTTP status, Telegram's description, and its `parameters` if any."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> Json:
        """Return the JSON object that Telegram answers with."""
        answer: Json = {"ok": False, "error_code": self.status, "description": self.description}
        return answer | ({"parameters": self.parameters} if self.parameters else {})

    def headers(self) -> dict[str, str]:
        """Return the extra headers: Telegram repeats `retry_after` as Retry-After (seconds)."""
        seconds = self.parameters.get("retry_after")
        return {} if seconds is None else {"Retry-After": str(seconds)}


def bad(words: str) -> Refused:
    """Return the refusal of a request that cannot be granted as it is (400)."""
    return Refused(400, f"Bad Request: {words}")


def flooded(retry_after: int) -> Refused:
    """Return the refusal of a call that came too soon; `retry_after` in seconds (429)."""
    return Refused(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


def as_fault(refused: Refused) -> Fault:
    """Return the fault that answers a call with this refusal."""
    headers = {"Content-Type": "application/json"} | refused.headers()
    return Fault(Kind.ANSWER, status=refused.status, body=json.dumps(refused.body()).encode(), headers=headers)


def too_many(retry_after: int) -> Fault:
    """Flood control: the caller must wait `retry_after` seconds."""
    return as_fault(flooded(retry_after))


def blocked() -> Fault:
    """The person has blocked the bot."""
    return as_fault(Refused(403, "Forbidden: bot was blocked by the user"))


def server_error() -> Fault:
    """Telegram itself has failed."""
    return as_fault(Refused(500, "Internal Server Error"))


def bad_request(text: str) -> Fault:
    """Telegram refuses with "Bad Request: TEXT"."""
    return as_fault(bad(text))


def unauthorized() -> Fault:
    """The token was revoked."""
    return as_fault(Refused(401, "Unauthorized"))


def conflict() -> Fault:
    """Somebody else polls with the same token."""
    return as_fault(Refused(409, TERMINATED))


#: What an older poll hears when another one begins.
TERMINATED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
