"""A browser is told everything once, and then what changes."""

import asyncio
import json

from bot.sandbox.page.calls import items as calls
from bot.sandbox.page.feed import Told
from bot.sandbox.page.view import items
from bot.sandbox.telegram.refusals import too_many
from tests.sandbox.kie_asking import picture
from tests.sandbox.page.opened import FRIENDS, PRIVATE, Page, next_event


def read(event: bytes) -> object:
    assert event.endswith(b"\n\n")
    return json.loads(event.removeprefix(b"data: "))


def test_the_first_event_says_everything_and_the_others_what_changed() -> None:
    told = Told()
    assert read(told.news({"a": 1, "b": 2})) == {"whole": True, "set": {"a": 1, "b": 2}, "gone": []}
    assert told.news({"a": 1, "b": 2}) == b""
    assert read(told.news({"a": 3, "c": 4})) == {"whole": False, "set": {"a": 3, "c": 4}, "gone": ["b"]}


def test_an_event_is_one_line_whatever_is_written() -> None:
    assert Told().news({"a": "one\ntwo\r\u2028"}).count(b"\n") == 2


async def test_what_is_sent_is_told_at_once_and_a_reset_as_well(page: Page) -> None:
    async with page.session.get(page.url + "events") as answer, asyncio.timeout(20):
        first = await next_event(answer.content)
        assert first["whole"] is True
        assert next(name for name in first["set"] if name.startswith("place/")) == f"place/{PRIVATE}"
        await page.send(("cat.jpg", picture()), text="make it snow", place=FRIENDS)
        told = await next_event(answer.content)
        [message] = [thing for name, thing in told["set"].items() if name.startswith("message/")]
        assert (message["text"], message["from"]["name"], message["mine"]) == ("make it snow", "You", False)
        name = f"message/{message['chat']}/{message['id']}"
        await page.post("reset")
        gone: list[str] = []
        while name not in gone:
            gone += (await next_event(answer.content))["gone"]


async def test_the_page_closes_although_somebody_listens(page: Page) -> None:
    async with page.session.get(page.url + "events") as answer:
        await next_event(answer.content)
        await page.house.close()
        async with asyncio.timeout(5):
            while await answer.content.readline():
                pass


async def test_a_call_is_listed_with_what_it_is_about_and_what_came_of_it(page: Page) -> None:
    telegram = page.scene.telegram
    telegram.faults.add("sendMessage", too_many(3))
    for params in ({"chat_id": 1, "text": "one"}, {"chat_id": page.scene.you.id, "text": "two"}):
        async with page.session.post(f"{telegram.url}/bot{'1234567:' + 'sandbox-' * 4}/sendMessage", json=params):
            pass
    first, second = (call for _, call in calls(page.scene))
    assert (first["state"], first["about"]) == ("failed", "HTTP 429")
    assert (second["state"], second["about"]) == ("done", "two")
    async with page.session.get(page.url + "calls/telegram/0") as answer:
        said = await answer.json()
    assert '"text": "one"' in said["asked"]
    assert "retry after 3" in said["answered"]


async def test_the_menu_is_the_one_for_the_language_of_your_app(page: Page) -> None:
    telegram = page.scene.telegram
    url = f"{telegram.url}/bot{'1234567:' + 'sandbox-' * 4}/setMyCommands"
    for language in ("", "ru"):
        commands = [{"command": "help", "description": f"help {language}"}]
        body = {"commands": commands, "language_code": language, "scope": {"type": "all_group_chats"}}
        async with page.session.post(url, json=body) as answer:
            assert answer.status == 200
    for language, shown in (("en", ""), ("ru", "ru"), ("fr", "")):
        await page.post("do/adjust", language=language)
        assert items(page.scene)["menu"] == {"group": [{"command": "help", "description": f"help {shown}"}]}
    assert items(page.scene)["bench"]["languages"] == ["en", "ru"]


async def test_calls_to_kie_are_listed_as_well_and_no_key_with_them(page: Page) -> None:
    kie = page.scene.kie
    assert kie is not None
    headers = {"Authorization": "Bearer sandbox-key"}
    async with page.session.get(f"{kie.url}/api/v1/chat/credit", headers=headers) as answer:
        assert answer.status == 200
    [(name, call)] = calls(page.scene)
    assert (name, call["name"], call["state"]) == ("call/kie/0", "credit", "done")
    async with page.session.get(page.url + "calls/kie/0") as answer:
        text = await answer.text()
    assert "10000.0" in text
    assert "sandbox-key" not in text + repr(items(page.scene))
