"""Groups: the bot answers only when addressed, in the right topic, and keeps the albums of different users apart."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.job import FailureReason, State
from bot.sandbox.telegram.errors import bad_request
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo, query_database, render_english

BASIC_GROUP_ID = -5


@pytest.fixture
def here(house: BotHarness) -> GroupHarness:
    """A supergroup in which the bot receives all messages: its privacy mode is off."""
    return create_group(house)


@pytest.fixture
async def shy(tmp_path: Path) -> AsyncIterator[GroupHarness]:
    """A supergroup in which the bot's privacy mode is on."""
    async with open_bot_harness(tmp_path) as house:
        here = create_group(house)
        here.harness.telegram.state.privacy_mode = True
        await house.bot.set_identity(await house.bot.telegram.get_me())
        yield here


def _dump_database(house: BotHarness) -> str:
    path = Path(house.bot.settings.database_path)
    tables = [row["name"] for row in query_database(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return "\n".join(str(tuple(row)) for table in tables for row in query_database(path, f"SELECT * FROM {table}"))  # noqa: S608 - our own names


def _picture_size(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture)) as image:
        return image.size


# -- how the bot is addressed


@pytest.mark.parametrize(
    "caption",
    ["/edit make it snow", "/edit@darkroom_bot make it snow", "/EDIT@Darkroom_Bot make it snow",
     "@darkroom_bot make it snow", "make it snow, @darkroom_bot", "make it snow @DARKROOM_BOT"],
)  # fmt: skip
async def test_a_picture_whose_caption_is_for_the_bot_is_edited(here: GroupHarness, caption: str) -> None:
    asked = here.ada.send_photo(make_photo(), caption=caption, chat=here.group)
    [answer] = await here.finish_edits()
    assert answer["reply_to_message"]["message_id"] == asked
    [task] = here.harness.kie.tasks.values()
    assert task.request.input["prompt"].removesuffix(",") == "make it snow"


async def test_a_picture_file_can_be_sent_as_well(here: GroupHarness) -> None:
    here.ada.send_document(make_photo(), "a.jpg", caption="/edit make it snow", chat=here.group)
    assert len(await here.finish_edits()) == 1


@pytest.mark.parametrize("words", ["/edit at night", "/edit@darkroom_bot at night", "@darkroom_bot at night"])
async def test_a_reply_to_anybodys_picture_edits_that_one(here: GroupHarness, words: str) -> None:
    photo = here.grace.send_photo(make_photo(), chat=here.group)
    asked = here.ada.send_text(words, reply_to=photo, chat=here.group)
    [answer] = await here.finish_edits()
    assert answer["reply_to_message"]["message_id"] == asked
    [task] = here.harness.kie.tasks.values()
    assert task.request.input["prompt"] == "at night"
    shown = next(m for m in here.harness.telegram.messages(here.group.id) if m["message_id"] == photo)
    assert task.inputs == [here.harness.telegram.message_photo_bytes(shown)]


async def test_a_reply_to_a_picture_of_the_bot_edits_it_further_whoever_writes_it(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    here.grace.send_text("now at night", reply_to=answer["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 2
    first, second = here.harness.kie.tasks.values()
    assert second.request.input["prompt"] == "now at night"
    [sent] = second.inputs
    assert _picture_size(sent) == _picture_size(first.result), "from the full quality, not from what Telegram shows"


CHATTER: list[dict[str, Any]] = [
    {"text": "the secret of the day"},
    {"text": "the secret of @darkroom_bot"},
    {"text": "/ban the secret"},
    {"text": "/edit@other_bot the secret"},
    {"text": "secret/edit this"},
    {"photo": True, "caption": "the secret beach"},
    {"photo": True},
    {"photo": True, "caption": "look /edit the secret"},
    {"photo": True, "caption": "/edit@other_bot the secret"},
    {"photo": True, "caption": "for @other_bot: a secret"},
]


@pytest.mark.parametrize("said", CHATTER, ids=lambda said: str(said.get("text", said.get("caption"))))
async def test_what_people_say_among_each_other_is_neither_answered_nor_stored(
    here: GroupHarness, said: dict[str, Any]
) -> None:
    if "photo" in said:
        here.ada.send_photo(make_photo(), caption=said.get("caption"), chat=here.group)
    else:
        here.ada.send_text(said["text"], chat=here.group)
    await here.process_updates()
    assert here.visible_calls() == []
    assert "secret" not in _dump_database(here.harness)
    assert query_database(Path(here.harness.bot.settings.database_path), "SELECT * FROM inbox") == []


async def test_a_laugh_at_an_answer_costs_nothing(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    here.grace.send_text("😂 !!", reply_to=answer["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1


@pytest.mark.parametrize("words", ["/edit@other_bot make it burn", "/warn be nice", "/cancel@other_bot"])
async def test_a_command_to_another_bot_in_reply_to_an_answer_costs_nothing_and_is_not_answered(
    here: GroupHarness, words: str
) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    here.grace.send_text(words, reply_to=answer["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1
    assert here.sent_texts() == []


async def test_what_another_bot_says_in_reply_to_an_answer_is_not_heard(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    other = {"id": 7, "is_bot": True, "first_name": "Other"}
    here.group._state.receive_from_person(
        here.group.chat, other, {"text": "how nice"} | here.group.chat.reply_fields(answer["message_id"])
    )
    assert len(await here.finish_edits()) == 1


async def test_a_reply_to_somebody_else_is_not_for_the_bot(here: GroupHarness) -> None:
    photo = here.grace.send_photo(make_photo(), chat=here.group)
    here.ada.send_text("how nice", reply_to=photo, chat=here.group)
    await here.process_updates()
    assert here.visible_calls() == []


async def test_another_wish_can_be_made_in_reply_to_a_refusal(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(422, "The prompt was flagged by the content policy")
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    [refusal] = here.text_messages()
    here.ada.send_text("make it rain", reply_to=refusal["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1


async def test_a_caption_that_is_only_a_command_is_asked_about_and_the_answer_may_come_from_the_asker_only(
    here: GroupHarness,
) -> None:
    here.ada.send_photo(make_photo(), caption="/edit", chat=here.group)
    await here.process_updates()
    [question] = here.text_messages()
    assert question["text"] == render_english("question", count=1, where="group")
    assert [len(row) for row in question["reply_markup"]["inline_keyboard"]] == [1], "no ideas where others read along"
    here.grace.send_text("make it burn", reply_to=question["message_id"], chat=here.group)
    await here.process_updates()
    assert here.sent_texts()[-1] == render_english("still-under-way", where="group")
    here.ada.send_text("make it snow", reply_to=question["message_id"], chat=here.group)
    [_] = await here.finish_edits()
    [task] = here.harness.kie.tasks.values()
    assert task.request.input["prompt"] == "make it snow"
    assert question["text"] not in here.sent_texts(), "the question goes when it is answered"


async def test_a_command_alone_in_reply_to_a_picture_asks_what_to_change_in_it(here: GroupHarness) -> None:
    photo = here.grace.send_photo(make_photo(), chat=here.group)
    here.ada.send_text("/edit", reply_to=photo, chat=here.group)
    await here.process_updates()
    [question] = here.text_messages()
    assert question["text"] == render_english("question", count=1, where="group")
    here.ada.send_text("make it snow", reply_to=question["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1


async def test_a_caption_to_which_the_command_is_added_later_counts(here: GroupHarness) -> None:
    photo = here.ada.send_photo(make_photo(), caption="make it snow", chat=here.group)
    await here.process_updates()
    here.ada.edit_caption(photo, "/edit make it snow", chat=here.group)
    assert len(await here.finish_edits()) == 1
    here.ada.edit_caption(photo, "/edit make it rain", chat=here.group)
    assert len(await here.finish_edits()) == 1
    assert here.sent_texts() == [render_english("change-after-the-end")]


async def test_an_edited_caption_is_followed_until_the_order(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    photo = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    here.ada.edit_caption(photo, "/edit make it rain", chat=here.group)
    await here.process_updates()
    assert (await here.harness.read_job()).request.prompt == "make it rain"


async def test_what_is_no_picture_is_told_to_be_none(here: GroupHarness) -> None:
    here.ada.send_attachment("video", caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("unsupported")]


@pytest.mark.parametrize("name", ["help", "start"])
async def test_help_in_a_group_speaks_of_groups(here: GroupHarness, name: str) -> None:
    here.ada.send_text(f"/{name}@darkroom_bot", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english(name, where="group")]


async def test_an_unknown_command_is_answered_where_it_is_for_this_bot(here: GroupHarness) -> None:
    here.ada.send_text("/dance@darkroom_bot", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("unknown-command")]


# -- anonymous admins, channels and other bots


async def test_an_anonymous_admin_can_ask_and_take_back(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.process_updates()
    assert (await here.harness.read_job()).request.user_id == here.group.id
    here.ada.send_text("/cancel", chat=here.group, anonymously=True)
    await here.process_updates()
    assert (await here.harness.read_job()).state is State.CANCELLED


async def test_the_linked_channels_posts_and_other_bots_are_not_heard(here: GroupHarness) -> None:
    post = {"is_automatic_forward": True, "sender_chat": {"id": -9, "type": "channel", "title": "News"}}
    here.ada.send({"text": "/edit make it snow"} | post, chat=here.group)
    here.group._state.receive_from_person(
        here.group.chat, {"id": 7, "is_bot": True, "first_name": "Other"}, {"text": "/help"}
    )
    await here.process_updates()
    assert here.visible_calls() == []


# -- privacy mode


async def test_with_privacy_mode_what_is_meant_for_the_bot_is_heard_and_answered(shy: GroupHarness) -> None:
    shy.ada.send_text("among us", chat=shy.group)
    photo = shy.grace.send_photo(make_photo(), chat=shy.group)
    shy.ada.send_text("/edit@darkroom_bot make it snow", reply_to=photo, chat=shy.group)
    [answer] = await shy.finish_edits()
    shy.grace.send_text("now at night", reply_to=answer["message_id"], chat=shy.group)
    assert len(await shy.finish_edits()) == 2


async def test_where_privacy_hides_the_picture_one_sentence_says_what_to_do(shy: GroupHarness) -> None:
    basic = create_group(shy.harness, BASIC_GROUP_ID)
    photo = basic.grace.send_photo(make_photo(), chat=basic.group)
    basic.ada.send_text("/edit@darkroom_bot make it snow", reply_to=photo, chat=basic.group)
    await basic.process_updates()
    assert basic.sent_texts() == [render_english("no-picture", where="half-deaf")]
    assert basic.sent_texts()[0].count(".") == 1


async def test_where_privacy_hides_nothing_the_hint_does_not_ask_for_more(shy: GroupHarness) -> None:
    said = shy.grace.send_text("hello", chat=shy.group)
    shy.ada.send_text("/edit@darkroom_bot make it snow", reply_to=said, chat=shy.group)
    await shy.process_updates()
    assert shy.sent_texts() == [render_english("no-picture", where="group")]


async def test_where_the_bot_hears_all_the_hint_does_not_ask_for_more(here: GroupHarness) -> None:
    here.ada.send_text("/edit make it snow", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("no-picture", where="group")]


async def test_an_admin_hears_all_as_well(shy: GroupHarness) -> None:
    shy.group.set_bot_status("administrator", shy.ada.user)
    shy.ada.send_text("/edit make it snow", chat=shy.group)
    await shy.process_updates()
    assert shy.sent_texts() == [render_english("no-picture", where="group")]


async def test_an_album_with_privacy_mode_is_what_telegram_shows_of_it_and_the_answer_says_so(
    shy: GroupHarness,
) -> None:
    shy.ada.send_album([make_photo("red"), make_photo("blue")], {0: "/edit@darkroom_bot a duel"}, chat=shy.group)
    [answer] = await shy.finish_edits()
    assert answer["caption"] == render_english("answer-of-one")
    [task] = shy.harness.kie.tasks.values()
    assert len(task.inputs) == 1


async def test_an_album_that_is_seen_as_a_whole_is_answered_without_more_words(shy: GroupHarness) -> None:
    shy.group.set_bot_status("administrator", shy.ada.user)
    shy.ada.send_album([make_photo("red"), make_photo("blue")], {0: "/edit@darkroom_bot a duel"}, chat=shy.group)
    [answer] = await shy.finish_edits()
    assert answer["caption"] == render_english("answer")


# -- albums


async def test_an_album_is_one_request_wherever_its_caption_stands(here: GroupHarness) -> None:
    for position in range(3):
        photos = [make_photo(colour, (300 + position, 200)) for colour in ("red", "green", "blue")]
        ids = here.ada.send_album(photos, {position: "/edit a duel"}, chat=here.group)
        await here.finish_edits()
        sent = [here.harness.telegram.message_photo_bytes(m) for m in here.harness.telegram.messages(here.group.id)
                if m["message_id"] in ids]  # fmt: skip
        assert list(here.harness.kie.tasks.values())[-1].inputs == sent
    assert len(here.harness.kie.tasks) == 3


async def test_items_that_come_one_by_one_join_their_album_even_before_it_was_addressed(here: GroupHarness) -> None:
    for colour, caption in (("red", None), ("green", None), ("blue", "@darkroom_bot a duel"), ("white", None)):
        here.ada.send_photo(make_photo(colour), caption=caption, album="77", chat=here.group)
        await here.harness.receive_updates()
        here.harness.clock.now += 0.5
    await here.finish_edits()
    [task] = here.harness.kie.tasks.values()
    assert len(task.inputs) == 4


async def test_the_albums_of_two_people_at_once_never_mix(here: GroupHarness) -> None:
    for place in range(3):
        for person, album, caption in ((here.ada, "1", "/edit mine"), (here.grace, "2", "/edit hers")):
            colour = f"#{album * 2}{place}{place}00"
            person.send_photo(make_photo(colour), caption=caption if place == 1 else None, album=album, chat=here.group)
            await here.harness.receive_updates()
    answers = await here.finish_edits()
    assert len(answers) == 2
    by_prompt = {task.request.input["prompt"]: len(task.inputs) for task in here.harness.kie.tasks.values()}
    assert by_prompt == {"mine": 3, "hers": 3}
    assert {job.request.user_id for job in [await here.harness.read_job(1), await here.harness.read_job(2)]} == {
        1001,
        1002,
    }


async def test_an_album_that_nobody_addressed_is_forgotten(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), album="77", chat=here.group)
    await here.harness.bot.long_poller.poll_once()
    here.harness.clock.now += 9
    here.ada.send_photo(make_photo(), caption="/edit a duel", album="77", chat=here.group)
    await here.finish_edits()
    [task] = here.harness.kie.tasks.values()
    assert len(task.inputs) == 1
    assert here.harness.bot.update_filter._held_album_items == {}


async def test_an_item_that_comes_too_late_is_told_what_to_do_in_a_group(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit a duel", album="77", chat=here.group)
    await here.finish_edits()
    here.ada.send_photo(make_photo("red"), album="77", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("late-item", where="group")]


async def test_an_album_is_recognised_after_a_restart(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        here = create_group(house)
        here.ada.send_photo(make_photo("red"), caption="/edit a duel", album="77", chat=here.group)
        await house.bot.long_poller.poll_once()  # stored, not handled
        house.bot.update_filter._held_album_items.clear()
        here.ada.send_photo(make_photo("blue"), album="77", chat=here.group)
        await here.finish_edits()
        [task] = house.kie.tasks.values()
        assert len(task.inputs) == 2


# -- topics


async def test_everything_stays_in_its_topic(house: BotHarness) -> None:
    here = create_group(house, is_forum=True)
    topics = [here.group.open_topic(name, here.ada.user) for name in ("Holidays", "Cats")]
    for person, topic in zip((here.ada, here.grace), topics, strict=True):
        person.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, thread=topic)
        person.send_text("/help@darkroom_bot", chat=here.group, thread=topic)
    answers = await here.finish_edits()
    assert [answer["message_thread_id"] for answer in answers] == topics
    assert sorted(text["message_thread_id"] for text in here.text_messages()) == topics
    assert {call.params.get("message_thread_id") for call in here.visible_calls("sendChatAction")} == set(topics)


async def test_an_answer_whose_topic_was_closed_comes_in_the_group_itself(house: BotHarness) -> None:
    here = create_group(house, is_forum=True)
    topic = here.group.open_topic("Holidays", here.ada.user)
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, thread=topic)
    await here.process_updates()
    here.group.close_topic(topic)
    [answer] = await here.finish_edits()
    assert "message_thread_id" not in answer


async def test_an_answer_to_a_request_that_was_deleted_comes_all_the_same(here: GroupHarness) -> None:
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    here.ada.delete(asked, chat=here.group)
    [answer] = await here.finish_edits()
    assert "reply_to_message" not in answer


async def test_where_the_bot_may_not_send_pictures_it_says_so_once_and_bothers_no_operator(here: GroupHarness) -> None:
    for method, what in (("sendPhoto", "photos"), ("sendDocument", "documents")):
        here.harness.telegram.faults.always(method, bad_request(f"not enough rights to send {what} to the chat"))
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    assert await here.finish_edits() == []
    assert here.sent_texts() == [render_english("may-not-send")]
    assert here.harness.sent_texts(9009) == []
    here.harness.telegram.faults.clear()
    here.ada.send_text("make it snow", reply_to=here.text_messages()[0]["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1
    assert here.bot_reactions(asked) == ["🤷"]


async def test_where_the_bot_may_say_nothing_at_all_nothing_goes_wrong(here: GroupHarness) -> None:
    here.harness.telegram.faults.always(
        "sendMessage", bad_request("not enough rights to send text messages to the chat")
    )
    here.ada.send_text("/help", chat=here.group)
    await here.process_updates()
    await here.harness.advance_time(600)
    assert len(here.visible_calls()) == 1
    assert len([call for call in here.harness.telegram.calls if call.method == "sendMessage"]) == 1


# -- added and removed


async def test_being_added_is_greeted_once_in_two_lines(here: GroupHarness) -> None:
    here.group.set_bot_status("left", here.ada.user)
    for _ in range(2):
        here.group.set_bot_status("member", here.ada.user)
        await here.process_updates()
        here.group.set_bot_status("administrator", here.ada.user)
        await here.process_updates()
        here.group.set_bot_status("left", here.ada.user)
        await here.process_updates()
    assert here.sent_texts() == [render_english("hello", hearing="all")]
    assert len(here.sent_texts()[0].splitlines()) == 2


async def test_a_bot_that_does_not_hear_all_says_so_when_it_is_added(shy: GroupHarness) -> None:
    shy.group.set_bot_status("left", shy.ada.user)
    shy.group.set_bot_status("member", shy.ada.user)
    await shy.process_updates()
    assert shy.sent_texts() == [render_english("hello", hearing="some")]
    assert len(shy.sent_texts()[0].splitlines()) == 2


async def test_strangers_are_not_greeted_in_a_group(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, allowed_ids=frozenset({4})) as house:
        here = create_group(house)
        here.group.set_bot_status("left", here.ada.user)
        here.group.set_bot_status("member", here.ada.user)
        await here.process_updates()
        assert here.visible_calls() == []


async def test_being_removed_cancels_what_waits_there(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    here.grace.send_photo(make_photo(), caption="/edit", chat=here.group)
    await here.process_updates()
    here.group.set_bot_status("kicked", here.ada.user)
    await here.process_updates()
    await here.harness.advance_time(400)
    jobs = [await here.harness.read_job(number) for number in (1, 2)]
    assert [(job.state, job.reason) for job in jobs] == [(State.CANCELLED, None)] * 2
    assert len(here.harness.kie.tasks) == 0
    assert FailureReason.NO_PROMPT not in {job.reason for job in jobs}


async def test_members_are_admitted_by_the_groups_id(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        here = create_group(house)
    async with open_bot_harness(tmp_path / "invited", allowed_ids=frozenset({here.group.id})) as house:
        invited = create_group(house, here.group.id)
        invited.ada.send_photo(make_photo(), caption="/edit make it snow", chat=invited.group)
        assert len(await invited.finish_edits()) == 1


async def test_a_stranger_in_a_group_hears_so_once_a_day(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, allowed_ids=frozenset({4})) as house:
        here = create_group(house)
        for _ in range(2):
            here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
            await here.process_updates()
        assert here.sent_texts() == [render_english("stranger", id="1001")]
