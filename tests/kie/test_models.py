"""What we send is right before it costs anything; Kie's words are told apart by what they mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.kie.models import EditInput, is_policy_refusal, is_refusal

URL = "https://files.example/a%2Fb.jpg?x=1#frag"


def make_edit_input(**fields: Any) -> EditInput:
    return EditInput(**({"prompt": "Make it night", "image_urls": (URL,)} | fields))


def test_the_ratio_goes_out_under_both_names() -> None:
    assert make_edit_input(image_size="16:9", output_format="jpeg").to_wire() == {
        "prompt": "Make it night",
        "image_urls": [URL],
        "output_format": "jpeg",
        "image_size": "16:9",
        "aspect_ratio": "16:9",
    }


def test_the_pictures_own_shape_is_said_and_not_left_out() -> None:
    wire = make_edit_input().to_wire()
    assert (wire["image_size"], wire["aspect_ratio"]) == ("auto", "auto")


@pytest.mark.parametrize(
    "url", ["http://h", "https://H.example:443/a b".replace(" ", "%20"), "https://bücher.example/ä.png", URL]
)
def test_a_url_goes_out_as_it_was_given(url: str) -> None:
    assert make_edit_input(image_urls=(url,)).to_wire()["image_urls"] == [url]


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": "x" * 5001},
        {"prompt": 7},
        {"prompt": b"bytes"},
        {"prompt": "\ud800"},
        {"image_urls": ()},
        {"image_urls": (URL,) * 11},
        {"image_urls": URL},
        {"image_urls": ("data:image/png;base64,AAAA",)},
        {"image_urls": ("ftp://files.example/a.jpg",)},
        {"image_urls": ("https://",)},
        {"image_urls": ("https://files.example/a b.jpg",)},
        {"image_urls": ("https://files.example/a\n.jpg",)},
        {"image_urls": ("https://[broken/a.jpg",)},
        {"output_format": "jpg"},
        {"output_format": ""},
        {"image_size": "3:2"},
        {"image_size": ""},
        {"image_size": None},
        {"aspect_ratio": "1:1"},
        {"image_input": [URL]},
    ],
)
def test_what_kie_would_refuse_or_ignore_is_not_sent(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_edit_input(**fields)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5000).filter(str.strip))
def test_any_prompt_of_up_to_5000_code_points_goes_out_unchanged(prompt: str) -> None:
    assert make_edit_input(prompt=prompt).to_wire()["prompt"] == prompt


def test_prompts_are_counted_in_code_points() -> None:
    assert make_edit_input(prompt="🌒" * 5000).prompt == "🌒" * 5000


def test_a_complaint_does_not_quote_the_prompt() -> None:
    with pytest.raises(ValidationError) as caught:
        make_edit_input(prompt="a private wish " * 400)
    assert "private" not in str(caught.value)


POLICY_TEXTS = [
    "… image was filtered out because it violated Google's Generative AI Prohibited Use policy",
    "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
    "Content was flagged by the safety system. Try different prompts or inputs.",
    "Your input was rejected. Please try again or with a different input.",
    "Your prompt was caught by our AI moderator. Please adjust it and try again!",
    "Invalid prompt: prompt contains prohibited content",
    "NSFW content detected",
]
INPUT_TEXTS = [
    "Gemini could not generate an image with the given prompt. Please try again with a different prompt.",
    "Failed to create task: image_size is not within the range of allowed options",
    "This aspect_ratio is not within the range of allowed options",
    "image_urls file type not supported",
    "The text length cannot exceed the maximum limit",
    "Images size exceeds limit",
    "enable_safety_checker it must be a boolean",
]
BREAKDOWN_TEXTS = [
    "",
    "Internal Error, Please try again later.",
    "internal error, please try again later",
    "Internal Error",
    "the server is busy",
    "Internal server error",
    "Director: unexpected error handling prediction (E6716)",
    "Server Error - An unexpected error occurred while processing the request",
    "SQLIntegrityConstraintViolationException",
    "upstream rejected the connection",
    "This field is required",
]


@pytest.mark.parametrize(
    ("text", "policy", "refusal"),
    [(text, True, True) for text in POLICY_TEXTS]
    + [(text, False, True) for text in INPUT_TEXTS]
    + [(text, False, False) for text in BREAKDOWN_TEXTS],
)
def test_kies_words_tell_a_refusal_from_a_breakdown(text: str, policy: bool, refusal: bool) -> None:
    assert (is_policy_refusal(text), is_refusal(text)) == (policy, refusal)
