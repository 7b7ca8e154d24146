"""How Telegram says no: the same words as an exception inside and as a fault for tests.

Bots decide by status, description and `parameters`, so a refusal of the local
server must read like the real one's (descriptions as in the public Bot API
server's source and in reports from the field, 2026).
"""

import json
from typing import Any

from bot.sandbox.fault_injection import Fault, FaultKind

#: A JSON object as the Bot API shows it. Its members are of every JSON type, hence Any.
JsonObject = dict[str, Any]


class BotApiError(Exception):
    """A call was refused: HTTP status, Telegram's description, and its `parameters` if any."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> JsonObject:
        """Return the JSON object that Telegram answers with."""
        answer: JsonObject = {"ok": False, "error_code": self.status, "description": self.description}
        return answer | ({"parameters": self.parameters} if self.parameters else {})

    def headers(self) -> dict[str, str]:
        """Return the extra headers: Telegram repeats `retry_after` as Retry-After (seconds)."""
        seconds = self.parameters.get("retry_after")
        return {} if seconds is None else {"Retry-After": str(seconds)}


def bad_request_error(reason: str) -> BotApiError:
    """Return the refusal of a request that cannot be granted as it is (400)."""
    return BotApiError(400, f"Bad Request: {reason}")


def flood_control_error(retry_after: int) -> BotApiError:
    """Return the refusal of a call that came too soon; `retry_after` in seconds (429)."""
    return BotApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


def error_as_fault(error: BotApiError) -> Fault:
    """Return the fault that answers a call with this refusal."""
    headers = {"Content-Type": "application/json"} | error.headers()
    return Fault(FaultKind.ANSWER, status=error.status, body=json.dumps(error.body()).encode(), headers=headers)


def too_many_requests(retry_after: int) -> Fault:
    """Flood control: the caller must wait `retry_after` seconds."""
    return error_as_fault(flood_control_error(retry_after))


def blocked() -> Fault:
    """The person has blocked the bot."""
    return error_as_fault(BotApiError(403, "Forbidden: bot was blocked by the user"))


def server_error() -> Fault:
    """Telegram itself has failed."""
    return error_as_fault(BotApiError(500, "Internal Server Error"))


def bad_request(text: str) -> Fault:
    """Telegram refuses with "Bad Request: TEXT"."""
    return error_as_fault(bad_request_error(text))


def unauthorized() -> Fault:
    """The token was revoked."""
    return error_as_fault(BotApiError(401, "Unauthorized"))


def conflict() -> Fault:
    """Somebody else polls with the same token."""
    return error_as_fault(BotApiError(409, TERMINATED_BY_OTHER_POLL))


#: What an older poll hears when another one begins.
TERMINATED_BY_OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
