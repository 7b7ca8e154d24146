"""Where the address of a finished picture may stand, and what must never be taken for it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kie.decipher import looked
from bot.kie.models import Look, Outcome
from tests.kie.answers import CALLBACK, PICTURES, RESULT, TASK, answer, record

OTHER = "https://elsewhere.example/preview.png"


def _seen(**fields: object) -> Look:
    return looked(answer(record(**{"state": "success", **fields})), TASK)


#: What clients of Kie provide for, beside what is documented.
SHAPES: dict[str, object] = {
    "documented": json.dumps({"resultUrls": [RESULT]}),
    "JSON inside": json.dumps({"resultUrls": json.dumps([RESULT])}),
    "text behind": json.dumps({"resultUrls": [RESULT]}) + " // done in 21 s",
    "url": json.dumps({"url": RESULT}),
    "imageUrl": json.dumps({"imageUrl": RESULT}),
    "image_url": json.dumps({"image_url": RESULT}),
    "urls": json.dumps({"urls": [RESULT]}),
    "result_urls": json.dumps({"result_urls": [RESULT]}),
    "resultUrl": json.dumps({"resultUrl": RESULT}),
    "list": json.dumps([RESULT]),
    "double encoded": json.dumps(json.dumps({"resultUrls": [RESULT]})),
    "blank around": json.dumps({"resultUrls": [f" {RESULT}\n"]}),
    "objects": json.dumps({"resultUrls": [{"width": 1024, "url": RESULT}]}),
    "object": json.dumps({"resultUrls": None, "resultObject": {"images": [{"url": RESULT}]}}),
    "bare": RESULT,
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_picture_is_found_in_every_shape(name: str) -> None:
    assert _seen(resultJson=SHAPES[name]).result_url == RESULT
    assert _seen(resultJson="", response=SHAPES[name]).result_url == RESULT


@pytest.mark.parametrize("name", ["resultUrls", "result_urls", "resultUrl", "resultImageUrl"])
def test_a_picture_is_found_beside_the_places_for_it(name: str) -> None:
    assert _seen(resultJson="", **{name: [RESULT]}).result_url == RESULT


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
    said: object = {"thumbnailUrl": OTHER, name: [RESULT] if is_list else RESULT, "originUrl": OTHER}
    for wrap in wrappings:
        said = wrap(said)
    assert _seen(resultJson=said).result_url == RESULT


@pytest.mark.parametrize(
    "said",
    [
        {"url": OTHER, "resultUrls": [RESULT]},
        {"images": [{"url": OTHER}], "result_urls": [RESULT], "imageUrl": OTHER},
        {"image_urls": [OTHER], "url": RESULT},
        {"urls": ["", None, 7, "r2://bucket", RESULT, OTHER]},
        {"thumbnails": {"url": OTHER}, "preview": [OTHER], "origin_image": {"url": OTHER}, "output": RESULT},
    ],
)
def test_the_name_that_says_result_goes_before_the_others(said: object) -> None:
    assert _seen(resultJson=said).result_url == RESULT


@pytest.mark.parametrize(
    "said",
    [
        {"image_urls": list(PICTURES)},
        {"input": {"url": OTHER}},
        {"param": json.dumps({"url": OTHER})},
        {"callBackUrl": CALLBACK, "webhook_url": OTHER},
        {"url": PICTURES[0], "urls": [*PICTURES, CALLBACK]},
        {"docs": "https://docs.kie.ai", "message": f"see {OTHER}"},
        {"thumbnail": OTHER, "originImageUrl": OTHER},
        {"resultUrls": [{"thumbnail": OTHER}]},
        "see the documentation",
        "[" * 99_999,
        {"a": [[[[[[[[[[[[RESULT]]]]]]]]]]]]},
    ],
)
def test_what_is_no_result_is_never_taken_for_one_and_kept_for_the_operator(said: object) -> None:
    seen = _seen(resultJson=said)
    assert (seen.outcome, seen.result_url) == (Outcome.SUCCESS, None)
    assert seen.unread.startswith('{"resultJson": ')


def test_what_is_kept_is_short_and_printable_and_without_our_order() -> None:
    seen = _seen(resultJson={"secret place": "\x1b[31m" + "x" * 5000})
    assert "secret place" in seen.unread
    assert seen.unread.isprintable()
    assert len(seen.unread) <= 2000
    assert "Make it night" not in seen.unread
    assert _seen(resultJson=RESULT).unread == ""
