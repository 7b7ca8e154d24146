"""The menus of commands: in every scope and language, and set only when they are others than before."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.operate.menus import OFFERED, Menus
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.door import Call
from bot.texts import languages
from tests.house import House, a_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The bot with its usual settings."""
    async with a_house(tmp_path) as opened:
        yield opened


def _set(house: House) -> list[Call]:
    return [call for call in house.telegram.calls if call.method == "setMyCommands"]


async def test_every_scope_has_a_menu_in_every_language(house: House) -> None:
    await house.bot.menus.tell()
    told = {(str(call.params["scope"]), call.params.get("language_code")) for call in _set(house)}
    assert len(told) == len(OFFERED) * len(languages())
    assert {language for _, language in told} == {None, *languages()} - {"en"}


async def test_settings_are_offered_to_those_who_may_change_them(house: House) -> None:
    await house.bot.menus.tell()
    for call in _set(house):
        has_settings = "settings" in str(call.params["commands"])
        assert has_settings == ("all_group_chats" not in str(call.params["scope"]))


async def test_they_are_set_only_when_they_have_changed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.bot.menus.tell()
    before = len(_set(house))
    await house.bot.menus.tell()
    assert len(_set(house)) == before
    monkeypatch.setitem(dict(OFFERED), "all_group_chats", ("edit",))
    monkeypatch.setattr("bot.operate.menus.OFFERED", {"all_group_chats": ("edit",)})
    await house.bot.menus.tell()
    assert len(_set(house)) == before + len(languages())


async def test_what_was_cut_short_is_told_again_as_a_whole(house: House) -> None:
    house.telegram.faults.add("setMyCommands", Fault(Kind.CUT_BEFORE))
    menus = Menus(house.bot.db, house.bot.chat, frozenset())
    telling = asyncio.create_task(menus.run())
    await house.telegram.wait_for(lambda telegram: any(c.method == "setMyCommands" for c in telegram.calls), 10)
    await asyncio.wait([telling], timeout=0.2)
    assert not telling.done(), "it waits before it tries again, and nothing waits for it"
    telling.cancel()
    await asyncio.wait([telling])
    await menus.tell()
    assert len(_set(house)) == len(OFFERED) * len(languages()) + 1


async def test_an_admin_is_offered_the_figures_and_nobody_else_is(tmp_path: Path) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({9009})) as house:
        house.telegram.person(user_id=9009).send_text("hello")
        await house.bot.menus.tell()
        own = [call for call in _set(house) if "stats" in str(call.params["commands"])]
    assert all("9009" in str(call.params["scope"]) for call in own)
    assert len(own) == len(languages())


async def test_the_menu_of_an_admin_who_has_not_written_yet_is_told_at_a_later_start(tmp_path: Path) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({9009})) as house:
        await house.bot.menus.tell()
        assert house.telegram.cloud.profile
        assert not _of(house, 9009)
        house.telegram.person(user_id=9009).send_text("hello")
        await house.bot.menus.tell()
        assert len(_of(house, 9009)) == len(languages())
        before = len(_set(house))
        await house.bot.menus.tell()
        assert len(_set(house)) == before


def _of(house: House, chat_id: int) -> list[object]:
    """Return the menus that Telegram shows in one chat alone."""
    return [menu for key, menu in house.telegram.cloud.profile.items() if f"'chat_id', {chat_id}" in str(key)]
