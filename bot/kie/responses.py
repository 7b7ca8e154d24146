"""Turns an HTTP response from Kie into a value or an error, without any I/O.

Kie's responses have an envelope: a JSON object with a number in `code`. That code counts, whatever the HTTP status,
because Kie sends errors with HTTP 200 (recordings, 2026). A response without an envelope comes from a gateway: then the
paid call is uncertain, and a free call is worth a retry (KieUnavailable) or not (UnexpectedResponse).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.kie.errors import (
    RATE_LIMIT_CODES,
    AccountBlocked,
    BlockCause,
    KieError,
    KieUnavailable,
    OrderUncertain,
    RequestRefused,
    UnexpectedResponse,
    sanitize_text,
)
from bot.kie.models import TASK_NOT_FOUND, TaskOutcome, TaskRecord, is_policy_refusal
from bot.kie.task_record import (
    parse_json,
    read_mapping,
    read_number,
    read_task_id,
    read_task_record,
    read_web_url,
    redact_json,
)

# 433 is not documented, but reported by several projects: the spending cap of the key, set in Kie's console.
_BLOCKED_CODES = {401: BlockCause.KEY, 402: BlockCause.CREDITS, 433: BlockCause.CAP}
_RETRY_CODES = frozenset({408, *RATE_LIMIT_CODES, 455})
_REFUSED_CODES = frozenset({400, 413, 422, 505})

_RATE_LIMITED_TEXT = re.compile(r"call frequency is too high", re.IGNORECASE)
_RETRY_AFTER_TEXT = re.compile(r"try again in ([0-9]{1,6}) ?s", re.IGNORECASE)
_RETRY_AFTER_HEADER = re.compile(r"\s*([0-9]{1,6})\s*")

#: Seconds; the longest pause that Kie can ask for.
_MAX_RETRY_AFTER = 3600.0

#: The largest code of an envelope; the documented ones have three digits.
_MAX_CODE = 99_999.0

#: Credits; the largest plausible balance, positive or negative.
_MAX_BALANCE = 1e9


@dataclass(frozen=True)
class KieResponse:
    """An HTTP response, its body perhaps truncated at the client's limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: applied to every text in it
    redact: Callable[[str], str] = str


@dataclass(frozen=True)
class _Envelope:
    code: int
    text: str
    fields: Mapping[str, object]
    retry_after: float | None

    @property
    def data(self) -> object:
        return self.fields.get("data")


def read_create_response(response: KieResponse) -> str:
    """Return the task id of createTask. Raises OrderUncertain, KieUnavailable, RequestRefused or AccountBlocked.

    Without an envelope every response is uncertain, even HTTP 429 or an HTML page with 502: a gateway may have sent on
    the order. With an envelope, no task id means no task and no charge (several projects agree), so an error with a
    task id is uncertain, too.
    """
    envelope = _read_envelope(response)
    if envelope is None:
        raise OrderUncertain(_describe(response))
    found = read_task_id(read_mapping(envelope.data).get("taskId"))
    if envelope.code == 200 and found:
        return found
    if envelope.code == 200 or found:
        raise OrderUncertain(envelope.text, code=envelope.code, reason="no usable task id")
    raise _error_by_code(envelope) or _error_by_unknown_order_code(envelope)


def read_task_response(response: KieResponse, task_id: str) -> TaskRecord:
    """Return the task's record from recordInfo; raises like `KieClient.get_task`.

    A missing record ("recordInfo is null" with code 422, a documented 404, or no data) has the status TASK_NOT_FOUND:
    new tasks can be invisible for seconds. Code 501 is a task that failed.
    """
    envelope = _require_envelope(response)
    if envelope.code == 501:
        return _read_failure(envelope, task_id)
    if envelope.code in (404, 422) or (envelope.code == 200 and envelope.data is None):
        return TaskRecord(task_id=task_id, outcome=TaskOutcome.PENDING, status=TASK_NOT_FOUND)
    _require_success(envelope)
    data = read_mapping(envelope.data)
    record = read_task_record(data, task_id) if data.get("taskId") in (None, task_id) else None
    if record is None:
        raise UnexpectedResponse(envelope.text, code=envelope.code, reason="recordInfo without this task's state")
    return record


def read_upload_response(response: KieResponse) -> str:
    """Return the public URL of an uploaded file; raises like `KieClient.get_task`.

    The service sends `downloadUrl`; Kie's quick start calls it `fileUrl`.
    """
    envelope = _require_envelope(response)
    _require_success(envelope)
    data = read_mapping(envelope.data)
    url = read_web_url(data.get("downloadUrl")) or read_web_url(data.get("fileUrl"))
    if url is None or envelope.fields.get("success") is False:
        raise UnexpectedResponse(envelope.text, code=envelope.code, reason="an upload without a URL")
    return url


