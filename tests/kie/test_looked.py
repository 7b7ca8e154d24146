"""recordInfo's answers: nothing but a clear word ends a task, and every vintage is understood."""

import json

import pytest

from bot.kie.decipher import looked
from bot.kie.errors import Garbled, Halted, KieError, Refused, Unavailable
from bot.kie.models import UNSEEN, Look, Outcome
from tests.kie.answers import CALLBACK, HTML, PICTURES, RESULT, TASK, answer, failure, record

URLS = {"resultUrls": [RESULT]}


def look(body: object, status: int = 200) -> Look:
    return looked(answer(body, status), TASK)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("waiting", Outcome.PENDING),
        ("queuing", Outcome.PENDING),
        ("generating", Outcome.PENDING),
        ("a word of tomorrow", Outcome.PENDING),
        ("", Outcome.PENDING),
        ("success", Outcome.SUCCESS),
        (" SUCCESS", Outcome.SUCCESS),
        ("fail", Outcome.FAILURE),
        ("failed", Outcome.FAILURE),
    ],
)
def test_only_known_words_end_a_task(state: str, outcome: Outcome) -> None:
    seen = look(record(state=state))
    assert (seen.outcome, seen.status, seen.task_id) == (outcome, state.strip(), TASK)


@pytest.mark.parametrize(
    "body",
    [
        failure(422, "recordInfo is null"),
        failure("422", "recordInfo is null"),
        failure(422, "another wording"),
        failure(404, "Task not found"),
        {"code": 200, "msg": "success", "data": None},
        {"code": 200, "msg": "success"},
    ],
)
@pytest.mark.parametrize("status", [200, 404, 422])
def test_a_task_that_cannot_be_seen_is_not_finished(body: object, status: int) -> None:
    seen = look(body, status)
    assert (seen.outcome, seen.status, seen.credits) == (Outcome.PENDING, UNSEEN, None)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (400, "taskId parameter is required", Refused),
        (401, "Unauthorized", Halted),
        (402, "", Halted),
        (433, "", Halted),
        (408, "No result has been returned for over 10 minutes.", Unavailable),
        (429, "Rate limit exceeded", Unavailable),
        (430, "", Unavailable),
        (455, "", Unavailable),
        (500, "Server Error", Unavailable),
        (503, "", Unavailable),
        (505, "", Refused),
        (403, "", Garbled),
        (0, "", Garbled),
        (201, "", Garbled),
    ],
)
def test_an_error_about_the_look_says_nothing_about_the_task(code: int, text: str, kind: type[KieError]) -> None:
    with pytest.raises(kind) as caught:
        look(failure(code, text))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (HTML, 502, Unavailable),
        (HTML, 200, Unavailable),
        (HTML, 403, Unavailable),
        (b"", 500, Unavailable),
        (b"", 429, Unavailable),
        (b"", 200, Garbled),
        (b"busy", 404, Garbled),
        (b"{}", 200, Garbled),
        (b'{"code":200,"data":{"state":"succ', 200, Garbled),
    ],
)
def test_an_answer_without_the_envelope_is_repeated_or_reported(body: bytes, status: int, kind: type[KieError]) -> None:
    with pytest.raises(kind):
        look(body, status)


@pytest.mark.parametrize(
    "data", [[], "text", 7, {}, {"state": None}, {"state": 3}, {"state": "success", "taskId": "another"}]
)
def test_a_record_that_says_nothing_about_this_task_is_reported(data: object) -> None:
    with pytest.raises(Garbled):
        look({"code": 200, "msg": "success", "data": data})


@pytest.mark.parametrize(
    "fields",
    [
        {"resultJson": json.dumps(URLS)},
        {"resultJson": URLS},
        {"resultJson": json.dumps(URLS | {"resultObject": None})},
        {"resultJson": json.dumps({"resultUrls": RESULT})},
        {"resultJson": json.dumps({"resultUrls": [None, "ftp://x", RESULT]})},
        {"resultJson": "", "response": URLS},
        {"resultJson": None, "response": URLS},
        {"resultJson": "{broken", "response": URLS},
    ],
)
def test_the_result_is_found_in_every_vintage(fields: dict[str, object]) -> None:
    assert look(record(state="success", **fields)).result_url == RESULT


@pytest.mark.parametrize("result", ["", None, "{}", {}, [], "[]", '{"resultUrls":[]}', '{"resultUrls":null}', 7])
def test_a_success_without_a_picture_stays_a_success(result: object) -> None:
    seen = look(record(state="success", resultJson=result))
    assert (seen.outcome, seen.result_url) == (Outcome.SUCCESS, None)


