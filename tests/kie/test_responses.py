"""Uploads, the balance, and the promise that no answer whatever escapes as another exception."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kie.errors import AccountBlocked, KieError, KieUnavailable, RequestRefused, UnexpectedResponse
from bot.kie.responses import (
    KieResponse,
    read_create_response,
    read_credit_response,
    read_task_response,
    read_upload_response,
)
from bot.kie.task_record import redact_json
from tests.kie.sample_responses import HTML_PAGE, RESULT_URL, TASK_ID, make_failure, make_response

NAMES = ["code", "msg", "message", "data", "success", "taskId", "state", "param", "input", "image_urls"]
NAMES += ["resultJson", "resultUrls", "response", "failCode", "failMsg", "creditsConsumed", "createTime"]
WORDS = st.sampled_from(["success", "fail", "200", "422", "{}", '{"input":"{}"}', RESULT_URL, TASK_ID])
CODES = st.sampled_from([200, 401, 404, 408, 422, 433, 500, 501])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS | CODES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)
ENVELOPES = st.fixed_dictionaries({"code": CODES | VALUES, "data": VALUES}, optional={"msg": VALUES})
BODIES = st.binary() | VALUES.map(lambda value: json.dumps(value).encode())
BODIES |= ENVELOPES.map(lambda value: json.dumps(value).encode())
READERS: list[Callable[[KieResponse], object]] = [
    read_create_response,
    read_upload_response,
    read_credit_response,
    lambda got: read_task_response(got, TASK_ID),
]


@pytest.mark.parametrize("reader", READERS)
@given(status=st.integers(100, 599), body=BODIES, wait=st.text())
def test_any_answer_ends_in_a_value_or_in_our_errors(
    reader: Callable[[KieResponse], object], status: int, body: bytes, wait: str
) -> None:
    with contextlib.suppress(KieError):
        reader(KieResponse(status, {"retry-after": wait}, body))


@pytest.mark.parametrize(
    "data",
    [
        {"success": True, "fileName": "a.png", "downloadUrl": RESULT_URL, "fileSize": 3},
        {"fileUrl": RESULT_URL},
        {"downloadUrl": None, "fileUrl": RESULT_URL},
        {"downloadUrl": RESULT_URL, "fileUrl": "https://other.example/a.png"},
    ],
)
def test_an_upload_gives_its_public_url(data: object) -> None:
    assert read_upload_response(make_response({"success": True, "code": 200, "msg": "ok", "data": data})) == RESULT_URL


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, make_failure(400, "Missing required parameter: uploadPath"), RequestRefused),
        (401, make_failure(401, "Authentication failed: Invalid API Key"), AccountBlocked),
        (405, make_failure(405, "Method not allowed"), UnexpectedResponse),
        (413, make_failure(413, "Too large"), RequestRefused),
        (429, make_failure(429), KieUnavailable),
        (500, make_failure(500, "Internal server error"), KieUnavailable),
        (502, HTML_PAGE, KieUnavailable),
        (413, b"too large", UnexpectedResponse),
        (200, {"code": 200, "data": {}}, UnexpectedResponse),
        (200, {"code": 200, "data": {"downloadUrl": "no url"}}, UnexpectedResponse),
        (200, {"code": 200, "success": False, "data": {"downloadUrl": RESULT_URL}}, UnexpectedResponse),
    ],
)
def test_an_upload_that_failed_says_what_to_do(status: int, body: object, kind: type[KieError]) -> None:
    with pytest.raises(kind):
        read_upload_response(make_response(body, status))


@pytest.mark.parametrize(("data", "balance"), [(5916.25, 5916.25), (80, 80.0), ("12.5", 12.5), (0, 0.0)])
def test_the_balance_can_be_fractional(data: object, balance: float) -> None:
    assert read_credit_response(make_response({"code": 200, "msg": "success", "data": data})) == balance


@pytest.mark.parametrize("data", [None, True, "lots", [], {"credits": 5}, 1e10, -1e308, "1e999", 10**400, "nan"])
def test_a_balance_that_is_no_number_is_reported(data: object) -> None:
    with pytest.raises(UnexpectedResponse):
        read_credit_response(make_response({"code": 200, "msg": "success", "data": data}))


@pytest.mark.parametrize("headers", [{"Retry-After": "999999"}, {}])
def test_a_wish_to_wait_is_for_an_hour_at_most(headers: dict[str, str]) -> None:
    with pytest.raises(KieUnavailable) as caught:
        read_credit_response(make_response(make_failure(429, "Try again in 999999 seconds."), headers=headers))
    assert caught.value.retry_after == 3600.0


@given(VALUES)
def test_every_text_is_redacted_before_anybody_reads_it(value: object) -> None:
    seen: set[str] = set()

    def redact(text: str) -> str:
        seen.add(text)
        return "-"

    assert _texts(redact_json(value, redact)) <= {"-"}
    assert _texts(value) == seen


def _texts(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for each in inner for text in _texts(each)}


def test_a_wish_to_wait_without_the_envelope_is_kept_for_reads() -> None:
    with pytest.raises(KieUnavailable) as caught:
        read_credit_response(make_response(b"slow down", 429, {"Retry-After": "9"}))
    assert caught.value.retry_after == 9.0
