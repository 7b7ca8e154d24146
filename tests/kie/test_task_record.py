"""recordInfo's answers: nothing but a clear word ends a task, and every vintage is understood."""

import json

import pytest

from bot.kie.errors import AccountBlocked, KieError, KieUnavailable, RequestRefused, UnexpectedResponse
from bot.kie.models import TASK_NOT_FOUND, TaskOutcome, TaskRecord
from bot.kie.responses import read_task_response
from tests.kie.sample_responses import (
    CALLBACK_URL,
    HTML_PAGE,
    INPUT_URLS,
    RESULT_URL,
    TASK_ID,
    make_failure,
    make_response,
    make_task_record,
)

RESULT_URLS = {"resultUrls": [RESULT_URL]}


def read_record(body: object, status: int = 200) -> TaskRecord:
    return read_task_response(make_response(body, status), TASK_ID)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("waiting", TaskOutcome.PENDING),
        ("queuing", TaskOutcome.PENDING),
        ("generating", TaskOutcome.PENDING),
        ("a word of tomorrow", TaskOutcome.PENDING),
        ("", TaskOutcome.PENDING),
        ("success", TaskOutcome.SUCCESS),
        (" SUCCESS", TaskOutcome.SUCCESS),
        ("fail", TaskOutcome.FAILURE),
        ("failed", TaskOutcome.FAILURE),
    ],
)
def test_only_known_words_end_a_task(state: str, outcome: TaskOutcome) -> None:
    seen = read_record(make_task_record(state=state))
    assert (seen.outcome, seen.status, seen.task_id) == (outcome, state.strip(), TASK_ID)


@pytest.mark.parametrize(
    "body",
    [
        make_failure(422, "recordInfo is null"),
        make_failure("422", "recordInfo is null"),
        make_failure(422, "another wording"),
        make_failure(404, "Task not found"),
        {"code": 200, "msg": "success", "data": None},
        {"code": 200, "msg": "success"},
    ],
)
@pytest.mark.parametrize("status", [200, 404, 422])
def test_a_task_that_cannot_be_seen_is_not_finished(body: object, status: int) -> None:
    seen = read_record(body, status)
    assert (seen.outcome, seen.status, seen.credits) == (TaskOutcome.PENDING, TASK_NOT_FOUND, None)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (400, "taskId parameter is required", RequestRefused),
        (401, "Unauthorized", AccountBlocked),
        (402, "", AccountBlocked),
        (433, "", AccountBlocked),
        (408, "No result has been returned for over 10 minutes.", KieUnavailable),
        (429, "Rate limit exceeded", KieUnavailable),
        (430, "", KieUnavailable),
        (455, "", KieUnavailable),
        (500, "Server Error", KieUnavailable),
        (503, "", KieUnavailable),
        (505, "", RequestRefused),
        (403, "", UnexpectedResponse),
        (0, "", UnexpectedResponse),
        (201, "", UnexpectedResponse),
    ],
)
def test_an_error_about_the_look_says_nothing_about_the_task(code: int, text: str, kind: type[KieError]) -> None:
    with pytest.raises(kind) as caught:
        read_record(make_failure(code, text))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (HTML_PAGE, 502, KieUnavailable),
        (HTML_PAGE, 200, KieUnavailable),
        (HTML_PAGE, 403, KieUnavailable),
        (b"", 500, KieUnavailable),
        (b"", 429, KieUnavailable),
        (b"", 200, UnexpectedResponse),
        (b"busy", 404, UnexpectedResponse),
        (b"{}", 200, UnexpectedResponse),
        (b'{"code":200,"data":{"state":"succ', 200, UnexpectedResponse),
    ],
)
def test_an_answer_without_the_envelope_is_repeated_or_reported(body: bytes, status: int, kind: type[KieError]) -> None:
    with pytest.raises(kind):
        read_record(body, status)


@pytest.mark.parametrize(
    "data", [[], "text", 7, {}, {"state": None}, {"state": 3}, {"state": "success", "taskId": "another"}]
)
def test_a_record_that_says_nothing_about_this_task_is_reported(data: object) -> None:
    with pytest.raises(UnexpectedResponse):
        read_record({"code": 200, "msg": "success", "data": data})


@pytest.mark.parametrize(
    "fields",
    [
        {"resultJson": json.dumps(RESULT_URLS)},
        {"resultJson": RESULT_URLS},
        {"resultJson": json.dumps(RESULT_URLS | {"resultObject": None})},
        {"resultJson": json.dumps({"resultUrls": RESULT_URL})},
        {"resultJson": json.dumps({"resultUrls": [None, "ftp://x", RESULT_URL]})},
        {"resultJson": "", "response": RESULT_URLS},
        {"resultJson": None, "response": RESULT_URLS},
        {"resultJson": "{broken", "response": RESULT_URLS},
    ],
)
def test_the_result_is_found_in_every_vintage(fields: dict[str, object]) -> None:
    assert read_record(make_task_record(state="success", **fields)).result_url == RESULT_URL


@pytest.mark.parametrize("result", ["", None, "{}", {}, [], "[]", '{"resultUrls":[]}', '{"resultUrls":null}', 7])
def test_a_success_without_a_picture_stays_a_success(result: object) -> None:
    seen = read_record(make_task_record(state="success", resultJson=result))
    assert (seen.outcome, seen.result_url) == (TaskOutcome.SUCCESS, None)


