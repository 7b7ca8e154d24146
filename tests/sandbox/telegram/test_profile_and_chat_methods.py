"""The bot's profile and commands, chats, and flood control."""

import pytest
from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats
from telegram.error import BadRequest, RetryAfter

from bot.sandbox.telegram import LocalTelegram, Person
from bot.sandbox.telegram.errors import BotApiError
from bot.sandbox.telegram.flood_control import CHAT_BURST, GROUP_PER_MINUTE, OVERALL_PER_SECOND, FloodControl


async def test_the_bot_knows_itself(telegram: LocalTelegram, bot: Bot) -> None:
    assert (bot.id, bot.username, bot.can_read_all_group_messages) == (123456, "darkroom_bot", True)
    telegram.state.privacy_mode = True
    assert (await bot.get_me()).can_read_all_group_messages is False


async def test_commands_are_kept_per_scope_and_language(bot: Bot) -> None:
    await bot.set_my_commands([("help", "What I can do")])
    await bot.set_my_commands([("hilfe", "Was ich kann")], BotCommandScopeAllPrivateChats(), "de")
    assert await bot.get_my_commands() == (BotCommand("help", "What I can do"),)
    assert await bot.get_my_commands(language_code="de") == ()
    assert len(await bot.get_my_commands(BotCommandScopeAllPrivateChats(), "de")) == 1
    await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()


@pytest.mark.parametrize("command", [("Help", "x"), ("help", ""), ("a" * 33, "x"), ("help", "x" * 257)])
async def test_odd_commands_are_refused(bot: Bot, command: tuple[str, str]) -> None:
    with pytest.raises(BadRequest, match="Bot_command"):
        await bot.set_my_commands([command])


async def test_descriptions_fall_back_to_no_language(bot: Bot) -> None:
    await bot.set_my_description("Edits photos")
    await bot.set_my_short_description("Fotos", "de")
    assert (await bot.get_my_description("de")).description == "Edits photos"
    assert (await bot.get_my_short_description()).short_description == ""


async def test_a_description_has_a_limit(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="too long"):
        await bot.set_my_short_description("x" * 121)


async def test_a_chat_can_be_looked_up(telegram: LocalTelegram, bot: Bot) -> None:
    chat = await bot.get_chat(telegram.person(first_name="Grace").id)
    assert (chat.type, chat.first_name) == ("private", "Grace")
    with pytest.raises(BadRequest, match=r"(?i)chat not found"):
        await bot.get_chat(5)


async def test_flood_control_is_a_switch(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    for _ in range(CHAT_BURST + 1):
        await bot.send_message(ada.id, "hi")
    telegram.state.enforce_flood_control = True
    for _ in range(CHAT_BURST):
        await bot.send_message(ada.id, "hi")
    with pytest.raises(RetryAfter):
        await bot.send_message(ada.id, "hi")


def test_a_chat_takes_a_burst_and_then_one_a_second() -> None:
    floods = FloodControl()
    for _ in range(CHAT_BURST):
        floods.count_message(1, 0)
    with pytest.raises(BotApiError) as refusal:
        floods.count_message(1, 1)
    assert refusal.value.parameters == {"retry_after": CHAT_BURST - 1}
    floods.count_message(1, CHAT_BURST)


def test_what_is_refused_counts_nothing() -> None:
    floods = FloodControl()
    for _ in range(CHAT_BURST):
        floods.count_message(1, 0)
    for _ in range(CHAT_BURST):
        with pytest.raises(BotApiError):
            floods.count_message(1, 1)
    floods.count_message(1, CHAT_BURST)


def test_a_group_takes_20_a_minute() -> None:
    floods = FloodControl()
    for second in range(GROUP_PER_MINUTE):
        floods.count_message(-1, second)
    with pytest.raises(BotApiError) as refusal:
        floods.count_message(-1, GROUP_PER_MINUTE)
    assert refusal.value.parameters == {"retry_after": 40}


def test_all_chats_together_take_30_a_second() -> None:
    floods = FloodControl()
    for chat_id in range(1, OVERALL_PER_SECOND + 1):
        floods.count_message(chat_id, 0)
    with pytest.raises(BotApiError, match="retry after 1"):
        floods.count_message(99, 0.5)
    floods.count_message(99, 1)
