"""createTask's answers: an order is never called lost or refused while it may have been taken."""

import pytest

from bot.kie.errors import (
    AccountBlocked,
    BlockCause,
    KieError,
    KieUnavailable,
    OrderUncertain,
    RequestRefused,
    UnexpectedResponse,
)
from bot.kie.responses import read_create_response
from tests.kie.sample_responses import HTML_PAGE, TASK_ID, make_failure, make_response

NO_CREDITS_TEXT = (
    "Credits insufficient : Your current balance isn’t enough to run this request. Please top up to continue."
)
BAD_KEY_TEXT = (
    "Unauthorized – Authentication failed. Please check that your Authorization and Content-Type headers"
    " are correctly set."
)
KEY_CAP_TEXT = "The current number of points used by apiKey has exceeded the {} limit"


@pytest.mark.parametrize(
    "body",
    [
        {"code": 200, "message": "success", "data": {"taskId": TASK_ID}},
        {"code": 200, "msg": "success", "data": {"taskId": TASK_ID}},
        {"code": 200, "msg": "success", "data": {"taskId": TASK_ID, "recordId": TASK_ID}},
        {"code": "200", "msg": "success", "data": {"taskId": TASK_ID}},
        {"code": 200.0, "data": {"taskId": TASK_ID}},
    ],
)
@pytest.mark.parametrize("status", [200, 201, 500])
def test_a_task_id_is_read_from_every_vintage(body: object, status: int) -> None:
    assert read_create_response(make_response(body, status)) == TASK_ID


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (401, BAD_KEY_TEXT, AccountBlocked),
        (401, "You do not have access permissions", AccountBlocked),
        (402, NO_CREDITS_TEXT, AccountBlocked),
        (433, KEY_CAP_TEXT.format("daily"), AccountBlocked),
        (433, KEY_CAP_TEXT.format("hourly"), AccountBlocked),
        (433, KEY_CAP_TEXT.format("total"), AccountBlocked),
        (400, "English prompts only", RequestRefused),
        (403, "", RequestRefused),
        (404, "Not found", RequestRefused),
        (422, "The page does not exist or is not published", RequestRefused),
        (422, "Images size exceeds limit", RequestRefused),
        (500, "This field is required", RequestRefused),
        (500, "image_size is not within the range of allowed options", RequestRefused),
        (500, "This aspect_ratio is not within the range of allowed options", RequestRefused),
        (500, "enable_safety_checker it must be a boolean", RequestRefused),
        (500, "The text length cannot exceed the maximum limit", RequestRefused),
        (500, "image_urls file type not supported", RequestRefused),
        (500, "Server Error - An unexpected error occurred while processing the request", RequestRefused),
        (501, "", RequestRefused),
        (505, "", RequestRefused),
        (408, "Upstream is currently experiencing service issues.", KieUnavailable),
        (429, "Rate limit exceeded", KieUnavailable),
        (430, "Your call frequency is too high…", KieUnavailable),
        (436, "Your call frequency is too high…", KieUnavailable),
        (455, "", KieUnavailable),
        (0, "", OrderUncertain),
        (201, "", OrderUncertain),
        (502, "", OrderUncertain),
        (504, "", OrderUncertain),
        (1001, "", OrderUncertain),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 502])
def test_an_envelope_is_judged_by_its_code_whatever_the_http_status(
    code: int, text: str, kind: type[KieError], status: int
) -> None:
    with pytest.raises(kind) as caught:
        read_create_response(make_response(make_failure(code, text), status))
    assert (caught.value.code, caught.value.text) == (code, text)


@pytest.mark.parametrize(("code", "cause"), [(401, BlockCause.KEY), (402, BlockCause.CREDITS), (433, BlockCause.CAP)])
def test_a_halt_names_what_the_operator_must_see_to(code: int, cause: BlockCause) -> None:
    with pytest.raises(AccountBlocked) as caught:
        read_create_response(make_response({"code": code, "msg": "no data key at all"}))
    assert caught.value.cause is cause


