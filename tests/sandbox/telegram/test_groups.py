"""Groups: members, topics, Group Privacy, and the bot's status."""

import pytest
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden

from bot.sandbox.telegram import LocalTelegram, Person
from tests import bot_api_validator
from tests.sandbox.telegram.setup import make_image


def received_texts(telegram: LocalTelegram) -> list[str]:
    for update in telegram.state.updates.pending:
        bot_api_validator.validate_update(update)
    messages = [update.get("message", {}) for update in telegram.state.updates.pending]
    return [str(message.get("text", message.get("caption", "-"))) for message in messages]


@pytest.mark.parametrize(("chat_id", "kind"), [(-5, "group"), (-1_000_000_000_005, "supergroup")])
async def test_people_speak_in_a_group(telegram: LocalTelegram, chat_id: int, kind: str) -> None:
    ada, grace = telegram.person(), telegram.person(first_name="Grace")
    group = telegram.group(chat_id, members=[ada, grace])
    grace.send_photo(make_image(), "blue", chat=group)
    (message,) = telegram.messages(group.id)
    assert (message["chat"]["type"], message["from"]["first_name"]) == (kind, "Grace")
    assert received_texts(telegram) == ["blue"]


def test_the_id_of_a_group_is_negative(telegram: LocalTelegram) -> None:
    with pytest.raises(ValueError, match="negative"):
        telegram.group(5)


async def test_with_privacy_the_bot_hears_what_is_meant_for_it(telegram: LocalTelegram, bot: Bot) -> None:
    telegram.state.privacy_mode = True
    ada = telegram.person()
    group = telegram.group(members=[ada])
    sent = await bot.send_message(group.id, "hi")
    ada.send_text("among us", chat=group)
    ada.send_text("@darkroom_bot look", chat=group)
    ada.send_text("/edit@other_bot", chat=group)
    ada.send_photo(make_image(), "/edit@Darkroom_Bot blue", chat=group)
    ada.send_text("thanks", reply_to=sent.message_id, chat=group)
    assert received_texts(telegram) == ["/edit@Darkroom_Bot blue", "thanks"]


async def test_an_administrator_hears_everything(telegram: LocalTelegram) -> None:
    telegram.state.privacy_mode = True
    ada = telegram.person()
    group = telegram.group(members=[ada])
    group.set_bot_status("administrator", ada.user)
    ada.send_text("among us", chat=group)
    assert received_texts(telegram) == ["-", "among us"]


