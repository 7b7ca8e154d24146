"""Callbacks: whether Kie sent one, and which task it names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kie.callback_signature import (
    MAX_SIGNATURE_AGE,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureStatus,
    parse_callback_task_id,
    sign_callback,
    verify_callback,
)

KEY = "obviously-" + "fake"
TASK = "0123456789abcdef" * 2
SENT_AT = 1_700_000_000
PARAM = '{"input":{"prompt":"x"},"callBackUrl":"https://bot.example/kie/callback/r","model":"google/nano-banana-edit"}'


def _headers(key: str = KEY, task: str = TASK, sent_at: object = SENT_AT) -> dict[str, str]:
    return {TIMESTAMP_HEADER: f"{sent_at}", SIGNATURE_HEADER: sign_callback(key, task, f"{sent_at}")}


# -- the signature


def test_the_signature_is_the_one_that_kies_rule_gives() -> None:
    assert sign_callback("k", "abc", "1700000000") == "kwdpjfCWUgJniXimyJkbf36PsL2GgP6FLCsP6WK+dXg="
    headers = {TIMESTAMP_HEADER: "1700000000", SIGNATURE_HEADER: "kwdpjfCWUgJniXimyJkbf36PsL2GgP6FLCsP6WK+dXg="}
    assert verify_callback("k", "abc", headers, 1_700_000_000) is SignatureStatus.GENUINE


@pytest.mark.parametrize(
    ("task", "headers", "status"),
    [
        (TASK, _headers(), SignatureStatus.GENUINE),
        (TASK, _headers(key="another"), SignatureStatus.FORGED),
        (TASK, _headers(task="another"), SignatureStatus.FORGED),
        (TASK, _headers() | {TIMESTAMP_HEADER: f"{SENT_AT + 1}"}, SignatureStatus.FORGED),
        (TASK, _headers() | {SIGNATURE_HEADER: _headers()[SIGNATURE_HEADER].rstrip("=")}, SignatureStatus.FORGED),
        (TASK, _headers() | {SIGNATURE_HEADER: "ünsigned"}, SignatureStatus.FORGED),
        (TASK, _headers() | {SIGNATURE_HEADER: "\udcff"}, SignatureStatus.FORGED),
        (TASK, {}, SignatureStatus.UNSIGNED),
        (TASK, {TIMESTAMP_HEADER: f"{SENT_AT}"}, SignatureStatus.UNSIGNED),
        (TASK, _headers() | {SIGNATURE_HEADER: ""}, SignatureStatus.UNSIGNED),
        (TASK, _headers(sent_at="soon"), SignatureStatus.UNSIGNED),
        (TASK, _headers(sent_at="-5"), SignatureStatus.UNSIGNED),
        (TASK, _headers(sent_at="1" * 5000), SignatureStatus.UNSIGNED),
        (TASK, _headers(sent_at="١٧٠٠٠٠٠٠٠٠"), SignatureStatus.UNSIGNED),
        (None, _headers(), SignatureStatus.UNSIGNED),
    ],
)
def test_only_the_key_the_task_and_the_second_together_make_it_genuine(
    task: str | None, headers: dict[str, str], status: SignatureStatus
) -> None:
    assert verify_callback(KEY, task, headers, SENT_AT) is status


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (MAX_SIGNATURE_AGE, SignatureStatus.GENUINE),
        (MAX_SIGNATURE_AGE + 1, SignatureStatus.STALE),
        (-MAX_SIGNATURE_AGE, SignatureStatus.GENUINE),
        (-MAX_SIGNATURE_AGE - 1, SignatureStatus.STALE),
    ],
)
def test_five_minutes_are_the_most_that_the_clocks_may_differ(age: float, status: SignatureStatus) -> None:
    assert verify_callback(KEY, TASK, _headers(), SENT_AT + age) is status


@given(
    st.text(),
    st.dictionaries(st.sampled_from([TIMESTAMP_HEADER, SIGNATURE_HEADER]), st.text()),
    st.floats(allow_nan=False),
)
def test_nothing_that_is_guessed_is_genuine(task: str, headers: dict[str, str], now: float) -> None:
    assert verify_callback(KEY, task, headers, now) is not SignatureStatus.GENUINE


# -- the task


SEPTEMBER_2025: dict[str, Any] = {
    "code": 200,
    "msg": "Playground task completed successfully.",
    "data": {
        "completeTime": 1757778687850,
        "consumeCredits": 100,
        "costTime": 8,
        "createTime": 1757778527139,
        "model": "google/nano-banana-edit",
        "param": PARAM,
        "remainedCredits": 2510330,
        "resultJson": '{"resultUrls":["https://example.com/generated-image.jpg"]}',
        "state": "success",
        "taskId": TASK,
        "updateTime": 1757778687900,
    },
}
NOVEMBER_2025: dict[str, Any] = {
    "code": 501,
    "msg": "Playground task failed.",
    "data": {
        "failCode": "500",
        "failMsg": "Internal server error",
        "resultJson": None,
        "state": "fail",
        "taskId": TASK,
    },
}
AUGUST_2026: dict[str, Any] = {
    "code": 200,
    "msg": "Playground task completed successfully.",
    "data": {
        "taskId": TASK,
        "model": "google/nano-banana-edit",
        "state": "success",
        "param": '{"input":"{}","callBackUrl":"https://bot.example/kie/callback/r","model":"google/nano-banana-edit"}',
        "resultJson": '{"resultUrls":["https://example.com/a.png"],"resultObject":null}',
        "failCode": None,
        "failMsg": None,
        "creditsConsumed": 1.23,
    },
}


@pytest.mark.parametrize(
    "payload",
    [
        SEPTEMBER_2025,
        NOVEMBER_2025,
        AUGUST_2026,
        {"data": {"task_id": TASK}},
        {"taskId": TASK},
        {"task_id": TASK},
        {"taskId": "another", "data": {"taskId": TASK}},
        {"taskId": 5, "data": {"taskId": None, "task_id": TASK}},
        {"data": json.dumps({"taskId": TASK})},
    ],
)
def test_every_api_year_names_its_task(payload: dict[str, Any]) -> None:
    assert parse_callback_task_id(json.dumps(payload).encode()) == TASK


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"null",
            b"[]",
            b"5",
            b'"text"',
            b"{",
            b"<html>",
            b"\xff\xfe",
            b"taskId=abc",
            b"[" * 60_000,
            b"9" * 60_000,
        ),
        *(b'{"data":null}', b'{"data":{"taskId":""}}', b'{"data":{"taskId":" "}}', b'{"data":{"taskId":{"a":1}}}'),
        b'{"taskId":"two\\nlines"}',
        b'{"taskId":"lone \\ud800"}',
        json.dumps({"taskId": "x" * 201}).encode(),
    ],
)
def test_what_names_no_task_is_taken_as_that(body: bytes) -> None:
    assert parse_callback_task_id(body) is None


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["data", "taskId", "task_id", "state"]) | st.text(), inner)
    ),
)


@given(st.binary() | _json.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_and_what_is_read_can_be_asked_about(body: bytes) -> None:
    found = parse_callback_task_id(body)
    assert found is None or (found.isprintable() and 0 < len(found) <= 200)
