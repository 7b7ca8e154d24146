"""From an HTTP answer to a value or an error, without any I/O.

The rule: an answer with Kie's envelope, a JSON object with a number in `code`, is judged by that code whatever
the HTTP status, because Kie sends its errors with HTTP 200 (seen in recordings, 2026). An answer without it
comes from something between us and Kie. For the paid call it then stays open what happened; a call that can
be repeated for free is simply repeated, or reported where repeating would not help.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.kie.errors import (
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

# 433 is not documented, but several projects have met it: a limit set for the key in Kie's console.
_BLOCKED_CODES = {401: BlockCause.KEY, 402: BlockCause.CREDITS, 433: BlockCause.CAP}
# 430 is the number that Kie's older interfaces use for 429.
_RETRY_CODES = frozenset({408, 429, 430, 455})
_REFUSED_CODES = frozenset({400, 413, 422, 505})

_RATE_LIMITED_TEXT = re.compile(r"call frequency is too high", re.IGNORECASE)
_RETRY_AFTER_TEXT = re.compile(r"try again in ([0-9]{1,6}) ?s", re.IGNORECASE)
_RETRY_AFTER_HEADER = re.compile(r"\s*([0-9]{1,6})\s*")

#: seconds; whatever Kie names, it is asked again after that
_MAX_RETRY_AFTER = 3600.0

#: a code of an envelope; the documented ones have three digits
_MAX_CODE = 99_999.0

#: credits of an account, on either side of nothing
_MAX_BALANCE = 1e9


@dataclass(frozen=True)
class KieResponse:
    """What came back over HTTP; the body is complete, or cut at the client's limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: what every text in it goes through before it is anything to us
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


def read_create_response(answer: KieResponse) -> str:
    """Return the task id of a createTask answer; raises `Unclear`, `Unavailable`, `Refused` or `Halted`.

    Without an envelope everything is `Unclear`, also HTTP 429 and HTML with 502: a gateway that gives up or
    holds back may already have passed the order on, and nobody promises that it did not. With an envelope, no
    task id means no task and no charge (several projects agree), so a task id beside an error is `Unclear` too.
    """
    envelope = _read_envelope(answer)
    if envelope is None:
        raise OrderUncertain(_describe(answer))
    found = read_task_id(read_mapping(envelope.data).get("taskId"))
    if envelope.code == 200 and found:
        return found
    if envelope.code == 200 or found:
        raise OrderUncertain(envelope.text, code=envelope.code, reason="no usable task id")
    raise _error_by_code(envelope) or _error_by_unknown_order_code(envelope)


def read_task_response(answer: KieResponse, task_id: str) -> TaskRecord:
    """Return how far the task is, from a recordInfo answer; raises `Unavailable`, `Refused`, `Halted` or `Garbled`.

    A record that is missing ("recordInfo is null" with code 422, a documented 404, or no data) is a look
    with status `UNSEEN`: fresh tasks can be invisible for seconds. Code 501 is a task that failed.
    """
    envelope = _require_envelope(answer)
    if envelope.code == 501:
        return _read_failure(envelope, task_id)
    if envelope.code in (404, 422) or (envelope.code == 200 and envelope.data is None):
        return TaskRecord(task_id=task_id, outcome=TaskOutcome.PENDING, status=TASK_NOT_FOUND)
    _require_success(envelope)
    record = read_mapping(envelope.data)
    look = read_task_record(record, task_id) if record.get("taskId") in (None, task_id) else None
    if look is None:
        raise UnexpectedResponse(envelope.text, code=envelope.code, reason="recordInfo without this task's state")
    return look


def read_upload_response(answer: KieResponse) -> str:
    """Return the public URL of an uploaded file; raises `Unavailable`, `Refused`, `Halted` or `Garbled`.

    `downloadUrl` is what the service sends; `fileUrl` is the name in Kie's quick start.
    """
    envelope = _require_envelope(answer)
    _require_success(envelope)
    data = read_mapping(envelope.data)
    url = read_web_url(data.get("downloadUrl")) or read_web_url(data.get("fileUrl"))
    if url is None or envelope.fields.get("success") is False:
        raise UnexpectedResponse(envelope.text, code=envelope.code, reason="an upload without a URL")
    return url


