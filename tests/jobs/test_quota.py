"""Whose limits an edit counts for, what only waits for words, and what is given back: all of it attacked."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.job import NAMELESS, State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import STUCK, SUCCESS_WITHOUT_URL, Outcome, fail
from bot.sandbox.telegram import Person
from bot.store.counts import ALL, FREE_FAILURES, Whose
from bot.talk import room
from bot.texts.ideas import IDEAS
from tests.group import Friends, friends
from tests.house import House, a_house
from tests.world import a_photo, english

ADMIN = 9009
DAY = 86_400
TOMORROW = "16 hours"
PHOTO = a_photo(size=(16, 16))

LOST = Fault(Kind.CUT_AFTER)


@asynccontextmanager
async def _limited(folder: Path, **limits: Any) -> AsyncIterator[House]:
    async with a_house(folder, kie={"credits": 1000.0}, admin_ids=frozenset({ADMIN}), **limits) as house:
        house.telegram.person(user_id=ADMIN)
        yield house


def _eve(house: House, number: int = 0) -> Person:
    return house.telegram.person(user_id=6000 + number, first_name="Eve")


def _groups(house: House, count: int) -> Iterator[Friends]:
    for number in range(count):
        yield friends(house, -1_000_000_000_100 - number)


def _channel(number: int = 0) -> dict[str, Any]:
    return {"id": -1_000_000_900_000 - number, "type": "channel", "title": "Eve's"}


async def _counted(house: House, whose: Whose = Whose.PERSON, principal: int = 1001) -> int:
    today = house.clock.instant() // (DAY * 1000)
    return await house.bot.db.unit(lambda tx: tx.counts.of(whose, principal, today))


async def _spent(house: House) -> float:
    today = house.clock.instant() // (DAY * 1000)
    return await house.bot.db.unit(lambda tx: tx.account.spent(today))


# -- in whose name somebody speaks


async def test_who_speaks_as_many_channels_of_their_own_has_the_limit_of_one(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3) as house:
        here = friends(house)
        eve = _eve(house)
        here.place(eve)
        for number in range(6):
            for _ in range(3):
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel(number))
        eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        eve.send_photo(PHOTO, caption="make it snow")
        await house.hear()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 3
        assert await _counted(house, principal=eve.id) == 3


async def test_who_speaks_as_many_groups_of_their_own_has_the_limit_of_one(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3) as house:
        eve = _eve(house)
        for here in _groups(house, 5):
            here.place(eve)
            for _ in range(3):
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
        await house.hear()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 3


async def test_where_nobody_knows_who_added_the_bot_all_nameless_share_one_limit(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3) as house:
        eve = _eve(house)
        for number, here in enumerate(_groups(house, 3)):
            for _ in range(2):
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel(number))
        await house.hear()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 3
        assert await _counted(house, principal=NAMELESS) == 3
        assert here.words() == [english("used-up", whose="nameless", most=3, time=TOMORROW)] * 2
        before = len(await here.answered())
        here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        assert len(await here.answered()) == before + 1, "who speaks in their own name has a limit of their own"


async def test_an_administrator_who_added_the_bot_and_remains_anonymous_is_nobody_known(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        here = friends(house)
        here.group.set_bot("left", here.ada.user)
        here.group.set_bot("member", {"id": NAMELESS, "is_bot": True, "first_name": "Group"})
        here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
        await here.answered()
        assert (await house.job()).request.charged_to == NAMELESS


async def test_a_group_to_which_an_admin_of_the_bot_has_added_it_has_the_limit_of_one_for_its_nameless(
    tmp_path: Path,
) -> None:
    async with _limited(tmp_path, daily_edits_per_user=2) as house:
        here = friends(house)
        admin = house.telegram.person(user_id=ADMIN)
        here.place(admin)
        for number in range(4):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel(number))
            admin.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        assert len(await here.answered()) == 2 + 4
        assert await _counted(house, principal=here.group.id) == 2


async def test_who_adds_the_bot_after_it_was_removed_answers_from_then_on(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        here = friends(house)
        for person in (here.ada, here.grace):
            here.place(person)
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
            here.group.set_bot("administrator", here.ada.user)
            await here.answered()
        charged = [(await house.job(number)).request.charged_to for number in (1, 2)]
        assert charged == [here.ada.id, here.grace.id]
        here.group.set_bot("kicked", here.ada.user)
        await here.hear()
        assert await house.bot.db.unit(lambda tx: tx.chats.placed_by(here.group.id)) is None


@pytest.mark.parametrize("is_announced_first", [True, False])
async def test_a_supergroup_keeps_who_added_the_bot_to_the_group_that_it_was(
    tmp_path: Path, is_announced_first: bool
) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1) as house:
        here = friends(house, -5)
        here.place(here.ada)
        here.grace.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
        await here.answered()
        if is_announced_first:
            grown = here.group.migrate(here.grace.user)
            grown.set_bot("member", here.grace.user)
        else:
            old = here.group.room
            grown = here.group.migrate(here.grace.user)
            house.telegram.cloud.updates.forget_all()
            grown.room.standing = "left"
            grown.set_bot("member", here.grace.user)
            house.telegram.cloud.hear(old, here.grace.user, {"migrate_to_chat_id": grown.id})
        await here.hear()
        assert await house.bot.db.unit(lambda tx: tx.chats.placed_by(grown.id)) == here.ada.id
        here.grace.send_photo(PHOTO, caption="/edit make it snow", chat=grown, anonymously=True)
        await here.hear()
        assert len(house.kie.tasks) == 1


async def test_nameless_see_in_usage_what_is_left_for_them_together(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3) as house:
        for number, here in enumerate(_groups(house, 2)):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel(number))
        await here.answered()
        here.ada.send_text("/usage", chat=here.group, anonymously=True)
        await here.hear()
        assert here.words()[-1].splitlines() == [
            english("left-today", whose="nameless", left=1, most=3), english("begins-anew", time=TOMORROW),
        ]  # fmt: skip


async def test_nameless_wait_together_and_the_line_takes_them_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_WAITING_OF_ONE", 3)
    async with _limited(tmp_path) as house:
        house.kie.refuse(433, "cap")
        here = friends(house)
        for number in range(4):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel(number))
        here.grace.send_photo(PHOTO, caption="/edit make it rain", chat=here.group)
        await here.hear()
        assert here.words() == [english("too-many-nameless-wait", most=3)]
        await house.pass_time(2000)
        prompts = [task.prompt for task in house.kie.tasks.values()]
        assert prompts.index("make it rain") <= 1, "she waits for one of them, and not for all"


async def test_who_asked_may_take_back_and_see_what_was_asked_for_in_that_name_only(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        for _ in range(2):
            house.kie.refuse(433, "cap")
        here = friends(house)
        here.place(here.ada)
        for number in range(2):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel(number))
        await here.hear()
        here.ada.send_text("/cancel", chat=here.group, channel=_channel(1))
        await here.hear()
        assert [(await house.job(number)).state for number in (1, 2)] == [State.QUEUED, State.CANCELLED]


# -- what only waits for words


async def test_an_album_whose_words_are_taken_back_holds_nothing_of_others(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits=20) as house:
        first, _ = house.ada.send_album([PHOTO, PHOTO], {0: "make it snow"})
        await house.receive()
        assert await _counted(house, Whose.ALL, ALL) == 1
        house.ada.edit_caption(first, "")
        await house.receive()
        assert await _counted(house, Whose.ALL, ALL) == 0
        house.ada.edit_caption(first, "make it rain")
        await house.receive()
        assert await _counted(house, Whose.ALL, ALL) == 1
        await house.pass_time(40)
        assert len(house.pictures()) == 1


async def test_pictures_without_words_take_nothing_from_others(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=4, daily_edits_per_chat=20, daily_edits=20) as house:
        eve = _eve(house)
        for here in _groups(house, 5):
            here.place(eve)
            for _ in range(4):
                eve.send_photo(PHOTO, caption="/edit", chat=here.group, anonymously=True)
        for number in range(1, 6):
            for _ in range(4):
                _eve(house, number).send_photo(PHOTO)
        await house.hear()
        assert await _counted(house, principal=eve.id) == 4
        assert await _counted(house, Whose.ALL, ALL) == 0
        await house.ask(PHOTO)
        await house.pass_time(40)
        assert len(house.pictures()) == 1
        assert len(house.kie.tasks) == 1


async def test_albums_without_words_take_nothing_from_others_while_they_arrive(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits=2, daily_credits=8) as house:
        for number in range(3):
            _eve(house, number).send_album([PHOTO, PHOTO])
        await house.receive()
        house.ada.send_photo(PHOTO, caption="make it snow")
        await house.hear()
        assert len(house.kie.tasks) == 1


async def test_pictures_without_words_in_a_group_leave_it_its_day(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_chat=1) as house:
        here = friends(house)
        for _ in range(3):
            here.ada.send_photo(PHOTO, caption="/edit", chat=here.group)
        here.grace.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        assert len(await here.answered()) == 1


async def test_the_credits_of_a_day_are_not_held_by_what_waits_for_words(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=4) as house:
        _eve(house).send_photo(PHOTO)
        await house.hear()
        await house.ask(PHOTO)
        assert len(house.kie.tasks) == 1


async def _uses_up(house: House) -> None:
    """Let somebody else use up the one edit of the day."""
    _eve(house).send_photo(PHOTO, caption="make it rain")
    await house.hear()


async def test_words_that_come_when_the_day_is_used_up_are_answered_kindly_and_may_come_again(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=5, daily_edits=1) as house:
        await house.ask(PHOTO, caption="")
        await _uses_up(house)
        house.ada.send_text("make it snow")
        await house.hear()
        assert house.words() == [english("used-up", whose="all", most=1, time=TOMORROW)]
        assert (await house.job(1)).state is State.CANCELLED
        assert await _counted(house) == 0
        assert house.statuses() == [], "the question is over"
        await house.pass_time(DAY)
        [told] = [m for m in house.telegram.bot_messages(1001) if m.get("text") == house.words()[0]]
        house.ada.send_text("make it snow", reply_to=told["message_id"])
        await house.hear()
        await house.pass_time(40)
        assert len(house.pictures()) == 1


async def test_a_caption_that_comes_when_the_day_is_used_up_is_answered_as_well(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits=1) as house:
        photo = await house.ask(PHOTO, caption="")
        await _uses_up(house)
        house.ada.edit_caption(photo, "make it snow")
        await house.hear()
        assert house.words() == [english("used-up", whose="all", most=1, time=TOMORROW)]
        assert len(house.kie.tasks) == 1


async def test_an_idea_that_comes_when_the_day_is_used_up_is_not_ordered(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits=1) as house:
        await house.ask(PHOTO, caption="")
        question = house.status()
        await _uses_up(house)
        idea = next(iter(IDEAS.values()))
        press = house.ada.press(question["message_id"], english(f"idea-{idea.name}"))
        await house.hear()
        assert (house.ada.answer_to(press) or {}).get("text") == english("toast-used-up", time=TOMORROW)
        assert len(house.kie.tasks) == 1


@pytest.mark.parametrize("how", ["caption", "edit", "text"])
async def test_words_that_an_album_gets_while_it_arrives_pass_no_limit_by(tmp_path: Path, how: str) -> None:
    async with _limited(tmp_path, daily_edits=1) as house:
        first = house.ada.send_photo(PHOTO, album="77")
        await house.receive()
        await _uses_up(house)
        if how == "caption":
            house.ada.send_photo(PHOTO, caption="make it snow", album="77")
        elif how == "edit":
            house.ada.edit_caption(first, "make it snow")
        else:
            house.ada.send_text("make it snow")
        await house.receive()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 1
        assert house.words() == [english("used-up", whose="all", most=1, time=TOMORROW)]


async def test_an_album_with_words_holds_its_place_while_it_arrives(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits=1) as house:
        house.ada.send_album([PHOTO, PHOTO], {0: "make it snow"})
        await house.receive()
        await _uses_up(house)
        await house.pass_time(40)
        assert [task.prompt for task in house.kie.tasks.values()] == ["make it snow"]


async def test_words_of_the_next_day_count_for_that_day(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1, daily_edits=1) as house:
        await house.pass_time(16 * 3600 - 60)
        await house.ask(PHOTO, caption="")
        await house.pass_time(120)
        house.ada.send_text("make it snow")
        await house.hear()
        await house.ask(PHOTO)
        assert len(house.kie.tasks) == 1
        assert (await _counted(house), await _counted(house, Whose.ALL, ALL)) == (1, 1)


async def test_who_has_pictures_that_wait_for_words_is_told_that_those_may_come_back(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=2) as house:
        for _ in range(3):
            await house.ask(PHOTO, caption="")
        assert house.words() == [english("used-up-waiting", whose="person", most=2, waiting=2)]
        house.ada.send_text("/cancel")
        await house.hear()
        await house.ask(PHOTO)
        assert len(house.kie.tasks) == 1


# -- what is given back


@pytest.mark.parametrize(
    "ending",
    [fail("violates the content policy", refunded=False), fail("Internal error", refunded=False), SUCCESS_WITHOUT_URL],
    ids=["refused", "broke", "without a picture"],
)
async def test_an_edit_that_failed_at_a_cost_counts(tmp_path: Path, ending: Outcome) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3, daily_edits=100) as house:
        house.kie.script(*[ending] * 6)
        for _ in range(6):
            await house.ask(PHOTO)
            await house.pass_time(60)
        assert len(house.kie.tasks) == 3
        assert (await _counted(house), await _counted(house, Whose.ALL, ALL)) == (3, 3)


@pytest.mark.parametrize(("second_is_free", "counted"), [(True, 0), (False, 1)])
async def test_each_task_of_an_edit_that_was_ordered_once_more_has_to_have_been_free(
    tmp_path: Path, second_is_free: bool, counted: int
) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3) as house:
        house.kie.script(fail("Internal error"), fail("Internal error", refunded=second_is_free))
        await house.ask(PHOTO)
        for _ in range(3):
            await house.pass_time(40)
        assert len(house.kie.tasks) == 2
        assert (await _counted(house), await _spent(house)) == (counted, 4 * counted)


async def test_where_kie_does_not_say_what_a_failure_cost_it_counts_and_is_spent_as_usual(tmp_path: Path) -> None:
    async with a_house(tmp_path, kie={"vintage": 2025}, daily_edits_per_user=1) as house:
        house.kie.script(fail("violates the content policy"))
        await house.ask(PHOTO)
        await house.pass_time(60)
        assert (await house.job()).state is State.FAILED
        assert (await _counted(house), await _spent(house)) == (1, 4)


async def _fails(house: House, how: str) -> None:
    match how:
        case "picture":
            house.ada.send_document(b"\xff\xd8\xff no picture", "a.jpg", caption="make it snow")
        case "task":
            house.kie.script(fail("violates the content policy"))
            house.ada.send_photo(PHOTO, caption="make it snow")
        case _:
            house.kie.refuse(422, "The prompt was flagged by the content policy")
            house.ada.send_photo(PHOTO, caption="make it snow")
    await house.hear()
    await house.pass_time(60)


@pytest.mark.parametrize("how", ["picture", "task", "order"])
async def test_only_the_first_few_failures_of_a_day_are_given_back_however_little_they_cost(
    tmp_path: Path, how: str
) -> None:
    async with _limited(tmp_path, daily_edits_per_user=2) as house:
        for _ in range(FREE_FAILURES + 4):
            await _fails(house, how)
        tried = await house.bot.db.unit(lambda tx: [tx.jobs.get(number) is not None for number in range(1, 9)])
        assert sum(tried) == FREE_FAILURES + 2
        assert await _counted(house) == 2
        assert await _counted(house, Whose.ALL, ALL) == 0, "others lose nothing by what cost nothing"
        house.clock.now += DAY
        assert await _counted(house) == 0


async def _left_in_doubt(house: House, label: str = "Leave it") -> None:
    """Let an order be taken without an answer, and Ada decide about it."""
    house.kie.faults.add("createTask", LOST)
    await house.ask(PHOTO)
    await house.pass_time(5)
    [question] = [m for m in house.statuses() if m["text"] == english("doubt")]
    house.ada.press(question["message_id"], label)
    await house.hear()
    await house.pass_time(60)


async def test_an_order_that_may_have_been_taken_counts_and_is_paid_for_as_usual(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=3, daily_credits=100) as house:
        for _ in range(3):
            await _left_in_doubt(house)
        await house.ask(PHOTO)
        assert len(house.kie.tasks) == 3
        assert (await _counted(house), await _spent(house)) == (3, 12)
        assert house.words()[-1] == english("used-up", whose="person", most=3, time=TOMORROW)


async def test_orders_that_may_have_been_taken_do_not_pass_by_the_days_credits(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=12) as house:
        for _ in range(3):
            await _left_in_doubt(house)
        await house.ask(PHOTO)
        assert len(house.kie.tasks) == 3
        assert house.words()[-1] == english("spent", time=TOMORROW)


async def test_an_order_that_is_made_again_counts_as_two_for_the_days_credits(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=100) as house:
        await _left_in_doubt(house, "Try again")
        assert len(house.kie.tasks) == 2
        assert await _spent(house) == 8


async def test_an_order_in_doubt_that_nobody_decides_about_counts_after_a_day(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=100) as house:
        house.kie.faults.add("createTask", LOST)
        await house.ask(PHOTO)
        await house.pass_time(DAY + 60)
        assert (await house.job()).state is State.FAILED
        assert await _spent(house) == 4


async def test_an_order_that_was_taken_back_after_one_that_may_have_been_taken_counts(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1) as house:
        house.kie.faults.add("createTask", LOST)
        await house.ask(PHOTO)
        await house.pass_time(5)
        house.kie.refuse(433, "cap")
        house.ada.press(house.status()["message_id"], "Try again")
        await house.hear()
        house.ada.send_text("/cancel")
        await house.hear()
        assert (await house.job()).state is State.CANCELLED
        assert await _counted(house) == 1


async def test_a_task_that_never_ends_counts_and_is_paid_for_as_usual(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1, daily_credits=100) as house:
        house.kie.script(STUCK)
        await house.ask(PHOTO)
        await house.pass_time(DAY + 3600)
        assert (await house.job()).state is State.FAILED
        assert await _spent(house) == 4
        counted_on = house.clock.instant() // (DAY * 1000) - 1
        assert await house.bot.db.unit(lambda tx: tx.counts.of(Whose.PERSON, 1001, counted_on)) == 1
