"""The validator accepts what Telegram documents, and nothing else."""

from typing import Any

import pytest

from tests import bot_api_validator

MESSAGE: dict[str, Any] = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "hi"}


@pytest.mark.parametrize(
    ("method", "params", "files"),
    [
        ("sendMessage", {"chat_id": 1, "text": "hi", "reply_parameters": {"message_id": 2}}, {}),
        ("sendMessage", {"chat_id": "1", "text": "{", "reply_parameters": '{"message_id": 2}'}, {}),
        ("sendPhoto", {"chat_id": "1", "has_spoiler": "true"}, {"photo": b""}),
        ("editMessageMedia", {"media": {"type": "photo", "media": "attach://a"}}, {"a": b""}),
        ("getMe", {}, {}),
    ],
)
def test_documented_requests_pass(method: str, params: dict[str, Any], files: dict[str, Any]) -> None:
    bot_api_validator.validate_request(method, params, files)


@pytest.mark.parametrize(
    ("method", "params", "files", "problem"),
    [
        ("makeCoffee", {}, {}, "no method makeCoffee"),
        ("sendMessage", {"chat_id": 1}, {}, "text"),
        ("sendMessage", {"chat_id": 1, "text": "hi", "mesage_thread_id": 2}, {}, "mesage_thread_id is unknown"),
        (
            "sendMessage",
            {"chat_id": 1, "text": "hi", "reply_parameters": '{"message_id": 2, "allow_without": true}'},
            {},
            "reply_parameters.allow_without is unknown",
        ),
        (
            "sendMessage",
            {"chat_id": 1, "text": "hi", "reply_markup": {"inline_keyboard": [[{"text": "a", "data": "b"}]]}},
            {},
            r"inline_keyboard\[0\]\[0\].data is unknown",
        ),
        ("sendMessage", {"chat_id": 1, "text": "hi", "reply_to_message_id": 2}, {}, "is deprecated"),
        ("sendMessage", {"chat_id": 1, "text": "hi"}, {"photo": b""}, "photo is not referred to"),
        ("editMessageMedia", {"media": {"type": "photo", "media": "attach://a"}}, {}, "a is missing"),
        ("sendMessage", {"chat_id": 1, "text": "hi", "message_thread_id": "two"}, {}, "Expecting value"),
    ],
)
def test_undocumented_requests_are_refused(
    method: str, params: dict[str, Any], files: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        bot_api_validator.validate_request(method, params, files)


def test_a_documented_update_passes() -> None:
    bot_api_validator.validate_update({"update_id": 1, "message": MESSAGE})


@pytest.mark.parametrize(
    "message",
    [MESSAGE | {"colour": "blue"}, MESSAGE | {"chat": {"id": 1, "type": "private", "colour": "blue"}}, {"text": "hi"}],
)
def test_an_undocumented_update_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"colour is unknown|message\.message_id"):
        bot_api_validator.validate_update({"update_id": 1, "message": message})