def read_credit_response(answer: KieResponse) -> float:
    """Return the account's credits, which can be fractional; raises `Unavailable`, `Refused`, `Halted` or `Garbled`."""
    envelope = _require_envelope(answer)
    _require_success(envelope)
    balance = read_number(envelope.data, -_MAX_BALANCE, _MAX_BALANCE)
    if balance is None:
        raise UnexpectedResponse(envelope.text, code=envelope.code, reason="a balance that cannot be one")
    return balance


def _read_envelope(answer: KieResponse) -> _Envelope | None:
    fields = redact_json(parse_json(answer.body), answer.redact)
    if not isinstance(fields, dict):
        return None
    code = read_number(fields.get("code"), 0.0, _MAX_CODE)
    if code is None or not code.is_integer():
        return None
    # Recordings say `msg`, a part of the documentation says `message`.
    texts = [text for text in (fields.get("msg"), fields.get("message")) if isinstance(text, str) and text]
    text = texts[0] if texts else ""
    return _Envelope(int(code), text, fields, _read_retry_after(answer.headers, text))


def _require_envelope(answer: KieResponse) -> _Envelope:
    """Return the envelope of a call that may be repeated for free, or raise `Unavailable` or `Garbled`."""
    envelope = _read_envelope(answer)
    if envelope is not None:
        return envelope
    if answer.status >= 500 or answer.status in (408, 429) or _is_html(answer):
        raise KieUnavailable(_describe(answer), retry_after=_read_retry_after(answer.headers, ""))
    raise UnexpectedResponse(_describe(answer))


def _require_success(envelope: _Envelope) -> None:
    if envelope.code != 200:
        raise _error_by_code(envelope) or _error_by_unknown_read_code(envelope)


def _error_by_code(envelope: _Envelope) -> KieError | None:
    """Judge the codes that mean the same for every call."""
    code, text = envelope.code, envelope.text
    if cause := _BLOCKED_CODES.get(code):
        return AccountBlocked(text, cause=cause, code=code, retry_after=envelope.retry_after)
    if code in _RETRY_CODES or _RATE_LIMITED_TEXT.search(text):
        return KieUnavailable(text, code=code, retry_after=envelope.retry_after)
    if code in _REFUSED_CODES:
        return RequestRefused(text, code=code, policy=is_policy_refusal(text))
    return None


def _error_by_unknown_order_code(envelope: _Envelope) -> KieError:
    """Judge a createTask code that is not in the common table.

    500 usually means a bad parameter, but "This field is required" and "file type not supported" have passed
    minutes later. Another 4xx is a refusal like its documented sisters. Nothing is known about the rest.
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
    """Read a failure that is told by code 501, the way callbacks tell it; a state that says success wins."""
    failure = TaskRecord(task_id, TaskOutcome.FAILURE, "fail")
    look = read_task_record(read_mapping(envelope.data), task_id) or failure
    if look.outcome is TaskOutcome.SUCCESS:
        return look
    return replace(
        look,
        outcome=TaskOutcome.FAILURE,
        fail_code=look.fail_code or "501",
        fail_text=look.fail_text or sanitize_text(envelope.text),
    )


def _read_retry_after(headers: Mapping[str, str], text: str) -> float | None:
    """Read how many seconds to wait, an hour at most, from a Retry-After header or from "Try again in N seconds"."""
    header = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    found = _RETRY_AFTER_HEADER.fullmatch(header) or _RETRY_AFTER_TEXT.search(text)
    return min(float(found[1]), _MAX_RETRY_AFTER) if found else None


def _is_html(answer: KieResponse) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _describe(answer: KieResponse) -> str:
    return f"HTTP {answer.status} without Kie's envelope"
