"""Where the URL of a result may be in a record, and what must never be taken for it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kie.models import TaskOutcome, TaskRecord
from bot.kie.responses import read_task_response
from tests.kie.sample_responses import CALLBACK_URL, INPUT_URLS, RESULT_URL, TASK_ID, make_response, make_task_record

OTHER = "https://elsewhere.example/preview.png"


def _seen(**fields: object) -> TaskRecord:
    return read_task_response(make_response(make_task_record(**{"state": "success", **fields})), TASK_ID)


#: Shapes that other clients of Kie accept, and the documented one.
RESULT_SHAPES: dict[str, object] = {
    "documented": json.dumps({"resultUrls": [RESULT_URL]}),
    "JSON inside": json.dumps({"resultUrls": json.dumps([RESULT_URL])}),
    "text behind": json.dumps({"resultUrls": [RESULT_URL]}) + " // done in 21 s",
    "url": json.dumps({"url": RESULT_URL}),
    "imageUrl": json.dumps({"imageUrl": RESULT_URL}),
    "image_url": json.dumps({"image_url": RESULT_URL}),
    "urls": json.dumps({"urls": [RESULT_URL]}),
    "result_urls": json.dumps({"result_urls": [RESULT_URL]}),
    "resultUrl": json.dumps({"resultUrl": RESULT_URL}),
    "list": json.dumps([RESULT_URL]),
    "double encoded": json.dumps(json.dumps({"resultUrls": [RESULT_URL]})),
    "blank around": json.dumps({"resultUrls": [f" {RESULT_URL}\n"]}),
    "objects": json.dumps({"resultUrls": [{"width": 1024, "url": RESULT_URL}]}),
    "object": json.dumps({"resultUrls": None, "resultObject": {"images": [{"url": RESULT_URL}]}}),
    "bare": RESULT_URL,
}


@pytest.mark.parametrize("name", RESULT_SHAPES)
def test_a_picture_is_found_in_every_shape(name: str) -> None:
    assert _seen(resultJson=RESULT_SHAPES[name]).result_url == RESULT_URL
    assert _seen(resultJson="", response=RESULT_SHAPES[name]).result_url == RESULT_URL


@pytest.mark.parametrize("name", ["resultUrls", "result_urls", "resultUrl", "resultImageUrl"])
def test_a_picture_is_found_beside_the_places_for_it(name: str) -> None:
    assert _seen(resultJson="", **{name: [RESULT_URL]}).result_url == RESULT_URL


def _as_text(value: object) -> object:
    return json.dumps(value)


WRAPPINGS: list[Callable[[object], object]] = [
    _as_text,
    lambda value: [value],
    lambda value: [None, value],
    lambda value: {"data": value},
    lambda value: {"resultObject": value, "resultUrls": []},
    lambda value: f"\n {json.dumps(value)} and some words",
]


@given(
    name=st.sampled_from(["resultUrls", "result_urls", "resultUrl", "imageUrl", "image_url", "urls", "url", "images"]),
    wrappings=st.lists(st.sampled_from(WRAPPINGS), max_size=3),
    is_list=st.booleans(),
)
def test_a_picture_is_found_however_it_is_wrapped(
    name: str, wrappings: list[Callable[[object], object]], *, is_list: bool
) -> None:
    said: object = {"thumbnailUrl": OTHER, name: [RESULT_URL] if is_list else RESULT_URL, "originUrl": OTHER}
    for wrap in wrappings:
        said = wrap(said)
    assert _seen(resultJson=said).result_url == RESULT_URL


@pytest.mark.parametrize(
    "said",
    [
        {"url": OTHER, "resultUrls": [RESULT_URL]},
        {"images": [{"url": OTHER}], "result_urls": [RESULT_URL], "imageUrl": OTHER},
        {"image_urls": [OTHER], "url": RESULT_URL},
        {"urls": ["", None, 7, "r2://bucket", RESULT_URL, OTHER]},
        {"thumbnails": {"url": OTHER}, "preview": [OTHER], "origin_image": {"url": OTHER}, "output": RESULT_URL},
    ],
)
def test_the_name_that_says_result_goes_before_the_others(said: object) -> None:
    assert _seen(resultJson=said).result_url == RESULT_URL


@pytest.mark.parametrize(
    "said",
    [
        {"image_urls": list(INPUT_URLS)},
        {"input": {"url": OTHER}},
        {"param": json.dumps({"url": OTHER})},
        {"callBackUrl": CALLBACK_URL, "webhook_url": OTHER},
        {"url": INPUT_URLS[0], "urls": [*INPUT_URLS, CALLBACK_URL]},
        {"docs": "https://docs.kie.ai", "message": f"see {OTHER}"},
        {"thumbnail": OTHER, "originImageUrl": OTHER},
        {"resultUrls": [{"thumbnail": OTHER}]},
        "see the documentation",
        "[" * 99_999,
        {"a": [[[[[[[[[[[[RESULT_URL]]]]]]]]]]]]},
    ],
)
def test_what_is_no_result_is_never_taken_for_one_and_kept_for_the_operator(said: object) -> None:
    seen = _seen(resultJson=said)
    assert (seen.outcome, seen.result_url) == (TaskOutcome.SUCCESS, None)
    assert seen.unparsed.startswith('{"resultJson": ')


def test_what_is_kept_is_short_and_printable_and_without_our_order() -> None:
    seen = _seen(resultJson={"secret place": "\x1b[31m" + "x" * 5000})
    assert "secret place" in seen.unparsed
    assert seen.unparsed.isprintable()
    assert len(seen.unparsed) <= 2000
    assert "Make it night" not in seen.unparsed
    assert _seen(resultJson=RESULT_URL).unparsed == ""
