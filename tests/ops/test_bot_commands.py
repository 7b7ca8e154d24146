"""The bot commands: published in every scope and language, and only when they changed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.i18n import languages
from bot.ops.bot_commands import OFFERED_COMMANDS, BotCommands
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.bot_api_server import TelegramCall
from tests.bot_harness import BotHarness, open_bot_harness


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """The bot with its usual settings."""
    async with open_bot_harness(tmp_path) as opened:
        yield opened


def _set_commands(house: BotHarness) -> list[TelegramCall]:
    return [call for call in house.telegram.calls if call.method == "setMyCommands"]


async def test_every_scope_has_a_menu_in_every_language(house: BotHarness) -> None:
    await house.bot.bot_commands.publish()
    told = {(str(call.params["scope"]), call.params.get("language_code")) for call in _set_commands(house)}
    assert len(told) == len(OFFERED_COMMANDS) * len(languages())
    assert {language for _, language in told} == {None, *languages()} - {"en"}


async def test_settings_are_offered_to_those_who_may_change_them(house: BotHarness) -> None:
    await house.bot.bot_commands.publish()
    for call in _set_commands(house):
        has_settings = "settings" in str(call.params["commands"])
        assert has_settings == ("all_group_chats" not in str(call.params["scope"]))


async def test_they_are_set_only_when_they_have_changed(house: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.bot.bot_commands.publish()
    before = len(_set_commands(house))
    await house.bot.bot_commands.publish()
    assert len(_set_commands(house)) == before
    monkeypatch.setitem(dict(OFFERED_COMMANDS), "all_group_chats", ("edit",))
    monkeypatch.setattr("bot.ops.bot_commands.OFFERED_COMMANDS", {"all_group_chats": ("edit",)})
    await house.bot.bot_commands.publish()
    assert len(_set_commands(house)) == before + len(languages())


async def test_what_was_cut_short_is_told_again_as_a_whole(house: BotHarness) -> None:
    house.telegram.faults.add("setMyCommands", Fault(FaultKind.DISCONNECT_BEFORE))
    menus = BotCommands(house.bot.db, house.bot.telegram, frozenset())
    telling = asyncio.create_task(menus.run())
    await house.telegram.wait_for(lambda telegram: any(c.method == "setMyCommands" for c in telegram.calls), 10)
    await asyncio.wait([telling], timeout=0.2)
    assert not telling.done(), "it waits before it tries again, and nothing waits for it"
    telling.cancel()
    await asyncio.wait([telling])
    await menus.publish()
    assert len(_set_commands(house)) == len(OFFERED_COMMANDS) * len(languages()) + 1


async def test_an_admin_is_offered_the_figures_and_nobody_else_is(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({9009})) as house:
        house.telegram.person(user_id=9009).send_text("hello")
        await house.bot.bot_commands.publish()
        own = [call for call in _set_commands(house) if "stats" in str(call.params["commands"])]
    assert all("9009" in str(call.params["scope"]) for call in own)
    assert len(own) == len(languages())


async def test_the_menu_of_an_admin_who_has_not_written_yet_is_told_at_a_later_start(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({9009})) as house:
        await house.bot.bot_commands.publish()
        assert house.telegram.state.profile
        assert not _commands_of_chat(house, 9009)
        house.telegram.person(user_id=9009).send_text("hello")
        await house.bot.bot_commands.publish()
        assert len(_commands_of_chat(house, 9009)) == len(languages())
        before = len(_set_commands(house))
        await house.bot.bot_commands.publish()
        assert len(_set_commands(house)) == before


def _commands_of_chat(house: BotHarness, chat_id: int) -> list[object]:
    return [menu for key, menu in house.telegram.state.profile.items() if f"'chat_id', {chat_id}" in str(key)]
