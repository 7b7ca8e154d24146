"""The page's events: a snapshot first, then the changes."""

import asyncio
import json

from bot.sandbox.telegram.errors import too_many_requests
from bot.sandbox.web.page_state import EventEncoder, page_items
from bot.sandbox.web.page_state import call_items as calls
from tests.sandbox.kie.api_client import make_picture
from tests.sandbox.web.web_client import GROUP_CHAT, PRIVATE_CHAT, WebPageClient, read_event


def parse_event(event: bytes) -> object:
    assert event.endswith(b"\n\n")
    return json.loads(event.removeprefix(b"data: "))


def test_the_first_event_says_everything_and_the_others_what_changed() -> None:
    event = EventEncoder()
    assert parse_event(event.next_event({"a": 1, "b": 2})) == {"snapshot": True, "set": {"a": 1, "b": 2}, "removed": []}
    assert event.next_event({"a": 1, "b": 2}) == b""
    assert parse_event(event.next_event({"a": 3, "c": 4})) == {
        "snapshot": False,
        "set": {"a": 3, "c": 4},
        "removed": ["b"],
    }


def test_an_event_is_one_line_whatever_is_written() -> None:
    assert EventEncoder().next_event({"a": "one\ntwo\r\u2028"}).count(b"\n") == 2


async def test_what_is_sent_is_told_at_once_and_a_reset_as_well(page: WebPageClient) -> None:
    async with page.http.get(page.url + "events") as answer, asyncio.timeout(20):
        first = await read_event(answer.content)
        assert first["snapshot"] is True
        assert next(name for name in first["set"] if name.startswith("conversation/")) == f"conversation/{PRIVATE_CHAT}"
        await page.send(("cat.jpg", make_picture()), text="make it snow", conversation=GROUP_CHAT)
        event = await read_event(answer.content)
        [message] = [thing for name, thing in event["set"].items() if name.startswith("message/")]
        assert (message["text"], message["from"]["name"], message["from_bot"]) == ("make it snow", "You", False)
        name = f"message/{message['chat']}/{message['id']}"
        await page.post("reset")
        gone: list[str] = []
        while name not in gone:
            gone += (await read_event(answer.content))["removed"]


async def test_the_page_closes_although_somebody_listens(page: WebPageClient) -> None:
    async with page.http.get(page.url + "events") as answer:
        await read_event(answer.content)
        await page.sessions.close()
        async with asyncio.timeout(5):
            while await answer.content.readline():
                pass


async def test_a_call_is_listed_with_what_it_is_about_and_what_came_of_it(page: WebPageClient) -> None:
    telegram = page.session.telegram
    telegram.faults.add("sendMessage", too_many_requests(3))
    for params in ({"chat_id": 1, "text": "one"}, {"chat_id": page.session.default_person.id, "text": "two"}):
        async with page.http.post(f"{telegram.url}/bot{'1234567:' + 'sandbox-' * 4}/sendMessage", json=params):
            pass
    first, second = (call for _, call in calls(page.session))
    assert (first["state"], first["about"]) == ("failed", "HTTP 429")
    assert (second["state"], second["about"]) == ("done", "two")
    async with page.http.get(page.url + "calls/telegram/0") as answer:
        details = await answer.json()
    assert '"text": "one"' in details["request"]
    assert "retry after 3" in details["response"]


async def test_the_menu_is_the_one_for_the_language_of_your_app(page: WebPageClient) -> None:
    telegram = page.session.telegram
    url = f"{telegram.url}/bot{'1234567:' + 'sandbox-' * 4}/setMyCommands"
    for language in ("", "ru"):
        commands = [{"command": "help", "description": f"help {language}"}]
        body = {"commands": commands, "language_code": language, "scope": {"type": "all_group_chats"}}
        async with page.http.post(url, json=body) as answer:
            assert answer.status == 200
    for language, shown in (("en", ""), ("ru", "ru"), ("fr", "")):
        await page.post("actions/adjust", language=language)
        assert page_items(page.session)["menu"] == {"group": [{"command": "help", "description": f"help {shown}"}]}
    assert page_items(page.session)["settings"]["languages"] == ["en", "ru"]


async def test_calls_to_kie_are_listed_as_well_and_no_key_with_them(page: WebPageClient) -> None:
    kie = page.session.kie
    assert kie is not None
    headers = {"Authorization": "Bearer sandbox-key"}
    async with page.http.get(f"{kie.url}/api/v1/chat/credit", headers=headers) as answer:
        assert answer.status == 200
    [(name, call)] = calls(page.session)
    assert (name, call["name"], call["state"]) == ("call/kie/0", "credit", "done")
    async with page.http.get(page.url + "calls/kie/0") as answer:
        text = await answer.text()
    assert "10000.0" in text
    assert "sandbox-key" not in text + repr(page_items(page.session))