async def test_answers_stay_in_their_topic(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    group = telegram.group(members=[ada], is_forum=True)
    topic = group.open_topic("Holidays", ada.user)
    message_id = ada.send_text("hi", chat=group, thread=topic)
    sent = await bot.send_message(group.id, "hello", message_thread_id=topic, reply_to_message_id=message_id)
    assert (sent.message_thread_id, sent.is_topic_message) == (topic, True)
    assert received_texts(telegram) == ["-", "hi"]


async def test_a_reply_into_another_topic_is_refused(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    group = telegram.group(members=[ada], is_forum=True)
    topic = group.open_topic("Holidays", ada.user)
    elsewhere = ada.send_text("hi", chat=group)
    with pytest.raises(BadRequest, match=r"(?i)message to be replied not found"):
        await bot.send_message(
            group.id, "hello", message_thread_id=topic, reply_to_message_id=elsewhere, allow_sending_without_reply=True
        )


async def test_a_closed_or_unknown_topic_takes_nothing(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    group = telegram.group(members=[ada], is_forum=True)
    topic = group.open_topic("Holidays", ada.user)
    group.close_topic(topic)
    with pytest.raises(BadRequest, match="Topic_closed"):
        await bot.send_message(group.id, "hello", message_thread_id=topic)
    with pytest.raises(BadRequest, match=r"(?i)message thread not found"):
        await bot.send_message(group.id, "hello", message_thread_id=99)


@pytest.mark.parametrize(
    ("bot_status", "text"), [("kicked", "was kicked from the supergroup"), ("left", "is not a member")]
)
async def test_outside_the_bot_is_forbidden(
    telegram: LocalTelegram, bot: Bot, bot_status: str, text: str, ada: Person
) -> None:
    group = telegram.group(members=[ada])
    group.set_bot_status(bot_status, ada.user)
    ada.send_text("unheard", chat=group)
    assert received_texts(telegram) == ["-"]
    with pytest.raises(Forbidden, match=text):
        await bot.send_message(group.id, "hi")


async def test_a_group_that_grew_names_its_new_id(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    group = telegram.group(-5, members=[ada])
    grown = group.migrate(ada.user)
    assert received_texts(telegram) == ["-", "-"]
    with pytest.raises(ChatMigrated) as refusal:
        await bot.send_message(group.id, "hi")
    assert refusal.value.new_chat_id == grown.id
    assert (await bot.send_message(grown.id, "hi")).chat.type == "supergroup"


async def test_members_can_be_looked_up(telegram: LocalTelegram, bot: Bot) -> None:
    ada, grace = telegram.person(), telegram.person()
    group = telegram.group(members=[ada])
    assert (await bot.get_chat_member(group.id, ada.id)).status == "member"
    assert (await bot.get_chat_member(group.id, bot.id)).status == "member"
    with pytest.raises(BadRequest, match=r"(?i)user not found"):
        await bot.get_chat_member(group.id, grace.id)


async def test_a_command_for_nobody_in_particular_goes_to_the_bot_that_spoke_last(
    telegram: LocalTelegram, bot: Bot
) -> None:
    telegram.state.privacy_mode = True
    ada = telegram.person()
    group = telegram.group(members=[ada])
    ada.send_text("/edit before", chat=group)
    await bot.send_message(group.id, "hi")
    ada.send_text("/edit after", chat=group)
    assert received_texts(telegram) == ["/edit after"]


@pytest.mark.parametrize(("chat_id", "is_shown"), [(-5, False), (-1_000_000_000_005, True)])
async def test_privacy_hides_what_a_command_replies_to_in_basic_groups(
    telegram: LocalTelegram, chat_id: int, is_shown: bool
) -> None:
    telegram.state.privacy_mode = True
    ada = telegram.person()
    group = telegram.group(chat_id, members=[ada])
    photo = ada.send_photo(make_image(), chat=group)
    ada.send_text("/edit@darkroom_bot blue", reply_to=photo, chat=group)
    [update] = telegram.state.updates.pending
    assert ("reply_to_message" in update["message"]) is is_shown


async def test_an_administrator_may_remain_anonymous(telegram: LocalTelegram, ada: Person) -> None:
    group = telegram.group(members=[ada])
    ada.send_text("hi", chat=group, anonymously=True)
    [update] = telegram.state.updates.pending
    bot_api_validator.validate_update(update)
    assert update["message"]["sender_chat"]["id"] == group.id
    assert update["message"]["from"]["username"] == "GroupAnonymousBot"


async def test_a_person_may_write_as_a_channel_of_theirs(telegram: LocalTelegram, ada: Person) -> None:
    channel = {"id": -1_000_000_900_000, "type": "channel", "title": "News"}
    ada.send_text("hi", chat=telegram.group(members=[ada]), channel=channel)
    [update] = telegram.state.updates.pending
    bot_api_validator.validate_update(update)
    assert update["message"]["sender_chat"] == channel
    assert update["message"]["from"]["username"] == "Channel_Bot"


async def test_the_administrators_can_be_asked_for(telegram: LocalTelegram, bot: Bot) -> None:
    ada, grace = telegram.person(), telegram.person()
    group = telegram.group(members=[ada, grace])
    group.promote(grace.user)
    assert [one.user.id for one in await bot.get_chat_administrators(group.id)] == [grace.id]
    assert (await bot.get_chat_member(group.id, grace.id)).status == "administrator"
    group.demote(grace.user)
    assert await bot.get_chat_administrators(group.id) == ()