def test_a_result_counts_only_when_the_task_is_done() -> None:
    assert look(record(state="generating", resultJson=json.dumps(URLS))).result_url is None


def test_a_recorded_failure_is_read() -> None:
    text = "Director: unexpected error handling prediction (E6716)"
    seen = look(record(state="fail", failCode="422", failMsg=text, completeTime=1700000160000))
    assert (seen.fail_code, seen.fail_text) == ("422", text)
    assert (seen.created_at, seen.completed_at) == (1700000000000, 1700000160000)


@pytest.mark.parametrize(
    ("code", "read"), [(None, ""), ("", ""), (500, "500"), ("GENERATION_FAILED", "GENERATION_FAILED"), (True, "")]
)
def test_a_fail_code_is_a_word_or_nothing(code: object, read: str) -> None:
    assert look(record(state="fail", failCode=code)).fail_code == read


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (failure(501, "Playground task failed."), "Playground task failed."),
        (record(state="fail", failMsg="the reason") | {"code": 501}, "the reason"),
        (record(state="generating") | {"code": 501, "msg": "gave up"}, "gave up"),
    ],
)
def test_code_501_is_a_failed_task(body: object, text: str) -> None:
    seen = look(body)
    assert (seen.outcome, seen.fail_code, seen.fail_text) == (Outcome.FAILURE, "501", text)


def test_a_picture_is_believed_even_beside_code_501() -> None:
    seen = look(record(state="success", resultJson=json.dumps(URLS)) | {"code": 501})
    assert (seen.outcome, seen.result_url) == (Outcome.SUCCESS, RESULT)


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
    assert look(record(**fields)).credits == charged


@pytest.mark.parametrize("moment", [None, "", 0, -5, 10**30, [], "soon"])
def test_an_impossible_moment_counts_as_absent(moment: object) -> None:
    assert look(record(createTime=moment)).created_at is None


@pytest.mark.parametrize("value", [-1, -1000.0, 10_000.5, 1e308, "1e999", 10**400, "nan", "-Infinity"])
def test_a_price_that_cannot_be_is_unknown_and_named(value: object) -> None:
    seen = look(record(state="fail", creditsConsumed=value))
    assert (seen.credits, seen.absurd, seen.has_absurd_price) == (None, ("creditsConsumed",), True)


def test_a_price_that_cannot_be_beside_one_that_can_is_named_all_the_same() -> None:
    seen = look(record(creditsConsumed=-4, consumeCredits=4))
    assert (seen.credits, seen.absurd, seen.has_absurd_price) == (4.0, ("creditsConsumed",), False)


@pytest.mark.parametrize("value", [-1, 4_102_444_800_001, 1e300, 10**400, "nan"])
@pytest.mark.parametrize("name", ["createTime", "completeTime"])
def test_a_moment_that_cannot_be_is_unknown_and_named(name: str, value: object) -> None:
    seen = look(record(state="success", **{name: value}))
    assert (seen.took, seen.absurd, seen.has_absurd_price) == (None, (name,), False)


@pytest.mark.parametrize("fields", [{}, {"creditsConsumed": None}, {"completeTime": ""}, {"createTime": 0}])
def test_what_is_not_said_is_not_absurd(fields: dict[str, object]) -> None:
    assert look(record(**fields)).absurd == ()


@pytest.mark.parametrize("code", [-1, 1e5, 1e300, "nan", 10**400])
def test_a_code_that_cannot_be_is_none(code: object) -> None:
    with pytest.raises(Garbled) as caught:
        look(failure(code, "whatever"))
    assert caught.value.code is None


ORDER = {"image_urls": PICTURES}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"param": json.dumps({"model": "m", "callBackUrl": CALLBACK, "input": ORDER})},
        {"param": {"callBackUrl": CALLBACK, "input": ORDER}},
        {"param": "", "paramJson": json.dumps({"callBackUrl": CALLBACK, "input": json.dumps(ORDER)})},
    ],
)
def test_our_order_is_read_back_from_every_vintage(fields: dict[str, object]) -> None:
    seen = look(record(**fields))
    assert (seen.callback_url, seen.image_urls) == (CALLBACK, PICTURES)


@pytest.mark.parametrize(
    "param", [None, "", "{broken", "[]", 7, {}, {"input": "{broken"}, {"input": {"image_urls": "x"}}, "[" * 99999]
)
def test_an_unreadable_echo_counts_as_absent(param: object) -> None:
    seen = look(record(param=param))
    assert (seen.callback_url, seen.image_urls) == (None, ())
