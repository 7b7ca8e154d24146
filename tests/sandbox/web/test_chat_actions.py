"""What users do in the page's chats reaches the bot as updates."""

import asyncio
from typing import Any

import pytest

from bot.sandbox.web.session import GRACE_ID, OPERATOR_ID, YOU_ID
from tests.sandbox.kie.api_client import make_picture
from tests.sandbox.web.web_client import GROUP_CHAT, PRIVATE_CHAT, WebPageClient

OK_RESPONSE: tuple[int, dict[str, str]] = (200, {})
PICTURE = ("cat.jpg", make_picture())


def only_update_content(page: WebPageClient) -> dict[str, Any]:
    """Return the content of the only pending update."""
    [update] = page.updates
    [content] = [value for name, value in update.items() if name != "update_id"]
    assert isinstance(content, dict)
    return content


async def test_words_are_sent(page: WebPageClient) -> None:
    assert await page.send(text="/help") == OK_RESPONSE
    assert (only_update_content(page)["text"], only_update_content(page)["from"]["id"]) == ("/help", YOU_ID)


async def test_a_picture_is_sent_as_a_photo_with_its_caption(page: WebPageClient) -> None:
    assert await page.send(PICTURE, text="make it snow") == OK_RESPONSE
    assert only_update_content(page)["caption"] == "make it snow"
    assert only_update_content(page)["photo"]


async def test_a_picture_is_sent_as_a_file_byte_for_byte(page: WebPageClient) -> None:
    assert await page.send(PICTURE, text="make it snow", as_files="yes") == OK_RESPONSE
    document = only_update_content(page)["document"]
    assert (document["file_name"], page.session.telegram.file_bytes(document["file_id"])) == PICTURE


@pytest.mark.parametrize(("as_files", "kind"), [("", "photo"), ("yes", "document")])
async def test_several_pictures_are_sent_as_an_album(page: WebPageClient, as_files: str, kind: str) -> None:
    assert await page.send(*[PICTURE] * 10, text="a duel", as_files=as_files) == OK_RESPONSE
    messages = [update["message"] for update in page.updates]
    assert len(messages) == 10
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message.get("caption") for message in messages] == ["a duel"] + [None] * 9
    assert all(kind in message for message in messages)


async def test_somebody_else_replies_in_a_topic(page: WebPageClient) -> None:
    topic = next(conversation for conversation in page.session.conversations.values() if conversation.title == "Pets")
    await page.send(PICTURE, conversation=topic.key)
    first = only_update_content(page)
    assert (
        await page.send(conversation=topic.key, speaker=GRACE_ID, text="/edit snow", reply_to=first["message_id"])
        == OK_RESPONSE
    )
    reply = page.updates[1]["message"]
    assert (reply["from"]["id"], reply["message_thread_id"]) == (GRACE_ID, topic.thread)
    assert reply["reply_to_message"]["message_id"] == first["message_id"]


@pytest.mark.parametrize(("sent", "name"), [([PICTURE], "caption"), ([], "text")])
async def test_what_was_sent_is_edited(page: WebPageClient, sent: list[tuple[str, bytes]], name: str) -> None:
    await page.send(*sent, text="make it rain")
    message_id = only_update_content(page)["message_id"]
    assert (
        await page.post("edit", conversation=PRIVATE_CHAT, speaker=YOU_ID, message=message_id, text="make it snow")
        == OK_RESPONSE
    )
    assert page.updates[1]["edited_message"][name] == "make it snow"


