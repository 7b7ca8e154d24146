"""At home in groups: spoken to by name, silent otherwise, in the right topic, with everybody's albums apart."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.job import Reason, State
from bot.sandbox.telegram.refusals import bad_request
from tests.group import Friends, friends
from tests.house import House, a_house
from tests.world import a_photo, english, rows

BASIC = -5


@pytest.fixture
def here(house: House) -> Friends:
    """A supergroup in which the bot sees everything: its privacy mode is off."""
    return friends(house)


@pytest.fixture
async def shy(tmp_path: Path) -> AsyncIterator[Friends]:
    """A supergroup in which Telegram shows the bot only what is meant for it."""
    async with a_house(tmp_path) as house:
        here = friends(house)
        here.house.telegram.cloud.privacy_mode = True
        await house.bot.meet(await house.bot.chat.me())
        yield here


def _stored(house: House) -> str:
    """Return everything that the database holds, to look for what it must not hold."""
    path = Path(house.bot.settings.database_path)
    tables = [row["name"] for row in rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return "\n".join(str(tuple(row)) for table in tables for row in rows(path, f"SELECT * FROM {table}"))  # noqa: S608 - our own names


def _size(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture)) as image:
        return image.size


# -- how one speaks to it


@pytest.mark.parametrize(
    "caption",
    ["/edit make it snow", "/edit@darkroom_bot make it snow", "/EDIT@Darkroom_Bot make it snow",
     "@darkroom_bot make it snow", "make it snow, @darkroom_bot", "make it snow @DARKROOM_BOT"],
)  # fmt: skip
async def test_a_picture_whose_caption_is_for_the_bot_is_edited(here: Friends, caption: str) -> None:
    asked = here.ada.send_photo(a_photo(), caption=caption, chat=here.group)
    [answer] = await here.answered()
    assert answer["reply_to_message"]["message_id"] == asked
    [task] = here.house.kie.tasks.values()
    assert task.order.input["prompt"].removesuffix(",") == "make it snow"


async def test_a_picture_file_can_be_sent_as_well(here: Friends) -> None:
    here.ada.send_document(a_photo(), "a.jpg", caption="/edit make it snow", chat=here.group)
    assert len(await here.answered()) == 1


@pytest.mark.parametrize("words", ["/edit at night", "/edit@darkroom_bot at night", "@darkroom_bot at night"])
async def test_a_reply_to_anybodys_picture_edits_that_one(here: Friends, words: str) -> None:
    photo = here.grace.send_photo(a_photo(), chat=here.group)
    asked = here.ada.send_text(words, reply_to=photo, chat=here.group)
    [answer] = await here.answered()
    assert answer["reply_to_message"]["message_id"] == asked
    [task] = here.house.kie.tasks.values()
    assert task.order.input["prompt"] == "at night"
    shown = next(m for m in here.house.telegram.messages(here.group.id) if m["message_id"] == photo)
    assert task.inputs == [here.house.telegram.message_photo_bytes(shown)]


async def test_a_reply_to_a_picture_of_the_bot_edits_it_further_whoever_writes_it(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    here.grace.send_text("now at night", reply_to=answer["message_id"], chat=here.group)
    assert len(await here.answered()) == 2
    first, second = here.house.kie.tasks.values()
    assert second.order.input["prompt"] == "now at night"
    [sent] = second.inputs
    assert _size(sent) == _size(first.result), "from the full quality, not from what Telegram shows"


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
    here: Friends, said: dict[str, Any]
) -> None:
    if "photo" in said:
        here.ada.send_photo(a_photo(), caption=said.get("caption"), chat=here.group)
    else:
        here.ada.send_text(said["text"], chat=here.group)
    await here.hear()
    assert here.calls() == []
    assert "secret" not in _stored(here.house)
    assert rows(Path(here.house.bot.settings.database_path), "SELECT * FROM inbox") == []


async def test_a_laugh_at_an_answer_costs_nothing(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    here.grace.send_text("😂 !!", reply_to=answer["message_id"], chat=here.group)
    assert len(await here.answered()) == 1


@pytest.mark.parametrize("words", ["/edit@other_bot make it burn", "/warn be nice", "/cancel@other_bot"])
async def test_a_command_to_another_bot_in_reply_to_an_answer_costs_nothing_and_is_not_answered(
    here: Friends, words: str
) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    here.grace.send_text(words, reply_to=answer["message_id"], chat=here.group)
    assert len(await here.answered()) == 1
    assert here.words() == []


async def test_what_another_bot_says_in_reply_to_an_answer_is_not_heard(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    other = {"id": 7, "is_bot": True, "first_name": "Other"}
    here.group._cloud.hear(here.group.room, other, {"text": "how nice"} | here.group.room.quoted(answer["message_id"]))
    assert len(await here.answered()) == 1


async def test_a_reply_to_somebody_else_is_not_for_the_bot(here: Friends) -> None:
    photo = here.grace.send_photo(a_photo(), chat=here.group)
    here.ada.send_text("how nice", reply_to=photo, chat=here.group)
    await here.hear()
    assert here.calls() == []


async def test_another_wish_can_be_made_in_reply_to_a_refusal(here: Friends) -> None:
    here.house.kie.refuse(422, "The prompt was flagged by the content policy")
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    [refusal] = here.texts()
    here.ada.send_text("make it rain", reply_to=refusal["message_id"], chat=here.group)
    assert len(await here.answered()) == 1


async def test_a_caption_that_is_only_a_command_is_asked_about_and_the_answer_may_come_from_the_asker_only(
    here: Friends,
) -> None:
    here.ada.send_photo(a_photo(), caption="/edit", chat=here.group)
    await here.hear()
    [question] = here.texts()
    assert question["text"] == english("question", count=1, where="group")
    assert [len(row) for row in question["reply_markup"]["inline_keyboard"]] == [1], "no ideas where others read along"
    here.grace.send_text("make it burn", reply_to=question["message_id"], chat=here.group)
    await here.hear()
    assert here.words()[-1] == english("still-under-way", where="group")
    here.ada.send_text("make it snow", reply_to=question["message_id"], chat=here.group)
    [_] = await here.answered()
    [task] = here.house.kie.tasks.values()
    assert task.order.input["prompt"] == "make it snow"
    assert question["text"] not in here.words(), "the question goes when it is answered"


async def test_a_command_alone_in_reply_to_a_picture_asks_what_to_change_in_it(here: Friends) -> None:
    photo = here.grace.send_photo(a_photo(), chat=here.group)
    here.ada.send_text("/edit", reply_to=photo, chat=here.group)
    await here.hear()
    [question] = here.texts()
    assert question["text"] == english("question", count=1, where="group")
    here.ada.send_text("make it snow", reply_to=question["message_id"], chat=here.group)
    assert len(await here.answered()) == 1


async def test_a_caption_to_which_the_command_is_added_later_counts(here: Friends) -> None:
    photo = here.ada.send_photo(a_photo(), caption="make it snow", chat=here.group)
    await here.hear()
    here.ada.edit_caption(photo, "/edit make it snow", chat=here.group)
    assert len(await here.answered()) == 1
    here.ada.edit_caption(photo, "/edit make it rain", chat=here.group)
    assert len(await here.answered()) == 1
    assert here.words() == [english("change-after-the-end")]


async def test_an_edited_caption_is_followed_until_the_order(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    photo = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    here.ada.edit_caption(photo, "/edit make it rain", chat=here.group)
    await here.hear()
    assert (await here.house.job()).request.prompt == "make it rain"


async def test_what_is_no_picture_is_told_to_be_none(here: Friends) -> None:
    here.ada.send_other("video", caption="/edit make it snow", chat=here.group)
    await here.hear()
    assert here.words() == [english("unsupported")]


@pytest.mark.parametrize("name", ["help", "start"])
async def test_help_in_a_group_speaks_of_groups(here: Friends, name: str) -> None:
    here.ada.send_text(f"/{name}@darkroom_bot", chat=here.group)
    await here.hear()
    assert here.words() == [english(name, where="group")]


async def test_an_unknown_command_is_answered_where_it_is_for_this_bot(here: Friends) -> None:
    here.ada.send_text("/dance@darkroom_bot", chat=here.group)
    await here.hear()
    assert here.words() == [english("unknown-command")]


# -- who speaks


async def test_an_anonymous_admin_can_ask_and_take_back(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.hear()
    assert (await here.house.job()).request.user_id == here.group.id
    here.ada.send_text("/cancel", chat=here.group, anonymously=True)
    await here.hear()
    assert (await here.house.job()).state is State.CANCELLED


async def test_the_linked_channels_posts_and_other_bots_are_not_heard(here: Friends) -> None:
    post = {"is_automatic_forward": True, "sender_chat": {"id": -9, "type": "channel", "title": "News"}}
    here.ada.send({"text": "/edit make it snow"} | post, chat=here.group)
    here.group._cloud.hear(here.group.room, {"id": 7, "is_bot": True, "first_name": "Other"}, {"text": "/help"})
    await here.hear()
    assert here.calls() == []


# -- privacy mode


async def test_with_privacy_mode_what_is_meant_for_the_bot_is_heard_and_answered(shy: Friends) -> None:
    shy.ada.send_text("among us", chat=shy.group)
    photo = shy.grace.send_photo(a_photo(), chat=shy.group)
    shy.ada.send_text("/edit@darkroom_bot make it snow", reply_to=photo, chat=shy.group)
    [answer] = await shy.answered()
    shy.grace.send_text("now at night", reply_to=answer["message_id"], chat=shy.group)
    assert len(await shy.answered()) == 2


async def test_where_privacy_hides_the_picture_one_sentence_says_what_to_do(shy: Friends) -> None:
    basic = friends(shy.house, BASIC)
    photo = basic.grace.send_photo(a_photo(), chat=basic.group)
    basic.ada.send_text("/edit@darkroom_bot make it snow", reply_to=photo, chat=basic.group)
    await basic.hear()
    assert basic.words() == [english("no-picture", where="half-deaf")]
    assert basic.words()[0].count(".") == 1


async def test_where_privacy_hides_nothing_the_hint_does_not_ask_for_more(shy: Friends) -> None:
    said = shy.grace.send_text("hello", chat=shy.group)
    shy.ada.send_text("/edit@darkroom_bot make it snow", reply_to=said, chat=shy.group)
    await shy.hear()
    assert shy.words() == [english("no-picture", where="group")]


async def test_where_the_bot_hears_all_the_hint_does_not_ask_for_more(here: Friends) -> None:
    here.ada.send_text("/edit make it snow", chat=here.group)
    await here.hear()
    assert here.words() == [english("no-picture", where="group")]


async def test_an_admin_hears_all_as_well(shy: Friends) -> None:
    shy.group.set_bot("administrator", shy.ada.user)
    shy.ada.send_text("/edit make it snow", chat=shy.group)
    await shy.hear()
    assert shy.words() == [english("no-picture", where="group")]


async def test_an_album_with_privacy_mode_is_what_telegram_shows_of_it_and_the_answer_says_so(shy: Friends) -> None:
    shy.ada.send_album([a_photo("red"), a_photo("blue")], {0: "/edit@darkroom_bot a duel"}, chat=shy.group)
    [answer] = await shy.answered()
    assert answer["caption"] == english("answer-of-one")
    [task] = shy.house.kie.tasks.values()
    assert len(task.inputs) == 1


async def test_an_album_that_is_seen_as_a_whole_is_answered_without_more_words(shy: Friends) -> None:
    shy.group.set_bot("administrator", shy.ada.user)
    shy.ada.send_album([a_photo("red"), a_photo("blue")], {0: "/edit@darkroom_bot a duel"}, chat=shy.group)
    [answer] = await shy.answered()
    assert answer["caption"] == english("answer")


# -- albums


async def test_an_album_is_one_request_wherever_its_caption_stands(here: Friends) -> None:
    for position in range(3):
        photos = [a_photo(colour, (300 + position, 200)) for colour in ("red", "green", "blue")]
        ids = here.ada.send_album(photos, {position: "/edit a duel"}, chat=here.group)
        await here.answered()
        sent = [here.house.telegram.message_photo_bytes(m) for m in here.house.telegram.messages(here.group.id)
                if m["message_id"] in ids]  # fmt: skip
        assert list(here.house.kie.tasks.values())[-1].inputs == sent
    assert len(here.house.kie.tasks) == 3


async def test_items_that_come_one_by_one_join_their_album_even_before_it_was_addressed(here: Friends) -> None:
    for colour, caption in (("red", None), ("green", None), ("blue", "@darkroom_bot a duel"), ("white", None)):
        here.ada.send_photo(a_photo(colour), caption=caption, album="77", chat=here.group)
        await here.house.receive()
        here.house.clock.now += 0.5
    await here.answered()
    [task] = here.house.kie.tasks.values()
    assert len(task.inputs) == 4


async def test_the_albums_of_two_people_at_once_never_mix(here: Friends) -> None:
    for place in range(3):
        for person, album, caption in ((here.ada, "1", "/edit mine"), (here.grace, "2", "/edit hers")):
            colour = f"#{album * 2}{place}{place}00"
            person.send_photo(a_photo(colour), caption=caption if place == 1 else None, album=album, chat=here.group)
            await here.house.receive()
    answers = await here.answered()
    assert len(answers) == 2
    by_prompt = {task.order.input["prompt"]: len(task.inputs) for task in here.house.kie.tasks.values()}
    assert by_prompt == {"mine": 3, "hers": 3}
    assert {job.request.user_id for job in [await here.house.job(1), await here.house.job(2)]} == {1001, 1002}


async def test_an_album_that_nobody_addressed_is_forgotten(here: Friends) -> None:
    here.ada.send_photo(a_photo(), album="77", chat=here.group)
    await here.house.bot.poll.once()
    here.house.clock.now += 9
    here.ada.send_photo(a_photo(), caption="/edit a duel", album="77", chat=here.group)
    await here.answered()
    [task] = here.house.kie.tasks.values()
    assert len(task.inputs) == 1
    assert here.house.bot.address._aside == {}


async def test_an_item_that_comes_too_late_is_told_what_to_do_in_a_group(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit a duel", album="77", chat=here.group)
    await here.answered()
    here.ada.send_photo(a_photo("red"), album="77", chat=here.group)
    await here.hear()
    assert here.words() == [english("late-item", where="group")]


async def test_an_album_is_recognised_after_a_restart(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        here = friends(house)
        here.ada.send_photo(a_photo("red"), caption="/edit a duel", album="77", chat=here.group)
        await house.bot.poll.once()  # kept, not handled
        house.bot.address._aside.clear()
        here.ada.send_photo(a_photo("blue"), album="77", chat=here.group)
        await here.answered()
        [task] = house.kie.tasks.values()
        assert len(task.inputs) == 2


# -- topics


async def test_everything_stays_in_its_topic(house: House) -> None:
    here = friends(house, is_forum=True)
    topics = [here.group.open_topic(name, here.ada.user) for name in ("Holidays", "Cats")]
    for person, topic in zip((here.ada, here.grace), topics, strict=True):
        person.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, thread=topic)
        person.send_text("/help@darkroom_bot", chat=here.group, thread=topic)
    answers = await here.answered()
    assert [answer["message_thread_id"] for answer in answers] == topics
    assert sorted(text["message_thread_id"] for text in here.texts()) == topics
    assert {call.params.get("message_thread_id") for call in here.calls("sendChatAction")} == set(topics)


async def test_an_answer_whose_topic_was_closed_comes_in_the_group_itself(house: House) -> None:
    here = friends(house, is_forum=True)
    topic = here.group.open_topic("Holidays", here.ada.user)
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, thread=topic)
    await here.hear()
    here.group.close_topic(topic)
    [answer] = await here.answered()
    assert "message_thread_id" not in answer


async def test_an_answer_to_a_request_that_was_deleted_comes_all_the_same(here: Friends) -> None:
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    here.ada.delete(asked, chat=here.group)
    [answer] = await here.answered()
    assert "reply_to_message" not in answer


async def test_where_the_bot_may_not_send_pictures_it_says_so_once_and_bothers_no_operator(here: Friends) -> None:
    for method, what in (("sendPhoto", "photos"), ("sendDocument", "documents")):
        here.house.telegram.faults.always(method, bad_request(f"not enough rights to send {what} to the chat"))
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    assert await here.answered() == []
    assert here.words() == [english("may-not-send")]
    assert here.house.words(9009) == []
    here.house.telegram.faults.clear()
    here.ada.send_text("make it snow", reply_to=here.texts()[0]["message_id"], chat=here.group)
    assert len(await here.answered()) == 1
    assert here.signs(asked) == ["🤷"]


async def test_where_the_bot_may_say_nothing_at_all_nothing_goes_wrong(here: Friends) -> None:
    here.house.telegram.faults.always("sendMessage", bad_request("not enough rights to send text messages to the chat"))
    here.ada.send_text("/help", chat=here.group)
    await here.hear()
    await here.house.pass_time(600)
    assert len(here.calls()) == 1
    assert len([call for call in here.house.telegram.calls if call.method == "sendMessage"]) == 1


# -- coming and going


async def test_being_added_is_greeted_once_in_two_lines(here: Friends) -> None:
    here.group.set_bot("left", here.ada.user)
    for _ in range(2):
        here.group.set_bot("member", here.ada.user)
        await here.hear()
        here.group.set_bot("administrator", here.ada.user)
        await here.hear()
        here.group.set_bot("left", here.ada.user)
        await here.hear()
    assert here.words() == [english("hello", hearing="all")]
    assert len(here.words()[0].splitlines()) == 2


async def test_a_bot_that_does_not_hear_all_says_so_when_it_is_added(shy: Friends) -> None:
    shy.group.set_bot("left", shy.ada.user)
    shy.group.set_bot("member", shy.ada.user)
    await shy.hear()
    assert shy.words() == [english("hello", hearing="some")]
    assert len(shy.words()[0].splitlines()) == 2


async def test_strangers_are_not_greeted_in_a_group(tmp_path: Path) -> None:
    async with a_house(tmp_path, allowed_ids=frozenset({4})) as house:
        here = friends(house)
        here.group.set_bot("left", here.ada.user)
        here.group.set_bot("member", here.ada.user)
        await here.hear()
        assert here.calls() == []


async def test_being_removed_cancels_what_waits_there(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    here.grace.send_photo(a_photo(), caption="/edit", chat=here.group)
    await here.hear()
    here.group.set_bot("kicked", here.ada.user)
    await here.hear()
    await here.house.pass_time(400)
    jobs = [await here.house.job(number) for number in (1, 2)]
    assert [(job.state, job.reason) for job in jobs] == [(State.CANCELLED, None)] * 2
    assert len(here.house.kie.tasks) == 0
    assert Reason.NO_PROMPT not in {job.reason for job in jobs}


async def test_members_are_admitted_by_the_groups_id(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        here = friends(house)
    async with a_house(tmp_path / "invited", allowed_ids=frozenset({here.group.id})) as house:
        invited = friends(house, here.group.id)
        invited.ada.send_photo(a_photo(), caption="/edit make it snow", chat=invited.group)
        assert len(await invited.answered()) == 1


async def test_a_stranger_in_a_group_hears_so_once_a_day(tmp_path: Path) -> None:
    async with a_house(tmp_path, allowed_ids=frozenset({4})) as house:
        here = friends(house)
        for _ in range(2):
            here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
            await here.hear()
        assert here.words() == [english("stranger", id="1001")]