def test_a_result_counts_only_when_the_task_is_done() -> None:
    assert read_record(make_task_record(state="generating", resultJson=json.dumps(RESULT_URLS))).result_url is None


def test_a_recorded_failure_is_read() -> None:
    text = "Director: unexpected error handling prediction (E6716)"
    seen = read_record(make_task_record(state="fail", failCode="422", failMsg=text, completeTime=1700000160000))
    assert (seen.fail_code, seen.fail_text) == ("422", text)
    assert (seen.created_at, seen.completed_at) == (1700000000000, 1700000160000)


@pytest.mark.parametrize(
    ("code", "read"), [(None, ""), ("", ""), (500, "500"), ("GENERATION_FAILED", "GENERATION_FAILED"), (True, "")]
)
def test_a_fail_code_is_a_word_or_nothing(code: object, read: str) -> None:
    assert read_record(make_task_record(state="fail", failCode=code)).fail_code == read


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (make_failure(501, "Playground task failed."), "Playground task failed."),
        (make_task_record(state="fail", failMsg="the reason") | {"code": 501}, "the reason"),
        (make_task_record(state="generating") | {"code": 501, "msg": "gave up"}, "gave up"),
    ],
)
def test_code_501_is_a_failed_task(body: object, text: str) -> None:
    seen = read_record(body)
    assert (seen.outcome, seen.fail_code, seen.fail_text) == (TaskOutcome.FAILURE, "501", text)


def test_a_picture_is_believed_even_beside_code_501() -> None:
    seen = read_record(make_task_record(state="success", resultJson=json.dumps(RESULT_URLS)) | {"code": 501})
    assert (seen.outcome, seen.result_url) == (TaskOutcome.SUCCESS, RESULT_URL)


@pytest.mark.parametrize(
    ("fields", "charged"),
    [
        ({"creditsConsumed": 0.0}, 0.0),
        ({"creditsConsumed": 1.23}, 1.23),
        ({"creditsConsumed": "6"}, 6.0),
        ({"creditsConsumed": None, "consumeCredits": 100}, 100.0),
        ({"creditsConsumed": None}, None),
        ({"creditsConsumed": True}, None),
        ({"creditsConsumed": "many"}, None),
        ({"creditsConsumed": 10**400}, None),
    ],
)
def test_credits_are_a_number_or_unknown(fields: dict[str, object], charged: float | None) -> None:
    assert read_record(make_task_record(**fields)).credits == charged


@pytest.mark.parametrize("moment", [None, "", 0, -5, 10**30, [], "soon"])
def test_an_impossible_moment_counts_as_absent(moment: object) -> None:
    assert read_record(make_task_record(createTime=moment)).created_at is None


@pytest.mark.parametrize("value", [-1, -1000.0, 10_000.5, 1e308, "1e999", 10**400, "nan", "-Infinity"])
def test_a_price_that_cannot_be_is_unknown_and_named(value: object) -> None:
    seen = read_record(make_task_record(state="fail", creditsConsumed=value))
    assert (seen.credits, seen.out_of_range, seen.has_out_of_range_price) == (None, ("creditsConsumed",), True)


def test_a_price_that_cannot_be_beside_one_that_can_is_named_all_the_same() -> None:
    seen = read_record(make_task_record(creditsConsumed=-4, consumeCredits=4))
    assert (seen.credits, seen.out_of_range, seen.has_out_of_range_price) == (4.0, ("creditsConsumed",), False)


@pytest.mark.parametrize("value", [-1, 4_102_444_800_001, 1e300, 10**400, "nan"])
@pytest.mark.parametrize("name", ["createTime", "completeTime"])
def test_a_moment_that_cannot_be_is_unknown_and_named(name: str, value: object) -> None:
    seen = read_record(make_task_record(state="success", **{name: value}))
    assert (seen.duration_ms, seen.out_of_range, seen.has_out_of_range_price) == (None, (name,), False)


@pytest.mark.parametrize("fields", [{}, {"creditsConsumed": None}, {"completeTime": ""}, {"createTime": 0}])
def test_what_is_not_said_is_not_absurd(fields: dict[str, object]) -> None:
    assert read_record(make_task_record(**fields)).out_of_range == ()


@pytest.mark.parametrize("code", [-1, 1e5, 1e300, "nan", 10**400])
def test_a_code_that_cannot_be_is_none(code: object) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        read_record(make_failure(code, "whatever"))
    assert caught.value.code is None


ORDERED_INPUT = {"image_urls": INPUT_URLS}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"param": json.dumps({"model": "m", "callBackUrl": CALLBACK_URL, "input": ORDERED_INPUT})},
        {"param": {"callBackUrl": CALLBACK_URL, "input": ORDERED_INPUT}},
        {"param": "", "paramJson": json.dumps({"callBackUrl": CALLBACK_URL, "input": json.dumps(ORDERED_INPUT)})},
    ],
)
def test_our_order_is_read_back_from_every_vintage(fields: dict[str, object]) -> None:
    seen = read_record(make_task_record(**fields))
    assert (seen.callback_url, seen.image_urls) == (CALLBACK_URL, INPUT_URLS)


@pytest.mark.parametrize(
    "param", [None, "", "{broken", "[]", 7, {}, {"input": "{broken"}, {"input": {"image_urls": "x"}}, "[" * 99999]
)
def test_an_unreadable_echo_counts_as_absent(param: object) -> None:
    seen = read_record(make_task_record(param=param))
    assert (seen.callback_url, seen.image_urls) == (None, ())