async def test_a_press_reaches_the_bot_and_its_answer_the_page(page: WebPageClient) -> None:
    state = page.session.telegram.state
    button = {"text": "Cancel", "callback_data": "cancel:1"}
    message = state.add_bot_message(
        state.chats[YOU_ID], {"text": "Got it.", "reply_markup": {"inline_keyboard": [[button]]}}
    )
    params = {"conversation": PRIVATE_CHAT, "speaker": YOU_ID, "message": message["message_id"], "label": "Cancel"}
    pressing = asyncio.create_task(page.post("press", **params))
    await page.session.telegram.wait_for(lambda _: state.callback_answers, 5)
    assert only_update_content(page)["data"] == "cancel:1"
    state.callback_answers[only_update_content(page)["id"]] = {"text": "Taken back.", "show_alert": True}
    state.changes.notify()
    assert await pressing == (200, {"answer": "Taken back.", "show_alert": True})


async def test_a_press_whose_answer_has_no_text_is_answered(page: WebPageClient) -> None:
    state = page.session.telegram.state
    button = {"text": "Language", "callback_data": "page:1:0"}
    message = state.add_bot_message(
        state.chats[YOU_ID], {"text": "Settings", "reply_markup": {"inline_keyboard": [[button]]}}
    )
    params = {"conversation": PRIVATE_CHAT, "speaker": YOU_ID, "message": message["message_id"], "label": "Language"}
    pressing = asyncio.create_task(page.post("press", **params))
    await page.session.telegram.wait_for(lambda _: state.callback_answers, 5)
    state.callback_answers[only_update_content(page)["id"]] = {}
    state.changes.notify()
    async with asyncio.timeout(5):
        assert await pressing == (200, {"answer": "", "show_alert": False})


@pytest.mark.parametrize(
    ("pictures", "fields", "words"),
    [
        ([], {}, "nothing to send"),
        ([], {"text": " "}, "nothing to send"),
        ([("notes.txt", b"no picture")], {}, "send it as a file"),
        ([PICTURE] * 11, {}, "at most 10"),
        ([], {"text": "x", "speaker": GRACE_ID}, "Nobody can do this here"),
        ([], {"text": "x", "conversation": f"{OPERATOR_ID}/0"}, "Nobody can do this here"),
        ([], {"text": "x", "conversation": "nowhere"}, "Nobody can do this here"),
    ],
)
async def test_what_no_app_would_send_is_refused_with_the_reason(
    page: WebPageClient, pictures: list[tuple[str, bytes]], fields: dict[str, object], words: str
) -> None:
    status, answer = await page.send(*pictures, **fields)
    assert (status, page.updates) == (409, [])
    assert words in answer["error"]


async def test_what_somebody_else_wrote_cannot_be_edited(page: WebPageClient) -> None:
    await page.send(conversation=GROUP_CHAT, speaker=GRACE_ID, text="hello")
    params = {"conversation": GROUP_CHAT, "message": only_update_content(page)["message_id"], "text": "bye"}
    assert (await page.post("edit", speaker=YOU_ID, **params))[0] == 409
    assert (await page.post("edit", speaker=GRACE_ID, **params | {"text": ""}))[0] == 409
    assert len(page.updates) == 1


async def test_a_button_that_is_gone_is_said_to_be(page: WebPageClient) -> None:
    await page.send(text="hello")
    params = {
        "conversation": PRIVATE_CHAT,
        "speaker": YOU_ID,
        "message": only_update_content(page)["message_id"],
        "label": "Cancel",
    }
    assert await page.post("press", **params) == (409, {"error": "This button is gone."})


async def test_whoever_has_blocked_the_bot_cannot_write_to_it(page: WebPageClient) -> None:
    await page.post("actions/fault", name="telegram-blocked", on=True)
    status, answer = await page.send(text="hello")
    assert (status, "has blocked the bot" in answer["error"]) == (409, True)


@pytest.mark.parametrize("path", ["edit", "press", "actions/fault"])
async def test_what_is_no_order_is_refused(page: WebPageClient, path: str) -> None:
    headers = {"Origin": page.origin, "Content-Type": "application/json"}
    for body in (b"", b"[]", b"{"):
        async with page.http.post(page.url + path, data=body, headers=headers) as answer:
            assert answer.status == 400