@pytest.mark.parametrize(
    ("code", "text", "transient", "policy"),
    [
        (500, "This field is required", True, False),
        (500, "enable_safety_checker it must be a boolean", True, False),
        (500, "The input was flagged as sensitive (E005)", False, True),
        (422, "The input was flagged as sensitive (E005)", False, True),
        (422, "The page does not exist or is not published", False, False),
        (499, "violated our policy", False, True),
    ],
)
def test_a_refusal_says_whether_repeating_helps_and_whether_it_is_about_policy(
    code: int, text: str, transient: bool, policy: bool
) -> None:
    with pytest.raises(RequestRefused) as caught:
        read_create_response(make_response(make_failure(code, text)))
    assert (caught.value.transient, caught.value.policy) == (transient, policy)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML_PAGE,
        b"null",
        b"[200]",
        b"{}",
        b'{"code":200,"data":{"taskId":"cut off',
        b'{"code":true,"data":{"taskId":"x"}}',
        b'{"code":200.5,"data":{"taskId":"x"}}',
        b'{"code":NaN,"data":{"taskId":"x"}}',
        b'{"status":500,"error":"Internal Server Error"}',
        b"[" * 200_000,
        b"\xff\xfe\x00",
    ],
)
@pytest.mark.parametrize("status", [200, 302, 401, 429, 500, 502])
def test_any_answer_without_the_envelope_is_unclear(body: bytes, status: int) -> None:
    with pytest.raises(OrderUncertain, match=str(status)):
        read_create_response(make_response(body, status))


@pytest.mark.parametrize(
    "data", [None, {}, [], "text", {"taskId": None}, {"taskId": ""}, {"taskId": 7}, {"taskId": "x" * 201}]
)
def test_a_success_without_a_usable_task_id_may_have_been_paid(data: object) -> None:
    with pytest.raises(OrderUncertain):
        read_create_response(make_response({"code": 200, "msg": "success", "data": data}))


@pytest.mark.parametrize("code", [401, 422, 429, 500])
def test_a_task_id_beside_an_error_is_unclear(code: int) -> None:
    with pytest.raises(OrderUncertain):
        read_create_response(make_response({"code": code, "msg": "no", "data": {"taskId": TASK_ID}}))


@pytest.mark.parametrize(
    ("text", "headers", "seconds"),
    [
        ("", {"Retry-After": "7"}, 7.0),
        ("", {"retry-after": " 12 "}, 12.0),
        ("Slow down. Try again in 300 seconds.", {}, 300.0),
        ("Slow down. Try again in 300 seconds.", {"Retry-After": "5"}, 5.0),
        ("", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ("", {"Retry-After": "nan"}, None),
        ("", {"Retry-After": "9999999999"}, None),
        ("", {}, None),
    ],
)
def test_a_wish_to_wait_is_understood_in_seconds(text: str, headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(KieUnavailable) as caught:
        read_create_response(make_response(make_failure(429, text), headers=headers))
    assert caught.value.retry_after == seconds


def test_a_cap_that_names_its_end_keeps_it() -> None:
    with pytest.raises(AccountBlocked) as caught:
        read_create_response(
            make_response(make_failure(433, KEY_CAP_TEXT.format("hourly") + ". Try again in 300 seconds."))
        )
    assert caught.value.retry_after == 300.0


def test_kies_words_are_kept_short_and_on_one_line() -> None:
    with pytest.raises(RequestRefused) as caught:
        read_create_response(make_response(make_failure(422, "a\nb\x1b[31m\ud800 " + "c" * 5000)))
    assert caught.value.text.startswith("a b [31m c")
    assert len(caught.value.text) == 500


def test_the_documented_message_key_serves_where_msg_is_missing() -> None:
    with pytest.raises(RequestRefused) as caught:
        read_create_response(make_response({"code": 422, "msg": None, "message": "the reason"}))
    assert (caught.value.code, caught.value.text) == (422, "the reason")
    assert str(caught.value) == "code 422", "Kie's words are for the one who ordered"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KieUnavailable("down"), "unavailable"),
        (KieUnavailable("slow down", code=429), "too_often"),
        (OrderUncertain("no answer"), "unclear"),
        (RequestRefused("no", code=422), "refused"),
        (AccountBlocked("no credits", cause=BlockCause.CREDITS, code=402), "halted"),
        (UnexpectedResponse("what?"), "garbled"),
    ],
)
def test_metrics_name_each_kind_of_error_as_docs_monitoring_does(error: KieError, kind: str) -> None:
    assert error.kind == kind
