"""createTask refuses invalid requests with Kie's own messages."""

from typing import Any

import pytest

from bot.sandbox.kie.create_task import ApiYear, KieRefusalError, parse_create_task

URL = "http://127.0.0.1/files/cat.JPG?signed=1"
RANGE = "is not within the range of allowed options"
TYPE = "image_urls file type not supported"


def order_body(**extra: Any) -> dict[str, Any]:
    return {"model": "google/nano-banana-edit", "input": {"prompt": "snow", "image_urls": [URL], **extra}}


def refusal_of(given: object, api_year: ApiYear = 2026) -> tuple[int, str]:
    with pytest.raises(KieRefusalError) as caught:
        parse_create_task(given, api_year)
    return caught.value.code, caught.value.msg


@pytest.mark.parametrize(
    ("extra", "msg"),
    [
        ({"prompt": ""}, "This field is required"),
        ({"prompt": None}, "This field is required"),
        ({"image_urls": []}, "This field is required"),
        ({"prompt": 7}, "prompt it must be a string"),
        ({"image_urls": URL}, "image_urls it must be an array"),
        ({"prompt": "x" * 5001}, "The text length cannot exceed the maximum limit"),
        ({"output_format": "jpg"}, f"output_format {RANGE}"),
        ({"image_size": ""}, f"image_size {RANGE}"),
        ({"image_size": "1:2"}, f"image_size {RANGE}"),
        ({"aspect_ratio": "1:2"}, f"This aspect_ratio {RANGE}"),
        ({"image_urls": ["data:image/png;base64,AAAA"]}, TYPE),
        ({"image_urls": ["ftp://127.0.0.1/a.png"]}, TYPE),
        ({"image_urls": ["http://127.0.0.1/picture"]}, TYPE),
        ({"image_urls": ["http://127.0.0.1/a.heic"]}, TYPE),
        ({"image_urls": ["http://[bad/a.png"]}, TYPE),
        ({"image_urls": [URL, 5]}, TYPE),
        ({"image_urls": [URL] * 11}, "image_urls exceeds the maximum number of files"),
    ],
)
def test_a_bad_field_is_code_500_with_its_text(extra: dict[str, Any], msg: str) -> None:
    assert refusal_of(order_body(**extra)) == (500, msg)


def test_an_unknown_model_is_not_published() -> None:
    expected = (422, "The page does not exist or is not published")
    assert refusal_of({**order_body(), "model": "google/nano-banana-edti"}) == expected


@pytest.mark.parametrize("given", [None, b"{", [], "text"])
def test_what_is_no_object_is_a_server_error(given: object) -> None:
    assert refusal_of(given)[1].startswith("Server Error")


@pytest.mark.parametrize("given", [{"model": "google/nano-banana-edit"}, order_body() | {"input": "text"}])
def test_input_must_be_there(given: object) -> None:
    assert refusal_of(given) == (500, "This field is required")


def test_exactly_the_limits_are_accepted() -> None:
    order = parse_create_task(order_body(prompt="ж" * 5000, image_urls=[URL] * 10), 2026)
    assert len(order.image_urls) == 10
    assert order.output_format == "png"


def test_ratios_of_later_years_are_unknown_in_2025() -> None:
    assert refusal_of(order_body(image_size="21:9"), 2025) == (500, f"image_size {RANGE}")
    assert parse_create_task(order_body(image_size="21:9"), 2026).ratio == "21:9"


def test_a_field_that_did_not_exist_in_2025_is_ignored_there() -> None:
    assert parse_create_task(order_body(aspect_ratio="nonsense", image_size="16:9"), 2025).ratio == "16:9"


@pytest.mark.parametrize(("api_year", "ratio"), [(2025, "auto"), (2026, "1:1")])
def test_a_ratio_left_out_means_another_thing_each_year(api_year: ApiYear, ratio: str) -> None:
    assert parse_create_task(order_body(), api_year).ratio == ratio


def test_the_ratio_of_the_later_field_counts() -> None:
    assert parse_create_task(order_body(image_size="1:1", aspect_ratio="auto"), 2026).ratio == "auto"


def test_fields_that_kie_does_not_know_are_ignored() -> None:
    assert parse_create_task(order_body(seed=5), 2026).input["seed"] == 5
