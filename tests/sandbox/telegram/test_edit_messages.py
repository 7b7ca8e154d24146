"""Editing, deleting and reacting to messages."""

from datetime import timedelta

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, Message
from telegram.error import BadRequest

from bot.sandbox.telegram import LocalTelegram, Person
from bot.sandbox.telegram.message_methods import DELETABLE_SECONDS, REACTIONS
from tests.sandbox.telegram.setup import TOKEN, make_bot, make_image, serve_telegram

KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="stop")]])


async def test_a_text_can_be_edited(bot: Bot, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "working", reply_markup=KEYBOARD)
    edited = await bot.edit_message_text("done", ada.id, sent.message_id)
    assert isinstance(edited, Message)
    assert (edited.text, edited.reply_markup) == ("done", None)
    assert edited.edit_date


async def test_the_same_again_is_not_modified(bot: Bot, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "working", reply_markup=KEYBOARD)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("working", ada.id, sent.message_id, reply_markup=KEYBOARD)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_reply_markup(ada.id, sent.message_id, reply_markup=KEYBOARD)


async def test_a_keyboard_can_be_taken_away(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "working", reply_markup=KEYBOARD)
    await bot.edit_message_reply_markup(ada.id, sent.message_id)
    (shown,) = telegram.bot_messages(ada.id)
    assert "reply_markup" not in shown
    assert shown["text"] == "working"


async def test_a_caption_can_be_edited(bot: Bot, ada: Person) -> None:
    sent = await bot.send_photo(ada.id, make_image(), caption="a")
    edited = await bot.edit_message_caption(ada.id, sent.message_id, caption="b")
    assert isinstance(edited, Message)
    assert (edited.caption, edited.photo) == ("b", sent.photo)


async def test_a_text_can_become_the_picture(bot: Bot, ada: Person) -> None:
    request = ada.send_text("please")
    sent = await bot.send_message(ada.id, "working", reply_to_message_id=request)
    edited = await bot.edit_message_media(InputMediaPhoto(make_image(), caption="done"), ada.id, sent.message_id)
    assert isinstance(edited, Message)
    assert (edited.text, edited.caption, bool(edited.photo)) == (None, "done", True)
    assert edited.reply_to_message


async def test_the_same_picture_again_is_not_modified(bot: Bot, ada: Person) -> None:
    sent = await bot.send_photo(ada.id, make_image())
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_media(InputMediaPhoto(sent.photo[0].file_id), ada.id, sent.message_id)


async def test_only_fitting_edits_are_taken(bot: Bot, ada: Person) -> None:
    text, photo = await bot.send_message(ada.id, "a"), await bot.send_photo(ada.id, make_image())
    with pytest.raises(BadRequest, match="no caption in the message"):
        await bot.edit_message_caption(ada.id, text.message_id, caption="b")
    with pytest.raises(BadRequest, match="no text in the message"):
        await bot.edit_message_text("b", ada.id, photo.message_id)


async def test_only_own_messages_can_be_edited(bot: Bot, ada: Person) -> None:
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("b", ada.id, ada.send_text("a"))
    with pytest.raises(BadRequest, match=r"(?i)message to edit not found"):
        await bot.edit_message_text("b", ada.id, 99)


async def test_a_message_can_be_deleted_once(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "working")
    await bot.delete_message(ada.id, sent.message_id)
    assert telegram.messages(ada.id) == []
    with pytest.raises(BadRequest, match=r"(?i)message to delete not found"):
        await bot.delete_message(ada.id, sent.message_id)


async def test_several_deletions_skip_what_is_gone(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "working")
    assert await bot.delete_messages(ada.id, [sent.message_id, 98, 99])
    assert telegram.messages(ada.id) == []


async def test_in_a_group_others_messages_take_an_administrator(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    group = telegram.group(members=[ada])
    message_id = ada.send_text("hi", chat=group)
    with pytest.raises(BadRequest, match="Message can't be deleted"):
        await bot.delete_message(group.id, message_id)
    group.set_bot_status("administrator", ada.user)
    assert await bot.delete_message(group.id, message_id)


async def test_after_two_days_a_message_stays() -> None:
    now = 1_000_000.0
    telegram = LocalTelegram(token=TOKEN, clock=lambda: now)
    async with serve_telegram(telegram), make_bot(telegram) as bot:
        sent = await bot.send_message(telegram.person().id, "hi")
        now += timedelta(seconds=DELETABLE_SECONDS + 1).total_seconds()
        with pytest.raises(BadRequest, match="Message can't be deleted"):
            await bot.delete_message(sent.chat_id, sent.message_id)


async def test_the_newest_reaction_replaces_the_one_before(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    message_id = ada.send_photo(make_image())
    await bot.set_message_reaction(ada.id, message_id, "👀")
    await bot.set_message_reaction(ada.id, message_id, "👍")
    assert telegram.reactions(ada.id, message_id) == ["👍"]
    await bot.set_message_reaction(ada.id, message_id)
    assert telegram.reactions(ada.id, message_id) == []


async def test_odd_reactions_are_refused(bot: Bot, ada: Person) -> None:
    message_id = ada.send_text("hi")
    with pytest.raises(BadRequest, match="Reaction_invalid"):
        await bot.set_message_reaction(ada.id, message_id, "✅")
    with pytest.raises(BadRequest, match="Reactions_too_many"):
        await bot.set_message_reaction(ada.id, message_id, ["👍", "👀"])
    with pytest.raises(BadRequest, match=r"(?i)message to react not found"):
        await bot.set_message_reaction(ada.id, 99, "👀")


def test_the_reactions_are_those_of_the_documentation() -> None:
    assert len(REACTIONS) == 73
    assert {"👀", "❤\u200d🔥", "🤷\u200d♀"} <= REACTIONS