def read_credit_response(response: KieResponse) -> float:
    """Return the account's credits, perhaps fractional; raises like `KieClient.get_task`."""
    envelope = _require_envelope(response)
    _require_success(envelope)
    balance = read_number(envelope.data, -_MAX_BALANCE, _MAX_BALANCE)
    if balance is None:
        raise UnexpectedResponse(envelope.text, code=envelope.code, reason="a balance that cannot be one")
    return balance


def _read_envelope(response: KieResponse) -> _Envelope | None:
    fields = redact_json(parse_json(response.body), response.redact)
    if not isinstance(fields, dict):
        return None
    code = read_number(fields.get("code"), 0.0, _MAX_CODE)
    if code is None or not code.is_integer():
        return None
    # `msg` in recordings, `message` in parts of the documentation
    texts = [text for text in (fields.get("msg"), fields.get("message")) if isinstance(text, str) and text]
    text = texts[0] if texts else ""
    return _Envelope(int(code), text, fields, _read_retry_after(response.headers, text))


def _require_envelope(response: KieResponse) -> _Envelope:
    """Return the envelope of a free call, or raise KieUnavailable or UnexpectedResponse."""
    envelope = _read_envelope(response)
    if envelope is not None:
        return envelope
    if response.status >= 500 or response.status in (408, 429) or _is_html(response):
        raise KieUnavailable(_describe(response), retry_after=_read_retry_after(response.headers, ""))
    raise UnexpectedResponse(_describe(response))


def _require_success(envelope: _Envelope) -> None:
    if envelope.code != 200:
        raise _error_by_code(envelope) or _error_by_unknown_read_code(envelope)


def _error_by_code(envelope: _Envelope) -> KieError | None:
    """Return the error for a code that means the same in every call; None for other codes."""
    code, text = envelope.code, envelope.text
    if cause := _BLOCKED_CODES.get(code):
        return AccountBlocked(text, cause=cause, code=code, retry_after=envelope.retry_after)
    if code in _RETRY_CODES or _RATE_LIMITED_TEXT.search(text):
        return KieUnavailable(text, code=code, retry_after=envelope.retry_after)
    if code in _REFUSED_CODES:
        return RequestRefused(text, code=code, policy=is_policy_refusal(text))
    return None


def _error_by_unknown_order_code(envelope: _Envelope) -> KieError:
    """Return the error for any other code of createTask.

    500 usually means a bad parameter, but requests refused with "This field is required" or "file type not supported"
    have succeeded minutes later. Any other 4xx is a refusal; the rest is uncertain.
    """
    policy = is_policy_refusal(envelope.text)
    if envelope.code in (500, 501):
        return RequestRefused(envelope.text, code=envelope.code, transient=not policy, policy=policy)
    if 400 <= envelope.code < 500:
        return RequestRefused(envelope.text, code=envelope.code, policy=policy)
    return OrderUncertain(envelope.text, code=envelope.code)


def _error_by_unknown_read_code(envelope: _Envelope) -> KieError:
    if 500 <= envelope.code < 600:
        return KieUnavailable(envelope.text, code=envelope.code, retry_after=envelope.retry_after)
    return UnexpectedResponse(envelope.text, code=envelope.code)


def _read_failure(envelope: _Envelope, task_id: str) -> TaskRecord:
    """Return the record for code 501, a failed task, unless its state says that the task succeeded."""
    failure = TaskRecord(task_id, TaskOutcome.FAILURE, "fail")
    record = read_task_record(read_mapping(envelope.data), task_id) or failure
    if record.outcome is TaskOutcome.SUCCESS:
        return record
    return replace(
        record,
        outcome=TaskOutcome.FAILURE,
        fail_code=record.fail_code or "501",
        fail_text=record.fail_text or sanitize_text(envelope.text),
    )


def _read_retry_after(headers: Mapping[str, str], text: str) -> float | None:
    """Return the seconds to wait by the Retry-After header or the text "Try again in N seconds"."""
    header = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    found = _RETRY_AFTER_HEADER.fullmatch(header) or _RETRY_AFTER_TEXT.search(text)
    return min(float(found[1]), _MAX_RETRY_AFTER) if found else None


def _is_html(response: KieResponse) -> bool:
    return response.body.lstrip()[:1] == b"<"


def _describe(response: KieResponse) -> str:
    return f"HTTP {response.status} without Kie's envelope"
