"""Telegram's errors, as exceptions of the local server and as faults for tests.

Bots decide by status, description and `parameters`. The descriptions are those of the
public Bot API server's source and of recorded responses (2026).
"""

import json
from typing import Any

from bot.sandbox.fault_injection import Fault, FaultKind

#: an object of the Bot API
JsonObject = dict[str, Any]


class BotApiError(Exception):
    """An error response: HTTP status, Telegram's description, and its `parameters` if any."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> JsonObject:
        answer: JsonObject = {"ok": False, "error_code": self.status, "description": self.description}
        return answer | ({"parameters": self.parameters} if self.parameters else {})

    def headers(self) -> dict[str, str]:
        """Return Retry-After, which repeats `retry_after` (seconds)."""
        seconds = self.parameters.get("retry_after")
        return {} if seconds is None else {"Retry-After": str(seconds)}


def bad_request_error(reason: str) -> BotApiError:
    """Return a 400 with "Bad Request: REASON"."""
    return BotApiError(400, f"Bad Request: {reason}")


def flood_control_error(retry_after: int) -> BotApiError:
    """Return a 429; `retry_after` in seconds."""
    return BotApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


def error_as_fault(error: BotApiError) -> Fault:
    """Return the fault that answers a call with this error."""
    headers = {"Content-Type": "application/json"} | error.headers()
    return Fault(FaultKind.RESPOND, status=error.status, body=json.dumps(error.body()).encode(), headers=headers)


def too_many_requests(retry_after: int) -> Fault:
    """Return a 429 of flood control; `retry_after` in seconds."""
    return error_as_fault(flood_control_error(retry_after))


def blocked() -> Fault:
    """Return the 403 for a user who has blocked the bot."""
    return error_as_fault(BotApiError(403, "Forbidden: bot was blocked by the user"))


def server_error() -> Fault:
    """Return a 500."""
    return error_as_fault(BotApiError(500, "Internal Server Error"))


def bad_request(text: str) -> Fault:
    """Return a 400 with "Bad Request: TEXT"."""
    return error_as_fault(bad_request_error(text))


def unauthorized() -> Fault:
    """Return the 401 for a revoked token."""
    return error_as_fault(BotApiError(401, "Unauthorized"))


def conflict() -> Fault:
    """Return the 409 for a second poller with the same token."""
    return error_as_fault(BotApiError(409, TERMINATED_BY_OTHER_POLL))


#: for the earlier poll when another one begins
TERMINATED_BY_OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
